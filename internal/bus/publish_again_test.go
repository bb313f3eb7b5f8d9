package bus_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"rte/internal/bus"
	"rte/internal/event"
)

// TestPublishAgainAfterRestart: a producer that got no answer sends the same
// events again, to a node that was started anew meanwhile. Nothing is doubled,
// and of a state the newest stays the newest, though the store has forgotten
// the ids of the older ones it replaced.
func TestPublishAgainAfterRestart(t *testing.T) {
	for name, parts := range map[string]int{"in one call": 1, "in several": 5} { // as a long request is stored
		t.Run(name, func(t *testing.T) { publishAgain(t, parts) })
	}
}

func publishAgain(t *testing.T, parts int) {
	t.Parallel()
	publish := func(f *fixture, events []*event.Event) {
		for part := range slices.Chunk(events, (len(events)+parts-1)/parts) {
			f.publish(part...)
		}
	}
	dir := t.TempDir()
	batch := func(f *fixture) []*event.Event {
		var events []*event.Event
		for n := range 6 {
			for _, name := range []string{"QueueStatus", "QueueCallInArrived"} {
				e := f.event(f.topic(orgA, name, n%2), n)
				e.ID = fmt.Sprint(name, n)
				events = append(events, e)
			}
		}
		return events
	}
	first := open(t, bus.Options{Dir: dir})
	publish(first, batch(first))
	first.close()
	for round := range 3 {
		again := open(t, bus.Options{Dir: dir})
		live := again.watch(orgA)
		events := batch(again)
		publish(again, events)
		publish(again, batch(again)) // and once more without a restart
		for n := range 2 {
			topic := again.topic(orgA, "QueueStatus", n)
			if got, want := string(again.last(topic).Data), fmt.Sprintf(`{"n":%d}`, 4+n); got != want {
				t.Errorf("round %d: the newest state is %s, want %s", round, got, want)
			}
			if got, want := again.last(topic).Cursor, events[2*(4+n)].Cursor; got != want {
				t.Errorf("round %d: the newest state is at %s, Publish said %s", round, got, want)
			}
		}
		if got := again.stream(bus.EventLane).Messages; got != 6 {
			t.Errorf("round %d: %d occurrences, want 6", round, got)
		}
		var heard []string
		for len(live) > 0 {
			e := next(t, live, "an event")
			if e.Kind == again.topic(orgA, "QueueCallInArrived", 0).Kind {
				t.Errorf("round %d: an occurrence was heard twice: %s", round, e.Data)
			}
			heard = append(heard, string(e.Data))
		}
		if len(heard) > 0 && heard[len(heard)-1] != `{"n":5}` && heard[len(heard)-1] != `{"n":4}` {
			t.Errorf("round %d: clients heard %q; the last of each must be the newest", round, heard)
		}
		again.close()
	}
}

// TestPublishAgainAfterLong: the time a node was away does not count for how
// long ids are remembered.
func TestPublishAgainAfterLong(t *testing.T) {
	t.Parallel()
	const window = 200 * time.Millisecond
	dir := t.TempDir()
	o := bus.Options{Dir: dir, DedupeWindow: window}
	first := open(t, o)
	var events []*event.Event
	for n := range 50 {
		e := first.event(first.topic(orgA, "QueueCallInArrived", n%3), n)
		if n%5 > 0 {
			e.ID = fmt.Sprint(n)
		}
		events = append(events, e)
	}
	first.publish(events...)
	first.close()
	<-time.After(2 * window)
	again := open(t, o)
	live := again.watch(orgA)
	var second []*event.Event
	for n := range 50 {
		e := again.event(events[n].Topic, n)
		e.ID = events[n].ID
		second = append(second, e)
	}
	again.publish(second...)
	if got := again.stream(bus.EventLane).Messages; got != 60 || len(live) != 10 {
		t.Errorf("%d messages, %d heard; want 60 and 10: those without an id again, the others not", got, len(live))
	}
	for n, e := range second {
		if e.ID != "" && (e.Cursor != events[n].Cursor || !e.Time.Equal(events[n].Time)) {
			t.Errorf("event %d is at %s of %v, want %s of %v as before", n, e.Cursor, e.Time, events[n].Cursor, events[n].Time)
		}
	}
	<-time.After(2 * window)
	again.publish(again.event(events[1].Topic, 1), &event.Event{Topic: events[1].Topic, Data: []byte("{}"), ID: events[1].ID})
	if got := again.stream(bus.EventLane).Messages; got != 62 {
		t.Errorf("%d messages after the window has passed in its presence, want 62", got)
	}
}
