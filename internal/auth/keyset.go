package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Times and bounds of a key set.
const (
	keySetAge     = 10 * time.Minute // between two looks, if the issuer says nothing
	keySetMinAge  = time.Minute      // the issuer's max-age counts between these
	keySetMaxAge  = time.Hour
	keySetTimeout = 5 * time.Second  // for one look
	keySetRest    = 5 * time.Second  // at least, from one look to the next
	keySetRetry   = 10 * time.Second // after the first failure, doubled up to a minute
	keySetWait    = 12 * time.Second // the longest a token waits: a rest, a look and a little
	maxKeySet     = 512 << 10        // bytes of an answer
	maxWaiting    = 1000             // tokens that wait for keys
	keysRetry     = 5 * time.Second  // Retry-After where keys cannot be had
)

// A keySet is an issuer's keys, read from its address from time to time.
//
// The keys known last are used until others have been read: while the issuer
// is down, or answers what is no key set, they go on working. A token with an
// unknown key id waits for the next look, which begins at once, but not sooner
// than keySetRest after the last one began, and which is the same for all that
// wait.
type keySet struct {
	at   *endpoint
	log  *slog.Logger
	list atomic.Pointer[[]key] // never nil

	waiting       atomic.Int32
	looks, failed atomic.Uint64
	lastGood      atomic.Int64 // ns since 1970; 0: never

	// The loop's own.
	pause        time.Duration // until the next look that nobody asks for
	failing      bool
	lastProblems string

	wake chan struct{} // somebody asks for a look; sent to under mu

	mu             sync.Mutex
	running, next  *look // running is nil between looks
	started, ended bool
}

// A look is one attempt to read the set.
type look struct {
	done chan struct{} // closed by the loop
	err  error         // set before done is closed
}

func newLook() *look { return &look{done: make(chan struct{})} }

func newKeySet(address string, log *slog.Logger, rt http.RoundTripper) (*keySet, error) {
	at, err := newEndpoint(address, maxKeySet, rt)
	if err != nil {
		return nil, err
	}
	s := &keySet{at: at, log: log, wake: make(chan struct{}, 1), next: newLook()}
	s.list.Store(&[]key{})
	return s, nil
}

func (s *keySet) keys() []key { return *s.list.Load() }

// renew waits for a look that finds the token's key.
func (s *keySet) renew(ctx context.Context, h *header, have []key) (bool, error) {
	now := s.keys()
	switch {
	case h.alg.symmetric():
		return false, nil
	case len(now) > 0 && !sameKeys(now, have):
		return true, nil
	case h.hasID && slices.ContainsFunc(now, func(k key) bool { return k.id == h.id }):
		return false, nil // it is known, and has not made this signature
	case !h.hasID && len(now) > 0 && !slices.ContainsFunc(now, func(k key) bool { return k.id == "" }):
		return false, nil // this issuer names its keys
	}
	if s.waiting.Add(1) > maxWaiting {
		s.waiting.Add(-1)
		return false, errors.New("too many tokens wait for keys")
	}
	defer s.waiting.Add(-1)
	err := s.await(ctx, have)
	return err == nil && !sameKeys(s.keys(), have), err
}

// sameKeys tells whether two lists are the result of one look.
func sameKeys(a, b []key) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// await returns when the set is another one than have, or when a look has
// ended that began after the call; its error is that look's.
func (s *keySet) await(ctx context.Context, have []key) error {
	for first := true; ; first = false {
		s.mu.Lock()
		if !s.started || s.ended {
			s.mu.Unlock()
			return errors.New("the key set is not being read")
		}
		l := s.running
		before := first && l != nil // it may have read the set too early
		if l == nil {
			l = s.next
			select {
			case s.wake <- struct{}{}:
			default:
			}
		}
		s.mu.Unlock()
		select {
		case <-l.done:
		case <-ctx.Done():
			return fmt.Errorf("wait for the key set: %w", ctx.Err())
		}
		if !sameKeys(s.keys(), have) {
			return nil
		}
		if !before {
			return l.err
		}
	}
}

// run looks until ctx ends.
func (s *keySet) run(ctx context.Context) {
	defer s.at.close()
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		select {
		case <-due.C:
		case <-s.wake:
		case <-ctx.Done():
			s.end(ctx.Err())
			return
		}
		began := time.Now()
		l := s.begin()
		err := s.read(ctx)
		if err != nil {
			s.failed.Add(1)
		}
		s.finish(l, err)
		rest := time.NewTimer(time.Until(began.Add(keySetRest)))
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
		}
		due.Reset(time.Until(began.Add(s.pause))) // pause is never shorter than the rest
	}
}

// begin makes the next look the running one. Who asks from now on asks for
// the one behind it.
func (s *keySet) begin() *look {
	s.looks.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.next = s.next, newLook()
	select {
	case <-s.wake:
	default:
	}
	return s.running
}

func (s *keySet) finish(l *look, err error) {
	l.err = err
	s.mu.Lock()
	s.running = nil
	s.mu.Unlock()
	close(l.done)
}

func (s *keySet) start() (first *look) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = true
	return s.next
}

// end lets go whoever waits.
func (s *keySet) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.next.err = err
	close(s.next.done)
}

// read reads the set once, and settles when to do so again.
func (s *keySet) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keySetTimeout)
	defer cancel()
	r, err := s.at.ask(ctx, nil)
	if err == nil && r.status != http.StatusOK {
		err = fmt.Errorf("the answer has status %d", r.status)
	}
	var list []key
	var problems []error
	if err == nil {
		list, problems, err = parseKeySet(r.body)
	}
	s.complain(problems)
	if err != nil {
		s.pause = min(max(keySetRetry, 2*s.pause), keySetMinAge)
		if !s.failing {
			s.failing, s.pause = true, keySetRetry
			s.log.Error("the key set cannot be read; the keys known stay", "err", err)
		}
		return err
	}
	s.pause = keySetAge
	if age := r.maxAge(); age > 0 {
		s.pause = min(max(age, keySetMinAge), keySetMaxAge)
	}
	if s.failing {
		s.failing = false
		s.log.Info("the key set can be read again")
	}
	if !equalKeys(list, s.keys()) {
		s.list.Store(&list)
		s.log.Info("key set read", "keys", len(list))
	}
	s.lastGood.Store(time.Now().UnixNano())
	return nil
}

// complain logs keys that were passed over, once for each set of problems.
func (s *keySet) complain(problems []error) {
	text := ""
	if err := errors.Join(problems...); err != nil {
		text = err.Error()
	}
	if text != "" && text != s.lastProblems {
		s.log.Warn("keys of the key set were passed over", "err", text)
	}
	s.lastProblems = text
}

// equalKeys compares what two looks have found.
func equalKeys(a, b []key) bool {
	return slices.EqualFunc(a, b, func(x, y key) bool { return x.id == y.id && x.algs == y.algs && x.same(&y) })
}
