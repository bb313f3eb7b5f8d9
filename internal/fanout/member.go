package fanout

import (
	"context"

	"rte/internal/event"
)

// A Member is one client of an organization. Its methods are safe for
// concurrent use; none may be called behind Leave.
type Member struct {
	index    *Index
	org      *organization
	to       Subscriber
	links    []link                   // guarded by org.mu
	catching map[event.Pair]*catching // pairs that are being caught up; guarded by org.mu
	life     context.Context          //nolint:containedctx // of their goroutines, which outlive calls; guarded by org.mu
	user     *user                    // nil for nobody
	reserved map[event.Pair]struct{}  // places for pairs that are about to be joined; guarded by org.mu

	notices bool                // it is told of what is stale; guarded by org.mu
	owed    map[event.Pair]bool // of which it is still to be told, and whether it believes them stale; guarded by org.mu

	quit context.CancelFunc // ends it; nil if there never was any; guarded by org.mu
}

// find is the place of a topic in the member's list, -1 if it is not there.
// It walks over the shorter of the two lists: a client with ten thousand
// pairs has them of topics with few subscribers, and the other way round.
func (m *Member) find(t *topic) int {
	if len(m.links) < len(t.members) {
		for i, l := range m.links {
			if l.topic == t {
				return i
			}
		}
		return -1
	}
	for _, s := range t.members {
		if s.member == m {
			return s.at
		}
	}
	return -1
}

// enter joins a pair. The caller holds the organization's lock, and knows that
// the member has not joined it.
func (m *Member) enter(p event.Pair) *topic {
	o := m.org
	t := o.topics[p]
	if t == nil {
		t = &topic{pair: p}
		o.topics[p] = t
	}
	m.links = append(m.links, link{t, len(t.members)})
	t.members = append(t.members, membership{m, len(m.links) - 1})
	o.subscriptions++
	return t
}

// has tells whether a pair is joined, or about to be. The caller holds the
// organization's lock.
func (m *Member) has(p event.Pair) bool {
	t := m.org.topics[p]
	return m.catching[p] != nil || t != nil && m.find(t) >= 0
}

// Unsubscribe leaves the pairs; one that is not joined is no error.
func (m *Member) Unsubscribe(pairs []event.Pair) {
	o := m.org
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range pairs {
		if c := m.catching[p]; c != nil {
			m.giveUp(c)
		}
		if t := o.topics[p]; t != nil {
			if i := m.find(t); i >= 0 {
				m.drop(i)
			}
		}
	}
}

// UnsubscribeAll leaves every pair.
func (m *Member) UnsubscribeAll() {
	o := m.org
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range m.catching {
		m.giveUp(c)
	}
	for i := len(m.links) - 1; i >= 0; i-- {
		m.drop(i)
	}
	m.links = nil
}

// drop removes one subscription from both lists; the last ones of each take
// the free places. The caller holds the organization's lock.
func (m *Member) drop(i int) {
	l := m.links[i]
	t := l.topic
	if t.ahead != nil {
		delete(t.ahead, m)
	}

	m.acquit(t.pair)

	end := len(t.members) - 1
	moved := t.members[end]
	t.members[l.at] = moved
	moved.member.links[moved.at].at = l.at
	t.members[end] = membership{}
	t.members = t.members[:end]
	if end == 0 {
		delete(m.org.topics, t.pair)
	}

	end = len(m.links) - 1
	m.links[i] = m.links[end]
	if i != end {
		m.links[i].topic.members[m.links[i].at].at = i
	}
	m.links[end] = link{}
	m.links = m.links[:end]
	m.org.subscriptions--
	m.hold(-1)
}

// Pairs are the pairs the member has joined, in no promised order.
func (m *Member) Pairs() []event.Pair {
	o := m.org
	o.mu.Lock()
	defer o.mu.Unlock()
	pairs := make([]event.Pair, 0, len(m.links)+len(m.catching))
	for _, l := range m.links {
		pairs = append(pairs, l.topic.pair)
	}
	for p := range m.catching {
		pairs = append(pairs, p)
	}
	return pairs
}

// Len is the number of pairs joined.
func (m *Member) Len() int {
	m.org.mu.Lock()
	defer m.org.mu.Unlock()
	return len(m.links) + len(m.catching)
}

// Has tells whether a pair is joined.
func (m *Member) Has(p event.Pair) bool {
	m.org.mu.Lock()
	defer m.org.mu.Unlock()
	return m.has(p)
}

// Leave ends the membership. When it was the organization's last on this
// node, its events stop flowing here after a while.
func (m *Member) Leave() {
	m.UnsubscribeAll()
	m.org.mu.Lock()
	quit := m.quit
	m.org.mu.Unlock()
	if quit != nil {
		quit()
	}
	m.org.exit(m)
	m.index.release(m.org)
}
