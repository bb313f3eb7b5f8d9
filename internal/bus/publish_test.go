package bus_test

import (
	"bytes"
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

func TestPublishStoresAndTells(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{Now: func() time.Time {
		return time.Date(2026, 11, 22, 10, 0, 0, 123_456_789, time.FixedZone("", 3600))
	}})
	live := f.watch(orgA)
	full := f.event(f.topic(orgA, "CallbackChanged", 1), 1)
	full.ID = " id with blanks, \r\nÄ and 100 % "
	full.Time = time.Date(2026, 11, 22, 8, 0, 0, 1, time.UTC)
	full.Traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	full.PreviousAssignedUser, full.Cause = entity(77), "EAAAAAAAAQ"
	bare := f.event(f.topic(orgA, "UserStatus", 2), 2)
	for _, e := range []*event.Event{full, bare} {
		before := *e
		f.publish(e)
		want := before
		want.Cursor, want.Sequence = e.Cursor, e.Sequence
		if want.Time.IsZero() {
			want.Time = time.Date(2026, 11, 22, 9, 0, 0, 123_000_000, time.UTC)
		}
		if d := diff(&want, e); d != "" || e.Cursor == "" {
			t.Errorf("after Publish (cursor %q, -want +got):\n%s", e.Cursor, d)
		}
		heard := next(t, live, "live event")
		if d := diff(&want, heard); d != "" {
			t.Errorf("live event (-want +got):\n%s", d)
		}
		if age := time.Since(heard.Stored); age < 0 || age > time.Minute {
			t.Errorf("stored at %v, which is %v ago; want just now", heard.Stored, age)
		}
		if d := diff(&want, f.last(e.Topic)); d != "" {
			t.Errorf("Last (-want +got):\n%s", d)
		}
	}
}

func TestPublishNothing(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	if errs := f.Publish(t.Context(), nil); errs != nil {
		t.Errorf("Publish of nothing = %v, want nil", errs)
	}
}

// TestPublishOrder: many calls at once, each with the same pairs; within a
// call the order of each pair holds.
func TestPublishOrder(t *testing.T) {
	t.Parallel()
	const calls, pairs, perPair = 8, 5, 20
	f := open(t, bus.Options{})
	f.SetPublishing(3, 0, 0) // a small window: heads have to wait for it
	live := f.watch(orgA)
	var wg sync.WaitGroup
	for c := range calls {
		wg.Go(func() {
			var events []*event.Event
			for i := range perPair {
				for p := range pairs {
					e := f.event(f.topic(orgA, "QueueCallInArrived", p), i)
					e.ID = fmt.Sprintf("%d/%d/%d", c, p, i)
					events = append(events, e)
				}
			}
			if errs := f.Publish(t.Context(), events); errs != nil {
				t.Errorf("Publish: %v", errors.Join(errs...))
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	for range calls * pairs * perPair {
		e := next(t, live, "live event")
		var c, p, i int
		if _, err := fmt.Sscanf(e.ID, "%d/%d/%d", &c, &p, &i); err != nil {
			t.Fatalf("id %q: %v", e.ID, err)
		}
		lane := fmt.Sprintf("%d/%d", c, p)
		if i != seen[lane] {
			t.Fatalf("call/pair %s: event %d, want %d", lane, i, seen[lane])
		}
		seen[lane]++
	}
	if n := f.BusyLanes(); n != 0 {
		t.Errorf("%d lanes are busy after all was answered", n)
	}
}

// TestPublishOneInFlightPerPair: without answers only the first event of each
// pair leaves.
func TestPublishOneInFlightPerPair(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	f.SetPublishing(0, time.Hour, 0)
	sent, err := f.Conn().SubscribeSync("rte.event.>")
	if err != nil {
		t.Fatal(err)
	}
	restore, err := f.LoseAnswers()
	if err != nil {
		t.Fatal(err)
	}
	a, b := f.topic(orgA, "QueueCallInArrived", 1), f.topic(orgA, "QueueCallInArrived", 2)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan []error, 1)
	go func() {
		done <- f.Publish(ctx, []*event.Event{f.event(a, 0), f.event(a, 1), f.event(b, 0), f.event(a, 2)})
	}()
	for range 2 {
		if _, err := sent.NextMsg(deadline); err != nil {
			t.Fatalf("first messages: %v", err)
		}
	}
	if err := f.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	if n, _, _ := sent.Pending(); n != 0 {
		t.Errorf("%d more messages were sent before an answer came", n)
	}
	cancel()
	errs := next(t, done, "Publish")
	for i, err := range errs {
		if !errors.Is(err, event.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("event %d: error %v, want one that is unavailable and cancelled", i, err)
		}
	}
	if len(errs) != 4 {
		t.Errorf("%d errors, want 4", len(errs))
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
}

// TestPublishRefused: an event that is too large fails, those behind it in
// its pair fail, nothing else does.
func TestPublishRefused(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	a, b := f.topic(orgA, "QueueCallInArrived", 1), f.topic(orgA, "QueueCallInArrived", 2)
	large := f.event(a, 1)
	large.Data = make([]byte, 9<<20)
	header := f.event(b, 1)
	header.ID = strings.Repeat("x", 70_000)
	unknown := f.event(event.Topic{Org: orgA, Pair: event.Pair{Kind: 999}}, 1)
	events := []*event.Event{f.event(a, 0), large, f.event(b, 0), f.event(a, 2), header, unknown, nil, f.event(b, 2)}
	errs := f.Publish(t.Context(), events)
	for i, want := range []string{"", "maximum payload", "", "an earlier event of this pair", "header", "catalogue", "catalogue", "an earlier event of this pair"} {
		switch err := errs[i]; {
		case want == "" && err != nil:
			t.Errorf("event %d: %v", i, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, event.ErrUnavailable)):
			t.Errorf("event %d: error %v, want one with %q that is final", i, err, want)
		case (err == nil) != (events[i] != nil && events[i].Cursor != ""):
			t.Errorf("event %d: error %v, but %+v", i, err, events[i].Cursor)
		}
	}
	f.publish(f.event(a, 3), f.event(b, 3))
	if s := f.Stats(); s.Stored != 4 || s.Refused != 6 {
		t.Errorf("stored %d, refused %d, want 4 and 6", s.Stored, s.Refused)
	}
}

func TestPublishLargestPayload(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	live := f.watch(orgA)
	e := f.event(f.topic(orgA, "QueueAttachedUsers", 1), 0)
	e.Data = bytes.Repeat([]byte("x"), 1<<20)
	e.ID = strings.Repeat("i", 1000)
	f.publish(e)
	if d := diff(e, next(t, live, "live event")); d != "" {
		t.Errorf("live event of 1 MiB differs: %.200s", d)
	}
}
