package bus

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// A serverLog gives the NATS server's lines to slog (server.Logger). The
// server's notices are news for its own operator, so they are Debug here.
type serverLog struct {
	log  *slog.Logger
	gate *gate // nil if nobody comes in from outside

	mu     sync.Mutex
	fatal  error                // the first fatal line: why the server did not start
	routes map[string]time.Time // when it was last told what is wrong with one
}

func (l *serverLog) Noticef(format string, v ...any) { l.line(slog.LevelDebug, format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.line(slog.LevelDebug, format, v) }

// Warnf is not always a warning: a cluster that comes together has much to say.
func (l *serverLog) Warnf(format string, v ...any) {
	level, text := slog.LevelWarn, fmt.Sprintf(format, v...)
	for _, begin := range noWarnings {
		if strings.HasPrefix(text, begin) {
			level = slog.LevelDebug
			break
		}
	}
	l.line(level, format, v)
}

// noWarnings are the beginnings of warnings that need nobody: about passwords
// that were made at random for this start, and about what passes.
var noWarnings = [...]string{
	"Plaintext passwords detected", "Waiting for routing to be established", "JetStream has not established contact",
	"Metalayer blocking snapshot",
}

// Errorf is not always about an error of this server: lines about a
// connection begin with where it comes from, and tell what it did wrong.
func (l *serverLog) Errorf(format string, v ...any) {
	switch {
	case strings.Contains(format, " - cid:"):
		l.client(fmt.Sprintf(format, v...))
		return
	case strings.Contains(format, " - rid:"):
		l.route(fmt.Sprintf(format, v...))
		return
	case strings.HasPrefix(format, "Error trying to connect to route"): // it goes on trying
		l.line(slog.LevelDebug, format, v)
		return
	}
	l.line(slog.LevelError, format, v)
}

// client tells of a connection that was refused something. The server's own
// text may repeat anything that was sent, so only its kind is shown.
func (l *serverLog) client(text string) {
	parts := strings.SplitN(text, " - ", 3)
	if len(parts) < 3 || strings.Contains(parts[2], server.ErrAuthentication.Error()) {
		return // who does not come in, the gate tells
	}
	user := ""
	if id, err := strconv.ParseUint(strings.TrimPrefix(parts[1], "cid:"), 10, 64); err == nil && l.gate != nil {
		user = l.gate.userOf(id)
	}
	reason := "protocol error"
	for _, r := range clientFaults {
		if strings.Contains(parts[2], r) {
			reason = strings.ToLower(r)
			break
		}
	}
	l.log.Info("a NATS client went wrong", "remote", parts[0], "user", user, "reason", reason)
}

// clientFaults are the server's words for what is worth telling apart.
var clientFaults = [...]string{
	"Publish Violation", "Subscription Violation", "maximum payload", "handshake", "read error",
}

// route tells of another server of the cluster, or what claims to be one. The
// server tries again each second, so the same is told once a minute.
func (l *serverLog) route(text string) {
	parts := strings.SplitN(text, " - ", 3)
	if len(parts) < 3 {
		return
	}
	host, _, _ := strings.Cut(parts[0], ":") // the port of who connects is another each time
	level, reason := slog.LevelInfo, "connection broken"
	for _, f := range routeFaults {
		if strings.Contains(parts[2], f.words) {
			level, reason = slog.LevelWarn, f.reason
			break
		}
	}
	l.mu.Lock()
	if l.routes == nil {
		l.routes = map[string]time.Time{}
	}
	again := time.Since(l.routes[host+reason]) < routeTellAgain
	if !again {
		l.routes[host+reason] = time.Now()
	}
	l.mu.Unlock()
	if !again {
		l.log.Log(context.Background(), level, "route to a server of the cluster", "remote", parts[0], "reason", reason)
	}
}

const routeTellAgain = time.Minute

// routeFaults are what can be wrong between two servers of a cluster: the
// server's words, and ours.
var routeFaults = [...]struct{ words, reason string }{
	{"authentication error", "refused: it does not have this cluster's secret"},
	{"Authorization Violation", "refused there: it has another secret"},
	{"authentication timeout", "refused: it has not said who it is in time"},
	{"does not match", "refused: it belongs to a cluster of another name"},
	{"duplicate name", "refused: it has this server's name; give each node a folder or a name of its own"},
	{"TLS", "no TLS between the two: see that each has a certificate of the same authority"},
	{"tls", "no TLS between the two: see that each has a certificate of the same authority"},
	{"attempted to connect to route port", "refused: a client has come to the cluster's address"},
}

// Tracef is never wanted: it shows payloads.
func (l *serverLog) Tracef(string, ...any) {}

// Fatalf keeps the reason; the server returns from its start after it, and
// whoever started it reports it.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatal == nil {
		l.fatal = fmt.Errorf(format, v...)
	}
}

func (l *serverLog) fatalError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

func (l *serverLog) line(level slog.Level, format string, v []any) {
	ctx := context.Background()
	if l.log.Enabled(ctx, level) {
		l.log.Log(ctx, level, "nats server", "reason", fmt.Sprintf(format, v...))
	}
}
