package bus

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"rte/internal/event"
)

// The NATS door: producers publish on
// rte.in.<organizationId>.<eventName>.<entityId> (contract.md).
const (
	doorPrefix = "rte.in."

	// doorQueue is the queue group of all nodes: each message comes to one.
	// It is the place where an owner for each partition will stand. Until
	// then two messages of a pair may come to two nodes, so with several
	// nodes order is kept for producers that wait for each answer.
	doorQueue = "rte"

	// What may wait in memory for take; beyond, NATS drops messages.
	doorMessages = 1 << 16
	doorBytes    = 64 << 20

	// answerWait is how long Close waits until producers have their answers.
	answerWait = 2 * time.Second
)

// A Message is what a producer sent to the NATS door.
type Message struct {
	Subject string
	Header  map[string][]string // nil if it has none
	Data    []byte
	// Reply answers, once, at any time, from any goroutine; nil if no answer
	// is wanted, or wanted where none may go. header may be nil.
	Reply func(header map[string][]string, body []byte)
}

// Serve gives each message that a producer sends to take: one call at a time,
// in each producer's order. Of several nodes on the same servers one gets it.
// take should be quick: what waits for it is bounded (see
// [Stats.DoorDropped]).
//
// stop lets no more in and returns when what has come was taken, or when ctx
// ends. Answers go out until [Bus.Close]. Serve is called once.
func (b *Bus) Serve(take func(Message)) (stop func(ctx context.Context) error, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), openWait)
	defer cancel()
	// A connection of its own: what producers send must not stand before the
	// store's answers.
	conn, err := b.connect(ctx, "rte door")
	if err != nil {
		return nil, fmt.Errorf("open the NATS door: %w", err)
	}
	done := make(chan struct{})
	sub, err := conn.QueueSubscribe(doorPrefix+">", doorQueue, func(m *nats.Msg) { take(message(m)) })
	if err == nil {
		sub.SetClosedHandler(func(string) { close(done) })
		err = sub.SetPendingLimits(doorMessages, doorBytes)
	}
	if err == nil {
		err = conn.FlushTimeout(subscribeWait)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && b.closed {
		err = errClosed
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("open the NATS door: %w: %w", event.ErrUnavailable, err)
	}
	b.door, b.doorSub = conn, sub
	return func(ctx context.Context) error {
		_ = sub.Drain() // an error means that it has ended
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("close the NATS door: %w", context.Cause(ctx))
		}
	}, nil
}

// message is what a producer sent, without what is the client's.
func message(m *nats.Msg) Message {
	out := Message{Subject: m.Subject, Header: m.Header, Data: m.Data}
	if answerable(m.Reply) {
		out.Reply = func(header map[string][]string, body []byte) {
			// Who does not hear the answer sends again.
			_ = m.RespondMsg(&nats.Msg{Header: header, Data: body})
		}
	}
	return out
}

// answerable tells whether an answer may go to a reply subject. The producer
// chose it, but this node's rights would publish to it: on a shared account an
// answer could become an event, or an order to the store.
func answerable(reply string) bool {
	return reply != "" && reply[0] != '$' && !strings.HasPrefix(reply, "rte.")
}

// DoorAddr is where the embedded server listens for producers; nil if it does
// not.
func (b *Bus) DoorAddr() net.Addr {
	if b.gate == nil {
		return nil
	}
	return b.server.Addr()
}

// doorDropped is how many messages were dropped before they could be taken.
func (b *Bus) doorDropped() int64 {
	b.mu.Lock()
	sub := b.doorSub
	b.mu.Unlock()
	if sub == nil {
		return 0
	}
	n, err := sub.Dropped()
	if err != nil {
		return 0
	}
	return int64(n)
}
