package bus

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
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
func (l *serverLog) Errorf(format string, v ...any)  { l.line(slog.LevelError, format, v) }

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
