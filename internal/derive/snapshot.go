package derive

import (
	"container/list"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"rte/internal/event"
)

// snapshotHead begins every snapshot and names its form.
const snapshotHead = "rte-derive/1\n"

// Frames of a snapshot: one of these, the length as uvarint, the content. All
// but the last two are JSON.
const (
	frameClock        = 't'
	frameOrganization = 'o'
	frameList         = 'l'
	frameAlert        = 'a'
	frameQueue        = 'q'
	frameCallback     = 'c' // organization, list, id, record
	frameUser         = 'u' // who serves callbacks: organization, id
)

var errSnapshot = errors.New("malformed snapshot of rules")

type keptOrganization struct {
	ID     event.GUID `json:"id"`
	On     bool       `json:"on,omitempty"`
	Missed uint8      `json:"missed,omitempty"`
}

type keptList struct {
	Organization event.GUID   `json:"organization"`
	ID           event.GUID   `json:"id"`
	Registered   bool         `json:"registered,omitempty"`
	Auto         bool         `json:"auto,omitempty"`
	Agents       []event.GUID `json:"agents,omitempty"`
	Sent         bool         `json:"sent,omitempty"`
	Last         keptCounters `json:"last"`
	On           bool         `json:"on,omitempty"`
	Missed       uint8        `json:"missed,omitempty"`
	Would        keptCounters `json:"would"`
	Cause        string       `json:"cause,omitempty"`
}

type keptCounters struct {
	Of      [traitCount]int32 `json:"of"`
	Active  int32             `json:"active,omitempty"`
	Serving int32             `json:"serving,omitempty"`
	Auto    bool              `json:"auto,omitempty"`
}

type keptAlert struct {
	Alert    Alert      `json:"alert"`
	State    AlertState `json:"state"`
	Sequence uint64     `json:"sequence"`
}

type keptQueue struct {
	Figures Figures `json:"figures"`
	Waiting bool    `json:"waiting,omitempty"` // to be kept when it is its turn
}

// Snapshot appends all that is remembered, in a form that RestoreSnapshot
// reads; rules that were restored from it give the same outputs from then on.
// Two snapshots of the same state are the same bytes.
func (r *Rules) Snapshot(dst []byte) []byte {
	dst = append(dst, snapshotHead...)
	if r.now != unknown {
		dst = appendFrame(dst, frameClock, int64(r.now))
	}
	for _, id := range sorted(r.orgs) {
		o := r.orgs[id]
		dst = appendFrame(dst, frameOrganization, keptOrganization{id, o.sends.on, o.sends.missed})
		for _, u := range sorted(o.users) {
			if o.users[u].serving {
				dst = appendRaw(dst, frameUser, id[:], u[:])
			}
		}
		for _, l := range sorted(o.lists) {
			dst = appendFrame(dst, frameList, o.lists[l].kept())
		}
		for _, q := range sorted(o.queues) {
			dst = appendFrame(dst, frameQueue, keptQueue{o.queues[q].record(), o.queues[q].waiting})
		}
	}
	for _, order := range [...]*list.List{r.open, r.closed} {
		for e := order.Front(); e != nil; e = e.Next() {
			c := e.Value.(*callback)
			k := c.record(c.list.org)
			dst = appendRaw(dst, frameCallback, k.Organization[:], k.List[:], k.ID[:], k.Record)
		}
	}
	for _, id := range sorted(r.orgs) { // behind the clock, in no one's way
		o := r.orgs[id]
		for _, a := range sorted(o.alerts) {
			dst = appendFrame(dst, frameAlert, keptAlert{o.alerts[a].Alert, o.alerts[a].state(), o.alerts[a].sequence})
		}
	}
	return dst
}

func appendFrame(dst []byte, kind byte, content any) []byte {
	text, err := json.Marshal(content)
	if err != nil {
		panic("derive: a snapshot cannot be written: " + err.Error())
	}
	return appendRaw(dst, kind, text)
}

func appendRaw(dst []byte, kind byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	dst = binary.AppendUvarint(append(dst, kind), uint64(n))
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}

func (l *callList) kept() keptList {
	return keptList{
		Organization: l.org.id, ID: l.id, Registered: l.registered, Auto: l.is.auto, Agents: l.agents,
		Sent: l.sent, Last: l.last.kept(), On: l.sends.on, Missed: l.sends.missed, Would: l.would.kept(), Cause: l.cause,
	}
}

func (c counters) kept() keptCounters { return keptCounters{c.of, c.active, c.serving, c.auto} }

func (k keptCounters) counters() counters { return counters{k.Of, k.Active, k.Serving, k.Auto} }

// RestoreSnapshot takes a snapshot into rules that have been given nothing
// yet. After an error they are of no use.
func (r *Rules) RestoreSnapshot(b []byte) error {
	if len(r.orgs) > 0 {
		return errors.New("restore rules: they are in use")
	}
	if len(b) < len(snapshotHead) || string(b[:len(snapshotHead)]) != snapshotHead {
		return fmt.Errorf("restore rules: %w: wanted it to begin with %q", errSnapshot, snapshotHead)
	}
	p := reader{b: b[len(snapshotHead):]}
	var lists []keptList
	for len(p.b) > 0 {
		kind := p.byte()
		n := p.uvarint()
		if n > uint64(len(p.b)) {
			p.bad = true
		}
		if p.bad {
			return fmt.Errorf("restore rules: %w: cut short", errSnapshot)
		}
		content := p.take(int(n))
		if kind == frameList {
			var k keptList
			if err := json.Unmarshal(content, &k); err != nil {
				return fmt.Errorf("restore rules: frame %q: %w", kind, err)
			}
			r.restoreList(&k)
			lists = append(lists, k)
			continue
		}
		if err := r.restoreFrame(kind, content); err != nil {
			return fmt.Errorf("restore rules: frame %q: %w", kind, err)
		}
	}
	for i := range lists { // the callbacks have come in between, and said why last
		if l := r.orgs[lists[i].Organization].lists[lists[i].ID]; l != nil {
			l.cause = lists[i].Cause
		}
	}
	return nil
}

func (r *Rules) restoreFrame(kind byte, content []byte) error {
	switch kind {
	case frameClock:
		var at int64
		if err := json.Unmarshal(content, &at); err != nil {
			return err
		}
		if moment(at) <= -never/2 || moment(at) >= never/2 {
			return errSnapshot
		}
		r.now = moment(at)
	case frameOrganization:
		var k keptOrganization
		if err := json.Unmarshal(content, &k); err != nil {
			return err
		}
		o := r.organization(k.ID)
		o.sends, o.restored = detected{k.On, k.Missed}, 1<<63
	case frameUser:
		p := reader{b: content}
		var org, id event.GUID
		copy(org[:], p.take(len(org)))
		copy(id[:], p.take(len(id)))
		if p.bad {
			return errSnapshot
		}
		return r.restoreUser(org, id)
	case frameQueue:
		var k keptQueue
		if err := json.Unmarshal(content, &k); err != nil {
			return err
		}
		return r.restoreQueue(&k)
	case frameCallback:
		p := reader{b: content}
		var k Callback
		copy(k.Organization[:], p.take(len(k.Organization)))
		copy(k.List[:], p.take(len(k.List)))
		copy(k.ID[:], p.take(len(k.ID)))
		k.Record = p.b
		return r.RestoreCallback(k)
	case frameAlert:
		var k keptAlert
		if err := json.Unmarshal(content, &k); err != nil {
			return err
		}
		if err := r.SetAlert(&k.Alert, k.State, nil, nil); err != nil {
			return err
		}
		r.orgs[k.Alert.Organization].alerts[k.Alert.ID].sequence = k.Sequence
	default:
		return errSnapshot
	}
	return nil
}
