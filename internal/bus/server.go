package bus

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
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

// startServer starts the embedded NATS server on a folder. Clients come in
// through the process; it opens a socket only for the door, whose gate is nil
// if there is none.
func startServer(dir string, o Options) (*server.Server, *gate, error) {
	so := serverOptions(dir, o)
	var g *gate
	if o.Door.Listen != "" {
		g = newGate(o.Door.Users, o.Logger)
		if err := g.listen(so, o.Door); err != nil {
			return nil, nil, err
		}
	}
	srv, err := server.NewServer(so)
	if err != nil {
		return nil, nil, fmt.Errorf("start nats server: %w", err)
	}
	l := &serverLog{log: o.Logger, gate: g}
	srv.SetLoggerV2(l, o.Logger.Enabled(context.Background(), slog.LevelDebug), false, false)
	srv.Start() // returns when the streams are read and the socket, if any, is open
	err = l.fatalError()
	switch {
	case g == nil:
	case err != nil && strings.Contains(err.Error(), "listening on port"):
		err = fmt.Errorf("open the NATS door (--nats-listen): %w", err)
	case err == nil:
		err = g.open(srv)
	}
	if err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return nil, nil, fmt.Errorf("start nats server: %w", err)
	}
	return srv, g, nil
}

// serverOptions are those of a server that opens no socket.
func serverOptions(dir string, o Options) *server.Options {
	so := &server.Options{
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
	if o.inMemory() {
		so.JetStreamMaxMemory = o.RetentionBytes + stateRoom
		so.JetStreamMaxStore = 64 << 20
	}
	return so
}
