package bus

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// A serverLog gives the NATS server's lines to slog (server.Logger). The
// server's notices are news for its own operator, so they are Debug here.
type serverLog struct {
	log  *slog.Logger
	gate *gate // nil if nobody comes in from outside

	mu    sync.Mutex
	fatal error // the first fatal line: why the server did not start
}

func (l *serverLog) Noticef(format string, v ...any) { l.line(slog.LevelDebug, format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.line(slog.LevelDebug, format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.line(slog.LevelWarn, format, v) }

// Errorf is not always about an error of this server: lines about a
// connection begin with where it comes from, and tell what it did wrong.
func (l *serverLog) Errorf(format string, v ...any) {
	if strings.Contains(format, " - cid:") {
		l.client(fmt.Sprintf(format, v...))
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
