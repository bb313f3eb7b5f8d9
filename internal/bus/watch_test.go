package bus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"rte/internal/bus"
	"rte/internal/event"
)

// A logBook collects log lines as text.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

// lines are those that contain all of the words.
func (l *logBook) lines(words ...string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			found = append(found, line)
		}
	}
	return found
}

func newLog(level slog.Level) (*logBook, *slog.Logger) {
	book := &logBook{}
	return book, slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: level}))
}

// TestWatchOneOrganization: another tenant's events, with the same entity and
// id, are not seen.
func TestWatchOneOrganization(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	a, b := f.watch(orgA), f.watch(orgB)
	for n := range 10 {
		x, y := f.event(f.topic(orgA, "UserStatus", 1), n), f.event(f.topic(orgB, "UserStatus", 1), 100+n)
		x.ID, y.ID = "same", "same"
		if n > 0 {
			x.ID, y.ID = "", ""
		}
		f.publish(x, y)
		for ch, want := range map[<-chan *event.Event]*event.Event{a: x, b: y} {
			if got := next(t, ch, "live event"); got.Topic != want.Topic || !bytes.Equal(got.Data, want.Data) {
				t.Errorf("organization %s heard %s of %s", want.Org, got.Data, got.Org)
			}
		}
	}
	if len(a) != 0 || len(b) != 0 {
		t.Errorf("%d and %d events too many", len(a), len(b))
	}
	if e := f.last(f.topic(orgB, "UserStatus", 1)); string(e.Data) != `{"n":109}` {
		t.Errorf("organization B's newest is %s", e.Data)
	}
}

// TestWatchSeesAllAfter: nothing that is stored after Watch has returned is
// missed, however soon, also when it comes in by another connection.
func TestWatchSeesAllAfter(t *testing.T) {
	t.Parallel()
	srv := natsServer(t, nil)
	f := open(t, at(srv))
	other, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	subject := "rte.event.0." + orgA.String() + ".queuecallinarrived." + entity(1).String()
	for n := range 200 {
		got := make(chan *event.Event, 1)
		stop, err := f.Watch(orgA, func(_ context.Context, e *event.Event) error {
			got <- e
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		data := fmt.Sprintf(`{"n":%d}`, n)
		if _, err := other.Request(subject, []byte(data), deadline); err != nil {
			t.Fatal(err)
		}
		if e := next(t, got, "the event after Watch"); string(e.Data) != data {
			t.Fatalf("round %d: heard %s, want %s", n, e.Data, data)
		}
		stop()
	}
}

// TestWatchStop: stop waits for the running call and nothing comes after it.
func TestWatchStop(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	entered, calls := make(chan struct{}), atomic.Int32{}
	stop, err := f.Watch(orgA, func(ctx context.Context, _ *event.Event) error {
		if calls.Add(1) == 1 {
			close(entered)
		}
		<-ctx.Done() // stop ends the context of the call it waits for
		calls.Add(100)
		return ctx.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	f.publish(f.event(f.topic(orgA, "UserStatus", 1), 1), f.event(f.topic(orgA, "UserStatus", 1), 2))
	next(t, entered, "first call of the sink")
	if got := f.Stats().Watches; got != 1 {
		t.Errorf("%d watches, want 1", got)
	}
	stop()
	stop()
	if got := calls.Load(); got != 101 {
		t.Errorf("after stop: %d, want 101: one call, finished", got)
	}
	f.publish(f.event(f.topic(orgA, "UserStatus", 1), 3))
	if got := calls.Load(); got != 101 {
		t.Errorf("after stop and a publish: %d, want 101", got)
	}
	if got := f.Stats().Watches; got != 0 {
		t.Errorf("%d watches, want 0", got)
	}
}

// TestWatchSlowSink: what is dropped is counted and logged by its reason;
// other watches and publishing go on.
func TestWatchSlowSink(t *testing.T) {
	t.Parallel()
	book, log := newLog(slog.LevelInfo)
	f := open(t, bus.Options{Logger: log})
	other := f.watch(orgA)
	f.SetPendingMessages(10)
	release := make(chan struct{})
	var heard atomic.Int32
	stop, err := f.Watch(orgA, func(context.Context, *event.Event) error {
		<-release
		heard.Add(1)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	const events = 200
	for n := range events {
		f.publish(f.event(f.topic(orgA, "QueueCallInArrived", n), n))
	}
	for range events {
		next(t, other, "event for the quick sink")
	}
	dropped := f.Stats().Dropped
	if dropped < events-20 || dropped >= events {
		t.Errorf("%d dropped, want nearly all of %d", dropped, events)
	}
	eventually(t, "log line", func() bool {
		return len(book.lines("level=WARN", "reason=slow_consumer", "org="+orgA.String())) > 0
	})
	close(release)
	eventually(t, "the rest is delivered", func() bool { return int64(heard.Load())+dropped == events })
	stop()
	if got := f.Stats().Dropped; got != dropped {
		t.Errorf("%d dropped after stop, want %d as before", got, dropped)
	}
	if got := len(book.lines("slow_consumer")); got > 9 {
		t.Errorf("%d log lines for %d drops", got, dropped)
	}
}

func TestWatchSinkErrors(t *testing.T) {
	t.Parallel()
	book, log := newLog(slog.LevelInfo)
	f := open(t, bus.Options{Logger: log})
	done := make(chan struct{})
	n := 0
	stop, err := f.Watch(orgA, func(context.Context, *event.Event) error {
		if n++; n == 6 {
			close(done)
		}
		if n == 3 {
			return nil
		}
		return errors.New("no thanks")
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 6 {
		f.publish(f.event(f.topic(orgA, "QueueCallInArrived", n), n))
	}
	next(t, done, "six calls")
	stop()
	if s := f.Stats(); s.SinkErrors != 5 || s.Delivered != 6 {
		t.Errorf("%d errors of %d, want 5 of 6", s.SinkErrors, s.Delivered)
	}
	if got := book.lines("level=WARN", "no thanks"); len(got) != 2 {
		t.Errorf("%d log lines, want one per row of errors:\n%s", len(got), got)
	}
}

// TestReconnect: the server cuts the connection (as it does to a client that
// does not read); publishing and watching go on by themselves.
func TestReconnect(t *testing.T) {
	t.Parallel()
	book, log := newLog(slog.LevelInfo)
	srv := natsServer(t, nil)
	o := at(srv)
	o.Logger = log
	f := open(t, o)
	f.SetPublishing(0, time.Hour, deadline) // nothing is sent again for its age
	live := f.watch(orgA)
	topic := f.topic(orgA, "QueueCallInArrived", 1)
	restore, err := f.LoseAnswers() // what is in flight when the connection breaks
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan []error, 1)
	events := []*event.Event{f.event(topic, 0), f.event(topic, 1)}
	go func() { done <- f.Publish(t.Context(), events) }()
	next(t, live, "first event")
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	cid, err := f.Conn().GetClientID()
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.DisconnectClientByID(cid); err != nil {
		t.Fatal(err)
	}
	if errs := next(t, done, "Publish"); errs != nil {
		t.Fatalf("Publish over a broken connection: %v", errors.Join(errs...))
	}
	if s := f.Stats(); s.Reconnects != 1 || f.stream(bus.EventLane).Messages != 2 {
		t.Errorf("%+v, want one reconnect and two messages", s)
	}
	if got := next(t, live, "second event").Data; !bytes.Equal(got, events[1].Data) {
		t.Errorf("heard %s, want %s", got, events[1].Data)
	}
	if len(book.lines("reason=disconnected")) != 1 || len(book.lines("reason=reconnected")) != 1 {
		t.Errorf("log:\n%s", book.lines())
	}
}

// TestReconnectInside: the same with the store inside. What was on the way and
// has an id is sent again, stored once and heard once; without an id nobody
// can say whether it was stored, and so it is told.
func TestReconnectInside(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	f.SetPublishing(0, time.Hour, deadline)
	live := f.watch(orgA)
	restore, err := f.LoseAnswers()
	if err != nil {
		t.Fatal(err)
	}
	topic := f.topic(orgA, "QueueCallInArrived", 1)
	events := []*event.Event{f.event(topic, 0), f.event(topic, 1), f.event(f.topic(orgA, "QueueCallInArrived", 2), 2)}
	events[0].ID, events[1].ID = "a", "b"
	done := make(chan []error, 1)
	go func() { done <- f.Publish(t.Context(), events) }()
	eventually(t, "the heads of both lanes are stored", func() bool { return f.stream(bus.EventLane).Messages == 2 })
	if err := restore(); err != nil {
		t.Fatal(err)
	}
	cid, err := f.Conn().GetClientID()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Server().DisconnectClientByID(cid); err != nil {
		t.Fatal(err)
	}
	errs := next(t, done, "Publish")
	if len(errs) != 3 || errs[0] != nil || errs[1] != nil || !errors.Is(errs[2], event.ErrUnavailable) {
		t.Fatalf("Publish over a broken connection: %v", errs)
	}
	for _, e := range events[:2] {
		if got := next(t, live, "event with an id"); !bytes.Equal(got.Data, e.Data) || got.Cursor != e.Cursor || !got.Time.Equal(e.Time) {
			t.Errorf("heard %s at %s, want %s at %s", got.Data, got.Cursor, e.Data, e.Cursor)
		}
	}
	if got := f.stream(bus.EventLane).Messages; got != 3 || len(live) != 0 {
		t.Errorf("%d messages, %d events too many; want 3 and none", got, len(live))
	}
}
