package fanout

import "rte/internal/event"

// Subscribe joins the pairs; one that is joined already stays. then, if not
// nil, is called at the moment of joining: what it sends to the client comes
// before the first event of the new pairs. It must not block, nor call the
// index. What was reserved and is not used is given back.
func (m *Member) Subscribe(pairs []event.Pair, then func()) {
	o := m.org
	o.mu.Lock()
	defer o.mu.Unlock()
	before := len(m.links)
	defer func() { m.settle(len(m.links) - before) }()
	for _, p := range pairs {
		t := o.topics[p]
		if t == nil {
			t = &topic{pair: p}
			o.topics[p] = t
		}
		if m.find(t) >= 0 {
			continue
		}
		m.links = append(m.links, link{t, len(t.members)})
		t.members = append(t.members, membership{m, len(m.links) - 1})
		o.subscriptions++
	}
	if then != nil {
		then()
	}
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

// Unsubscribe leaves the pairs; one that is not joined is no error.
func (m *Member) Unsubscribe(pairs []event.Pair) {
	o := m.org
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range pairs {
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
	pairs := make([]event.Pair, len(m.links))
	for i, l := range m.links {
		pairs[i] = l.topic.pair
	}
	return pairs
}

// Len is the number of pairs joined.
func (m *Member) Len() int {
	m.org.mu.Lock()
	defer m.org.mu.Unlock()
	return len(m.links)
}

// Has tells whether a pair is joined.
func (m *Member) Has(p event.Pair) bool {
	o := m.org
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.topics[p]
	return t != nil && m.find(t) >= 0
}

// Leave ends the membership. When it was the organization's last on this
// node, its events stop flowing here.
func (m *Member) Leave() {
	m.UnsubscribeAll()
	m.org.exit(m)
	m.index.release(m.org)
}
