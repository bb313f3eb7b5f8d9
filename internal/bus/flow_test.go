package bus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"rte/internal/bus"
	"rte/internal/event"
)

// A follower is the sink of a flow. It checks what must hold at any time: in
// each pair sequences only grow, and calls come one at a time.
type follower struct {
	*bus.Flow
	t   testing.TB
	org event.GUID

	calls sync.Mutex // held by a call; it must be free

	mu    sync.Mutex
	heard map[event.Topic][]*event.Event
	pause time.Duration // of each call
}

// follow begins a flow that is stopped at the end of the test.
func (f *fixture) follow(org event.GUID, window time.Duration) *follower {
	f.t.Helper()
	x := &follower{t: f.t, org: org, heard: map[event.Topic][]*event.Event{}}
	x.begin(f, window)
	return x
}

func (x *follower) begin(f *fixture, window time.Duration) {
	f.t.Helper()
	var err error
	if x.Flow, err = f.Follow(f.t.Context(), x.org, window, x.take); err != nil {
		f.t.Fatalf("Follow: %v", err)
	}
	f.t.Cleanup(x.Stop)
}

func (x *follower) take(_ context.Context, e *event.Event) error {
	if !x.calls.TryLock() {
		x.t.Error("two calls of the sink at a time")
		return nil
	}
	defer x.calls.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	list := x.heard[e.Topic]
	if n := len(list); n > 0 && list[n-1].Sequence >= e.Sequence {
		x.t.Errorf("pair %v: %s at %d came behind %s at %d", e.Pair, e.Data, e.Sequence, list[n-1].Data, list[n-1].Sequence)
	}
	if e.Org != x.org {
		x.t.Errorf("heard an event of %s", e.Org)
	}
	x.heard[e.Topic] = append(list, e)
	if x.pause > 0 {
		time.Sleep(x.pause)
	}
	return nil
}

// pairs is how many were heard.
func (x *follower) pairs() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.heard)
}

// of is what was heard of a topic.
func (x *follower) of(t event.Topic) []*event.Event {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.heard[t])
}

func (x *follower) numbers(t event.Topic) (list []int) {
	for _, e := range x.of(t) {
		list = append(list, number(x.t, e))
	}
	return list
}

// number is the n of a payload.
func number(t testing.TB, e *event.Event) int {
	t.Helper()
	var p struct{ N int }
	if err := json.Unmarshal(e.Data, &p); err != nil {
		t.Fatal(err)
	}
	return p.N
}

// whole waits until events 0 to n-1 of a topic were heard, each once and in
// order; of a state pair only the newest must be there.
func (x *follower) whole(f *fixture, t event.Topic, n int) {
	x.t.Helper()
	state := f.cat.Type(t.Kind).Keeps()
	eventually(x.t, fmt.Sprintf("pair %v is whole (%d events)", t.Pair, n), func() bool {
		got := x.of(t)
		return len(got) > 0 && number(x.t, got[len(got)-1]) >= n-1 && (state || len(got) >= n)
	})
	got := x.numbers(t)
	for i, have := range got {
		if state {
			if i > 0 && have <= got[i-1] {
				x.t.Errorf("pair %v: value %d came behind %d", t.Pair, have, got[i-1])
			}
			continue
		}
		if have != i {
			x.t.Fatalf("pair %v: event %d came in place %d of %d", t.Pair, have, i, len(got))
		}
	}
	if got[len(got)-1] != n-1 {
		x.t.Errorf("pair %v ends with %d, want %d", t.Pair, got[len(got)-1], n-1)
	}
}

// everywhere runs a test with the store inside, in memory and on disk, and on
// one external server.
func everywhere(t *testing.T, test func(t *testing.T, f *fixture)) {
	for _, where := range []string{"memory", "disk", "external"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			var o bus.Options
			switch where {
			case "disk":
				o.Dir = t.TempDir()
			case "external":
				o = at(natsServer(t, nil))
			}
			test(t, open(t, o))
		})
	}
}

// TestFollow: what was there comes first, then what is stored; each once.
func TestFollow(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, f *fixture) {
		call, status := f.topic(orgA, "QueueCallInArrived", 1), f.topic(orgA, "UserStatus", 1)
		for n := range 5 {
			f.publish(f.event(call, n), f.event(status, n), f.event(f.topic(orgB, "UserStatus", 1), 99))
		}
		x := f.follow(orgA, time.Minute)
		if got := x.numbers(call); !slices.Equal(got, []int{0, 1, 2, 3, 4}) {
			t.Errorf("when Follow has returned the calls are %v, want all five", got)
		}
		if got := x.numbers(status); !slices.Equal(got, []int{4}) {
			t.Errorf("when Follow has returned the states are %v, want the newest", got)
		}
		if x.Oldest() != 0 {
			t.Errorf("the oldest place is %d, want 0: everything was stored within the window", x.Oldest())
		}
		for _, state := range []bool{true, false} {
			if got := x.Floor(state); got == 0 {
				t.Errorf("the floor of states=%v is 0 after Follow", state)
			}
		}
		for n := 5; n < 50; n++ {
			f.publish(f.event(call, n), f.event(status, n))
		}
		x.whole(f, call, 50)
		x.whole(f, status, 50)
		for _, e := range x.of(call) {
			if at, ok := f.Place(call, e.Cursor); !ok || at != e.Sequence || f.CursorAt(call, at) != e.Cursor {
				t.Errorf("event %d: cursor %s stands for %d, %v", e.Sequence, e.Cursor, at, ok)
			}
		}
		eventually(t, "the floor has come to the last event", func() bool {
			list := x.of(call)
			return x.Floor(false) >= list[len(list)-1].Sequence
		})
	})
}

// TestFollowWindow: what is older than the window stays in the store, and
// Oldest tells from where on it was given.
func TestFollowWindow(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, f *fixture) {
		call := f.topic(orgA, "QueueCallInArrived", 1)
		f.publish(f.event(call, 0), f.event(call, 1))
		last := f.last(call)
		time.Sleep(20 * time.Millisecond) // the clock that counts is the store's
		x := f.follow(orgA, 10*time.Millisecond)
		if got := x.of(call); len(got) != 0 || x.Oldest() != last.Sequence {
			t.Errorf("%d events came, behind %d; want none, behind %d", len(got), x.Oldest(), last.Sequence)
		}
		f.publish(f.event(call, 2))
		eventually(t, "the new one has come", func() bool { return slices.Equal(x.numbers(call), []int{2}) })
		events, whole, more, err := f.Read(t.Context(), call, 0, x.Oldest(), 10)
		if err != nil || !whole || more || len(events) != 2 {
			t.Errorf("Read gives %d events, whole %v, more %v, %v; want the two old ones", len(events), whole, more, err)
		}
	})
}

// TestFollowJoins: whenever a flow begins while events are stored, it has each
// once.
func TestFollowJoins(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, f *fixture) {
		const events, pairs = 400, 4
		topics := make([]event.Topic, pairs)
		var wg sync.WaitGroup
		for p := range pairs {
			topics[p] = f.topic(orgA, []string{"QueueCallInArrived", "UserStatus"}[p%2], p)
			wg.Go(func() {
				for n := range events {
					if errs := f.Publish(t.Context(), []*event.Event{f.event(topics[p], n)}); errs != nil {
						t.Error(errs)
					}
				}
			})
		}
		var flows []*follower
		for range 8 {
			flows = append(flows, f.follow(orgA, time.Minute))
		}
		wg.Wait()
		for _, x := range flows {
			for _, topic := range topics {
				x.whole(f, topic, events)
			}
		}
	})
}
