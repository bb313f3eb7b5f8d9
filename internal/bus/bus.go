package bus

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
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
	catalog  *event.Catalog
	log      *slog.Logger
	external External
	cluster  Cluster
	shared   bool           // other nodes write to the store, too
	inMemory bool           // the store is lost with the bus
	folder   *folder        // nil with an external store
	server   *server.Server // nil with an external store
	login    login          // of this process at the embedded server, where it asks for one
	gate     *gate          // nil where the embedded server is not open to others
	keeper   *keeper        // nil but with a store inside, on disk
	// conn carries publishes, answers and the live lane alike: so a live
	// message is in its watch's queue before the publish is answered.
	conn    *nats.Conn
	js      jetstream.JetStream
	streams [2][]*stream // by lane and partition
	byName  map[string]*stream
	lanes   *lanes
	feeds   *feeds // nil with an external store: then the streams republish

	// getter and readGetter ask for many messages at once: for flows, and for Read.
	getter, readGetter *getter

	// Fixed but for tests, which change them before the first watch.
	pendingMessages int                     // per watch
	checkEvery      time.Duration           // at least, and at most twice that (see flowcheck.go)
	lossy           func(*event.Event) bool // loses live messages

	health health
	word   word // of a store that others write to, too

	delivered, unreadable, sinkErrors atomic.Uint64
	holes, refilled, checks           atomic.Uint64

	reading chan struct{} // a place for each call of Read
	// life ends when Close begins: nobody waits for the store any more.
	life    context.Context
	endLife context.CancelFunc

	mu      sync.Mutex
	closed  bool
	door    *nats.Conn // carries producers' messages; nil if nobody serves them
	doorSub *nats.Subscription
	deny    context.CancelCauseFunc // ends Open when the servers deny a right; nil afterwards
	watches map[*watch]struct{}
	flows   map[*Flow]struct{}
	dropped int64         // by watches that have ended
	back    chan struct{} // closed and made anew each time the connection is back

	listeners sync.WaitGroup // subscriptions of listen, and watches of KVs

	self   string         // this process, among those that share the store
	owners sync.WaitGroup // calls of Own
	owned  owned
}

// Open starts a bus: on the servers of o.External, or else on an embedded one
// in o.Dir, which may be one of a cluster. Errors are one line and say what to do; those about the folder
// wrap [ErrFolder]. It waits 30 seconds for external servers that are not
// there yet, and until ctx ends for a cluster that has too few.
func Open(ctx context.Context, catalog *event.Catalog, o Options) (*Bus, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Bus{
		catalog: catalog, log: o.Logger, external: o.External, cluster: o.Cluster, shared: o.shared(), inMemory: o.inMemory(),
		byName: map[string]*stream{}, watches: map[*watch]struct{}{}, flows: map[*Flow]struct{}{},
		reading:         make(chan struct{}, mostReading),
		pendingMessages: pendingMessages, checkEvery: checkEvery,
		back: make(chan struct{}),
		self: rand.Text(),
	}
	b.life, b.endLife = context.WithCancel(context.Background())
	if !o.External.used() {
		if b.folder, err = openFolder(o.Dir); err != nil {
			return nil, fmt.Errorf("open bus: %w", err)
		}
		if b.folder.server, err = b.folder.settle(o.Cluster); err != nil {
			_ = b.folder.close()
			return nil, fmt.Errorf("open bus: %w", err)
		}
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
	if !o.External.used() {
		if err := b.startServer(o); err != nil {
			return err
		}
	}
	if !o.Cluster.used() { // nodes of a cluster may be started by hand, one after the other
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.openWait)
		defer cancel()
	}
	ctx, b.deny = context.WithCancelCause(ctx)
	defer b.opened()
	if b.conn, err = b.connect(ctx, "rte"); err != nil {
		return err
	}
	if b.js, err = jetstream.New(b.conn); err != nil {
		return err
	}
	for p := range partitions {
		for _, lane := range []Lane{StateLane, EventLane} {
			s, err := b.openStream(ctx, lane, p, o)
			if err != nil {
				return err
			}
			b.streams[lane] = append(b.streams[lane], s)
			b.byName[s.name] = s
		}
	}
	if err := b.checkRights(ctx); err != nil {
		return err
	}
	if !o.shared() {
		b.feeds = newFeeds()
	}
	if b.lanes, err = newLanes(b.conn, o, b.folder, b.feeds); err != nil {
		return err
	}
	if b.getter, err = newGetter(b.conn, mostRepairing); err != nil {
		return err
	}
	if b.readGetter, err = newGetter(b.conn, mostReading); err != nil {
		return err
	}
	b.listeners.Go(b.lookOut)
	if o.Cluster.used() {
		if err := b.followLeaders(); err != nil {
			return err
		}
	}
	b.conn.SetDisconnectErrHandler(b.disconnected)
	b.conn.SetReconnectHandler(b.reconnected)
	if !o.External.used() && !o.inMemory() {
		b.learn(ctx, min(o.DedupeWindow, o.Retention))
		b.keeper = newKeeper(b, o)
		b.keeper.run()
	}
	return nil
}

// opened ends the time in which a right that is denied ends Open.
func (b *Bus) opened() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deny(nil)
	b.deny = nil
}
