package bus_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"rte/internal/bus"
	"rte/internal/event"
)

// TestAsk: every node answers, and nobody waits longer than for the last.
func TestAsk(t *testing.T) {
	t.Parallel()
	s := natsServer(t, nil)
	a, b := open(t, at(s)), open(t, at(s))
	ask := func(f *fixture, name string) (*bus.Ask[string, string], func()) {
		q := bus.NewAsk[string, string](f.Bus, "who")
		stop, err := q.Answer(func(q string) string { return name + " heard " + q })
		if err != nil {
			t.Fatal(err)
		}
		return q, stop
	}
	first, _ := ask(a, "a")
	if got, missing, err := first.All(t.Context(), "x", deadline); err != nil || missing != 0 || !slices.Equal(got, []string{"a heard x"}) {
		t.Fatalf("alone: %v, %d missing, %v", got, missing, err)
	}
	second, stop := ask(b, "b")
	for name, q := range map[string]*bus.Ask[string, string]{"first": first, "second": second} {
		eventually(t, "both nodes to know each other", func() bool {
			got, missing, err := q.All(t.Context(), name, deadline)
			slices.Sort(got)
			return err == nil && missing == 0 && slices.Equal(got, []string{"a heard " + name, "b heard " + name})
		})
	}
	stop()
	eventually(t, "the goodbye", func() bool {
		got, missing, err := first.All(t.Context(), "x", 50*time.Millisecond)
		return err == nil && missing == 0 && len(got) == 1
	})
}

// TestAskOfTheDead: a node that has been killed is missed once.
func TestAskOfTheDead(t *testing.T) {
	t.Parallel()
	a := open(t, bus.Options{})
	first := bus.NewAsk[int, int](a.Bus, "n")
	if _, err := first.Answer(func(n int) int { return n + 1 }); err != nil {
		t.Fatal(err)
	}
	if err := a.Conn().Publish("rte.control.n", []byte(`{"node":"ghost","hi":true}`)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the ghost to be missed", func() bool {
		got, missing, err := first.All(t.Context(), 1, 50*time.Millisecond)
		return err == nil && missing == 1 && len(got) == 1
	})
	if got, missing, err := first.All(t.Context(), 1, deadline); err != nil || missing != 0 || len(got) != 1 {
		t.Errorf("the second time: %v, %d missing, %v", got, missing, err)
	}
}

// TestChange: many change one key at once on two nodes, and no change is lost.
func TestChange(t *testing.T) {
	t.Parallel()
	for name, n := range nodes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all sync.WaitGroup
			for i := range 2 {
				k, err := bus.OpenKV[[]int](t.Context(), n[i].Bus, "numbers")
				if err != nil {
					t.Fatal(err)
				}
				all.Go(func() {
					for m := range 10 {
						if _, err := k.Change(t.Context(), "key", func(v []int, _ bool) ([]int, bool, error) { return append(v, i*10+m), false, nil }); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			k, err := bus.OpenKV[[]int](t.Context(), n[0].Bus, "numbers")
			if err != nil {
				t.Fatal(err)
			}
			seen := make(chan bus.Entry[[]int], 100)
			stop, err := k.Watch(t.Context(), func(e bus.Entry[[]int]) { seen <- e })
			if err != nil {
				t.Fatal(err)
			}
			defer stop()
			e := next(t, seen, "the value")
			slices.Sort(e.Value)
			if len(e.Value) != 20 || e.Value[19] != 19 || len(slices.Compact(e.Value)) != 20 {
				t.Errorf("kept %v, want 0 to 19", e.Value)
			}
			revision, err := k.Change(t.Context(), "key", func([]int, bool) ([]int, bool, error) { return nil, true, nil })
			if err != nil || revision != e.Revision {
				t.Errorf("left alone: revision %d, %v; want %d", revision, err, e.Revision)
			}
			if revision, err = k.Change(t.Context(), "key", func([]int, bool) ([]int, bool, error) { return nil, false, nil }); err != nil {
				t.Fatal(err)
			}
			if got := next(t, seen, "the change"); got.Revision != revision {
				t.Errorf("the watch saw revision %d, want %d", got.Revision, revision)
			}
			if err := k.DeleteAt(t.Context(), "key", revision-1); err != nil {
				t.Fatal(err)
			}
			if _, ok, err := k.Get(t.Context(), "key"); !ok || err != nil {
				t.Errorf("deleted at an earlier revision: %v, %v", ok, err)
			}
			if err := k.DeleteAt(t.Context(), "key", revision); err != nil {
				t.Fatal(err)
			}
			if _, ok, err := k.Get(t.Context(), "key"); ok || err != nil {
				t.Errorf("deleted, and there: %v", err)
			}
			if _, err := k.Change(t.Context(), "key", func(v []int, ok bool) ([]int, bool, error) { return []int{1}, ok, nil }); err != nil {
				t.Errorf("a key that was deleted: %v", err)
			}
			if _, err := k.Change(t.Context(), "key", func(v []int, ok bool) ([]int, bool, error) { return nil, false, fmt.Errorf("no") }); err == nil || err.Error() != "no" {
				t.Errorf("the change's own error: %v", err)
			}
		})
	}
}

// TestStates: what is there comes first, then what is stored, of every
// organization, and nothing of other events.
func TestStates(t *testing.T) {
	t.Parallel()
	for name, n := range nodes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			typ, _ := event.NewCatalog().Lookup("QueueAttachedUsers")
			other, _ := event.NewCatalog().Lookup("QueueStatus")
			publish := func(kind event.Kind, org, queue byte, data string) {
				t.Helper()
				e := &event.Event{Topic: event.Topic{Org: event.GUID{org}, Pair: event.Pair{Kind: kind, Entity: event.GUID{queue}}}, Data: []byte(data), Time: time.Now()}
				for _, err := range n[1].Publish(t.Context(), []*event.Event{e}) {
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			publish(typ.Kind, 1, 1, `{"n":1}`)
			publish(typ.Kind, 1, 1, `{"n":2}`)
			publish(typ.Kind, 2, 1, `{"n":3}`)
			publish(other.Kind, 1, 1, `{"n":4}`)
			heard := make(chan *event.Event, 10)
			stop, err := n[0].States(t.Context(), typ, func(e *event.Event) { heard <- e })
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []struct {
				org  byte
				data string
			}{{1, `{"n":2}`}, {2, `{"n":3}`}} {
				if e := next(t, heard, "a kept value"); e.Org != (event.GUID{want.org}) || string(e.Data) != want.data || e.Kind != typ.Kind || e.Entity != (event.GUID{1}) || e.Stored.IsZero() || e.Sequence == 0 {
					t.Errorf("heard %+v, want %v", e, want)
				}
			}
			publish(other.Kind, 1, 2, `{"n":5}`)
			publish(typ.Kind, 3, 2, `{"n":6}`)
			if e := next(t, heard, "a new value"); string(e.Data) != `{"n":6}` {
				t.Errorf("heard %s", e.Data)
			}
			stop()
			stop()
			publish(typ.Kind, 3, 2, `{"n":7}`)
			if len(heard) != 0 {
				t.Errorf("heard %d after stop", len(heard))
			}
			if _, err := n[0].States(t.Context(), typ, func(*event.Event) {}); err != nil {
				t.Fatal(err) // ended by Close
			}
			coming, _ := event.NewCatalog().Lookup("QueueCallInComing")
			if _, err := n[0].States(t.Context(), coming, func(*event.Event) {}); err == nil {
				t.Error("an event that is no state was read")
			}
		})
	}
}
