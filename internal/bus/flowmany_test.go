package bus_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"rte/internal/bus"
	"rte/internal/event"
)

// TestFollowMany: more topics than one answer holds, and how many requests
// that takes.
func TestFollowMany(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, f *fixture) {
		const topics = 3000
		var list []*event.Event
		for i := range topics {
			for _, name := range []string{"UserStatus", "QueueCallInArrived"} {
				list = append(list, f.event(f.topic(orgA, name, i), 0))
			}
		}
		f.publish(list...)
		var losing atomic.Bool
		f.Lossy(func(*event.Event) bool { return losing.Load() })
		f.SetCheckEvery(time.Second)
		before := f.Stats().Reads
		x := f.follow(orgA, time.Hour)
		if got := x.pairs(); got != 2*topics {
			t.Errorf("%d pairs were heard when Follow has returned, want %d", got, 2*topics)
		}
		if reads := f.Stats().Reads - before; reads > 12 {
			t.Errorf("%d reads for %d pairs, want a few", reads, 2*topics)
		}
		// Checks of so many pairs find what is lost, too.
		losing.Store(true)
		var lost []*event.Event
		for _, e := range list[:400] {
			lost = append(lost, f.event(e.Topic, 1), f.event(e.Topic, 2))
		}
		f.publish(lost...)
		for _, e := range list[:400] {
			x.whole(f, e.Topic, 3)
		}
	})
}

// TestFollowStops: Stop waits for the running call, and Close for all of it;
// what was opened is closed (goleak).
func TestFollowStops(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, f *fixture) {
		entered, call := make(chan struct{}, 1), f.topic(orgA, "QueueCallInArrived", 1)
		done := false
		flow, err := f.Follow(t.Context(), orgA, time.Minute, func(ctx context.Context, _ *event.Event) error {
			entered <- struct{}{}
			<-ctx.Done()
			done = true
			return ctx.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		f.publish(f.event(call, 0), f.event(call, 1))
		next(t, entered, "the first call")
		if s := f.Stats(); s.Flows != 1 || s.Watches != 1 {
			t.Errorf("%d flows, %d watches, want one", s.Flows, s.Watches)
		}
		flow.Stop()
		flow.Stop()
		if !done || len(entered) != 0 {
			t.Errorf("after Stop: the call has ended %v, %d more came", done, len(entered))
		}
		if s := f.Stats(); s.Flows != 0 || s.Watches != 0 {
			t.Errorf("%d flows, %d watches, want none", s.Flows, s.Watches)
		}
		x := f.follow(orgA, time.Minute)
		x.whole(f, call, 2)
		f.close()
		x.Stop()
		if _, err := f.Follow(t.Context(), orgA, 0, x.take); !errors.Is(err, event.ErrUnavailable) {
			t.Errorf("Follow after Close: %v", err)
		}
		if _, _, _, err := f.Read(t.Context(), call, 0, 5, 5); !errors.Is(err, event.ErrUnavailable) {
			t.Errorf("Read after Close: %v", err)
		}
	})
}

// TestFollowNoStore: without a store Follow waits as long as its context, and
// Close does not wait for it.
func TestFollowNoStore(t *testing.T) {
	t.Parallel()
	srv := natsServer(t, nil)
	f := open(t, at(srv))
	stopServer(srv)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	sink := func(context.Context, *event.Event) error { return nil }
	if _, err := f.Follow(ctx, orgA, 0, sink); !errors.Is(err, event.ErrUnavailable) {
		t.Errorf("Follow without a store: %v", err)
	}
	got := make(chan error, 1)
	go func() {
		_, err := f.Follow(t.Context(), orgA, 0, sink)
		got <- err
	}()
	f.close()
	if err := next(t, got, "Follow"); !errors.Is(err, event.ErrUnavailable) {
		t.Errorf("Follow of a bus that is closed meanwhile: %v", err)
	}
}

// BenchmarkFollow: an organization with 10,000 state topics becomes active,
// among 90,000 of others, on disk and on an external server.
func BenchmarkFollow(b *testing.B) {
	for _, where := range []string{"inside", "external"} {
		b.Run(where, func(b *testing.B) {
			o := bus.Options{Dir: b.TempDir()}
			if where == "external" {
				o = at(natsServer(b, nil))
			}
			f := open(b, o)
			var list []*event.Event
			for i := range 100_000 {
				org := orgB
				if i%10 == 0 {
					org = orgA
				}
				e := f.event(f.topic(org, "UserStatus", i), i)
				e.Data = []byte(`{"userId":"ee000000-0000-0000-0000-000000000000","status":"Available","since":"2026-01-01T00:00:00Z","text":"in the office"}`)
				if list = append(list, e); len(list) == 1000 {
					f.publish(list...)
					list = list[:0:0]
				}
			}
			for b.Loop() {
				n := 0
				flow, err := f.Follow(b.Context(), orgA, time.Minute, func(context.Context, *event.Event) error {
					n++
					return nil
				})
				if err != nil || n != 10_000 {
					b.Fatalf("%d events, %v", n, err)
				}
				flow.Stop()
			}
		})
	}
}
