package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"rte/internal/event"
)

// Figures of publishing.
const (
	// window is how many publishes may be in flight over all pairs; more
	// wait. It keeps JetStream's own queue (100,000) far from its end.
	window = 4096

	// ackWait is how long an answer may take before the message is sent
	// again, with the same id.
	ackWait = 3 * time.Second

	// giveUp ends a Publish whose events find no answer. It is a little more
	// than the pause when a cluster loses a leader (5 to 9 s, measured).
	giveUp = 10 * time.Second

	// tick is how often a waiting Publish looks for items to send again.
	tick = 100 * time.Millisecond
)

// lanes send messages, one in flight per pair: with several, a retry would
// overtake (measured: thousands of inversions over one crash of a leader).
// What is next is decided by the answers, in the goroutine that reads them;
// no lane has a goroutine of its own.
type lanes struct {
	conn *nats.Conn
	// Answers come to inbox + token. A token is never used again: that would
	// spare 1 of 15 µs (the server remembers who listens to a subject), but when
	// a leader changes both may answer, and the later answer would acknowledge
	// another event.
	inbox string
	acks  *nats.Subscription
	now   func() time.Time // for events without a time
	feeds *feeds           // nil where the store hands on by itself

	folder *folder       // where the store is; nil outside
	abort  chan struct{} // closed to make running calls give up

	// Fixed but for tests, which change them before the first publish.
	window                int
	ackWait, giveUp, tick time.Duration

	calls sync.WaitGroup // Publish calls under way

	sending sync.Mutex // guards message; never held together with mu
	message nats.Msg   // reused: the client copies it while it sends

	mu       sync.Mutex
	closed   bool
	lost     time.Time             // when the connection was; zero while there is one
	tails    map[event.Topic]*item // last item of each busy lane
	inFlight map[uint64]*item      // by token
	token    uint64                // last one given out
	ready    []*item               // heads of lanes that wait for the window
	recent   recent                // states stored since the store may have forgotten ids
	known    known                 // ids that the store has forgotten while it was away
	stats    publishStats

	late    map[uint64]*item // attempts given up, by token; only with feeds
	failing error            // why the store takes nothing; nil while it does
}

// publishStats are counted since the start.
type publishStats struct {
	stored, duplicates, refused, unavailable, retries uint64
}

// newLanes makes the lanes to a store. feeds are nil where the store itself
// hands on what it has stored.
func newLanes(conn *nats.Conn, o Options, inside *folder, f *feeds) (*lanes, error) {
	l := &lanes{
		conn: conn, inbox: nats.NewInbox() + ".", now: o.Now, folder: inside, feeds: f, abort: make(chan struct{}),
		window: window, ackWait: ackWait, giveUp: giveUp, tick: tick,
		tails: map[event.Topic]*item{}, inFlight: map[uint64]*item{},
		message: nats.Msg{Header: nats.Header{}},
		late:    map[uint64]*item{},
		recent:  recent{keep: o.DedupeWindow},
	}
	l.recent.reset()
	if err := l.listen(); err != nil {
		return nil, err
	}
	return l, nil
}

// listen subscribes to the answers.
func (l *lanes) listen() (err error) {
	if l.acks, err = l.conn.Subscribe(l.inbox+"*", l.answer); err != nil {
		return fmt.Errorf("subscribe to answers of the store: %w", err)
	}
	// The window bounds them; none may be dropped.
	return l.acks.SetPendingLimits(-1, -1)
}

// A sending is one attempt at an item.
type sending struct {
	item  *item
	token uint64
}

// enter puts the call's items into their lanes, all at once, so that those of
// one pair stand behind one another, and sends what can go.
func (l *lanes) enter(c *call) error {
	var buf [16]sending
	send := buf[:0]
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return errClosed
	}
	if why := l.failing; why != nil {
		l.stats.unavailable += uint64(len(c.items))
		l.mu.Unlock()
		return why // others have waited in vain already
	}
	if !l.lost.IsZero() && time.Since(l.lost) > l.giveUp {
		l.stats.unavailable += uint64(len(c.items))
		l.mu.Unlock()
		return errNoStore // likewise
	}
	l.calls.Add(1)
	for i := range c.items {
		it := &c.items[i]
		if it.err != nil {
			l.refuse(it, it.err)
			continue
		}
		tail := l.tails[it.event.Topic]
		l.tails[it.event.Topic] = it
		if tail != nil {
			tail.next = it
			continue
		}
		send = l.start(it, send)
	}
	l.mu.Unlock()
	l.send(send)
	return nil
}

// send gives messages to the client. Called without mu: writing may wait for
// the server.
func (l *lanes) send(todo []sending) {
	for len(todo) > 0 {
		s := todo[0]
		todo = todo[1:]
		if err := l.sendOne(s); err != nil {
			todo = l.settle(s.token, ack{err: sendError(err)}, todo)
		}
	}
}

func (l *lanes) sendOne(s sending) error {
	l.sending.Lock()
	defer l.sending.Unlock()
	m := &l.message
	m.Subject = s.item.subject
	var reply [64]byte
	m.Reply = string(strconv.AppendUint(append(reply[:0], l.inbox...), s.token, 36))
	m.Data = s.item.event.Data
	setHeaders(m.Header, &s.item.event, s.item.messageID)
	return l.conn.PublishMsg(m)
}

// answer takes one answer of the store: the callback of the subscription.
func (l *lanes) answer(m *nats.Msg) {
	token, err := strconv.ParseUint(m.Subject[len(l.inbox):], 36, 64)
	if err != nil {
		return
	}
	var buf [16]sending
	l.send(l.settle(token, readAck(m), buf[:0]))
}

// settle takes the outcome of one attempt and appends what can go next.
func (l *lanes) settle(token uint64, a ack, send []sending) []sending {
	l.mu.Lock()
	defer l.mu.Unlock()
	it := l.inFlight[token]
	if it == nil {
		l.tooLate(token, a) // the item was sent again or given up
		return send
	}
	delete(l.inFlight, token)
	switch {
	case a.err == nil && a.duplicate && l.recent.overtaken(it, a.sequence):
		it.messageID += "+"
		l.stats.retries++
		send = l.start(it, send)
	case a.err == nil:
		l.store(it, a)
		send = l.advance(it, send)
	case errors.Is(a.err, event.ErrUnavailable) && !it.call.abandoned:
		it.state, it.err = failed, a.err
	default:
		l.refuse(it, a.err)
		send = l.advance(it, send)
	}
	return l.fill(send)
}

// close refuses new calls and waits for those under way; when ctx ends first
// they give up.
func (l *lanes) close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		l.calls.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		close(l.abort)
		<-idle
		return fmt.Errorf("publishes were cut off: %w", context.Cause(ctx))
	}
}
