package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"rte/internal/bus"
	"rte/internal/event"
)

// scanAll reads on behind a position until there is nothing more.
func (f *fixture) scanAll(org event.GUID, p bus.Position) (events []*event.Event, next bus.Position) {
	f.t.Helper()
	for _, c := range []*bus.Cursor{&p.States, &p.Events} {
		for all := false; !all; {
			list, behind, everything, err := f.Scan(f.t.Context(), org, *c)
			if err != nil {
				f.t.Fatal(err)
			}
			last := c.Sequence
			for _, e := range list {
				if e.Org != org || e.Sequence <= last || e.Sequence > behind.Sequence || e.Cursor == "" {
					f.t.Fatalf("event %d of %s behind %d, up to %d", e.Sequence, e.Org, last, behind.Sequence)
				}
				last = e.Sequence
			}
			events, *c, all = append(events, list...), behind, everything
		}
	}
	return events, p
}

// Everything behind a position, once, in the order of the store, and nobody
// else's.
func TestScan(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, f *fixture) {
		call, status := f.topic(orgA, "QueueCallInArrived", 1), f.topic(orgA, "UserStatus", 1)
		f.publish(f.event(call, 0), f.event(status, 0), f.event(f.topic(orgB, "UserStatus", 1), 99))
		begin, err := f.Position(t.Context(), orgA, "")
		if err != nil {
			t.Fatal(err)
		}
		end, err := f.End(t.Context(), orgA)
		if err != nil {
			t.Fatal(err)
		}
		if got, next := f.scanAll(orgA, begin); len(got) != 2 || next != end {
			t.Errorf("%d events from the beginning to %s, want 2 to %s", len(got), next, end)
		}
		if got, next := f.scanAll(orgA, end); len(got) != 0 || next != end {
			t.Errorf("%d events behind the end", len(got))
		}
		for n := range 1500 { // more than one answer holds
			f.publish(f.event(call, n+1), f.event(f.topic(orgB, "QueueCallInArrived", 1), 99), f.event(status, n+1))
		}
		resumed, err := f.Position(t.Context(), orgA, end.String())
		if err != nil || resumed != end {
			t.Fatalf("position %s is read as %s, %v", end, resumed, err)
		}
		got, next := f.scanAll(orgA, resumed)
		if len(got) != 1501 { // the newest of the states
			t.Fatalf("%d events, want 1501", len(got))
		}
		for n, e := range got[1:] {
			if number(t, e) != n+1 {
				t.Fatalf("event %d is %s", n, e.Data)
			}
		}
		if number(t, got[0]) != 1500 {
			t.Errorf("the state is %s", got[0].Data)
		}
		if again, _ := f.scanAll(orgA, next); len(again) != 0 {
			t.Errorf("%d events twice", len(again))
		}
		// A cursor of one stream: the other is read from its beginning.
		p, err := f.Position(t.Context(), orgA, got[100].Cursor)
		if err != nil {
			t.Fatal(err)
		}
		if list, _ := f.scanAll(orgA, p); len(list) != 1501-100 || number(t, list[0]) != 1500 || number(t, list[1]) != 101 {
			t.Errorf("%d events behind a call's cursor, want all later calls and the state", len(list))
		}
	})
}

// While events come, whoever reads on from where it was misses and doubles
// nothing.
func TestScanWhileEventsCome(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, f *fixture) {
		const pairs, each = 8, 150
		p, err := f.End(t.Context(), orgA)
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for pair := range pairs {
			all.Go(func() {
				for n := range each {
					f.publish(f.event(f.topic(orgA, "QueueCallInArrived", pair), n))
				}
			})
		}
		next := map[event.Topic]int{}
		for got := 0; got < pairs*each; {
			var list []*event.Event
			list, p = f.scanAll(orgA, p)
			for _, e := range list {
				if n := number(t, e); n != next[e.Topic] {
					t.Fatalf("pair %v: %d came, want %d", e.Pair, n, next[e.Topic])
				}
				next[e.Topic]++
			}
			got += len(list)
		}
		all.Wait()
		if list, _ := f.scanAll(orgA, p); len(list) != 0 {
			t.Errorf("%d more than there are", len(list))
		}
	})
}

// What is forgotten is missed, and said so.
func TestScanOfWhatIsGone(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{RetentionBytes: 64 << 10})
	call := f.topic(orgA, "QueueCallInArrived", 1)
	f.publish(f.event(call, 0))
	begin, err := f.End(t.Context(), orgA)
	if err != nil {
		t.Fatal(err)
	}
	for range 40 {
		e := f.event(call, 1)
		e.Data = fmt.Appendf(nil, `{"n":1,"x":%q}`, strings.Repeat("x", 4000))
		f.publish(e)
	}
	if list, next, _, err := f.Scan(t.Context(), orgA, begin.Events); !errors.Is(err, bus.ErrGone) || list != nil || next != begin.Events {
		t.Errorf("behind what is forgotten: %d events, %v, want ErrGone", len(list), err)
	}
	oldest, err := f.Position(t.Context(), orgA, "")
	if err != nil {
		t.Fatal(err)
	}
	if list, _ := f.scanAll(orgA, oldest); len(list) == 0 || len(list) > 39 {
		t.Errorf("%d events are kept", len(list))
	}
	ahead := begin.Events
	ahead.Sequence = 1 << 40
	if _, _, _, err := f.Scan(t.Context(), orgA, ahead); !errors.Is(err, bus.ErrRewound) || !errors.Is(err, event.ErrUnavailable) {
		t.Errorf("ahead of the store: %v, want ErrRewound", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	cancel()
	if _, _, _, err := f.Scan(ctx, orgA, begin.Events); !errors.Is(err, event.ErrUnavailable) {
		t.Errorf("without time: %v", err)
	}
}

func TestPositions(t *testing.T) {
	t.Parallel()
	f, other := open(t, bus.Options{}), open(t, bus.Options{})
	end, err := f.End(t.Context(), orgA)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.End(t.Context(), orgA)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"the end":           {end.String(), nil},
		"a state's cursor":  {end.States.String(), nil},
		"an event's cursor": {end.Events.String(), nil},
		"nonsense":          {"nonsense", bus.ErrPosition},
		"two of nonsense":   {"a.b", bus.ErrPosition},
		"three":             {end.String() + "." + end.States.String(), bus.ErrPosition},
		"the wrong way":     {end.Events.String() + "." + end.States.String(), bus.ErrPosition},
		"the same twice":    {end.States.String() + "." + end.States.String(), bus.ErrPosition},
		"another store":     {foreign.String(), bus.ErrGone},
		"half another":      {bus.Position{States: end.States, Events: foreign.Events}.String(), bus.ErrGone},
		"another's cursor":  {foreign.Events.String(), bus.ErrGone},
	} {
		if p, err := f.Position(t.Context(), orgA, test.text); !errors.Is(err, test.want) {
			t.Errorf("%s: %s, %v, want %v", name, p, err, test.want)
		}
	}
	if n := len(bus.Position{States: bus.Cursor{Partition: 65535, Sequence: 1<<64 - 1}, Events: bus.Cursor{Lane: bus.EventLane, Partition: 65535, Sequence: 1<<64 - 1}}.String()); n > 49 {
		t.Errorf("a position may have %d characters, want at most 49", n)
	}
}
