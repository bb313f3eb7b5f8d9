package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rte/internal/bus"
	"rte/internal/event"
)

// TestPublishLostAnswer: the message is sent again with the same id, so it is
// stored once, and the events behind it follow in order.
func TestPublishLostAnswer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		id      string
		outside bool
	}{{"", true}, {"mine", true}, {"mine", false}} {
		t.Run(fmt.Sprintf("id=%s, outside=%v", row.id, row.outside), func(t *testing.T) {
			t.Parallel()
			o := bus.Options{}
			if row.outside {
				o = at(natsServer(t, nil))
			}
			f := open(t, o)
			f.SetPublishing(0, 50*time.Millisecond, deadline)
			live := f.watch(orgA)
			restore, err := f.LoseAnswers()
			if err != nil {
				t.Fatal(err)
			}
			topic := f.topic(orgA, "QueueCallInArrived", 1)
			events := []*event.Event{f.event(topic, 0), f.event(topic, 1), f.event(topic, 2)}
			events[0].ID = row.id
			done := make(chan []error, 1)
			go func() { done <- f.Publish(t.Context(), events) }()
			eventually(t, "the event whose answer is lost is stored", func() bool { return f.stream(bus.EventLane).Messages == 1 })
			if err := restore(); err != nil {
				t.Fatal(err)
			}
			first := next(t, live, "the event whose answer is lost")
			if errs := next(t, done, "Publish"); errs != nil {
				t.Fatalf("Publish: %v", errs)
			}
			if events[0].Cursor != first.Cursor || !events[0].Time.Equal(first.Time) {
				t.Errorf("published as %s at %v, heard as %s at %v", events[0].Cursor, events[0].Time, first.Cursor, first.Time)
			}
			for i := 1; i < 3; i++ {
				if got := next(t, live, "event behind").Data; !bytes.Equal(got, events[i].Data) {
					t.Errorf("event %d: %s, want %s", i, got, events[i].Data)
				}
			}
			s := f.Stats()
			if got := f.stream(bus.EventLane).Messages; got != 3 || s.Retries == 0 || s.Duplicates == 0 || s.Stored+s.Duplicates != 3 {
				t.Errorf("%d messages, %+v; want 3 messages, at least one told as a duplicate after a retry", got, s)
			}
		})
	}
}

// TestPublishAfterAbandoned: an event given up while in flight keeps its lane
// until its time is over, then the next call has it.
func TestPublishAfterAbandoned(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	f.SetPublishing(0, 100*time.Millisecond, deadline)
	restore, err := f.LoseAnswers()
	if err != nil {
		t.Fatal(err)
	}
	topic := f.topic(orgA, "QueueCallInArrived", 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if errs := f.Publish(ctx, []*event.Event{f.event(topic, 0), f.event(topic, 1)}); len(errs) != 2 {
		t.Fatalf("Publish without answers = %v, want two errors", errs)
	}
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	f.publish(f.event(topic, 2))
	if got, want := string(f.last(topic).Data), `{"n":2}`; got != want {
		t.Errorf("Last = %s, want %s", got, want)
	}
	if n := f.BusyLanes(); n != 0 {
		t.Errorf("%d lanes are busy after all was answered", n)
	}
}

// TestPublishUnavailable: without a stream the event waits, is sent again and
// goes in when the stream is back, or is given up with an error that says so.
func TestPublishUnavailable(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	f.SetPublishing(0, 0, 200*time.Millisecond)
	js, err := jetstream.New(f.Conn())
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "RTE_EVENT_0")
	if err != nil {
		t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	if err := js.DeleteStream(t.Context(), config.Name); err != nil {
		t.Fatal(err)
	}
	topic := f.topic(orgA, "QueueCallInArrived", 1)
	errs := f.Publish(t.Context(), []*event.Event{f.event(topic, 0), f.event(topic, 1)})
	for i, err := range errs {
		if !errors.Is(err, event.ErrUnavailable) {
			t.Errorf("event %d: error %v, want unavailable", i, err)
		}
	}
	if len(errs) != 2 || !errors.Is(errs[0], nats.ErrNoResponders) {
		t.Errorf("errors %v, want two, the first with the store's last answer", errs)
	}
	if _, err := f.Last(t.Context(), topic); !errors.Is(err, event.ErrUnavailable) {
		t.Errorf("Last without a stream: error %v, want unavailable", err)
	}

	f.SetPublishing(0, 0, deadline)
	retries := f.Stats().Retries
	done := make(chan []error, 1)
	events := []*event.Event{f.event(topic, 2), f.event(topic, 3)}
	go func() { done <- f.Publish(t.Context(), events) }()
	eventually(t, "a retry", func() bool { return f.Stats().Retries > retries })
	if _, err := js.CreateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if errs := next(t, done, "Publish"); errs != nil {
		t.Fatalf("Publish after the stream is back: %v", errs)
	}
	if got, want := string(f.last(topic).Data), `{"n":3}`; got != want {
		t.Errorf("Last = %s, want %s", got, want)
	}
}

func TestPublishEndedContext(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := f.event(f.topic(orgA, "QueueCallInArrived", 1), 0)
	errs := f.Publish(ctx, []*event.Event{e})
	if len(errs) != 1 || !errors.Is(errs[0], event.ErrUnavailable) || !errors.Is(errs[0], context.Canceled) {
		t.Errorf("Publish = %v, want unavailable and cancelled", errs)
	}
	if got := f.last(e.Topic); got != nil {
		t.Errorf("stored %+v, want nothing", got)
	}
}
