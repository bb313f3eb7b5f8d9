package bus

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"rte/internal/event"
)

// The NATS door: producers publish on
// rte.in.<organizationId>.<eventName>.<entityId> (contract.md).
const (
	doorPrefix = "rte.in."

	// doorLease is what the node owns that takes producers' messages: all of
	// them, as there is one partition.
	doorLease = "door-0"

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
	// Context ends when the message may not be stored any more, because
	// another node takes messages now (see [Bus.Own]); nil: it always may. It
	// is the lifetime of the ownership.
	Context context.Context
	// Done must be called, once, when the message is stored or refused.
	Done func()
}

// Serve gives each message that a producer sends to take: one call at a time,
// in each producer's order. Of several nodes that share the store one takes
// all, the owner, and when it goes another follows (see [Bus.Own]); until then
// who asks is told at once that nobody is there. take should be quick: what
// waits for it is bounded (see [Stats.DoorDropped]).
//
// stop lets no more in and returns when what has come is done with, or when ctx
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
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		conn.Close()
		return nil, fmt.Errorf("open the NATS door: %w", errClosed)
	}
	b.door = conn
	b.owners.Add(1)
	b.mu.Unlock()
	s := &service{bus: b, conn: conn, take: take, first: make(chan error, 1)}
	life, end := context.WithCancel(b.life)
	done := make(chan struct{})
	go func() {
		defer b.owners.Done()
		defer close(done)
		if b.shared {
			s.told(b.own(life, doorLease, sync.OnceFunc(func() { s.told(nil) }), s.serve))
			return
		}
		s.serve(life, nil, 0) // nobody else can
	}()
	// A message that comes when Serve has returned is taken, here or by another.
	select {
	case err = <-s.first:
	case <-ctx.Done(): // the store is away; the owner will be found when it is back
	}
	if err != nil {
		end()
		return nil, fmt.Errorf("open the NATS door: %w: %w", event.ErrUnavailable, err)
	}
	return func(ctx context.Context) error {
		end()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("close the NATS door: %w", context.Cause(ctx))
		}
	}, nil
}

// A service takes producers' messages, for as long as it is the owner.
type service struct {
	bus   *Bus
	conn  *nats.Conn
	take  func(Message)
	first chan error // the outcome of the first subscription; nil, too, if another node is the owner
}

// serve takes messages until ctx ends, and then waits until those that it has
// taken are done with: they may be stored until held ends.
func (s *service) serve(ctx, held context.Context, _ uint64) {
	var pending sync.WaitGroup
	closed := make(chan struct{})
	sub, err := s.conn.Subscribe(doorPrefix+">", func(m *nats.Msg) {
		if held != nil && held.Err() != nil {
			away(m)
			return
		}
		pending.Add(1)
		out := message(m)
		out.Context, out.Done = held, sync.OnceFunc(pending.Done)
		s.take(out)
	})
	if err == nil {
		sub.SetClosedHandler(func(string) { close(closed) })
		err = sub.SetPendingLimits(doorMessages, doorBytes)
	}
	if err == nil {
		err = s.conn.FlushTimeout(subscribeWait)
	}
	s.told(err)
	if err != nil {
		if sub != nil {
			_ = sub.Unsubscribe() // an error means that it has ended
		}
		return
	}
	s.bus.setDoor(sub)
	<-ctx.Done()
	_ = sub.Drain() // likewise
	<-closed
	pending.Wait()
}

// told says how the first subscription went, and logs how later ones failed.
func (s *service) told(err error) {
	select {
	case s.first <- err:
	default:
		if err != nil {
			s.bus.log.Warn("cannot take producers' messages", "err", err)
		}
	}
}

// away tells who asks that nobody is there, as the server would.
func away(m *nats.Msg) {
	if answerable(m.Reply) {
		_ = m.RespondMsg(&nats.Msg{Header: nats.Header{"Status": {"503"}}}) // who does not hear it waits, and asks again
	}
}

// setDoor keeps the subscription, to count what it drops.
func (b *Bus) setDoor(sub *nats.Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doorSub = sub
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
