package node

import (
	"log/slog"
	"net/http"

	"rte/internal/auth"
)

// Directory is what the platform will have posted.
func (n *Node) Directory() *auth.Directory { return n.directory }

// Front is what every public request goes through first.
func Front(next http.Handler, log *slog.Logger) http.Handler { return front(next, log) }
