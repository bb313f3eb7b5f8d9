package sim_test

import (
	"slices"
	"testing"
	"time"

	"rte/internal/event"
	"rte/internal/sim"
)

// A watch follows a centre by its envelopes alone, as a client would, and
// fails the test at the first that breaks a rule.
type watch struct {
	t       *testing.T
	catalog *event.Catalog
	org     event.GUID
	known   map[event.GUID]bool

	ids     map[string]bool
	last    time.Time
	calls   map[string]*callSeen
	status  map[string]envelope // newest UserStatus by user
	members map[string]envelope // newest QueueAttachedUsers by queue
	queues  map[string]*queueSeen
	active  map[string]map[string]bool // by user: the queues that list him as active
	behind  map[string]time.Time       // users whose lists have changed and whose UserStatus has not come yet
	ended   map[string]int             // finished calls by sequence number
}

// A queueSeen is what the envelopes said of one queue.
type queueSeen struct {
	statusAt time.Time // of the last QueueStatus; zero before
	waiting  bool      // it said that someone waits
	said     map[string]any
	changed  time.Time // when the other streams began to say otherwise; zero: they agree
	calls    map[string]*callSeen
}

func newWatch(t *testing.T, c *sim.Centre) *watch {
	w := &watch{
		t: t, catalog: event.NewCatalog(), org: c.Org(), known: map[event.GUID]bool{},
		ids: map[string]bool{}, calls: map[string]*callSeen{}, status: map[string]envelope{},
		members: map[string]envelope{}, queues: map[string]*queueSeen{}, active: map[string]map[string]bool{},
		behind: map[string]time.Time{}, ended: map[string]int{},
	}
	for _, e := range slices.Concat(c.Agents(), c.Queues()) {
		w.known[e.ID] = true
	}
	for _, q := range c.Queues() {
		w.queues[q.ID.String()] = &queueSeen{calls: map[string]*callSeen{}}
	}
	return w
}

func (w *watch) see(e envelope) {
	w.t.Helper()
	if w.ids[e.ID] || e.ID == "" {
		w.t.Fatalf("id %q is empty or there twice", e.ID)
	}
	w.ids[e.ID] = true
	if e.Time.Before(w.last) {
		w.t.Fatalf("%s at %v comes after one at %v", e.Name, e.Time, w.last)
	}
	w.last = e.Time
	if e.Org != w.org || !w.known[e.Entity] {
		w.t.Fatalf("%s: organization %s, entity %s: not of this centre", e.Name, e.Org, e.Entity)
	}
	w.payload(e)
	switch e.Name {
	case "UserAvailability":
	case "UserStatus":
		w.userStatus(e)
		for queue := range w.active[e.Entity.String()] {
			w.compare(queue, e.Time)
		}
	case "QueueAttachedUsers":
		w.attachedUsers(e)
		w.compare(e.Entity.String(), e.Time)
	case "QueueStatus":
		w.queueStatus(e)
	default:
		w.call(e)
		w.compare(e.Entity.String(), e.Time)
	}
	for user, since := range w.behind {
		if e.Time.After(since) {
			w.t.Fatalf("user %s: the queues' lists changed at %v, but no UserStatus came", user, since)
		}
	}
	for id, q := range w.queues {
		if q.waiting && e.Time.Sub(q.statusAt) > 5*time.Second {
			w.t.Fatalf("queue %s: someone waits, but no QueueStatus from %v to %v", id, q.statusAt, e.Time)
		}
		if !q.changed.IsZero() && e.Time.Sub(q.changed) > time.Second {
			w.t.Fatalf("queue %s: counters changed at %v, but no QueueStatus until %v", id, q.changed, e.Time)
		}
	}
}

// payload holds the data against the catalogue: every field, no other, each
// of its type, and entity and organization the same as in the envelope.
func (w *watch) payload(e envelope) {
	w.t.Helper()
	typ, ok := w.catalog.Lookup(e.Name)
	if !ok || typ.Name != e.Name {
		w.t.Fatalf("event %q is not in the catalogue in this spelling", e.Name)
	}
	w.fields(e.Name, typ, e.Data)
	if got := e.Data[typ.Entity]; got != e.Entity.String() {
		w.t.Fatalf("%s: %s is %v, the envelope says %s", e.Name, typ.Entity, got, e.Entity)
	}
	if got := e.Data[typ.Organization]; got != e.Org.String() {
		w.t.Fatalf("%s: %s is %v, the envelope says %s", e.Name, typ.Organization, got, e.Org)
	}
}

func (w *watch) fields(where string, typ *event.Type, data map[string]any) {
	w.t.Helper()
	if len(data) != len(typ.Fields) {
		w.t.Fatalf("%s: %d members, the catalogue has %d: %v", where, len(data), len(typ.Fields), data)
	}
	for i := range typ.Fields {
		f := &typ.Fields[i]
		v, ok := data[f.Name]
		if !ok {
			w.t.Fatalf("%s: no member %s: %v", where, f.Name, data)
		}
		if v == nil && f.Nullable {
			continue
		}
		if f.List {
			items, ok := v.([]any)
			if !ok {
				w.t.Fatalf("%s.%s is %v, want a list", where, f.Name, v)
			}
			for _, item := range items {
				w.fields(where+"."+f.Name, f.Helper, item.(map[string]any))
			}
			continue
		}
		if !fits(f, v) {
			w.t.Fatalf("%s.%s is %v (%T), want %s of %v", where, f.Name, v, v, f.Type, f.Values)
		}
	}
}

// fits tells whether a JSON value is one of the field's type.
func fits(f *event.Field, v any) bool {
	switch f.Type {
	case "bool":
		_, ok := v.(bool)
		return ok
	case "int", "short", "long":
		n, ok := v.(float64)
		return ok && n == float64(int64(n)) && n >= 0
	case "Guid":
		s, ok := v.(string)
		g, err := event.ParseGUID(s)
		return ok && err == nil && g.String() == s && !g.IsZero()
	case "DateTime":
		s, ok := v.(string)
		if s == "9999-12-31T23:59:59.9999999" {
			return ok
		}
		at, err := time.Parse(time.RFC3339Nano, s)
		return err == nil && s[len(s)-1] == 'Z' && at.Year() == 2026
	case "string", "String":
		s, ok := v.(string)
		return ok && (f.Values == nil || !f.Values.Closed || f.Values.Has(s))
	}
	return false
}

func (w *watch) attachedUsers(e envelope) {
	queue := e.Entity.String()
	_, before := w.members[queue]
	w.members[queue] = e
	for _, u := range e.Data["AttachedUsers"].([]any) {
		u := u.(map[string]any)
		user := u["UserId"].(string)
		if w.active[user] == nil {
			w.active[user] = map[string]bool{}
		}
		if active := u["Active"] == true; w.active[user][queue] != active {
			w.active[user][queue] = active
			if before {
				w.behind[user] = e.Time
			}
		}
	}
}

// userStatus holds the rules of the domain report, 5.1.
func (w *watch) userStatus(e envelope) {
	w.t.Helper()
	d := e.Data
	is := func(name string) bool { return d[name].(bool) }
	wrapUp := d["WrapUpEnd"] != nil
	switch {
	case is("Available") && !is("Schedule"):
		w.t.Fatalf("available but off work: %v", d)
	case wrapUp && is("CanBeAllocatedTo"):
		w.t.Fatalf("in wrap-up but free: %v", d)
	case is("CanBeAllocatedTo") && (!is("Serving") || !is("Available") || is("Talking") || d["ServiceTerminals"] == 0.0):
		w.t.Fatalf("free but cannot be: %v", d)
	case is("Talking") && !is("Available"):
		w.t.Fatalf("went away in the middle of a call: %v", d)
	case d["ServiceTerminals"].(float64) > 5:
		w.t.Fatalf("more than five terminals: %v", d)
	}
	if wrapUp {
		if end, err := time.Parse(time.RFC3339Nano, d["WrapUpEnd"].(string)); err != nil || end.Before(e.Time) {
			w.t.Fatalf("at %v: wrap-up until %v is over (%v)", e.Time, d["WrapUpEnd"], err)
		}
	}
	// The queues' own lists must say the same; at the beginning they follow.
	delete(w.behind, e.Entity.String())
	active := 0
	for _, on := range w.active[e.Entity.String()] {
		if on {
			active++
		}
	}
	if len(w.members) == len(w.queues) && d["ActiveQueues"] != float64(active) {
		w.t.Fatalf("at %v: active in %v queues, their lists say %v: %v", e.Time, d["ActiveQueues"], active, d)
	}
	w.status[e.Entity.String()] = e
}
