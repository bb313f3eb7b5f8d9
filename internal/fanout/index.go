package fanout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"rte/internal/event"
	"rte/internal/journal"
	"rte/internal/limit"
	"rte/signalr"
)

// A Subscriber is where frames go: a hub's connection.
type Subscriber interface {
	// Send must not block, and must not call back into the index: it is
	// called under a lock.
	Send(f *signalr.Frame)
	// Offer waits until there is room for the frame; an error means that
	// nothing more can be sent.
	Offer(ctx context.Context, f *signalr.Frame) error
	// Room is how many bytes can be sent at once. It must neither block nor
	// call back, as Send.
	Room() int
}

// Options of an [Index].
type Options struct {
	// Store is where events come from. Required.
	Store journal.Store
	// Window is how long events that are no states are remembered; default
	// 2 minutes.
	Window time.Duration
	// Bytes bounds what is remembered of all organizations, in bytes of
	// memory, about; default 1 GiB.
	Bytes int64
	// Linger is how long an organization is remembered behind its last
	// client, so that clients that come back together find it; default 5
	// minutes, negative is not at all.
	Linger time.Duration
	// Behind is told of a client that cannot be caught up: what it has
	// missed is not in the store any more.
	Behind func(to Subscriber)
	// CatalogNames writes event names as the catalogue spells them; default
	// is lower case, as results of Subscribe carry them.
	CatalogNames bool
	// Plain leaves the members "cursor" and "time" out of pushes.
	Plain bool
	// CamelMessagePack names members in MessagePack as in JSON; default is
	// the page's own spelling.
	CamelMessagePack bool
	// Delivered, if not nil, is told of each event with subscribers how many
	// seconds lie between the store's time and the last subscriber's queue.
	Delivered func(seconds float64)
	// Most bounds the subscriptions of all members, of each organization and
	// of each user; [Member.Reserve] keeps to it. The zero value is no bound.
	Most limit.Most
}

// Stats is a snapshot of an index.
type Stats struct {
	Organizations int    // that are remembered
	Members       int    // clients
	Topics        int    // with at least one subscriber
	Subscriptions int    // of all members
	Events        uint64 // that came to this node
	Deliveries    uint64 // events × subscribers
	Foreign       uint64 // events dropped at the tenant wall; anything but 0 is a bug

	Refused limit.Refusals // subscriptions, by whose bound it was

	JournalBytes int64  // of memory for what is remembered, about
	Replayed     uint64 // events sent to clients that came back
	Recovered    uint64 // cursors from which everything could be replayed
	Unrecovered  uint64 // cursors from which it could not
	Reads        uint64 // of the store, for cursors older than what is remembered
}

// An Index knows who hears what. Safe for concurrent use.
type Index struct {
	cat    *event.Catalog
	names  []string   // as pushes carry them, by kind
	dial   event.Kind // of the two commands
	cli    event.Kind
	states []bool // whose newest value replaces older ones, by kind
	o      Options
	budget *journal.Budget

	events, sent, foreign                     atomic.Uint64
	replayed, recovered, unrecovered, fetched atomic.Uint64

	room room

	life    context.Context // of those that are being caught up
	stop    context.CancelFunc
	running sync.WaitGroup

	mu   sync.Mutex
	orgs map[event.GUID]*organization
}

// New makes an index of the catalogue's events.
func New(cat *event.Catalog, o Options) *Index {
	if o.Window == 0 {
		o.Window = 2 * time.Minute
	}
	if o.Linger == 0 {
		o.Linger = 5 * time.Minute
	}
	x := &Index{cat: cat, o: o, orgs: map[event.GUID]*organization{}, budget: journal.NewBudget(o.Bytes)}
	x.life, x.stop = context.WithCancel(context.Background())
	for _, t := range cat.Events {
		name := t.Key
		if o.CatalogNames {
			name = t.Name
		}
		x.names = append(x.names, name)
		x.states = append(x.states, t.Keeps())
	}
	x.dial, x.cli = kindOf(cat, dialEvent), kindOf(cat, cliEvent)
	return x
}

// kindOf is the kind of an event that every catalogue has.
func kindOf(cat *event.Catalog, name string) event.Kind {
	t, _ := cat.Lookup(name)
	return t.Kind
}

// ErrNoFlow means that an organization's events cannot be had now.
var ErrNoFlow = errors.New("the organization's events are not available")

// Join enters a client of a user; the zero Guid is nobody. When it is the
// organization's first on this node, its events begin to flow before Join
// returns.
func (x *Index) Join(ctx context.Context, org, user event.GUID, to Subscriber) (*Member, error) {
	x.mu.Lock()
	o := x.orgs[org]
	first := o == nil
	if first {
		o = newOrganization(x, org)
		x.orgs[org] = o
	}
	o.refs++
	if o.linger != nil {
		o.linger.Stop()
		o.linger = nil
	}
	x.mu.Unlock()
	if first {
		o.begin()
	}
	select {
	case <-o.ready:
	case <-ctx.Done():
		x.release(o)
		return nil, fmt.Errorf("%w: %w", ErrNoFlow, context.Cause(ctx))
	}
	if o.err != nil {
		x.release(o)
		return nil, fmt.Errorf("%w: %w", ErrNoFlow, o.err)
	}
	return &Member{index: x, org: o, to: to, user: o.enter(user)}, nil
}

// release gives up one use of an organization. It is remembered for a while.
func (x *Index) release(o *organization) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if o.refs--; x.orgs[o.id] != o {
		return
	}
	if o.failed() { // who comes next tries again, whoever still looks at this one
		x.forget(o)
		return
	}
	if o.refs > 0 {
		return
	}
	if x.o.Linger < 0 {
		x.forget(o)
		return
	}
	o.linger = time.AfterFunc(x.o.Linger, func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		if o.refs == 0 && x.orgs[o.id] == o {
			x.forget(o)
		}
	})
}

// forget ends an organization's flow. The caller holds mu.
func (x *Index) forget(o *organization) {
	delete(x.orgs, o.id)
	x.running.Go(o.end)
}

// Close ends everything that runs; members must have left.
func (x *Index) Close() {
	x.stop()
	x.mu.Lock()
	for _, o := range x.orgs {
		if o.linger != nil {
			o.linger.Stop()
		}
		x.forget(o)
	}
	x.mu.Unlock()
	x.running.Wait()
}

// Stats is a snapshot of the index.
func (x *Index) Stats() Stats {
	s := Stats{
		Refused: x.room.refusals(),
		Events:  x.events.Load(), Deliveries: x.sent.Load(), Foreign: x.foreign.Load(), JournalBytes: x.budget.Bytes(),
		Replayed: x.replayed.Load(), Recovered: x.recovered.Load(), Unrecovered: x.unrecovered.Load(), Reads: x.fetched.Load(),
	}
	x.mu.Lock()
	orgs := make([]*organization, 0, len(x.orgs))
	for _, o := range x.orgs {
		orgs = append(orgs, o)
		s.Members += o.refs
	}
	x.mu.Unlock()
	s.Organizations = len(orgs)
	for _, o := range orgs {
		o.mu.Lock()
		s.Topics += len(o.topics)
		s.Subscriptions += o.subscriptions
		o.mu.Unlock()
	}
	return s
}
