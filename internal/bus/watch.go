package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"rte/internal/event"
)

// What may wait in memory for one slow sink. Beyond, NATS drops messages of
// that watch: they are counted and logged as slow_consumer, and are a hole in
// the live lane, though not in the store.
const (
	pendingMessages = 1 << 17 // more than two seconds at 50,000 events/s
	pendingBytes    = 64 << 20
)

// subscribeWait is how long the server may take to confirm a subscription.
const subscribeWait = 5 * time.Second

// Watch gives an organization's events to sink as they are stored: one call
// at a time, in the order of the store within each pair. After Watch has
// returned every event stored later is seen; one stored shortly before may be
// seen too.
//
// The events are shared and immutable. A sink should not block for long: what
// waits for it is bounded (see [Stats.Dropped]). Its errors are counted and
// the first of a row is logged. Its context ends when the watch is stopped.
//
// stop ends the watch: events not yet given to the sink are left out, and it
// waits until the last call has returned, so it must not be called by the
// sink. It may be called twice. [Bus.Close] ends the watch as well, after
// giving the sink what was stored before.
func (b *Bus) Watch(org event.GUID, sink event.Sink) (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{bus: b, org: org, sink: sink, prefix: livePrefix(org), ctx: ctx, cancel: cancel, done: make(chan struct{})}
	w.take = func(r stored) { w.hand(r.event) }
	if err := w.start(); err != nil {
		w.stop()
		return nil, fmt.Errorf("watch organization %s: %w", org, err)
	}
	return w.stop, nil
}

// A watch is one subscription to an organization's live lane, or a feed of what
// this process stores. What comes is taken by one goroutine: the NATS client's
// for the subscription, or the feed's.
type watch struct {
	bus    *Bus
	org    event.GUID
	sink   event.Sink
	take   func(stored)
	doubt  func()          // told that live messages may be missing; nil if nobody cares
	prefix string          // of the live subjects, before eventname
	ctx    context.Context // the watch's lifetime, for the sink
	cancel context.CancelFunc
	sub    *nats.Subscription // nil with a feed
	feed   *feed              // nil with a subscription
	done   chan struct{}      // closed after the last call of the sink
	once   sync.Once

	failing bool // the last call of the sink failed; owned by who calls it

	dropLogged atomic.Int64 // drops at the last log line
	dropped    atomic.Int64 // drops until its end; before, the subscription knows
}

// start begins to listen. From its return on everything is heard, as far as the
// live lane goes. After an error the watch is still to be stopped.
func (w *watch) start() error {
	b := w.bus
	if err := b.addWatch(w); err != nil {
		w.once.Do(w.cancel)
		close(w.done)
		return err
	}
	if w.feed != nil {
		return nil
	}
	// Until the server knows of the subscription, it drops what it stores.
	if err := b.conn.FlushTimeout(subscribeWait); err != nil {
		return fmt.Errorf("%w: %w", event.ErrUnavailable, err)
	}
	return nil
}

func (b *Bus) addWatch(w *watch) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errClosed
	}
	b.watches[w] = struct{}{}
	if b.feeds != nil {
		w.feed = newFeed(b.pendingMessages, w.take, w.logDrops, w.doubted)
		b.feeds.add(w.org, w.feed)
		go func() {
			defer close(w.done)
			w.feed.run()
		}()
		return nil
	}
	sub, err := b.conn.Subscribe(w.prefix+">", w.deliver)
	if err != nil {
		delete(b.watches, w)
		return fmt.Errorf("%w: %w", event.ErrUnavailable, err)
	}
	sub.SetClosedHandler(func(string) { close(w.done) })
	w.sub = sub
	return sub.SetPendingLimits(b.pendingMessages, pendingBytes)
}

func (w *watch) stop() {
	w.end()
	<-w.done
	w.bus.removeWatch(w)
}

// end asks the watch to stop, without waiting.
func (w *watch) end() {
	w.once.Do(func() {
		w.cancel()
		if w.feed != nil {
			w.bus.feeds.remove(w.org, w.feed)
			w.feed.close()
			return
		}
		w.dropped.Store(w.drops())
		// An error means that the connection is closed, which ends it too.
		_ = w.sub.Unsubscribe()
	})
}

// waiting tells whether something has come by the subscription that was not
// taken yet.
func (w *watch) waiting() bool {
	n, _, err := w.sub.Pending()
	return err == nil && n > 0
}

// doubted passes a doubt on.
func (w *watch) doubted() {
	if w.doubt != nil {
		w.doubt()
	}
}

// drops is how many messages were dropped so far.
func (w *watch) drops() int64 {
	if w.feed != nil {
		return w.feed.drops()
	}
	if n, err := w.sub.Dropped(); err == nil {
		return int64(n)
	}
	return w.dropped.Load()
}

func (b *Bus) removeWatch(w *watch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, there := b.watches[w]; there {
		delete(b.watches, w)
		b.dropped += w.drops()
	}
}

// deliver takes one live message: the callback of the subscription.
func (w *watch) deliver(m *nats.Msg) {
	b := w.bus
	r, err := w.read(m)
	if err != nil {
		b.unreadable.Add(1)
		b.log.Warn("live message left out", "org", w.org, "reason", "unreadable", "err", err)
		return
	}
	if b.lossy != nil && b.lossy(r.event) {
		return
	}
	w.take(r)
}

// hand gives one event to the sink.
func (w *watch) hand(e *event.Event) {
	b := w.bus
	b.delivered.Add(1)
	err := w.sink(w.ctx, e)
	if err != nil {
		b.sinkErrors.Add(1)
		if !w.failing {
			b.log.Warn("sink refused an event", "org", w.org, "err", err)
		}
	}
	w.failing = err != nil
}

// read makes the event of a live message; its subject says the topic.
func (w *watch) read(m *nats.Msg) (stored, error) {
	if len(m.Subject) < len(w.prefix) {
		return stored{}, fmt.Errorf("%w: subject", errMessage)
	}
	t, err := w.bus.topicOf(w.org, m.Subject[len(w.prefix):])
	if err != nil {
		return stored{}, err
	}
	s := w.bus.byName[header(m, headerStream)]
	if s == nil {
		return stored{}, fmt.Errorf("%w: stream", errMessage)
	}
	if w.bus.streamOf(t) != s {
		return stored{}, fmt.Errorf("%w: an event of the other stream", errMessage)
	}
	return readMessage(s, t, m)
}

// natsError is told by the client what goes wrong outside any call.
func (b *Bus) natsError(_ *nats.Conn, sub *nats.Subscription, err error) {
	b.mu.Lock()
	w, deny := b.watchOf(sub), b.deny
	b.mu.Unlock()
	if deny != nil && errors.Is(err, nats.ErrPermissionViolation) {
		deny(err)
		return
	}
	if sub != nil && sub.Type() == nats.ChanSubscription && errors.Is(err, nats.ErrSlowConsumer) {
		return // a tap is full; the store has the rest
	}
	if w == nil || !errors.Is(err, nats.ErrSlowConsumer) {
		b.log.Warn("nats client", "err", err)
		return
	}
	w.logDrops(w.drops())
}

// watchOf is the watch of a subscription, or nil. The caller holds mu.
func (b *Bus) watchOf(sub *nats.Subscription) *watch {
	for w := range b.watches {
		if sub != nil && w.sub == sub {
			return w
		}
	}
	return nil
}

// logDrops is told again and again; a line per doubling is enough.
func (w *watch) logDrops(n int64) {
	w.doubted()
	if n >= 2*w.dropLogged.Load() {
		w.dropLogged.Store(n)
		w.bus.log.Warn("live messages dropped", "org", w.org, "reason", "slow_consumer", "dropped", n)
	}
}
