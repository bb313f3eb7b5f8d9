package node

import (
	"context"
	"sync"

	"rte/internal/auth"
)

// standing are the requests that are answered for as long as their senders
// like: each ends when its token is taken back. The zero value has none; safe
// for concurrent use.
type standing struct {
	mu sync.Mutex
	of map[*auth.Principal]context.CancelFunc // each request has a principal of its own
}

// hold enters a request. Its context ends when the token is taken back, or has
// been; done must be called when it has been answered.
func (s *standing) hold(ctx context.Context, p *auth.Principal) (life context.Context, done func()) {
	life, cancel := context.WithCancel(ctx)
	s.mu.Lock()
	if s.of == nil {
		s.of = map[*auth.Principal]context.CancelFunc{}
	}
	s.of[p] = cancel
	s.mu.Unlock()
	if p.Revoked() { // between the look at the token and here
		cancel()
	}
	return life, func() {
		s.mu.Lock()
		delete(s.of, p)
		s.mu.Unlock()
		cancel()
	}
}

// revoke ends those that are meant and whose tokens have been taken back. It
// returns how many there were.
func (s *standing) revoke(meant auth.Selection) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, cancel := range s.of {
		if meant.Matches(p) && p.Revoked() {
			cancel()
			delete(s.of, p)
			n++
		}
	}
	return n
}
