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
	conn  *nats.Conn
	inbox string // answers come to inbox + token
	acks  *nats.Subscription
	now   func() time.Time // for events without a time
	abort chan struct{}    // closed to make running calls give up

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
	stats    publishStats
}

// publishStats are counted since the start.
type publishStats struct {
	stored, duplicates, refused, unavailable, retries uint64
}

func newLanes(conn *nats.Conn, now func() time.Time, dedupe time.Duration) (*lanes, error) {
	l := &lanes{
		conn: conn, inbox: nats.NewInbox() + ".", now: now, abort: make(chan struct{}),
		window: window, ackWait: ackWait, giveUp: giveUp, tick: tick,
		tails: map[event.Topic]*item{}, inFlight: map[uint64]*item{},
		message: nats.Msg{Header: nats.Header{}},
		recent:  recent{keep: dedupe},
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
	if !l.lost.IsZero() && time.Since(l.lost) > l.giveUp {
		l.stats.unavailable += uint64(len(c.items))
		l.mu.Unlock()
		return errNoStore // others have waited in vain already
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
		return send // a late answer: the item was sent again or given up
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

// again sends what was refused for now or got no answer. The message id stays
// the same, so an attempt that was stored after all is found out.
func (l *lanes) again(c *call) {
	var send []sending
	l.mu.Lock()
	for i := range c.items {
		it := &c.items[i]
		switch {
		case it.state == inFlight && time.Since(it.sent) > l.ackWait:
			delete(l.inFlight, it.token)
		case it.state != failed:
			continue
		}
		l.stats.retries++
		send = l.start(it, send)
	}
	l.mu.Unlock()
	l.send(send)
}

// disconnected: calls wait for the connection as long as it may come back.
func (l *lanes) disconnected() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost.IsZero() {
		l.lost = time.Now()
	}
}

// reconnected takes everything in flight for lost. What was stored all the
// same is found out by its id.
func (l *lanes) reconnected() {
	var send []sending
	l.mu.Lock()
	l.recent.reset()
	l.lost = time.Time{}
	for token, it := range l.inFlight {
		delete(l.inFlight, token)
		if it.state = failed; it.call.abandoned {
			send = l.advance(it, send)
		}
	}
	send = l.fill(send)
	l.mu.Unlock()
	l.send(send)
}

// abandon ends a call whose events found no answer in time.
func (l *lanes) abandon(c *call, reason error) {
	var send []sending
	l.mu.Lock()
	c.abandoned = true
	for i := range c.items {
		it := &c.items[i]
		if it.state == finished {
			continue
		}
		err := reason
		if it.err != nil {
			err = fmt.Errorf("%w: last answer: %w", reason, it.err)
		}
		c.refuse(i, err)
		l.stats.unavailable++
	}
	// Only now: a lane that moves on passes over this call's items.
	for i := range c.items {
		switch it := &c.items[i]; it.state {
		case failed:
			send = l.advance(it, send)
		case inFlight:
			// Its lane waits: what comes behind must not overtake it.
			token := it.token
			time.AfterFunc(l.ackWait, func() { l.send(l.settle(token, ack{err: errNoAnswer}, nil)) })
		}
	}
	l.mu.Unlock()
	l.send(send)
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
