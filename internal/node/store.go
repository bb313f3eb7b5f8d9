package node

import (
	"context"
	"time"

	"rte/internal/bus"
	"rte/internal/event"
	"rte/internal/fanout"
	"rte/internal/journal"
	"rte/signalr/hub"
)

// A store is the bus as the journal wants it.
type store struct{ *bus.Bus }

// Follow gives an organization's events to sink (journal.Store).
func (s store) Follow(ctx context.Context, org event.GUID, window time.Duration, sink event.Sink) (journal.Flow, error) {
	f, err := s.Bus.Follow(ctx, org, window, sink)
	if err != nil { // a nil *bus.Flow would be a Flow
		return nil, err
	}
	return f, nil
}

// behind closes a client that cannot be caught up: it has taken so long that
// the store has forgotten what is next. It may come back, and is told then.
func behind(to fanout.Subscriber) {
	if c, ok := to.(*hub.Conn); ok {
		c.Close(hub.Slow, string(hub.Slow), true)
	}
}
