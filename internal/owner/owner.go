package owner

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"rte/internal/derive"
	"rte/internal/event"
)

// A Store is where events come from and where everything is kept. Its errors
// that wrap [event.ErrUnavailable] may pass.
type Store interface {
	// States gives sink the newest value of every state pair of the partition,
	// and those that follow; Events the events of these kinds behind a sequence
	// number. Both call caught when all that was there has been given, and return
	// when ctx ends.
	States(ctx context.Context, sink event.Sink, caught func()) error
	Events(ctx context.Context, after uint64, kinds []event.Kind, sink event.Sink, caught func()) error
	// Publish stores events in order, and has an error for each that was not.
	Publish(ctx context.Context, events []*event.Event) []error
	// Last is the newest event of a topic, nil if there is none.
	Last(ctx context.Context, t event.Topic) (*event.Event, error)
	// Sequence is the number that a cursor stands for; false if it is none of
	// this store.
	Sequence(cursor string) (uint64, bool)

	// Callbacks gives take everything that Keep has kept; one without a record
	// is forgotten.
	Callbacks(ctx context.Context, take func(derive.Callback) error) error
	Keep(ctx context.Context, callbacks []derive.Callback) error
	// Figures and AlertStates likewise.
	Figures(ctx context.Context, take func(*derive.Figures) error) error
	KeepFigures(ctx context.Context, f *derive.Figures) error
	AlertStates(ctx context.Context, take func(*derive.AlertState) error) error
	KeepAlertState(ctx context.Context, s *derive.AlertState) error
	ForgetAlertState(ctx context.Context, org, id event.GUID) error
	// Place is the number up to which everything is done.
	Place(ctx context.Context) (uint64, error)
	KeepPlace(ctx context.Context, sequence uint64) error

	// Watch gives take what users and the platform have said, and returns then;
	// after that every change, until stop is called, which waits for take.
	Watch(ctx context.Context, take func(Change)) (stop func(), err error)
}

// A Change is one thing that users or the platform have said: a list or an
// alert.
type Change struct {
	List  *List
	Alert *derive.Alert
	// Gone: the alert with this organization and id was deleted.
	Gone bool
}

// A List is who is active on a callback list.
type List struct {
	Organization, ID event.GUID
	Gone             bool // nobody says anything of it any more
	AutoAllocate     bool
	Agents           []event.GUID
}

// Options of an owner. Catalog and Store are required.
type Options struct {
	Catalog *event.Catalog
	Store   Store
	Rules   derive.Options

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: none
}

// Stats are figures of an owner.
type Stats struct {
	Owner   bool         // now, and at work
	Rules   derive.Stats // what they have done is of the newest time of owning
	Ticks   uint64
	Read    uint64        // events
	Lag     time.Duration // the longest of the last second between the store and the rules
	Skipped uint64        // derived events that the owner before had published
	Refused uint64        // derived events that the store did not take, for good
	Retries uint64        // because the store was away
}

// An Owner runs the rules. Run runs once at a time; Stats is safe for
// concurrent use.
type Owner struct {
	o     Options
	stats atomic.Pointer[Stats]
}

// New makes an owner that owns nothing yet.
func New(o Options) *Owner {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	w := &Owner{o: o}
	w.stats.Store(&Stats{})
	return w
}

// Stats are the figures of the last second.
func (w *Owner) Stats() Stats { return *w.stats.Load() }

// pause is the time between two tries.
const pause = 250 * time.Millisecond

// Run owns until ctx ends, which is no error. It can be called again.
func (w *Owner) Run(ctx context.Context) error {
	var readers sync.WaitGroup
	defer readers.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t := newTenure(w, w.Stats())
	defer func() {
		t.stats.Owner = false
		t.tell()
	}()
	for {
		err := t.restore(ctx)
		if err == nil {
			break
		}
		if !errors.Is(err, event.ErrUnavailable) || ctx.Err() != nil {
			return ended(ctx, err)
		}
		w.o.Logger.Warn("cannot take a partition over yet", "err", err)
		t = newTenure(w, t.stats)
		t.stats.Retries++
		rest(ctx, pause)
	}
	stop, err := w.o.Store.Watch(ctx, t.changes.add)
	if err != nil {
		return ended(ctx, err)
	}
	defer stop()
	readers.Go(func() {
		if err := w.o.Store.States(ctx, t.states.give, t.states.caught(ctx)); ctx.Err() == nil {
			cancel(err)
		}
	})
	readers.Go(func() {
		select {
		case <-t.begun: // states first: who serves, which lists a producer cares for
		case <-ctx.Done():
			return
		}
		if err := w.o.Store.Events(ctx, t.place, t.kinds(), t.events.give, t.events.caught(ctx)); ctx.Err() == nil {
			cancel(err)
		}
	})
	return ended(ctx, t.work(ctx))
}

// ended is why something ended, nil if only the time was over.
func ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
