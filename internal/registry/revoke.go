package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"time"

	"rte/internal/auth"
	"rte/internal/bus"
	"rte/internal/event"
)

// A revocation as it is kept.
type revocation struct {
	User         event.GUID `json:"user,omitzero"`
	Org          event.GUID `json:"org,omitzero"`
	ID           string     `json:"jti,omitempty"`
	IssuedBefore time.Time  `json:"issuedBefore"`
	Until        time.Time  `json:"until"` // kept at least
}

func (v *revocation) selection() auth.Selection {
	return auth.Selection{User: v.User, Org: v.Org, ID: v.ID}
}

// key is the selection's; a jti may be any text.
func (v *revocation) key() string {
	sum := sha256.Sum256([]byte(v.User.String() + v.Org.String() + v.ID))
	return hex.EncodeToString(sum[:16])
}

type keptRevocation struct {
	revocation
	revision uint64
}

// closeWait bounds the wait for the nodes that end connections.
const closeWait = time.Second

// Revoke refuses the tokens of a selection that were issued at or before a
// moment, from now on, and ends the connections that were made with them: on
// all nodes within a second. closed is how many those were; missing is how many
// nodes have not said so in time. Errors wrap [event.ErrUnavailable].
//
// An earlier moment than one that was said before changes nothing.
func (r *Registry) Revoke(ctx context.Context, s auth.Selection, issuedBefore time.Time) (closed, missing int, err error) {
	v := revocation{User: s.User, Org: s.Org, ID: s.ID, IssuedBefore: issuedBefore.UTC()}
	err = r.revoked.change(ctx, v.key(), func(was revocation, ok bool) (revocation, bool, error) {
		next := v
		next.Until = latest(r.o.Now().UTC().Add(r.o.Life), r.o.Longest(), was.Until)
		next.IssuedBefore = latest(v.IssuedBefore, was.IssuedBefore)
		return next, false, nil
	})
	if err != nil {
		return 0, 0, err
	}
	counts, missing, err := r.asked.All(ctx, v, closeWait)
	for _, n := range counts {
		closed += n
	}
	return closed, missing, err
}

func latest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.After(first) {
			first = t
		}
	}
	return first
}

// takeRevocation applies what is kept. What it ends is counted when somebody
// asks.
func (r *Registry) takeRevocation(e bus.Entry[revocation]) {
	r.revokeOrder.Lock()
	defer r.revokeOrder.Unlock()
	r.mu.Lock()
	was, had := r.kept[e.Key]
	if e.Deleted {
		delete(r.kept, e.Key)
		delete(r.closed, e.Key)
	} else {
		r.kept[e.Key] = keptRevocation{e.Value, e.Revision}
	}
	r.mu.Unlock()
	if e.Deleted {
		if had {
			r.o.Revocations.Remove(was.selection())
		}
		return
	}
	n := r.apply(e.Value)
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > 0 {
		r.closed[e.Key] += n
	}
}

// apply revokes and ends connections; revokeOrder is held.
func (r *Registry) apply(v revocation) int {
	r.o.Revocations.Set(v.selection(), v.IssuedBefore)
	return r.o.Revoke(v.selection())
}

// answer ends this node's connections for another node, or counts those that
// have been ended already because the store was quicker.
func (r *Registry) answer(v revocation) int {
	r.revokeOrder.Lock()
	defer r.revokeOrder.Unlock()
	r.mu.Lock()
	k := v.key()
	if was, ok := r.kept[k]; ok {
		v.IssuedBefore = latest(v.IssuedBefore, was.IssuedBefore)
	}
	before := r.closed[k]
	delete(r.closed, k)
	r.mu.Unlock()
	return before + r.apply(v)
}

// sweepRevocations forgets what no token can be meant by any more, and keeps
// longer what is still needed.
func (r *Registry) sweepRevocations(ctx context.Context) error {
	r.mu.Lock()
	kept := maps.Clone(r.kept)
	r.mu.Unlock()
	now := r.o.Now()
	var errs []error
	for k, v := range kept {
		shown := r.o.Revocations.Shown(v.selection())
		switch {
		case shown.After(v.Until):
			errs = append(errs, r.revoked.change(ctx, k, func(was revocation, ok bool) (revocation, bool, error) {
				was.Until = latest(was.Until, shown)
				return was, !ok, nil
			}))
		case now.After(v.Until.Add(leeway)):
			errs = append(errs, r.revoked.kv.DeleteAt(ctx, k, v.revision))
		}
	}
	return errors.Join(errs...)
}

// leeway is more than any clock difference that is allowed for a token.
const leeway = time.Hour
