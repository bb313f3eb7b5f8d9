package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"rte/internal/auth"
	"rte/internal/bus"
	"rte/internal/event"
)

// DefaultLife is how long a revocation is kept at least.
const DefaultLife = 30 * 24 * time.Hour

// Options of a [Registry]. Directory and Revocations are required.
type Options struct {
	// Directory and Revocations are filled with what is kept.
	Directory   *auth.Directory
	Revocations *auth.Revocations

	// Life is how long a revocation is kept at least: as long as the longest
	// token lives. 0 means DefaultLife.
	Life time.Duration
	// Longest is the latest end of the tokens that were seen so far; a
	// revocation is kept until then, too. nil means none were.
	Longest func() time.Time
	// Membership learns from the event QueueAttachedUsers who belongs to a
	// queue.
	Membership bool

	// Reconsider is told that the rights of a user have changed, or of
	// everybody in the organization (the zero user). Required.
	Reconsider func(org, user event.GUID)
	// Revoke ends the connections of a selection whose tokens are revoked, and
	// says how many there were. Required.
	Revoke func(auth.Selection) int

	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger gets what goes wrong besides; nil means none.
	Logger *slog.Logger
}

// Stats is a snapshot of a registry.
type Stats struct {
	Rights      int // users with rights that the platform has set, or had
	Revocations int
	Lists       int
	Queues      int // whose members are known by their events
}

// A Registry is what has been said. Safe for concurrent use.
type Registry struct {
	o   Options
	bus *bus.Bus

	rights    *shelf[auth.Rights]
	revoked   *shelf[revocation]
	directory *shelf[page]
	lists     *shelf[CallList]
	members   *shelf[members] // nil without Options.Membership

	asked  *bus.Ask[revocation, int]
	closes []func() // in this order

	mu          sync.Mutex
	users       map[string]struct{} // keys of rights
	kept        map[string]keptRevocation
	closed      map[string]int  // connections ended by a revocation that nobody has counted yet
	pages       map[string]page // of generations without a head
	callLists   map[event.GUID]map[event.GUID]CallList
	listWatches map[*func(ListChange)]struct{}
	queues      map[string]members
	revokeOrder sync.Mutex // what a revocation ends is ended once
}

// ErrTooLarge means that what was said is too large to be kept.
var ErrTooLarge = errors.New("too large to be kept")

// Open reads what is kept; when it returns, all of it holds. The bus must
// outlive the registry.
func Open(ctx context.Context, cat *event.Catalog, b *bus.Bus, o Options) (*Registry, error) {
	if o.Life == 0 {
		o.Life = DefaultLife
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Longest == nil {
		o.Longest = func() time.Time { return time.Time{} }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Registry{
		o: o, bus: b, users: map[string]struct{}{}, kept: map[string]keptRevocation{}, closed: map[string]int{}, pages: map[string]page{},
		callLists: map[event.GUID]map[event.GUID]CallList{}, listWatches: map[*func(ListChange)]struct{}{}, queues: map[string]members{},
	}
	if err := r.open(ctx, cat); err != nil {
		r.Close()
		return nil, fmt.Errorf("open the registry: %w", err)
	}
	return r, nil
}

// open opens the shelves; what is opened last is closed first.
func (r *Registry) open(ctx context.Context, cat *event.Catalog) (err error) {
	opened := func(stop func()) { r.closes = append([]func(){stop}, r.closes...) }
	if r.directory, err = openShelf(ctx, r.bus, "directory", r.takePage); err != nil {
		return err
	}
	opened(r.directory.stop)
	if r.lists, err = openShelf(ctx, r.bus, "lists", r.takeList); err != nil {
		return err
	}
	opened(r.lists.stop)
	if r.rights, err = openShelf(ctx, r.bus, "rights", r.takeRights); err != nil {
		return err
	}
	opened(r.rights.stop)
	if r.revoked, err = openShelf(ctx, r.bus, "revocations", r.takeRevocation); err != nil {
		return err
	}
	opened(r.revoked.stop)
	r.asked = bus.NewAsk[revocation, int](r.bus, "revoke")
	stop, err := r.asked.Answer(r.answer)
	if err != nil {
		return err
	}
	opened(stop)
	if r.o.Membership {
		if r.members, err = openShelf(ctx, r.bus, "members", r.takeMembers); err != nil {
			return err
		}
		opened(r.members.stop)
		if err := r.follow(ctx, cat, opened); err != nil {
			return err
		}
	}
	opened(r.sweeper())
	return nil
}

// Close stops reading, and waits for what is under way.
func (r *Registry) Close() {
	for _, stop := range r.closes {
		stop()
	}
	r.closes = nil
}

// Stats is a snapshot.
func (r *Registry) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Stats{Rights: len(r.users), Revocations: len(r.kept), Queues: len(r.queues)}
	for _, lists := range r.callLists {
		s.Lists += len(lists)
	}
	return s
}

// sweepEvery is how often is looked for what need not be kept any more.
const sweepEvery = 10 * time.Minute

// sweeper looks from time to time.
func (r *Registry) sweeper() (stop func()) {
	life, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			select {
			case <-life.Done():
				return
			case <-tick.C:
				r.Sweep(life)
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// Sweep forgets what need not be kept any more. The registry does so by itself
// from time to time. What cannot be forgotten now waits for the next time.
func (r *Registry) Sweep(ctx context.Context) {
	if err := errors.Join(r.sweepRevocations(ctx), r.sweepPages(ctx)); err != nil && ctx.Err() == nil {
		r.o.Logger.Warn("what is old could not be forgotten", "err", err)
	}
}

// key makes the key of several ids.
func key(ids ...event.GUID) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return strings.Join(texts, ".")
}

// idsOf reads the ids that a key begins with; rest is what stands behind.
func idsOf(key string, ids ...*event.GUID) (rest string, err error) {
	for _, id := range ids {
		var text string
		text, key, _ = strings.Cut(key, ".")
		if *id, err = event.ParseGUID(text); err != nil {
			return "", err
		}
	}
	return key, nil
}

// strange logs a key that this program has not written.
func (r *Registry) strange(what, key string) {
	r.o.Logger.Warn("kept value left out", "topic", what, "reason", "the key is none of ours", "key", len(key))
}
