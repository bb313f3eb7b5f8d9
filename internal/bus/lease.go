package bus

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// A lease says who owns something, such as a partition: one node at a time.
//
// It is a record that the owner writes anew again and again. Each write names
// the revision it replaces, so of two at once one fails. Who wants the lease
// waits until it has seen the same revision for leaseLife by its own clock;
// whoever holds it lets go leaseMargin earlier, counted by its own clock from
// before its last good write. No two clocks are compared; they must only run
// at about the same speed, and the margin is for that.

// Figures of leases.
const (
	leaseLife   = 5 * time.Second        // from the last sign of an owner until another may follow
	leaseMargin = time.Second            // by which the owner is earlier
	leaseBeat   = time.Second            // between two signs
	leaseLook   = 250 * time.Millisecond // between two looks of who waits
	leaseTry    = 2 * time.Second        // for one write or read
)

// A claim is what the record of a lease says.
type claim struct {
	Owner string `json:"owner"` // "": it was given back
	Epoch uint64 `json:"epoch"` // one more with each owner
	Beat  uint64 `json:"beat"`  // one more with each sign of it
}

// A register keeps one claim. Its errors but errTaken may pass, and then
// nobody knows whether the claim was written.
type register interface {
	// Read gives the claim and its revision; 0: there is none. It may be an
	// old one.
	Read(ctx context.Context) (claim, uint64, error)
	// Swap writes a claim in the place of that revision and gives its own.
	Swap(ctx context.Context, c claim, revision uint64) (uint64, error)
}

// errTaken: the revision is not the newest.
var errTaken = errors.New("another was quicker")

// A tenancy is one node's part in a lease. Its method own runs in one
// goroutine.
type tenancy struct {
	name     string
	self     string // unlike any other's, and this process's before
	alone    bool   // nobody else can want it
	register register
	log      *slog.Logger
	told     func(epoch uint64, owner bool) // of the beginning and end of each ownership
	behind   func()                         // called at each look that finds another owner

	seen     uint64    // revision of the claim last read or written
	claim    claim     // what it says
	since    time.Time // when it was seen first
	failures int       // reads in a row without an answer
}

// own waits for the lease and runs take while it holds, again and again until
// ctx ends.
func (t *tenancy) own(ctx context.Context, take func(ctx, held context.Context, epoch uint64)) {
	for ctx.Err() == nil {
		if sent, ok := t.seize(ctx); ok {
			t.hold(ctx, sent, take)
		}
		pause(ctx, leaseLook/2+rand.N(leaseLook)) //nolint:gosec // no secret is made of it
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// seize takes the lease if nobody has it, or its owner has given no sign for
// too long. sent is from before it was written.
func (t *tenancy) seize(ctx context.Context) (sent time.Time, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, leaseTry)
	defer cancel()
	if !t.look(ctx) {
		return sent, false
	}
	// What is one's own and not held is from a write whose answer was lost.
	free := t.alone || t.seen == 0 || t.claim.Owner == "" || t.claim.Owner == t.self || time.Since(t.since) >= leaseLife
	if !free {
		t.behind()
		return sent, false
	}
	next := claim{Owner: t.self, Epoch: t.claim.Epoch + 1}
	sent = time.Now()
	revision, err := t.register.Swap(ctx, next, t.seen)
	if errors.Is(err, errTaken) {
		t.seen, t.claim = 0, claim{} // or a store that was made anew would never be believed
	}
	if err != nil {
		return sent, false
	}
	t.note(next, revision)
	return sent, true
}

// look reads the claim.
func (t *tenancy) look(ctx context.Context) bool {
	c, revision, err := t.register.Read(ctx)
	if err != nil {
		if t.failures++; t.failures == 10 && ctx.Err() == nil {
			t.log.Warn("cannot see who owns something", "topic", t.name, "err", err)
		}
		return false
	}
	t.failures = 0
	if revision > t.seen {
		t.note(c, revision)
	}
	return true
}

func (t *tenancy) note(c claim, revision uint64) {
	t.claim, t.seen, t.since = c, revision, time.Now()
}

// hold runs take and gives signs until take returns or the lease is lost. When
// ctx ends, take is told so, and has the lease until it returns.
func (t *tenancy) hold(ctx context.Context, sent time.Time, take func(ctx, held context.Context, epoch uint64)) {
	epoch, until := t.claim.Epoch, sent.Add(leaseLife-leaseMargin)
	beat := time.NewTicker(leaseBeat)
	defer beat.Stop()
	if t.alone {
		until = sent.Add(math.MaxInt64)
		beat.Stop()
	}
	held := newLife(until)
	stay := held.within(ctx)
	t.told(epoch, true)
	t.log.Info("this node owns", "topic", t.name, "epoch", epoch)
	returned := make(chan struct{})
	go func() {
		defer close(returned)
		take(stay, held, epoch)
	}()
	for working := true; working; {
		select {
		case <-returned:
			working = false
		case <-held.Done():
			working = false
		case <-beat.C:
			t.renew(held)
		}
	}
	lost := held.Err() != nil
	held.end()
	stay.cancel()
	<-returned
	t.told(epoch, false)
	if lost {
		t.log.Warn("this node owns no more: it could not say in time that it is alive", "topic", t.name, "epoch", epoch)
		return
	}
	t.log.Info("this node owns no more", "topic", t.name, "epoch", epoch)
	// Also when ctx has ended, so without it.
	t.giveBack(context.WithoutCancel(ctx), epoch)
}

// giveBack lets another follow at once. The last sign may have been written
// though nobody has waited for its answer; then it takes a second try.
func (t *tenancy) giveBack(ctx context.Context, epoch uint64) {
	ctx, cancel := context.WithTimeout(ctx, leaseTry)
	defer cancel()
	for range 2 {
		next := claim{Epoch: epoch}
		revision, err := t.register.Swap(ctx, next, t.seen)
		if err == nil {
			t.note(next, revision)
			return
		}
		if !errors.Is(err, errTaken) || !t.look(ctx) || t.claim.Owner != t.self || t.claim.Epoch != epoch {
			return
		}
	}
}

// renew gives a sign. Without an answer it may have been written all the same:
// then the next one fails, and the claim is read again.
func (t *tenancy) renew(l *life) {
	ctx, cancel := context.WithTimeout(l, leaseTry)
	defer cancel()
	next := t.claim
	next.Beat++
	sent := time.Now()
	revision, err := t.register.Swap(ctx, next, t.seen)
	switch {
	case err == nil:
		t.note(next, revision)
		l.extend(sent.Add(leaseLife - leaseMargin))
	case errors.Is(err, errTaken):
		mine, epoch := t.claim.Owner, t.claim.Epoch
		if t.look(ctx) && (t.claim.Owner != mine || t.claim.Epoch != epoch) {
			l.end()
		}
	}
}

// A life is the time for which a lease is held (context.Context). It ends by
// the clock, and knows so without any timer: a process that was stopped and goes
// on finds out at the first question. It is safe for concurrent use.
type life struct {
	context.Context
	cancel context.CancelFunc

	mu    sync.Mutex
	until time.Time
	timer *time.Timer
}

func newLife(until time.Time) *life {
	l := &life{until: until}
	l.Context, l.cancel = context.WithCancel(context.Background())
	l.timer = time.AfterFunc(time.Until(until), l.check)
	return l
}

// Err is context.Canceled when the life is over.
func (l *life) Err() error {
	if l.expired() {
		l.cancel()
	}
	return l.Context.Err()
}

// expired asks both clocks: the monotonic one stands still while the machine
// sleeps, the other may be set.
func (l *life) expired() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	return !now.Before(l.until) || !now.Round(0).Before(l.until.Round(0))
}

// check ends the life in time.
func (l *life) check() {
	if l.expired() {
		l.cancel()
	}
}

// extend makes it longer, unless it is over.
func (l *life) extend(until time.Time) {
	if l.expired() {
		l.cancel()
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.until = until
	l.timer.Reset(time.Until(until))
}

func (l *life) end() {
	l.timer.Stop()
	l.cancel()
}

// A stay is the context of what an owner does (context.Context): it ends with
// the life, or when the owner is asked to go.
type stay struct {
	context.Context
	cancel context.CancelFunc
	held   *life
}

func (l *life) within(ctx context.Context) *stay {
	s := &stay{held: l}
	s.Context, s.cancel = context.WithCancel(l.Context)
	context.AfterFunc(ctx, s.cancel)
	return s
}

// Err is context.Canceled when the stay is over.
func (s *stay) Err() error {
	if err := s.held.Err(); err != nil {
		return err
	}
	return s.Context.Err()
}
