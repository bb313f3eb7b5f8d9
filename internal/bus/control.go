package bus

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
)

// controlPrefix begins the subjects that nodes use among themselves; the kind
// of message follows.
const controlPrefix = "rte.control."

// Control is one kind of message to all nodes that run now, the sender
// included, such as "close this user's connections". Nothing is kept: a node
// that is away misses it, so what must hold belongs into a [KV]. V travels as
// JSON. It is safe for concurrent use.
type Control[V any] struct {
	bus     *Bus
	subject string
}

// NewControl names a kind of control message: a word of letters, digits and
// hyphens that no other kind has. It panics on any other name.
func NewControl[V any](b *Bus, kind string) *Control[V] {
	mustBeWord(kind)
	return &Control[V]{bus: b, subject: controlPrefix + kind}
}

// Send gives a message to all nodes. It returns when the server has it;
// errors that wrap [event.ErrUnavailable] may pass.
func (c *Control[V]) Send(ctx context.Context, v V) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("send on %s: %w", c.subject, err)
	}
	if err = c.bus.conn.Publish(c.subject, body); err == nil {
		ctx, cancel := context.WithTimeout(ctx, subscribeWait)
		defer cancel()
		err = c.bus.conn.FlushWithContext(ctx)
	}
	if err != nil {
		return fmt.Errorf("send on %s: %w", c.subject, sendError(err))
	}
	return nil
}

// Receive calls take with each message sent after it has returned, one at a
// time, in each sender's order. A body that is no V is logged and left out.
// stop waits for the last call, so take must not call it; [Bus.Close] does
// the same.
func (c *Control[V]) Receive(take func(V)) (stop func(), err error) {
	b := c.bus
	stop, err = b.listen(b.conn, c.subject, "", func(m *nats.Msg) {
		var v V
		if err := json.Unmarshal(m.Data, &v); err != nil {
			b.log.Warn("control message left out", "topic", c.subject, "reason", "unreadable", "err", err)
			return
		}
		take(v)
	})
	if err != nil {
		return nil, fmt.Errorf("receive on %s: %w", c.subject, err)
	}
	return stop, nil
}

// mustBeWord panics unless a name can be a token of a subject and a part of a
// stream's name. Names are constants of the program.
func mustBeWord(name string) {
	for _, c := range []byte(name) {
		if c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			panic("bus: " + name + " is no word")
		}
	}
	if name == "" {
		panic("bus: a name is missing")
	}
}
