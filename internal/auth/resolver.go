package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Times and bounds of the resolver.
const (
	resolverTimeout = 2 * time.Second // for one question, waiting for a place included
	refusedTime     = 5 * time.Second // a refusal is remembered for
	maxAsking       = 64              // questions at the same time
	maxAnswer       = 1 << 20         // bytes of an answer
	maxRemembered   = 64 << 20        // bytes of all answers in memory, about
)

// A resolver asks the platform who somebody is.
//
// Tokens with the same claims, but for those that differ from token to token
// (exp, nbf, iat, jti), are one question: they share the answer for its time,
// and while it is asked for, they wait for it together.
type resolver struct {
	at    *endpoint
	log   *slog.Logger
	slots chan struct{} // one element for each question under way

	life    context.Context // of the questions: it ends with close
	stop    context.CancelFunc
	running sync.WaitGroup

	asked, failed, remembered atomic.Uint64

	mu      sync.Mutex
	closed  bool
	failing bool
	asking  map[question]*asking
	memory  memory
}

// A question stands for the claims that it is about.
type question [32]byte

// asking is a question under way.
type asking struct {
	done chan struct{} // closed when found and err are set
	// found says who it is; err is an *Error or an *Unavailable instead.
	found *resolved
	err   error
}

func newResolver(address, bearer string, log *slog.Logger, rt http.RoundTripper) (*resolver, error) {
	at, err := newEndpoint(address, maxAnswer, rt)
	if err != nil {
		return nil, fmt.Errorf("make token verifier: resolver: %w", err)
	}
	at.bearer = bearer
	r := &resolver{at: at, log: log, slots: make(chan struct{}, maxAsking), asking: map[question]*asking{}, memory: newMemory(maxRemembered)}
	r.life, r.stop = context.WithCancel(context.Background())
	return r, nil
}

func (r *resolver) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.stop()
	r.running.Wait()
	r.at.close()
}

// resolve says who the claims are about. late takes an answer whose time is
// over, too: who somebody is does not change, and an open connection's polls
// shall not end because the resolver is down.
func (r *resolver) resolve(ctx context.Context, claims string, late bool) (*resolved, error) {
	q := questionOf(claims)
	r.mu.Lock()
	if found, ok, err := r.memory.get(q, time.Now(), late); ok {
		r.mu.Unlock()
		r.remembered.Add(1)
		return found, err
	}
	a := r.asking[q]
	if a == nil {
		if r.closed {
			r.mu.Unlock()
			return nil, notNow(errors.New("this node is stopping"))
		}
		a = &asking{done: make(chan struct{})}
		r.asking[q] = a
		r.running.Go(func() { r.ask(q, a, []byte(claims)) })
	}
	r.mu.Unlock()
	select {
	case <-a.done:
		return a.found, a.err
	case <-ctx.Done():
		return nil, notNow(ctx.Err())
	}
}

// notNow spreads the clients that come back over some seconds.
func notNow(err error) *Unavailable {
	return &Unavailable{NeedPrincipal, time.Second + rand.N(4*time.Second), err}
}

// ask puts a question and remembers the answer. It does not end with the
// request that was the first to want it: others wait, too.
func (r *resolver) ask(q question, a *asking, claims []byte) {
	ctx, cancel := context.WithTimeout(r.life, resolverTimeout)
	defer cancel()
	found, keep, err := r.answer(ctx, claims)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.asking, q)
	if found != nil {
		found.begin(r.memory.last(q), time.Now())
	}
	a.found, a.err = found, err
	defer close(a.done)
	_, down := errors.AsType[*Unavailable](err)
	if !down {
		r.memory.put(q, found, err, time.Now().Add(keep))
	} else {
		r.failed.Add(1)
	}
	if down != r.failing && r.life.Err() == nil {
		if r.failing = down; down {
			r.log.Error("the resolver does not answer", "err", err)
		} else {
			r.log.Info("the resolver answers again")
		}
	}
}

// answer is one question and what comes of it, and for how long that holds.
func (r *resolver) answer(ctx context.Context, claims []byte) (found *resolved, keep time.Duration, err error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return nil, 0, notNow(errors.New("too many questions to the resolver at once"))
	}
	r.asked.Add(1)
	reply, err := r.at.ask(ctx, claims)
	switch {
	case err != nil:
		return nil, 0, notNow(err)
	case reply.status == http.StatusForbidden, reply.status == http.StatusNotFound, reply.status == http.StatusGone:
		return nil, refusedTime, &Error{Reason: ReasonPrincipal}
	case reply.status != http.StatusOK:
		return nil, 0, notNow(fmt.Errorf("the answer has status %d", reply.status))
	}
	if found, keep, err = parseResolved(reply.body); err != nil {
		return nil, 0, notNow(err)
	}
	return found, keep, nil
}
