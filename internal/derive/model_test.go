package derive_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/derive"
	"rte/internal/event"
)

// seeded is a random source whose seed a failing test prints.
func seeded(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 1))
}

func id(sort byte, n int) event.GUID { return event.GUID{sort, byte(n >> 8), byte(n)} }

// A day is a randomized one: what happened, kept as payloads, so that it can be
// counted again by hand.
type randomDay struct {
	t         *testing.T
	r         *rand.Rand
	cat       *event.Catalog
	options   derive.Options
	rules     *derive.Rules
	out       derive.Output
	now       time.Time
	sequence  uint64
	callbacks map[event.GUID]event.CallbackChanged // newest of each
	serving   map[event.GUID]bool
	agents    map[event.GUID][]event.GUID // of registered lists
	auto      map[event.GUID]bool
	newest    map[event.GUID]event.CallbackListStatus // that was sent
	statuses  int
	kept      map[event.GUID][]byte
	told      []string // who was told of callbacks
	wantTold  []string
}

var dayStart = time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)

const terminalType = 9

func newRandomDay(t *testing.T, r *rand.Rand) *randomDay {
	d := &randomDay{
		t: t, r: r, cat: event.NewCatalog(), now: dayStart, options: derive.Options{TerminalAttempts: []int32{terminalType}},
		callbacks: map[event.GUID]event.CallbackChanged{}, serving: map[event.GUID]bool{}, agents: map[event.GUID][]event.GUID{},
		auto: map[event.GUID]bool{}, newest: map[event.GUID]event.CallbackListStatus{}, kept: map[event.GUID][]byte{},
	}
	d.rules = derive.New(d.cat, d.options)
	return d
}

var org = id('o', 1)

func (d *randomDay) event(p event.Payload, entity event.GUID) *event.Event {
	d.t.Helper()
	typ, _ := d.cat.Lookup(p.Event())
	data, err := json.Marshal(p)
	if err != nil {
		d.t.Fatal(err)
	}
	d.sequence++
	return &event.Event{
		Topic: event.Topic{Org: org, Pair: event.Pair{Kind: typ.Kind, Entity: entity}}, Data: data,
		Time: d.now, Stored: d.now, Sequence: d.sequence, Cursor: fmt.Sprint(d.sequence),
	}
}

// moment is null, or a date from an hour ago to two days ahead; often on a
// full quarter minute, where ticks are.
func (d *randomDay) moment() event.Null[event.DateTime] {
	if d.r.IntN(4) == 0 {
		return event.Null[event.DateTime]{}
	}
	at := d.now.Add(time.Duration(d.r.Int64N(int64(49*time.Hour))) - time.Hour)
	if d.r.IntN(2) == 0 {
		at = at.Truncate(15 * time.Second)
	}
	if d.r.IntN(2) == 0 {
		at = d.now.Add(time.Duration(d.r.Int64N(int64(3 * time.Hour))))
	}
	return event.Some(event.DateTimeOf(at))
}

func (d *randomDay) change() {
	c := event.CallbackChanged{
		CallBackID: id('c', d.r.IntN(60)), CallListID: id('l', d.r.IntN(4)), OrganizationID: org,
		DueDate: d.moment(), ExpiryDate: d.moment(), NotBefore: d.moment(),
	}
	if d.r.IntN(3) == 0 {
		c.AssignedUserID = event.Some(id('u', d.r.IntN(5)))
	}
	if d.r.IntN(3) > 0 {
		c.LastAttemptTypeID = event.Some(int32(d.r.IntN(terminalType + 1)))
	}
	was := d.callbacks[c.CallBackID]
	d.callbacks[c.CallBackID] = c
	e := d.event(c, c.CallListID)
	previous := was.AssignedUserID
	if d.r.IntN(8) == 0 {
		e.PreviousAssignedUser = id('p', d.r.IntN(5))
		previous = event.Some(e.PreviousAssignedUser)
	}
	if c.AssignedUserID.Valid {
		d.wantTold = append(d.wantTold, e.Cursor+" "+c.AssignedUserID.Value.String())
	}
	if previous.Valid && previous != c.AssignedUserID {
		d.wantTold = append(d.wantTold, e.Cursor+" "+previous.Value.String())
	}
	d.rules.Event(e, &d.out)
}

// step does something, and looks at what comes out.
func (d *randomDay) step() {
	switch d.r.IntN(12) {
	case 0, 1, 2, 3:
		d.change()
	case 4:
		u := id('u', d.r.IntN(5))
		d.serving[u] = d.r.IntN(2) == 0
		d.rules.Event(d.event(event.UserStatus{UserID: u, ServingCallback: d.serving[u]}, u), &d.out)
	case 5:
		if d.r.IntN(10) > 0 {
			break
		}
		l := id('l', d.r.IntN(4))
		d.agents[l], d.auto[l] = nil, d.r.IntN(2) == 0
		for n := range 5 {
			if d.r.IntN(2) == 0 {
				d.agents[l] = append(d.agents[l], id('u', n))
			}
		}
		d.rules.SetList(org, l, d.auto[l], d.agents[l])
	case 6:
		if d.r.IntN(100) == 0 {
			d.takeOver()
		}
	default:
		d.now = d.now.Add(time.Second)
		if d.r.IntN(40) == 0 {
			d.now = d.now.Add(time.Duration(d.r.Int64N(int64(20 * time.Minute))))
		}
		d.rules.Tick(d.now, &d.out)
	}
	d.read()
}

func (d *randomDay) read() {
	for _, k := range d.out.Callbacks {
		d.kept[k.ID] = k.Record
	}
	for i := range d.out.Events {
		e := &d.out.Events[i]
		if d.cat.Type(e.Kind).Name == "UserCallbackChanged" {
			d.told = append(d.told, e.Cause+" "+e.Entity.String())
			continue
		}
		var s event.CallbackListStatus
		if err := json.Unmarshal(e.Data, &s); err != nil {
			d.t.Fatal(err)
		}
		if got, want := s, d.count(e.Entity, e.Time); got != want {
			d.t.Fatalf("status of %v at %v (-by hand +sent):\n%s", e.Entity, e.Time, cmp.Diff(want, got))
		}
		if d.newest[e.Entity] == s {
			d.t.Fatalf("status of %v at %v was sent again: %+v", e.Entity, e.Time, s)
		}
		d.newest[e.Entity] = s
		d.statuses++
	}
	d.out.Reset()
}

// takeOver has a second owner go on with what the first kept and published.
func (d *randomDay) takeOver() {
	d.rules = derive.New(d.cat, d.options)
	for k, record := range d.kept {
		if record == nil {
			continue
		}
		if err := d.rules.RestoreCallback(derive.Callback{Organization: org, List: d.callbacks[k].CallListID, ID: k, Record: record}); err != nil {
			d.t.Fatal(err)
		}
	}
	for u, on := range d.serving {
		d.rules.Event(d.event(event.UserStatus{UserID: u, ServingCallback: on}, u), &d.out)
	}
	for l, s := range d.newest {
		e := d.event(s, l)
		e.ID = event.OwnID + "status"
		d.rules.Event(e, &d.out)
	}
	for l, agents := range d.agents {
		d.rules.SetList(org, l, d.auto[l], agents)
	}
	d.rules.Tick(d.now, &d.out)
}

// count counts a list by hand, from the newest payload of every callback.
func (d *randomDay) count(list event.GUID, now time.Time) event.CallbackListStatus {
	s := event.CallbackListStatus{CallListID: list, OrganizationID: org, IsAutoAllocate: d.auto[list], TotalActiveAgents: int32(len(d.agents[list]))}
	for _, c := range d.callbacks {
		at := func(m event.Null[event.DateTime]) (time.Time, bool) {
			if !m.Valid {
				return time.Time{}, false
			}
			t, err := m.Value.Time()
			if err != nil {
				d.t.Fatal(err)
			}
			return t, true
		}
		expiry, expires := at(c.ExpiryDate)
		if c.CallListID != list || c.LastAttemptTypeID == event.Some[int32](terminalType) || expires && !now.Before(expiry) {
			continue
		}
		s.TotalOpenRequests++
		if expires && !expiry.After(now.Add(24*time.Hour)) {
			s.ExpiresIn24h++
		}
		if due, ok := at(c.DueDate); ok && !due.After(now) {
			s.TotalOverDueDate++
		} else if ok && !due.After(now.Add(time.Hour)) {
			s.NextHourOverDueDate++
		}
		hidden, ok := at(c.NotBefore)
		switch {
		case c.AssignedUserID.Valid:
			s.TotalAssigned++
		case ok && hidden.After(now):
			s.TotalHidingNotBefore++
			if !hidden.After(now.Add(time.Hour)) {
				s.NextHourRevealedNotBefore++
			}
		default:
			s.TotalFreeForAllocation++
		}
	}
	for _, a := range d.agents[list] {
		if d.serving[a] {
			s.TotalServingAgents++
			s.TotalAutoAllocateAgents++
		}
	}
	if s.IsAutoAllocate {
		s.TotalServingAutoAllocateAgents = s.TotalAutoAllocateAgents
	}
	return s
}

// TestRandomDay: every status that is sent is what a count by hand gives at its
// moment, after each look at all lists the newest ones are what a count gives,
// and of each changed callback exactly its users are told. A new owner now and
// then changes nothing of that.
func TestRandomDay(t *testing.T) {
	t.Parallel()
	d := newRandomDay(t, seeded(t))
	for d.now.Before(dayStart.Add(24 * time.Hour)) {
		d.step()
		if d.r.IntN(200) > 0 {
			continue
		}
		// Sixteen quiet seconds: each list has had its turn, at a second of its own.
		before := d.now
		for range 16 {
			d.now = d.now.Add(time.Second)
			d.rules.Tick(d.now, &d.out)
			d.read()
		}
		for list, s := range d.newest {
			same := false
			for at := before.Truncate(time.Second); !at.After(d.now); at = at.Add(time.Second) {
				same = same || d.count(list, at) == s
			}
			if !same {
				t.Fatalf("newest status of %v at %v (-by hand +sent):\n%s", list, d.now, cmp.Diff(d.count(list, d.now), s))
			}
		}
		invariants(t, d.newest)
	}
	if d := cmp.Diff(d.wantTold, d.told); d != "" {
		t.Errorf("users told (-want +got):\n%s", d)
	}
	if d.statuses < 1000 || len(d.told) < 100 {
		t.Errorf("only %d statuses and %d copies: the day was too quiet", d.statuses, len(d.told))
	}
}

// invariants are those of the domain report, 5.3.
func invariants(t *testing.T, all map[event.GUID]event.CallbackListStatus) {
	t.Helper()
	for _, s := range all {
		for what, good := range map[string]bool{
			"open = assigned + free + hiding":    s.TotalOpenRequests == s.TotalAssigned+s.TotalFreeForAllocation+s.TotalHidingNotBefore,
			"over + soon over <= open":           s.TotalOverDueDate+s.NextHourOverDueDate <= s.TotalOpenRequests,
			"revealed <= hiding":                 s.NextHourRevealedNotBefore <= s.TotalHidingNotBefore,
			"expiring <= open":                   s.ExpiresIn24h <= s.TotalOpenRequests,
			"allocated <= min(active, serving)":  s.TotalAutoAllocateAgents <= min(s.TotalActiveAgents, s.TotalServingAgents),
			"serving allocated as the list does": s.TotalServingAutoAllocateAgents == map[bool]int32{true: s.TotalAutoAllocateAgents}[s.IsAutoAllocate],
		} {
			if !good {
				t.Fatalf("not %s: %+v", what, s)
			}
		}
	}
}
