package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rte/internal/event"
)

// A Bus is the store of events and their way to every listener. It is safe
// for concurrent use.
type Bus struct {
	// Fixed after Open.
	catalog *event.Catalog
	log     *slog.Logger
	folder  *folder
	server  *server.Server
	// conn carries publishes, answers and the live lane alike: so a live
	// message is in its watch's queue before the publish is answered.
	conn    *nats.Conn
	streams [2][]*stream // by lane and partition
	byName  map[string]*stream
	lanes   *lanes

	pendingMessages int // per watch; fixed but for tests

	delivered, unreadable, sinkErrors atomic.Uint64

	mu      sync.Mutex
	closed  bool
	watches map[*nats.Subscription]*watch
	dropped int64 // by watches that have ended
}

// Open starts a bus on o.Dir. Errors are one line; those that wrap
// [ErrFolder] say what to do about the folder.
func Open(ctx context.Context, catalog *event.Catalog, o Options) (*Bus, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	f, err := openFolder(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open bus: %w", err)
	}
	b := &Bus{
		catalog: catalog, log: o.Logger, folder: f,
		byName: map[string]*stream{}, watches: map[*nats.Subscription]*watch{},
		pendingMessages: pendingMessages,
	}
	if err := b.start(ctx, o); err != nil {
		if also := b.end(); also != nil {
			err = fmt.Errorf("%w; then %w", err, also)
		}
		return nil, fmt.Errorf("open bus: %w", err)
	}
	return b, nil
}

func (b *Bus) start(ctx context.Context, o Options) (err error) {
	if b.server, err = startServer(b.folder.path, o.Dir == "", o.RetentionBytes, o.Logger); err != nil {
		return err
	}
	if b.conn, err = b.connect(); err != nil {
		return fmt.Errorf("connect to the embedded server: %w", err)
	}
	js, err := jetstream.New(b.conn)
	if err != nil {
		return err
	}
	for p := range partitions {
		for _, lane := range []Lane{StateLane, EventLane} {
			s, err := openStream(ctx, js, lane, p, o)
			if err != nil {
				return err
			}
			b.streams[lane] = append(b.streams[lane], s)
			b.byName[s.name] = s
		}
	}
	if b.lanes, err = newLanes(b.conn, o.Now, o.DedupeWindow); err != nil {
		return err
	}
	b.conn.SetReconnectHandler(b.reconnected)
	return nil
}

// connect joins the server through memory. The client would print to standard
// error what no handler takes.
func (b *Bus) connect() (*nats.Conn, error) {
	return nats.Connect("",
		nats.InProcessServer(b.server),
		nats.Name("rte"),
		nats.SkipSubjectValidation(), // every subject is made here
		nats.MaxReconnects(-1),
		nats.ReconnectWait(10*time.Millisecond),
		nats.ReconnectJitter(0, 0),
		nats.ReconnectBufSize(-1), // lanes send again by themselves
		nats.NoCallbacksAfterClientClose(),
		nats.ErrorHandler(b.natsError),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			b.log.Warn("connection to the store lost", "reason", "disconnected", "err", err)
		}),
	)
}

// reconnected: what was on the way in either direction is lost.
func (b *Bus) reconnected(*nats.Conn) {
	b.log.Warn("connection to the store is back, live messages may be missing", "reason", "reconnected")
	b.lanes.reconnected()
}

// Close ends the bus: calls of Publish under way are answered, sinks get what
// was stored before, the store is written out. When ctx ends first, it stops
// waiting and closes; the error then wraps ctx's. A second Close does nothing.
func (b *Bus) Close(ctx context.Context) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	b.mu.Unlock()
	if err := errors.Join(b.lanes.close(ctx), b.drain(ctx), b.stopWatches(ctx), b.end()); err != nil {
		return fmt.Errorf("close bus: %w", err)
	}
	return nil
}

// drain waits until the sinks have been given all that has arrived. Nothing
// comes behind it: a live message is always before the answer to its publish.
func (b *Bus) drain(ctx context.Context) error {
	done := make(chan struct{})
	if err := b.conn.Barrier(func() { close(done) }); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("sinks are still busy: %w", context.Cause(ctx))
	}
}

// stopWatches ends every watch. After ctx has ended a sink has one second
// left to heed its own context.
func (b *Bus) stopWatches(ctx context.Context) error {
	b.mu.Lock()
	watches := slices.Collect(maps.Values(b.watches))
	b.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, w := range watches {
			w.end()
		}
		for _, w := range watches {
			w.stop()
		}
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-done:
		return nil
	case <-time.After(time.Second):
		return errors.New("a sink did not return")
	}
}

// end stops what was started, in the opposite order.
func (b *Bus) end() error {
	if b.conn != nil {
		b.conn.Close()
	}
	if b.server != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
	return b.folder.close()
}
