package auth

import (
	"sync"
	"time"

	"rte/internal/event"
)

// A Selection says whose tokens are meant: each part that is not zero must
// match. A user's Guid alone means that user in every organization. The zero
// Selection means nobody.
type Selection struct {
	User, Org event.GUID
	ID        string // jti
}

// Matches tells whether the principal's token is meant.
func (s Selection) Matches(p *Principal) bool {
	return s != Selection{} && (s.User.IsZero() || s.User == p.User) && (s.Org.IsZero() || s.Org == p.Org) && (s.ID == "" || s.ID == p.ID)
}

// Revocations are the tokens that the platform has taken back: those of a
// selection that were issued at or before a moment, or do not say when they
// were. They are in memory only, like a [Directory].
//
// The zero value and nil revoke nothing; nothing can be set in nil. Safe for
// concurrent use.
type Revocations struct {
	mu sync.RWMutex
	of map[Selection]*revocation
}

type revocation struct {
	before time.Time // issued at or before
	shown  time.Time // the latest end of the tokens that were shown nevertheless
}

// Set revokes what was issued at or before a moment; of several moments for
// one selection the last that was set counts.
func (r *Revocations) Set(s Selection, issuedBefore time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[Selection]*revocation{}
	}
	if v := r.of[s]; v != nil {
		v.before = issuedBefore
		return
	}
	r.of[s] = &revocation{before: issuedBefore}
}

// Remove forgets a selection.
func (r *Revocations) Remove(s Selection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, s)
}

// Len is the number of selections.
func (r *Revocations) Len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.of)
}

// Shown is the latest end of the tokens that a selection's revocation has
// refused on this node: until then it must not be forgotten.
func (r *Revocations) Shown(s Selection) time.Time {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if v := r.of[s]; v != nil {
		return v.shown
	}
	return time.Time{}
}

// Cover tells whether the principal's token has been taken back.
func (r *Revocations) Cover(p *Principal) bool {
	if r == nil {
		return false
	}
	r.mu.RLock()
	late := false
	found := r.find(p, func(v *revocation) { late = late || p.Expires.After(v.shown) })
	r.mu.RUnlock()
	if found && late {
		r.mu.Lock()
		r.find(p, func(v *revocation) { v.shown = later(v.shown, p.Expires) })
		r.mu.Unlock()
	}
	return found
}

// find calls hit with each revocation of the principal's token. mu is held.
func (r *Revocations) find(p *Principal, hit func(*revocation)) (found bool) {
	if len(r.of) == 0 {
		return false
	}
	const user, org, id = 1, 2, 4
	for parts := user; parts <= user|org|id; parts++ {
		var s Selection
		if parts&user != 0 {
			s.User = p.User
		}
		if parts&org != 0 {
			s.Org = p.Org
		}
		if parts&id != 0 {
			s.ID = p.ID
		}
		if v := r.of[s]; v != nil && s.complete(parts&user != 0, parts&org != 0, parts&id != 0) && (p.IssuedAt.IsZero() || !p.IssuedAt.After(v.before)) {
			hit(v)
			found = true
		}
	}
	return found
}

// complete tells whether a selection has all the parts it was made of: what a
// principal does not have selects nothing.
func (s Selection) complete(user, org, id bool) bool {
	return user == !s.User.IsZero() && org == !s.Org.IsZero() && id == (s.ID != "")
}

// Revoked tells whether the platform has taken the principal's token back.
func (p *Principal) Revoked() bool { return p.rules != nil && p.rules.Revocations.Cover(p) }
