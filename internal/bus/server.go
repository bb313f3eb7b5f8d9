package bus

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// maxStore is no wish but the end of the scale: what a stream may hold is
	// said by its own limits, and a server limit below what an older, larger
	// setting reserved would keep that stream from being opened again.
	maxStore = 1 << 50

	// stateRoom is what State may hold when it lives in memory, in bytes:
	// about two million pairs.
	stateRoom = 1 << 30

	// maxPayload bounds a message with its headers, in bytes: NATS's own
	// advice for the upper end.
	maxPayload = server.MAX_PAYLOAD_MAX_SIZE

	// syncInterval is what a power cut may cost. A killed process loses
	// nothing: messages are written before they are acknowledged.
	syncInterval = time.Second
)

// startServer starts the embedded NATS server on a folder. It opens no
// socket: clients come in through the process.
func startServer(dir string, inMemory bool, retentionBytes int64, log *slog.Logger) (*server.Server, error) {
	o := &server.Options{
		ServerName:             "rte",
		DontListen:             true,
		NoSigs:                 true,
		NoLog:                  true,
		MaxPayload:             maxPayload,
		JetStream:              true,
		DisableJetStreamBanner: true,
		StoreDir:               dir,
		SyncInterval:           syncInterval,
		// Zero would mean a share of this machine's memory and disk. The
		// kind of storage that is not used still needs a figure.
		JetStreamMaxMemory: 64 << 20,
		JetStreamMaxStore:  maxStore,
	}
	if inMemory {
		o.JetStreamMaxMemory = retentionBytes + stateRoom
		o.JetStreamMaxStore = 64 << 20
	}
	srv, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("start nats server: %w", err)
	}
	l := &serverLog{log: log}
	srv.SetLoggerV2(l, log.Enabled(context.Background(), slog.LevelDebug), false, false)
	srv.Start() // returns when the streams are read: there is no listener to serve
	if err := l.fatalError(); err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, fmt.Errorf("start nats server: %w", err)
	}
	return srv, nil
}
