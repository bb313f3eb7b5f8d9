package bus_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/internal/bus"
	"rte/internal/event"
)

// tail reads a partition in a goroutine; what it reads, and "caught" where it
// has read what was there, come out of the channel.
func (f *fixture) tail(from bus.Tail) <-chan *event.Event {
	f.t.Helper()
	ch := make(chan *event.Event, 1000)
	ctx, cancel := context.WithCancel(f.t.Context())
	done := make(chan error, 1)
	go func() {
		done <- f.Tail(ctx, from, func(_ context.Context, e *event.Event) error {
			ch <- e
			return nil
		}, func() { ch <- nil })
	}()
	f.t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			f.t.Errorf("Tail returned %v, want that its context has ended", err)
		}
	})
	return ch
}

// until reads to the mark that says that all has been read.
func until(t *testing.T, ch <-chan *event.Event) (list []*event.Event) {
	t.Helper()
	for {
		e := next(t, ch, "event, or the end of those that were there")
		if e == nil {
			return list
		}
		list = append(list, e)
	}
}

func TestTailReadsAPartition(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	callbacks, status := f.topic(orgA, "CallbackChanged", 1), f.topic(orgB, "QueueStatus", 2)
	var want []*event.Event
	for n := range 5 {
		e := f.event(callbacks, n)
		e.Cause = "EAAAAAAAAQ"
		f.publish(e, f.event(f.topic(orgB, "CallbackChanged", 7), n), f.event(f.topic(orgA, "UserCallInComing", 7), n), f.event(status, n))
		want = append(want, e)
	}
	only := f.tail(bus.Tail{Lane: bus.EventLane, After: want[1].Sequence, Kinds: []event.Kind{callbacks.Kind}})
	got := until(t, only)
	got = slices.DeleteFunc(got, func(e *event.Event) bool { return e.Org != orgA })
	for _, e := range got {
		e.Stored = want[0].Stored
	}
	if d := cmp.Diff(want[2:], got); d != "" {
		t.Errorf("behind the second (-want +got):\n%s", d)
	}
	states := f.tail(bus.Tail{Lane: bus.StateLane})
	if got := until(t, states); len(got) != 1 || string(got[0].Data) != `{"n":4}` || got[0].Org != orgB || got[0].Stored.IsZero() {
		t.Errorf("states: got %+v, want the newest of one", got)
	}
	if got := until(t, f.tail(bus.Tail{Lane: bus.EventLane, After: 1 << 40})); len(got) != 15 {
		t.Errorf("behind a place of another stream: got %d events, want all 15", len(got))
	}
	nothing := f.tail(bus.Tail{Lane: bus.EventLane, Kinds: []event.Kind{f.topic(orgA, "UserAlert", 1).Kind}})
	if got := until(t, nothing); len(got) != 0 {
		t.Errorf("of an event that never came: got %+v", got)
	}
	// And what comes from then on.
	more, newer := f.event(callbacks, 5), f.event(status, 5)
	f.publish(more, newer)
	if got := next(t, only, "new event"); got.Cursor != more.Cursor {
		t.Errorf("new event: got %+v, want %+v", got, more)
	}
	if got := next(t, states, "new state"); got.Cursor != newer.Cursor {
		t.Errorf("new state: got %+v, want %+v", got, newer)
	}
}

func TestTailEndsWithItsSink(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	f.publish(f.event(f.topic(orgA, "CallbackChanged", 1), 1), f.event(f.topic(orgA, "CallbackChanged", 1), 2))
	full := errors.New("full")
	calls := 0
	err := f.Tail(t.Context(), bus.Tail{Lane: bus.EventLane}, func(context.Context, *event.Event) error {
		calls++
		return full
	}, func() { t.Error("caught, though the sink has failed") })
	if !errors.Is(err, full) || calls != 1 {
		t.Errorf("Tail = %v after %d calls, want the sink's error after one", err, calls)
	}
}

// TestTailIsWhole: whatever the live lane leaves out, because the sink is slow or
// at random, every event comes, in the order of the store, and of states those
// that are newest at the end.
func TestTailIsWhole(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for name, o := range map[string]func(t *testing.T) bus.Options{
		"inside":  func(*testing.T) bus.Options { return bus.Options{} },
		"outside": func(t *testing.T) bus.Options { return at(natsServer(t, nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, o(t))
			var mu sync.Mutex
			random := rand.New(rand.NewPCG(seed, 0))
			f.Lossy(func(*event.Event) bool {
				mu.Lock()
				defer mu.Unlock()
				return random.IntN(5) == 0
			})
			full := make(chan *event.Event) // whoever sends waits for the reader below
			for _, lane := range []bus.Lane{bus.EventLane, bus.StateLane} {
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() {
					ended <- f.Tail(ctx, bus.Tail{Lane: lane}, func(ctx context.Context, e *event.Event) error {
						select {
						case full <- e:
						case <-ctx.Done():
						}
						return nil
					}, func() {})
				}()
				defer func() {
					cancel()
					if err := <-ended; !errors.Is(err, context.Canceled) {
						t.Errorf("Tail returned %v", err)
					}
				}()
			}
			const pairs, rounds = 20, 200
			for n := range rounds {
				var batch []*event.Event
				for p := range pairs {
					batch = append(batch, f.event(f.topic(orgA, "QueueCallInArrived", p), n), f.event(f.topic(orgB, "UserStatus", p), n))
				}
				f.publish(batch...)
			}
			events, newest := 0, map[event.Topic]*event.Event{}
			last := map[bool]uint64{}
			whole := func() bool {
				done := 0
				for _, e := range newest {
					if string(e.Data) == fmt.Sprintf(`{"n":%d}`, rounds-1) {
						done++
					}
				}
				return done == 2*pairs
			}
			for !whole() {
				e := next(t, full, "event")
				state := f.cat.Type(e.Kind).Keeps()
				if e.Sequence <= last[state] {
					t.Fatalf("%d came behind %d", e.Sequence, last[state])
				}
				last[state] = e.Sequence
				newest[e.Topic] = e
				if !state {
					events++
				}
			}
			if events != pairs*rounds {
				t.Errorf("%d events came, want %d", events, pairs*rounds)
			}
		})
	}
}

// TestTailHearsEveryState: while it runs, a state that is replaced at once comes
// all the same.
func TestTailHearsEveryState(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]func(t *testing.T) bus.Options{
		"inside":  func(*testing.T) bus.Options { return bus.Options{} },
		"outside": func(t *testing.T) bus.Options { return at(natsServer(t, nil)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, o(t))
			ch := f.tail(bus.Tail{Lane: bus.StateLane})
			until(t, ch)
			status := f.topic(orgA, "QueueStatus", 1)
			var batch []*event.Event
			for n := range 500 {
				batch = append(batch, f.event(status, n))
			}
			f.publish(batch...)
			for n := range 500 {
				if e := next(t, ch, "state"); string(e.Data) != fmt.Sprintf(`{"n":%d}`, n) {
					t.Fatalf("got %s, want number %d", e.Data, n)
				}
			}
		})
	}
}

func TestItemsAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	item := func(n, record int) bus.Item {
		return bus.Item{Org: orgA, List: entity(100), ID: entity(n), Record: fmt.Appendf(nil, "record %d", record)}
	}
	load := func(i *bus.Items) (all []bus.Item) {
		if err := i.Load(t.Context(), func(item bus.Item) error {
			all = append(all, item)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return all
	}
	first, err := bus.Open(t.Context(), event.NewCatalog(), bus.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	items, err := first.OpenItems(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := load(items); len(got) != 0 {
		t.Errorf("of a new store: got %v", got)
	}
	for _, put := range [][]bus.Item{{item(1, 1), item(2, 2), item(3, 3)}, {item(1, 4)}, {{Org: orgA, List: entity(100), ID: entity(2)}}} {
		if err := items.Put(t.Context(), put); err != nil {
			t.Fatal(err)
		}
	}
	want := []bus.Item{item(3, 3), item(1, 4)}
	if d := cmp.Diff(want, load(items)); d != "" {
		t.Errorf("items (-want +got):\n%s", d)
	}
	if err := first.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := open(t, bus.Options{Dir: dir})
	again, err := second.OpenItems(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, load(again)); d != "" {
		t.Errorf("items of the store opened again (-want +got):\n%s", d)
	}
}
