package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// connect joins the server: through memory, or by the network. The client
// would print to standard error what no handler takes.
func (b *Bus) connect(ctx context.Context, name string) (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name(name),
		nats.SkipSubjectValidation(), // every subject is made here
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1), // lanes send again by themselves
		nats.NoCallbacksAfterClientClose(),
		nats.ErrorHandler(b.natsError),
		nats.DisconnectErrHandler(func(c *nats.Conn, err error) {
			b.log.Warn("connection to the NATS server lost", "conn", c.Opts.Name, "err", err)
		}),
		nats.ClosedHandler(func(c *nats.Conn) {
			b.log.Error("the store's client gave up; this node must be started again", "err", c.LastError())
		}),
	}
	if b.external.used() {
		return b.dialExternal(ctx, options)
	}
	options = append(options,
		nats.InProcessServer(b.server),
		nats.ReconnectWait(10*time.Millisecond),
		nats.ReconnectJitter(0, 0),
	)
	if b.login.user != "" {
		options = append(options, nats.UserInfo(b.login.user, b.login.password))
	}
	conn, err := nats.Connect("", options...)
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded server: %w", err)
	}
	return conn, nil
}

// disconnected: the client tries to come back by itself, without end.
func (b *Bus) disconnected(_ *nats.Conn, err error) {
	b.log.Warn("connection to the store lost", "reason", "disconnected", "err", err)
	b.lanes.disconnected()
}

// reconnected: what was on the way in either direction is lost.
func (b *Bus) reconnected(*nats.Conn) {
	b.log.Warn("connection to the store is back, live messages may be missing", "reason", "reconnected")
	b.lanes.reconnected()
	b.mu.Lock()
	close(b.back)
	b.back = make(chan struct{})
	b.mu.Unlock()
	b.suspectAll()
}
