package node

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"rte/internal/auth"
	"rte/internal/bus"
	"rte/internal/journal"
)

// Directory is what the platform will have posted.
func (n *Node) Directory() *auth.Directory { return n.directory }

// Front is what every public request goes through first.
func Front(next http.Handler, log *slog.Logger) http.Handler { return front(next, log) }

// Store is a bus as the journal wants it.
func Store(b *bus.Bus) journal.Store { return store{b} }

// Listen opens an address as a node does.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := listen(ctx, addr, "listen")
	if err != nil {
		return nil, err
	}
	return l.net, nil
}
