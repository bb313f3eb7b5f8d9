package ingest

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"rte/internal/event"
)

// A Kind is a way in which a payload can differ from the catalogue: the label
// of the drift report.
type Kind uint8

// The kinds of drift.
const (
	kindNone    Kind = iota
	KindType         // another type of JSON value
	KindNull         // null where it is not allowed
	KindFormat       // a string that is no Guid, or no date
	KindRange        // a number out of range, or not whole
	KindEnum         // a value outside a closed list
	KindUnknown      // a member that the catalogue does not know; it passes in every mode
	kinds
)

var kindNames = [kinds]string{
	KindType: "type", KindNull: "null", KindFormat: "format", KindRange: "range", KindEnum: "enum", KindUnknown: "unknown",
}

// String is the kind as metrics and the log name it.
func (k Kind) String() string {
	if k >= kinds {
		return ""
	}
	return kindNames[k]
}

// driftPause is how long the log is silent about one kind of drift of one
// event after a line about it: the metrics have every case.
const driftPause = 10 * time.Minute

// A Drift counts where producers and the catalogue disagree, by event and
// kind, and writes a line to the log now and then: never a value. It sees
// events of the modes [event.Enforce], refused ones with the reason, and
// [event.Warn], one count for each value; [event.Off] is not looked at. All
// doors of a node share one. It is safe for concurrent use; a nil Drift
// counts nothing.
type Drift struct {
	cat    *event.Catalog
	log    *slog.Logger
	events []driftOf // by event.Kind
}

type driftOf [kinds]struct {
	count  atomic.Uint64
	silent atomic.Int64 // until when the log is, Unix nanoseconds
}

// NewDrift makes an empty report; log may be nil.
func NewDrift(cat *event.Catalog, log *slog.Logger) *Drift {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Drift{cat: cat, log: log, events: make([]driftOf, len(cat.Events))}
}

// A DriftCount is one line of the report.
type DriftCount struct {
	Event string // in the catalogue's spelling
	Kind  Kind
	Count uint64 // values since the start
}

// Counts are the lines of the report that are not zero, in the catalogue's
// order.
func (d *Drift) Counts() []DriftCount {
	if d == nil {
		return nil
	}
	var all []DriftCount
	for i := range d.events {
		for k := range kinds {
			if n := d.events[i][k].count.Load(); n > 0 {
				all = append(all, DriftCount{d.cat.Events[i].Name, k, n})
			}
		}
	}
	return all
}

// due tells whether the log has been silent about a kind long enough.
func (d *Drift) due(t *event.Type, k Kind) bool {
	return d != nil && time.Now().UnixNano() >= d.events[t.Kind][k].silent.Load()
}

// notes are the drift of one payload while it is read. The zero value keeps
// none.
type notes struct {
	drift  *Drift
	counts [kinds]uint32
	first  [kinds]*Error // where the log is to tell of it
}

// take counts one value. where makes the error that describes it; it is
// called only if the log is due.
func (n *notes) take(t *event.Type, k Kind, where func() *Error) {
	if n.drift == nil || t.Check == event.Off {
		return
	}
	if n.counts[k]++; n.counts[k] == 1 && n.drift.due(t, k) {
		n.first[k] = where()
	}
}

// settle adds the notes of one payload of type t to the report.
func (n *notes) settle(t *event.Type, org event.GUID) {
	if n.drift == nil || n.counts == ([kinds]uint32{}) {
		return
	}
	for k, c := range n.counts {
		if c == 0 {
			continue
		}
		of := &n.drift.events[t.Kind][k]
		total := of.count.Add(uint64(c))
		first := n.first[k]
		until := of.silent.Load()
		now := time.Now()
		// Of several at once, one tells.
		if first == nil || now.UnixNano() < until || !of.silent.CompareAndSwap(until, now.Add(driftPause).UnixNano()) {
			continue
		}
		level := slog.LevelWarn
		if Kind(k) == KindUnknown { // a newer producer, or the table that is cut (I10)
			level = slog.LevelInfo
		}
		n.drift.log.Log(context.Background(), level, "payload and catalogue disagree",
			"event", t.Name, "org", org, "reason", Kind(k).String()+" at "+first.Error(), "check", t.Check, "count", total)
	}
}
