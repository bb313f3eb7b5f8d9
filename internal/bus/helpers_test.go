package bus_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rte/internal/bus"
	"rte/internal/event"
)

// deadline is how long a test waits for what must happen.
const deadline = 20 * time.Second

var (
	orgA = mustGUID("aaaaaaaa-0000-0000-0000-000000000001")
	orgB = mustGUID("bbbbbbbb-0000-0000-0000-000000000002")
)

func mustGUID(s string) event.GUID {
	g, err := event.ParseGUID(s)
	if err != nil {
		panic(err)
	}
	return g
}

// entity is the nth entity.
func entity(n int) event.GUID {
	return event.GUID{0: 0xee, 12: byte(n >> 24), 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)}
}

// A fixture is an open bus, closed at the end of the test.
type fixture struct {
	*bus.Bus
	t   testing.TB
	cat *event.Catalog
}

func open(t testing.TB, o bus.Options) *fixture {
	t.Helper()
	cat := event.NewCatalog()
	b, err := bus.Open(t.Context(), cat, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	f := &fixture{Bus: b, t: t, cat: cat}
	t.Cleanup(f.close)
	return f
}

func (f *fixture) close() {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := f.Close(ctx); err != nil {
		f.t.Errorf("Close: %v", err)
	}
}

// topic is a pair of an organization.
func (f *fixture) topic(org event.GUID, name string, n int) event.Topic {
	f.t.Helper()
	typ, ok := f.cat.Lookup(name)
	if !ok {
		f.t.Fatalf("no event %s", name)
	}
	return event.Topic{Org: org, Pair: event.Pair{Kind: typ.Kind, Entity: entity(n)}}
}

// event makes an event whose payload says n.
func (f *fixture) event(t event.Topic, n int) *event.Event {
	return &event.Event{Topic: t, Data: fmt.Appendf(nil, `{"n":%d}`, n)}
}

// publish stores events that must all go in.
func (f *fixture) publish(events ...*event.Event) {
	f.t.Helper()
	for i, err := range f.Publish(f.t.Context(), events) {
		if err != nil {
			f.t.Fatalf("Publish: event %d: %v", i, err)
		}
	}
}

// watch collects an organization's live events in a channel.
func (f *fixture) watch(org event.GUID) <-chan *event.Event {
	f.t.Helper()
	ch := make(chan *event.Event, 10_000)
	stop, err := f.Watch(org, func(_ context.Context, e *event.Event) error {
		ch <- e
		return nil
	})
	if err != nil {
		f.t.Fatalf("Watch: %v", err)
	}
	f.t.Cleanup(stop)
	return ch
}

// next waits for the next value of a channel.
func next[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(deadline):
		t.Fatalf("%s: nothing came in %v", what, deadline)
		panic("unreachable")
	}
}

// last is the newest stored event of a topic.
func (f *fixture) last(t event.Topic) *event.Event {
	f.t.Helper()
	e, err := f.Last(f.t.Context(), t)
	if err != nil {
		f.t.Fatalf("Last: %v", err)
	}
	return e
}

// stream is the size of a lane's stream.
func (f *fixture) stream(lane bus.Lane) bus.StreamStats {
	f.t.Helper()
	for _, s := range f.Stats().Streams {
		if s.Lane == lane {
			return s
		}
	}
	f.t.Fatalf("Stats: no %v stream", lane)
	return bus.StreamStats{}
}

// eventually waits for what another process or the server does in its time.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(deadline); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not in %v", what, deadline)
		}
	}
}

// diff compares events; when the store took them is another matter.
func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.IgnoreFields(event.Event{}, "Stored"))
}
