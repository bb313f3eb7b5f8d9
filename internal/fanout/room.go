package fanout

import (
	"sync/atomic"

	"rte/internal/event"
	"rte/internal/limit"
)

// Whether there is room for another subscription. The counts of organizations
// and users are kept under the organization's lock, which joining and leaving
// hold anyway: so they are exact, and cost next to nothing.

// room is the node's count.
type room struct {
	held    atomic.Int64
	refused [len(limit.Refusals{})]atomic.Uint64 // by scope
}

func (r *room) refusals() (all limit.Refusals) {
	for i := range all {
		all[i] = r.refused[i].Load()
	}
	return all
}

// A user is one user of an organization, with clients on this node.
type user struct {
	id      event.GUID
	members int
	held    int // subscriptions, and places for some
}

// enter notes a client of a user.
func (o *organization) enter(id event.GUID) *user {
	if id.IsZero() {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	u := o.users[id]
	if u == nil {
		u = &user{id: id}
		o.users[id] = u
	}
	u.members++
	return u
}

// exit gives up what a member has reserved, and its user with the last client.
func (o *organization) exit(m *Member) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m.settle(0)
	if u := m.user; u != nil {
		if u.members--; u.members == 0 {
			delete(o.users, u.id)
		}
	}
}

// Reserve takes places for pairs that are about to be joined, and says of each
// whether all is full. A pair that is joined, or has a place, needs none.
// It is full when the connection's own bound is reached, which most is (0 is
// none), or Options.Most. Places are kept until the next Subscribe, which uses
// them, or Leave. Pairs that are joined without a place count, too, and may
// exceed a bound.
func (m *Member) Reserve(pairs []event.Pair, most int) (full []bool) {
	o := m.org
	o.mu.Lock()
	defer o.mu.Unlock()
	full = make([]bool, len(pairs))
	if m.reserved == nil {
		m.reserved = make(map[event.Pair]struct{}, len(pairs))
	}
	for i, p := range pairs {
		full[i] = !m.reserve(p, most)
	}
	return full
}

// reserve is Reserve of one pair. The caller holds the organization's lock.
func (m *Member) reserve(p event.Pair, most int) bool {
	if m.has(p) {
		return true
	}
	if _, has := m.reserved[p]; has {
		return true
	}
	x := m.index
	full := m.full(most)
	if full == limit.None && !x.room.take(x.o.Most.Node) {
		full = limit.Node
	}
	if full != limit.None {
		x.room.refused[full].Add(1)
		return false
	}
	m.reserved[p] = struct{}{}
	m.count(1)
	return true
}

// full says which bound but the node's is reached. The caller holds the
// organization's lock.
func (m *Member) full(most int) limit.Scope {
	b := m.index.o.Most
	switch {
	case most > 0 && len(m.links)+len(m.catching)+len(m.reserved) >= most:
		return limit.Conn
	case b.User > 0 && m.user != nil && m.user.held >= b.User:
		return limit.User
	case b.Org > 0 && m.org.held >= b.Org:
		return limit.Org
	}
	return limit.None
}

// take counts one more for the node, if there is room: most, 0 for any number.
// Others, of organizations with other locks, may come at the same time.
func (r *room) take(most int) bool {
	for {
		n := r.held.Load()
		if most > 0 && n >= int64(most) {
			return false
		}
		if r.held.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// hold counts n more, or fewer. The caller holds the organization's lock.
func (m *Member) hold(n int) {
	m.index.room.held.Add(int64(n))
	m.count(n)
}

// count is hold without the node.
func (m *Member) count(n int) {
	m.org.held += n
	if m.user != nil {
		m.user.held += n
	}
}

// settle counts the subscriptions that were joined in the place of all that
// was reserved. The caller holds the organization's lock.
func (m *Member) settle(joined int) {
	m.hold(joined - len(m.reserved))
	m.reserved = nil
}
