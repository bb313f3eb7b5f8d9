package limit

import "sync"

// Most is how many may be held at a time; 0 is no bound.
type Most struct{ Node, Org, User int }

// A Count bounds how many of something are held at a time. It is exact: at no
// moment more are held than a bound says. Safe for concurrent use.
type Count struct {
	most Most

	mu      sync.Mutex
	node    int
	orgs    tally[ID]
	users   tally[userKey]
	refused Refusals
}

// CountStats is a snapshot of a count.
type CountStats struct {
	Held    int // on the node
	Orgs    int // organizations that hold some
	Users   int // users that hold some
	Refused Refusals
}

// NewCount makes a count that holds nothing yet.
func NewCount(most Most) *Count {
	return &Count{most: most, orgs: newTally[ID](), users: newTally[userKey]()}
}

// Take takes one, to be given back with Give. If there is no room it takes
// nothing and says whose bound it is, the narrowest that is reached: who can
// do something about it should be told first.
func (c *Count) Take(w Who) (full Scope) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if full = c.full(w); full != None {
		c.refused[full]++
		return full
	}
	c.node++
	c.orgs.more(w.Org)
	c.users.more(userKey{w.Org, w.User})
	return None
}

// Full says what Take would: its answer may be another a moment later. A
// refusal by it counts as one.
func (c *Count) Full(w Who) (full Scope) {
	c.mu.Lock()
	defer c.mu.Unlock()
	full = c.full(w)
	if full != None {
		c.refused[full]++
	}
	return full
}

func (c *Count) full(w Who) Scope {
	switch {
	case c.most.User > 0 && w.User != ID{} && c.users.of[userKey{w.Org, w.User}] >= c.most.User:
		return User
	case c.most.Org > 0 && w.Org != ID{} && c.orgs.of[w.Org] >= c.most.Org:
		return Org
	case c.most.Node > 0 && c.node >= c.most.Node:
		return Node
	}
	return None
}

// Give gives one back that was taken by the same.
func (c *Count) Give(w Who) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.node--
	c.orgs.less(w.Org)
	c.users.less(userKey{w.Org, w.User})
}

// A tally is how many each holds, without the zeros.
type tally[K comparable] struct {
	of    map[K]int
	large bool // of has been
}

func newTally[K comparable]() tally[K] { return tally[K]{of: map[K]int{}} }

func (t *tally[K]) more(k K) {
	t.of[k]++
	t.large = t.large || len(t.of) > fewBuckets
}

// less takes one away. A map does not give its memory back when it becomes
// smaller, so a large one is replaced when it is empty.
func (t *tally[K]) less(k K) {
	if t.of[k]--; t.of[k] > 0 {
		return
	}
	delete(t.of, k)
	if t.large && len(t.of) == 0 {
		*t = newTally[K]()
	}
}

// Stats is a snapshot.
func (c *Count) Stats() CountStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return CountStats{Held: c.node, Orgs: len(c.orgs.of), Users: len(c.users.of), Refused: c.refused}
}
