package bus_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"rte/internal/bus"
	"rte/internal/event"
)

// TestPlace: only a cursor of the topic's own stream stands for a place.
func TestPlace(t *testing.T) {
	t.Parallel()
	f, other := open(t, bus.Options{}), open(t, bus.Options{})
	call, status := f.topic(orgA, "QueueCallInArrived", 1), f.topic(orgA, "UserStatus", 1)
	good := f.CursorAt(call, 7)
	c, err := bus.ParseCursor(good)
	if err != nil {
		t.Fatal(err)
	}
	c.Partition++
	for _, test := range []struct {
		name, cursor string
		topic        event.Topic
		want         uint64
		ok           bool
	}{
		{"its own", good, call, 7, true},
		{"another pair of the stream", good, f.topic(orgB, "QueueCallInArrived", 2), 7, true},
		{"the place before the first", f.CursorAt(status, 0), status, 0, true},
		{"the other lane", good, status, 0, false},
		{"another store", other.CursorAt(call, 7), call, 0, false},
		{"another partition", c.String(), call, 0, false},
		{"malformed", "nonsense", call, 0, false},
		{"empty", "", call, 0, false},
		{"no event of the catalogue", good, event.Topic{Org: orgA, Pair: event.Pair{Kind: 9999}}, 0, false},
	} {
		if got, ok := f.Place(test.topic, test.cursor); got != test.want || ok != test.ok {
			t.Errorf("%s: %d, %v; want %d, %v", test.name, got, ok, test.want, test.ok)
		}
	}
}

// TestRead: exactly what lies between two places, oldest first.
func TestRead(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, f *fixture) {
		call, status := f.topic(orgA, "QueueCallInArrived", 1), f.topic(orgA, "UserStatus", 1)
		var at []uint64       // of the calls
		for n := range 1500 { // more than one answer holds
			e := f.event(call, n)
			f.publish(e, f.event(f.topic(orgA, "QueueCallInArrived", 2), n))
			at = append(at, e.Sequence)
		}
		f.publish(f.event(status, 1), f.event(status, 2))
		last := f.last(status)
		for _, test := range []struct {
			name        string
			topic       event.Topic
			after, upTo uint64
			most        int
			first, n    int
			more        bool
		}{
			{"all", call, 0, at[1499], 3000, 0, 1500, false},
			{"up to one more than there is", call, 0, at[1499] + 1, 3000, 0, 1500, false},
			{"behind one, up to another", call, at[9], at[19], 100, 10, 10, false},
			{"up to before one", call, at[9], at[19] - 1, 100, 10, 9, false},
			{"behind the last", call, at[1499], at[1499] + 1, 100, 0, 0, false},
			{"nothing between", call, at[5], at[5], 100, 0, 0, false},
			{"backwards", call, at[5], at[4], 100, 0, 0, false},
			{"cut", call, at[9], at[1499], 10, 10, 10, true},
			{"just not cut", call, at[9], at[19], 10, 10, 10, false},
			{"cut above one answer", call, 0, at[1499], 1200, 0, 1200, true},
			{"a pair that never spoke", f.topic(orgB, "QueueCallInArrived", 1), 0, at[1499], 10, 0, 0, false},
			{"the newest state", status, 0, last.Sequence, 10, 2, 1, false},
			{"no newer state", status, last.Sequence, last.Sequence + 1, 10, 0, 0, false},
		} {
			events, whole, more, err := f.Read(t.Context(), test.topic, test.after, test.upTo, test.most)
			if err != nil || !whole || more != test.more || len(events) != test.n {
				t.Errorf("%s: %d events, whole %v, more %v, %v; want %d, more %v", test.name, len(events), whole, more, err, test.n, test.more)
				continue
			}
			for i, e := range events {
				if number(t, e) != test.first+i || e.Topic != test.topic {
					t.Errorf("%s: event %d is %s", test.name, i, e.Data)
				}
			}
		}
		if _, _, _, err := f.Read(t.Context(), event.Topic{Org: orgA, Pair: event.Pair{Kind: 9999}}, 0, 1, 1); err == nil {
			t.Error("a kind that is not in the catalogue was read")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, _, err := f.Read(ctx, call, 0, 1, 1); !errors.Is(err, event.ErrUnavailable) {
			t.Errorf("Read with a context that has ended: %v", err)
		}
	})
}

// TestReadForgotten: what the store has forgotten is told, not passed over.
func TestReadForgotten(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{RetentionBytes: 20_000})
	call := f.topic(orgA, "QueueCallInArrived", 1)
	var all []*event.Event
	for n := range 300 {
		e := f.event(call, n)
		f.publish(e)
		all = append(all, e)
	}
	newest := all[299].Sequence
	first := f.stream(bus.EventLane).FirstSequence
	if first <= 1 || first > newest {
		t.Fatalf("the stream begins at %d of %d, want it to have forgotten some", first, newest)
	}
	events, whole, _, err := f.Read(t.Context(), call, all[0].Sequence, newest, 1000)
	if err != nil || whole || len(events) == 0 || number(t, events[len(events)-1]) != 299 {
		t.Errorf("behind what is forgotten: %d events, whole %v, %v", len(events), whole, err)
	}
	if events, whole, _, err = f.Read(t.Context(), call, first-1, newest, 1000); err != nil || !whole || len(events) != int(newest-first+1) {
		t.Errorf("behind the last that is forgotten: %d events, whole %v, %v", len(events), whole, err)
	}
}

// TestReadTogether: many calls at once are all answered.
func TestReadTogether(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	const topics, events = 300, 5
	for n := range events {
		for i := range topics {
			f.publish(f.event(f.topic(orgA, "QueueCallInArrived", i), n))
		}
	}
	upTo := f.stream(bus.EventLane).LastSequence
	var wg sync.WaitGroup
	for i := range topics {
		wg.Go(func() {
			list, whole, _, err := f.Read(t.Context(), f.topic(orgA, "QueueCallInArrived", i), 0, upTo, 100)
			if err != nil || !whole || len(list) != events {
				t.Errorf("topic %d: %d events, whole %v, %v", i, len(list), whole, err)
			}
		})
	}
	wg.Wait()
}
