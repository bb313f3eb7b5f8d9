package bus

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// A serverLog gives the NATS server's lines to slog (server.Logger). The
// server's notices are news for its own operator, so they are Debug here.
type serverLog struct {
	log *slog.Logger

	mu    sync.Mutex
	fatal error // the first fatal line: why the server did not start
}

func (l *serverLog) Noticef(format string, v ...any) { l.line(slog.LevelDebug, format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.line(slog.LevelDebug, format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.line(slog.LevelWarn, format, v) }

// Errorf is not always about an error of this server: what a connection does
// wrong is news at most. Who does not come in, the gate tells.
func (l *serverLog) Errorf(format string, v ...any) {
	level := slog.LevelError
	switch {
	case !strings.Contains(format, " - cid:"):
	case strings.Contains(fmt.Sprintf(format, v...), server.ErrAuthentication.Error()):
		level = slog.LevelDebug
	default:
		level = slog.LevelInfo
	}
	l.line(level, format, v)
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
