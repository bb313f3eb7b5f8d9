package bus_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"rte/internal/bus"
	"rte/internal/event"
)

// TestCloseHandsOver: sinks get everything that was stored before.
func TestCloseHandsOver(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	const events = 300
	heard, gate := 0, make(chan struct{})
	stop, err := f.Watch(orgA, func(context.Context, *event.Event) error {
		<-gate
		heard++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range events {
		f.publish(f.event(f.topic(orgA, "QueueCallInArrived", n), n))
	}
	closed := make(chan struct{})
	go func() {
		f.close()
		close(closed)
	}()
	eventually(t, "the bus refuses new events", func() bool {
		errs := f.Publish(t.Context(), []*event.Event{f.event(f.topic(orgB, "UserStatus", 1), 1)})
		return errs != nil && errors.Is(errs[0], event.ErrUnavailable)
	})
	close(gate)
	next(t, closed, "Close")
	if heard != events {
		t.Errorf("the sink was given %d events, want %d", heard, events)
	}
	stop()
	if _, err := f.Watch(orgA, nil); !errors.Is(err, event.ErrUnavailable) {
		t.Errorf("Watch after Close: %v, want unavailable", err)
	}
	if _, err := f.Last(t.Context(), f.topic(orgA, "UserStatus", 1)); !errors.Is(err, event.ErrUnavailable) {
		t.Errorf("Last after Close: %v, want unavailable", err)
	}
	if err := f.Close(t.Context()); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// TestCloseWhilePublishing: every event is either stored or refused, and what
// was told stored is there afterwards.
func TestCloseWhilePublishing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := open(t, bus.Options{Dir: dir})
	stored := make([][]*event.Event, 4)
	started := make(chan struct{}, len(stored))
	var wg sync.WaitGroup
	for g := range stored {
		wg.Go(func() {
			for n := 0; ; n++ {
				e := f.event(f.topic(orgA, "QueueCallInArrived", g<<20|n), n)
				if errs := f.Publish(t.Context(), []*event.Event{e}); errs != nil {
					if !errors.Is(errs[0], event.ErrUnavailable) {
						t.Errorf("Publish while closing: %v", errs[0])
					}
					return
				}
				stored[g] = append(stored[g], e)
				if n == 20 {
					started <- struct{}{}
				}
			}
		})
	}
	for range stored {
		next(t, started, "publishes under way")
	}
	f.close()
	wg.Wait()
	again := open(t, bus.Options{Dir: dir})
	for _, events := range stored {
		for _, e := range events {
			if got := again.last(e.Topic); got == nil || got.Cursor != e.Cursor {
				t.Errorf("event %s of %s is not in the store", e.Data, e.Entity)
			}
		}
	}
}

// TestCloseInTime: a Publish without answers and a sink that waits do not
// hold Close longer than its context.
func TestCloseInTime(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	entered := make(chan struct{})
	if _, err := f.Watch(orgA, func(ctx context.Context, _ *event.Event) error {
		close(entered)
		<-ctx.Done()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	f.publish(f.event(f.topic(orgA, "QueueCallInArrived", 1), 1))
	next(t, entered, "call of the sink")
	if _, err := f.LoseAnswers(); err != nil {
		t.Fatal(err)
	}
	done := make(chan []error, 1)
	go func() {
		done <- f.Publish(t.Context(), []*event.Event{f.event(f.topic(orgA, "QueueCallInArrived", 1), 2)})
	}()
	eventually(t, "the event without an answer is stored", func() bool { return f.stream(bus.EventLane).Messages == 2 })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := f.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close = %v, want that the time ran out", err)
	}
	if errs := next(t, done, "Publish"); len(errs) != 1 || !errors.Is(errs[0], event.ErrUnavailable) {
		t.Errorf("Publish = %v, want unavailable", errs)
	}
}

// TestCloseStubbornSink: one that does not heed its context does not hold
// Close for ever.
func TestCloseStubbornSink(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	entered, release := make(chan struct{}), make(chan struct{})
	stop, err := f.Watch(orgA, func(context.Context, *event.Event) error {
		close(entered)
		<-release
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.publish(f.event(f.topic(orgA, "UserStatus", 1), 1))
	next(t, entered, "call of the sink")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Close(ctx); err == nil || !strings.Contains(err.Error(), "a sink did not return") {
		t.Errorf("Close = %v, want that a sink did not return", err)
	}
	close(release)
	stop()
}

// TestMemoryLeavesNothing: the temporary folder of a bus in memory goes.
func TestMemoryLeavesNothing(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	dir := f.Folder()
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("folder while open: %v", err)
	}
	f.close()
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("folder after Close: %v, want that it is gone", err)
	}
}

// TestLog: the server's lines come out at their level, in the bus's logger.
func TestLog(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		level         slog.Level
		notice, error int
	}{{slog.LevelDebug, 1, 1}, {slog.LevelInfo, 0, 1}} {
		book, log := newLog(row.level)
		f := open(t, bus.Options{Logger: log})
		f.Server().Errorf("test line %d", 17)
		f.Server().Warnf("test line %d", 18)
		f.Server().Tracef("test line %d", 19)
		f.publish(f.event(f.topic(orgA, "UserStatus", 1), 1))
		f.close()
		for words, want := range map[string]int{
			`level=DEBUG msg="nats server" reason="Server is ready"`: row.notice,
			`level=ERROR msg="nats server" reason="test line 17"`:    row.error,
			`level=WARN msg="nats server" reason="test line 18"`:     row.error,
			`test line 19`: 0,
			`{"n":`:        0,
		} {
			if got := len(book.lines(words)); got != want {
				t.Errorf("level %v: %d lines with %s, want %d", row.level, got, words, want)
			}
		}
	}
}
