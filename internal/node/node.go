package node

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"rte/internal/admin"
	"rte/internal/auth"
	"rte/internal/bus"
	"rte/internal/derive"
	"rte/internal/event"
	"rte/internal/fanout"
	"rte/internal/ingest"
	"rte/internal/ops"
	"rte/internal/registry"
	"rte/internal/session"
	"rte/internal/tail"
	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// A Node is one running RTE. Make it with New, then Start and Stop once.
type Node struct {
	cfg       Config
	log       *slog.Logger
	directory *auth.Directory
	revoked   *auth.Revocations
	verifier  *auth.Verifier
	cat       *event.Catalog
	cert      *certificate   // nil: plain HTTP
	clientCA  *x509.CertPool // nil: operators have no certificates

	bus       *bus.Bus
	index     *fanout.Index
	session   *session.Handler
	hub       *hub.Server
	transport *transport.Handler
	elsewhere atomic.Pointer[elsewhere] // nil while there can be no other nodes
	ingest    *ingest.HTTP
	nats      *ingest.NATS // nil where nobody can send messages

	consequences *consequences

	limits    *limits
	tail      *tail.Handler
	standing  standing // streams under way
	ops       *ops.Handler
	registry  *registry.Registry
	operators *admin.Handler

	public, publish, admin *listener
	hall, publishHall      hall                        // what the first two serve
	operatorHall           hall                        // what only operators are served by the last
	shutDoor               func(context.Context) error // lets no more messages in
	state                  atomic.Value                // string: why the node is not ready, "" when it is
	leaving                chan struct{}               // closed when Stop begins
	minding                sync.WaitGroup
	stopOnce               sync.Once
	stopErr                error
}

// New checks the settings and makes a node; nothing is opened yet. log may
// be nil.
func New(cfg Config, log *slog.Logger) (*Node, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	directory := &auth.Directory{}
	revoked := &auth.Revocations{}
	v, err := cfg.Verifier(directory, revoked, log)
	if err != nil {
		return nil, err
	}
	cert, err := newCertificate("tls", cfg.TLSCert, cfg.TLSKey, log)
	if err != nil {
		return nil, err
	}
	if _, err := cfg.options(); err != nil {
		return nil, err
	}
	cat, err := ReadCatalog(cfg.CatalogOverlay)
	if err != nil {
		return nil, err
	}
	if _, err := cfg.promised(cat); err != nil {
		return nil, err
	}
	authority, err := cfg.readClientCA()
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, leaving: make(chan struct{}), log: log, directory: directory, revoked: revoked, verifier: v, cat: cat, cert: cert, clientCA: authority, limits: newLimits(&cfg.Limits)}
	if _, err := n.store(); err != nil {
		return nil, err
	}
	n.state.Store(starting)
	return n, nil
}

// Start opens the store and the listeners. When it returns the node is
// ready. On an error nothing is left open.
func (n *Node) Start(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			n.abandon()
		}
	}()
	// The listeners first: an address in use is the commonest mistake, and it
	// should show before anything is touched.
	if n.public, err = listen(ctx, n.cfg.Listen, "listen"); err != nil {
		return err
	}
	if n.cfg.PublishListen != "" && n.cfg.PublishListen != n.cfg.Listen {
		if n.publish, err = listen(ctx, n.cfg.PublishListen, "publish-listen"); err != nil {
			return err
		}
	}
	if n.admin, err = listen(ctx, n.cfg.AdminListen, "admin-listen"); err != nil {
		return err
	}
	store, err := n.store()
	if err != nil {
		return err
	}
	// Before the store, for which it may have to wait: who asks shall hear so.
	n.ops = ops.New(ops.Options{Ready: n.ready, Figures: n.figures, Hosts: n.cfg.adminHosts(), Logger: n.log})
	n.receive()
	if n.bus, err = bus.Open(ctx, n.cat, store); err != nil {
		return err
	}
	n.verifier.Start(ctx)
	drift := ingest.NewDrift(n.cat, n.log)
	secret, err := n.tokenSecret(ctx)
	if err != nil {
		return err
	}
	n.join(drift, secret)
	if err := n.record(ctx); err != nil {
		return err
	}
	if err := n.conclude(ctx); err != nil {
		return err
	}
	if err := n.meetOthers(); err != nil {
		return err
	}
	n.serve()
	if err := n.openDoor(drift); err != nil {
		return err
	}
	if n.shared() { // nobody else writes to a store of its own
		n.minding.Go(n.mindStore)
	}
	n.state.Store("")
	n.logReady()
	return nil
}

// join makes the rooms and joins them: the way of an event from the door to
// the client.
func (n *Node) join(drift *ingest.Drift, secret []byte) {
	catalogNames := n.cfg.EventNameCase == "catalog"
	promised, _ := n.cfg.promised(n.cat) // New has seen that they are good
	n.index = fanout.New(n.cat, fanout.Options{
		Store:        store{n.bus},
		Window:       n.cfg.Window,
		Bytes:        int64(n.cfg.JournalBytes),
		Behind:       behind,
		CatalogNames: catalogNames,
		Plain:        !n.cfg.PushExtras,
		Most:         n.cfg.mostSubscriptions(),
		Promised:     promised,
		Stale:        func(s derive.Staleness) *signalr.Frame { return n.session.Stale(s) },

		CamelMessagePack: n.cfg.MsgpackNames == "camel",
		Delivered:        n.ops.Histogram("delivery_seconds", "Time from the store to the last subscriber's queue, for each event with subscribers.", deliveryBuckets()),
	})
	n.session = session.New(n.cat, n.index, session.Options{
		MaxItems:         n.cfg.MaxItems,
		MaxSubscriptions: n.cfg.MaxSubscriptions,
		CatalogNames:     catalogNames,
		CamelMessagePack: n.cfg.MsgpackNames == "camel",
		CloseOnExpiry:    n.cfg.CloseOnExpiry,
		Logger:           n.log,
	})
	n.hub = hub.New(n.bounded(hub.Options{
		Methods:         n.session.Methods(),
		OnConnected:     n.session.Connected,
		OnDisconnected:  n.session.Disconnected,
		MaxMessageBytes: int(n.cfg.MaxMessageBytes),
		QueueBytes:      int(n.cfg.QueueBytes),
		CloseTexts:      closeTexts(),
		Logger:          n.log,
	}))
	n.transport = transport.NewHandler(n.hub.Accept, n.guarded(transport.Options{
		Authenticate:   n.authenticate,
		Confirm:        n.confirm,
		AllowedOrigins: n.cfg.AllowedOrigins,
		Secret:         secret,
		Elsewhere:      n.others(),
		Logger:         n.log,

		StatefulReconnect: true, // for clients that ask for it
	}))
	n.tail = tail.New(n.cat, n.bus, tail.Options{Line: n.index.AppendPush, Logger: n.log})
	n.ingest = ingest.NewHTTP(n.cat, n.publisher, n.bus.Publish, ingest.Options{
		MaxBodyBytes:  int64(n.cfg.MaxBodyBytes),
		MaxEventBytes: int(n.cfg.MaxEventBytes),
		Allow:         n.limits.allow(),
		Drift:         drift,
		Logger:        n.log,
	})
}

// Stop drains the node: no new connections, every client told to reconnect
// elsewhere over Config.Drain, queues flushed, the store closed. When ctx ends
// first, what is left is cut. It may be called more than once.
func (n *Node) Stop(ctx context.Context) error {
	n.stopOnce.Do(func() { n.stopErr = n.stop(ctx) })
	return n.stopErr
}

func (n *Node) stop(ctx context.Context) error {
	n.state.Store("draining")
	close(n.leaving)
	n.minding.Wait()
	n.log.Info("draining", "clients", n.hub.Stats().Connections, "over", n.cfg.Drain)
	n.session.Draining()
	n.hasteOthers()
	var told sync.WaitGroup
	var door error
	n.tail.Close()
	told.Go(func() { n.hub.Drain(ctx, n.cfg.Drain) })
	told.Go(func() { door = n.closeDoor(ctx) })
	errs := []error{n.public.close(ctx)} // no new connection; hijacked ones live on
	told.Wait()
	errs = append(errs, door)
	errs = append(errs, n.transport.Shutdown(ctx))
	n.hub.Close()
	n.leaveOthers()
	if n.publish != nil {
		errs = append(errs, n.publish.close(ctx))
	}
	n.operatorHall.close()
	n.verifier.Close()
	n.consequences.close()
	n.index.Close()
	n.forget()
	errs = append(errs, n.bus.Close(ctx), n.admin.close(ctx))
	n.log.Info("stopped")
	return errors.Join(errs...)
}

// abandon closes what a failed Start has opened.
func (n *Node) abandon() {
	for _, l := range []*listener{n.public, n.publish, n.admin} {
		switch {
		case l == nil:
		case l.server != nil:
			l.server.Close() //nolint:errcheck // Start's own error says more
			<-l.done
		default:
			l.net.Close()
		}
	}
	n.verifier.Close()
	n.consequences.close()
	n.forget()
	n.leaveOthers()
	if n.bus != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		n.closeDoor(ctx) //nolint:errcheck // Start's own error says more
		n.bus.Close(ctx) //nolint:errcheck // Start's own error says more
	}
}
