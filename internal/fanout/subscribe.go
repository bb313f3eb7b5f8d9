package fanout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rte/internal/event"
)

// A Join is a pair that a member wants to hear.
type Join struct {
	Pair event.Pair
	// After is the cursor of the last event that the client has had; "" is
	// from now on.
	After string
	// Snapshot asks for the newest value of a state.
	Snapshot bool
	// Told asks for [Joined.Cursor].
	Told bool
	// Since is when the right to hear it began: no event that was stored
	// before is replayed; the value that a state has now is no such event.
	// Zero is always.
	Since time.Time
}

// A Joined is how a pair was joined.
type Joined struct {
	// Recovered: what follows is everything behind After, and nothing else.
	Recovered bool
	// Cursor is the place of the join: everything behind it follows. "" if
	// [Join.Told] did not ask for it.
	Cursor string
}

// atOnce bounds what one Subscribe replays at the moment of joining, in bytes;
// so does the room in the client's queue. What is more comes as the client takes
// it. A push is its data and about pushBytes.
const (
	atOnce    = 128 << 10
	pushBytes = 300
)

// ErrStale means that the joins were not valid any more.
var ErrStale = errors.New("what is to be joined is not valid any more")

// A plan is what is known of a join before the moment.
type plan struct {
	Join
	state  bool
	place  uint64       // of After
	placed bool         // After has one
	value  *event.Event // the state as the store had it, where it is not remembered
	asked  int          // how often the store was asked for it
	last   uint64       // of the log, before it was asked
	lost   bool         // the store does not reach back to it
	paged  bool         // what was missed is not remembered, or too much for that
	read   bool         // what was missed has been read
	first  time.Time    // when the first event was stored that was read; zero: none was
}

// Subscribe joins the pairs; one that is joined already stays as it is, and
// nothing of it is replayed. then is called at the moment of joining: what it
// sends to the client comes before the first event of the new pairs. It must
// not block, nor call the index. What was reserved and is not used is given back.
//
// valid, if not nil, is asked at that moment, too, under the same rules: when
// it says no, nothing is joined, and the error is [ErrStale].
//
// What a cursor has missed follows, each pair's in order, then what happens
// from then on. It may have to be read from the store; an error says that it
// could not, and nothing was joined then.
func (m *Member) Subscribe(ctx context.Context, joins []Join, valid func() bool, then func([]Joined)) error {
	plans := m.plan(joins)
	for {
		need, err := m.try(plans, valid, then)
		if need == nil {
			return err
		}
		if err := m.fetch(ctx, need); err != nil {
			m.org.mu.Lock()
			defer m.org.mu.Unlock()
			m.settle(0)
			return fmt.Errorf("read what was missed: %w", err)
		}
	}
}

// plan looks at the cursors.
func (m *Member) plan(joins []Join) []plan {
	plans := make([]plan, len(joins))
	for i, j := range joins {
		p := &plans[i]
		p.Join, p.state = j, m.index.states[j.Pair.Kind]
		if j.After != "" {
			p.place, p.placed = m.index.o.Store.Place(m.topic(j.Pair), j.After)
			p.lost = !p.placed
		}
	}
	return plans
}

func (m *Member) topic(p event.Pair) event.Topic { return event.Topic{Org: m.org.id, Pair: p} }

// A missing is what must be read before the pairs can be joined.
type missing struct {
	plan *plan
	upTo uint64          // 0: the newest value of a state
	busy <-chan struct{} // not nil: somebody else reads it
}

// try joins the pairs, if all that is needed is remembered; else it says what is
// not.
func (m *Member) try(plans []plan, valid func() bool, then func([]Joined)) (*missing, error) {
	o := m.org
	states, others := o.flow.Floor(true), o.flow.Floor(false)
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range plans {
		if need := m.needs(&plans[i], now); need != nil {
			return need, nil
		}
	}
	if valid != nil && !valid() {
		m.settle(0)
		return nil, ErrStale
	}
	m.links = slices.Grow(m.links, len(plans))
	before := m.org.subscriptions
	defer func() { m.settle(m.org.subscriptions - before) }()
	r := replay{member: m, now: now, room: min(atOnce, m.to.Room())}
	results := make([]Joined, len(plans))
	for i := range plans {
		p := &plans[i]
		floor := others
		if p.state {
			floor = states
		}
		floor = max(floor, o.log.Last(p.Pair))
		results[i].Recovered = true
		if p.Told {
			results[i].Cursor = m.cursor(p, floor)
		}
		if m.has(p.Pair) {
			continue
		}
		results[i].Recovered = r.join(p, floor)
		if p.state && m.notices && o.fresh != nil && m.catching[p.Pair] == nil {
			r.joined = append(r.joined, p.Pair)
		}
		m.tally(p, results[i].Recovered)
	}
	then(results)
	for _, f := range r.frames {
		m.to.Send(f)
	}
	for _, p := range r.joined { // behind the answer, and the value
		m.joined(p)
	}
	m.index.replayed.Add(uint64(len(r.frames)))
	if len(r.behind) > 0 {
		m.catch(m.life, r.behind)
	}
	return nil, nil
}

// cursor is the place of a join. The caller holds the organization's lock.
func (m *Member) cursor(p *plan, floor uint64) string {
	if c := m.catching[p.Pair]; c != nil && c.After != "" {
		return c.After // what it has missed is still under way
	}
	// A cursor of another node may be ahead of this one.
	return m.index.o.Store.CursorAt(m.topic(p.Pair), max(floor, p.place))
}

// tally counts the cursors.
func (m *Member) tally(p *plan, recovered bool) {
	switch {
	case p.After == "":
	case recovered:
		m.index.recovered.Add(1)
	default:
		m.index.unrecovered.Add(1)
	}
}

// needs says what must be read for a plan, nil if nothing must. The caller
// holds the organization's lock.
func (m *Member) needs(p *plan, now time.Time) *missing {
	o := m.org
	switch {
	case p.lost && !p.state, p.paged, m.has(p.Pair):
		return nil
	case p.state:
		last := o.log.Last(p.Pair)
		_, ok := o.log.State(p.Pair)
		known := p.value != nil && p.value.Sequence >= last || p.value == nil && p.asked > 0 && p.last == last
		if ok || known || !p.Snapshot && p.After == "" {
			return nil
		}
		p.last = last
		return &missing{plan: p}
	case !p.placed, o.log.Reaches(p.Pair, p.place):
		return nil
	case o.log.Lost(p.place):
		p.lost = true
		return nil
	case p.read: // there is no room to remember it
		p.paged = true
		return nil
	}
	upTo, busy := o.log.Pin(p.Pair, now)
	return &missing{plan: p, upTo: upTo, busy: busy}
}

// errLags means that the store gives older values than this node has had.
var errLags = errors.New("the store is behind")

// mostAsked bounds how often the store is asked for one value.
const mostAsked = 5

// page is how many events are read from the store at once.
const page = 500

// fetch reads what is missing. More than a page is not remembered: it comes
// page by page behind the join.
func (m *Member) fetch(ctx context.Context, need *missing) error {
	if need.busy != nil {
		select {
		case <-need.busy:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	o, p := m.org, need.plan
	m.index.fetched.Add(1)
	if p.state {
		return m.value(ctx, p)
	}
	list, whole, more, err := m.index.o.Store.Read(ctx, m.topic(p.Pair), p.place, need.upTo, page)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log.Remember(p.Pair, p.place, need.upTo, list, err == nil && whole && !more)
	p.read, p.lost, p.paged = true, err == nil && !whole, err == nil && whole && more
	if p.lost {
		o.log.Lose(p.place)
	}
	if len(list) > 0 {
		p.first = list[0].Stored
	}
	return err
}

const maxSequence = 1<<64 - 1

// value reads the newest value of a state.
func (m *Member) value(ctx context.Context, p *plan) error {
	if p.asked++; p.asked > mostAsked {
		return errLags
	}
	list, _, _, err := m.index.o.Store.Read(ctx, m.topic(p.Pair), 0, maxSequence, 1)
	if err != nil {
		return err
	}
	if p.value = nil; len(list) > 0 {
		p.value = list[0]
	}
	return nil
}
