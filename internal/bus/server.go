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

// startServer starts the embedded NATS server on the bus's folder. Clients come
// in through the process; it opens a socket only for the door and for the
// other servers of its cluster.
func (b *Bus) startServer(o Options) error {
	so := serverOptions(b.folder.path, o)
	if o.Cluster.used() || o.Door.Listen != "" {
		b.login = newLogin()
	}
	if o.Cluster.used() {
		if err := o.Cluster.join(so, b.folder.server, b.login); err != nil {
			return err
		}
	}
	if o.Door.Listen != "" {
		b.gate = newGate(o.Door.Users, b.login, o.Logger)
		if err := b.gate.listen(so, o.Door); err != nil {
			return err
		}
	}
	srv, err := server.NewServer(so)
	if err != nil {
		return fmt.Errorf("start nats server: %w", err)
	}
	l := &serverLog{log: o.Logger, gate: b.gate}
	srv.SetLoggerV2(l, o.Logger.Enabled(context.Background(), slog.LevelDebug), false, false)
	srv.Start() // returns when the streams are read and the socket, if any, is open
	err = l.fatalError()
	switch {
	case b.gate == nil:
	case err != nil && strings.Contains(err.Error(), "listening on port"):
		err = fmt.Errorf("open the NATS door (--nats-listen): %w", err)
	case err == nil:
		err = b.gate.open(srv)
	}
	if err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return fmt.Errorf("start nats server: %w", err)
	}
	b.server = srv
	return nil
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
