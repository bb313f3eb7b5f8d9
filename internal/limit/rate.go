package limit

import (
	"sync"
	"time"
)

// Rates are how many may be had per second; 0 is no bound.
type Rates struct{ Node, Org, User, Conn float64 }

// A Rate bounds how many of something may be had per second, by token buckets:
// in any time t at most burst × rate + t × rate. Safe for concurrent use; nil
// bounds nothing.
type Rate struct {
	start time.Time

	mu      sync.Mutex
	node    buckets[struct{}]
	orgs    buckets[ID]
	users   buckets[userKey]
	conns   buckets[string]
	refused Refusals
}

// RateStats is a snapshot of a rate.
type RateStats struct {
	Known   int // buckets that are not full, of all scopes
	Refused Refusals
}

// NewRate makes a rate; nil if it bounds nothing. burst is for how long what
// was not had may be had later, all at once; 0 means a second. One may be had
// in any case.
func NewRate(per Rates, burst time.Duration) *Rate {
	if per == (Rates{}) {
		return nil
	}
	if burst == 0 {
		burst = time.Second
	}
	s := burst.Seconds()
	return &Rate{
		start: time.Now(),
		node:  newBuckets[struct{}](per.Node, s), orgs: newBuckets[ID](per.Org, s),
		users: newBuckets[userKey](per.User, s), conns: newBuckets[string](per.Conn, s),
	}
}

// Take takes n at once. If it may not, it takes nothing, says whose bound it
// is, and after which time it would have been let. More than a full burst is
// let when the bucket is full, and paid for afterwards: so what is large is
// slow, and not impossible.
func (r *Rate) Take(w Who, n float64) (over Scope, wait time.Duration) {
	if r == nil {
		return None, 0
	}
	now := time.Since(r.start).Seconds()
	r.mu.Lock()
	defer r.mu.Unlock()
	user := userKey{w.Org, w.User}
	// The longest wait decides: whoever comes back then is let in.
	for _, s := range [...]struct {
		scope Scope
		lacks float64
	}{
		{Conn, lack(&r.conns, w.Conn != "", w.Conn, now, n)}, {User, lack(&r.users, w.User != ID{}, user, now, n)},
		{Org, lack(&r.orgs, w.Org != ID{}, w.Org, now, n)}, {Node, lack(&r.node, true, struct{}{}, now, n)},
	} {
		if t := time.Duration(s.lacks * float64(time.Second)); t > wait {
			over, wait = s.scope, t
		}
	}
	if over != None {
		r.refused[over]++
		return over, wait
	}
	r.change(w, now, n)
	return None, 0
}

// Return gives n back that were taken and not used after all.
func (r *Rate) Return(w Who, n float64) {
	if r == nil {
		return
	}
	now := time.Since(r.start).Seconds()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.change(w, now, -n)
}

// change takes n, or gives them back if n is below 0.
func (r *Rate) change(w Who, now, n float64) {
	take(&r.node, true, struct{}{}, now, n)
	take(&r.orgs, w.Org != ID{}, w.Org, now, n)
	take(&r.users, w.User != ID{}, userKey{w.Org, w.User}, now, n)
	take(&r.conns, w.Conn != "", w.Conn, now, n)
}

// Stats is a snapshot. It forgets who has been quiet.
func (r *Rate) Stats() RateStats {
	if r == nil {
		return RateStats{}
	}
	now := time.Since(r.start).Seconds()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.node.forget(now)
	r.orgs.forget(now)
	r.users.forget(now)
	r.conns.forget(now)
	return RateStats{Known: len(r.node.of) + len(r.orgs.of) + len(r.users.of) + len(r.conns.of), Refused: r.refused}
}
