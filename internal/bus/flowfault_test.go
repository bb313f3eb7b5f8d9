package bus_test

import (
	"bufio"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"rte/internal/bus"
	"rte/internal/event"
)

// soak is how long the forms of these tests last that are left out unless
// RTE_SOAK asks for them; else they are short.
func soak(t *testing.T, short time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv("RTE_SOAK")
	if text == "" {
		return short
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("RTE_SOAK: %v", err)
	}
	return d
}

// A load publishes numbered events on pairs of orgA, each pair's in order and
// each again until it is stored.
type load struct {
	f      *fixture
	topics []event.Topic
	counts []atomic.Int64 // stored, per topic
	stop   chan struct{}
	wg     sync.WaitGroup
}

// newLoad publishes on so many pairs of calls and as many of states.
func newLoad(f *fixture, pairs int, pause time.Duration) *load {
	l := &load{f: f, counts: make([]atomic.Int64, 2*pairs), stop: make(chan struct{})}
	for p := range 2 * pairs {
		l.topics = append(l.topics, f.topic(orgA, []string{"QueueCallInArrived", "UserStatus"}[p%2], p/2))
	}
	for p := range l.topics {
		l.wg.Go(func() { l.publish(p, pause) })
	}
	return l
}

func (l *load) publish(p int, pause time.Duration) {
	for {
		select {
		case <-l.stop:
			return
		case <-time.After(pause):
		}
		n := int(l.counts[p].Load())
		e := l.f.event(l.topics[p], n)
		e.ID = e.Entity.String() + l.f.cat.Type(e.Kind).Key + string(e.Data)
		for {
			errs := l.f.Publish(context.Background(), []*event.Event{e})
			if errs == nil {
				break
			}
			if !errors.Is(errs[0], event.ErrUnavailable) {
				l.f.t.Errorf("Publish: %v", errs[0])
				return
			}
		}
		l.counts[p].Add(1)
	}
}

// end stops the load and returns what was stored.
func (l *load) end() (total int64) {
	close(l.stop)
	l.wg.Wait()
	for i := range l.counts {
		total += l.counts[i].Load()
	}
	return total
}

// heardBy waits until a flow has everything.
func (l *load) heardBy(x *follower) {
	x.t.Helper()
	for p, topic := range l.topics {
		if n := int(l.counts[p].Load()); n > 0 {
			x.whole(l.f, topic, n)
		}
	}
}

// TestFollowLosses: live messages are lost at random, the last of pairs among
// them, which nothing but a check finds.
func TestFollowLosses(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	f := open(t, at(natsServer(t, nil)))
	f.SetCheckEvery(2 * time.Second)
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	quiet := map[event.Topic]bool{}
	f.Lossy(func(e *event.Event) bool {
		mu.Lock()
		defer mu.Unlock()
		return quiet[e.Topic] || random.IntN(5) == 0
	})
	x := f.follow(orgA, time.Minute)
	l := newLoad(f, 10, time.Millisecond)
	time.Sleep(soak(t, time.Second))
	mu.Lock()
	quiet[l.topics[0]], quiet[l.topics[1]] = true, true // nothing of them is heard from here on
	mu.Unlock()
	for _, topic := range l.topics[:2] {
		before := f.last(topic).Sequence
		eventually(t, "more of the pairs that are not heard", func() bool { return f.last(topic).Sequence > before })
	}
	total := l.end()
	l.heardBy(x)
	s := f.Stats()
	if s.Holes == 0 || s.Refilled == 0 {
		t.Errorf("%d holes, %d events refilled: nothing was lost", s.Holes, s.Refilled)
	}
	t.Logf("%d events, %d holes, %d events refilled, %d checks, %d reads", total, s.Holes, s.Refilled, s.Checks, s.Reads)
}

// TestFollowSilentPair: the only message of a pair is lost.
func TestFollowSilentPair(t *testing.T) {
	t.Parallel()
	f := open(t, at(natsServer(t, nil)))
	var losing atomic.Bool
	losing.Store(true)
	f.Lossy(func(*event.Event) bool { return losing.Load() })
	x := f.follow(orgA, time.Minute)
	call, status := f.topic(orgA, "QueueCallInArrived", 1), f.topic(orgA, "UserStatus", 1)
	f.publish(f.event(call, 0), f.event(call, 1), f.event(status, 0), f.event(status, 1))
	x.whole(f, call, 2) // by the check behind the join
	x.whole(f, status, 2)
	losing.Store(false)
	f.publish(f.event(call, 2), f.event(status, 2))
	x.whole(f, call, 3)
	x.whole(f, status, 3)
}

// TestFollowCut: the connection breaks again and again under load.
func TestFollowCut(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"inside", "external"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			var o bus.Options
			srv := natsServer(t, nil)
			if where == "external" {
				o = at(srv)
			}
			f := open(t, o)
			if where == "inside" {
				srv = f.Server()
			}
			x := f.follow(orgA, time.Minute)
			l := newLoad(f, 5, time.Millisecond)
			for end := time.Now().Add(soak(t, 2*time.Second)); time.Now().Before(end); {
				time.Sleep(300 * time.Millisecond)
				if cid, err := f.Conn().GetClientID(); err == nil {
					_ = srv.DisconnectClientByID(cid) // it may be away already
				}
			}
			l.end()
			l.heardBy(x)
		})
	}
}

// TestFollowSlowSink: what did not fit before a slow sink is read from the
// store.
func TestFollowSlowSink(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, f *fixture) {
		f.SetPendingMessages(10)
		x := f.follow(orgA, time.Minute)
		x.mu.Lock() // the sink stands
		topics := []event.Topic{f.topic(orgA, "QueueCallInArrived", 1), f.topic(orgA, "QueueCallInArrived", 2), f.topic(orgA, "UserStatus", 1)}
		const events = 200
		for n := range events {
			for _, topic := range topics {
				f.publish(f.event(topic, n))
			}
		}
		eventually(t, "events are dropped", func() bool { return f.Stats().Dropped > 0 })
		x.mu.Unlock()
		for _, topic := range topics {
			x.whole(f, topic, events)
		}
	})
}

// TestFollowLostAnswers: inside, an event whose answer was lost is heard all
// the same, at its place in its pair, also when nothing comes behind it.
func TestFollowLostAnswers(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{})
	f.SetPublishing(0, 200*time.Millisecond, 400*time.Millisecond)
	x := f.follow(orgA, time.Minute)
	call, status := f.topic(orgA, "QueueCallInArrived", 1), f.topic(orgA, "UserStatus", 1)
	f.publish(f.event(call, 0), f.event(status, 0))
	lose := func(n int) {
		t.Helper()
		restore, err := f.LoseAnswers()
		if err != nil {
			t.Fatal(err)
		}
		for _, topic := range []event.Topic{call, status} {
			if errs := f.Publish(t.Context(), []*event.Event{f.event(topic, n)}); len(errs) != 1 || !errors.Is(errs[0], event.ErrUnavailable) {
				t.Fatalf("Publish without an answer: %v", errs)
			}
		}
		if err := restore(); err != nil {
			t.Fatal(err)
		}
	}
	lose(1)
	f.publish(f.event(call, 2)) // it must come behind 1
	x.whole(f, call, 3)
	x.whole(f, status, 2)
	lose(3)
	x.whole(f, call, 4)
	x.whole(f, status, 4)
	at := x.of(call)[3].Sequence
	eventually(t, "the floor has come to the last event", func() bool { return x.Floor(false) >= at })
}

// TestFollowReopened: the store inside is opened again under load.
func TestFollowReopened(t *testing.T) {
	t.Parallel()
	f := open(t, bus.Options{Dir: t.TempDir()})
	x := f.follow(orgA, time.Minute)
	l := newLoad(f, 5, time.Millisecond)
	for range 3 {
		time.Sleep(200 * time.Millisecond)
		eventually(t, "the store is opened again", func() bool { return f.Mend() == nil })
	}
	l.end()
	l.heardBy(x)
}

// TestFollowWiped: somebody removes the streams and another node makes them
// anew. What the new ones have is heard, and old cursors are void.
func TestFollowWiped(t *testing.T) {
	t.Parallel()
	srv := natsServer(t, nil)
	f := open(t, at(srv))
	x := f.follow(orgA, time.Minute)
	old := f.topic(orgA, "QueueCallInArrived", 1)
	for n := range 10 {
		f.publish(f.event(old, n))
	}
	x.whole(f, old, 10)
	cursor := x.of(old)[9].Cursor
	js, err := jetstream.New(f.Conn())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"RTE_STATE_0", "RTE_EVENT_0"} {
		if err := js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	open(t, at(srv)) // makes them
	call, status := f.topic(orgA, "QueueCallInArrived", 2), f.topic(orgA, "UserStatus", 2)
	for n := range 5 {
		f.publish(f.event(call, n), f.event(status, n))
	}
	x.whole(f, call, 5)
	x.whole(f, status, 5)
	eventually(t, "cursors of the store that is gone are void", func() bool {
		_, ok := f.Place(old, cursor)
		return !ok
	})
	f.publish(f.event(call, 5), f.event(status, 5))
	x.whole(f, call, 6)
	x.whole(f, status, 6)
	if last := f.last(call); x.Oldest() != 0 || last == nil {
		t.Errorf("oldest %d, want 0 as in a new store", x.Oldest())
	} else if at, ok := f.Place(call, last.Cursor); !ok || at != last.Sequence {
		t.Errorf("a cursor of the new store stands for %d, %v", at, ok)
	}
}

// TestFollowAfterKill: a process is killed in the middle of a burst. A flow of
// the next one has all that was acknowledged, at its place.
func TestFollowAfterKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childFolder+"="+dir)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var told []string
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if told = append(told, lines.Text()); len(told) == 500 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // killed
	f := open(t, bus.Options{Dir: dir})
	x := f.follow(orgA, time.Hour)
	cursors := map[string]bool{}
	for _, list := range x.heard {
		for _, e := range list {
			cursors[e.Cursor] = true
		}
	}
	for _, line := range told {
		if words := strings.Fields(line); len(words) != 3 || !cursors[words[2]] {
			t.Errorf("acknowledged, but not heard: %s", line)
		}
	}
	if len(told) < 500 {
		t.Fatalf("the child told of %d events", len(told))
	}
}
