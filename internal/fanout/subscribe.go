package fanout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rte/internal/event"
	"rte/internal/journal"
	"rte/signalr"
)

// A Join is a pair that a member wants to hear.
type Join struct {
	Pair event.Pair
	// After is the cursor of the last event that the client has had; "" is
	// from now on.
	After string
	// Snapshot asks for the newest value of a state.
	Snapshot bool
	// Since is when the right to hear it began: nothing that was stored
	// before is replayed. Zero is always.
	Since time.Time
}

// A Joined is how a pair was joined.
type Joined struct {
	// Recovered: what follows is everything behind After, and nothing else.
	Recovered bool
	// Cursor is the place of the join: everything behind it follows.
	Cursor string
}

// atOnce bounds what one Subscribe replays at the moment of joining, in bytes
// of data; what is more comes as the client takes it.
const atOnce = 128 << 10

// ErrStale means that the joins were not valid any more.
var ErrStale = errors.New("what is to be joined is not valid any more")

// A plan is what is known of a join before the moment.
type plan struct {
	Join
	state  bool
	place  uint64       // of After
	placed bool         // After has one
	value  *event.Event // the state as the store had it, where it is not remembered
	gone   bool         // the store had none
	lost   bool         // the store does not reach back to it
	paged  bool         // too much has been missed to be remembered
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
		return nil, ErrStale
	}
	before := m.org.subscriptions
	defer func() { m.settle(m.org.subscriptions - before) }()
	r := replay{member: m, now: now}
	results := make([]Joined, len(plans))
	for i := range plans {
		p := &plans[i]
		floor := others
		if p.state {
			floor = states
		}
		floor = max(floor, o.log.Last(p.Pair))
		results[i] = Joined{Recovered: true, Cursor: m.index.o.Store.CursorAt(m.topic(p.Pair), floor)}
		if m.has(p.Pair) {
			continue
		}
		results[i].Recovered = r.join(p)
		m.tally(p, results[i].Recovered)
	}
	then(results)
	for _, f := range r.frames {
		m.to.Send(f)
	}
	m.index.replayed.Add(uint64(len(r.frames)))
	if len(r.behind) > 0 {
		m.catch(m.life, r.behind)
	}
	return nil, nil
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
		_, ok := o.log.State(p.Pair)
		if ok || p.gone || !p.Snapshot && p.After == "" || p.value != nil && p.value.Sequence >= o.log.Last(p.Pair) {
			return nil
		}
		return &missing{plan: p}
	case !p.placed:
		return nil
	}
	if o.log.Reaches(p.Pair, p.place) {
		return nil
	}
	upTo, busy := o.log.Pin(p.Pair, now)
	return &missing{plan: p, upTo: upTo, busy: busy}
}

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
		list, _, _, err := m.index.o.Store.Read(ctx, m.topic(p.Pair), 0, maxSequence, 1)
		if err != nil {
			return err
		}
		if p.gone = len(list) == 0; !p.gone {
			p.value = list[0]
		}
		return nil
	}
	list, whole, more, err := m.index.o.Store.Read(ctx, m.topic(p.Pair), p.place, need.upTo, page)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log.Remember(p.Pair, p.place, need.upTo, list, err == nil && whole && !more)
	p.lost, p.paged = err == nil && !whole, err == nil && whole && more
	if len(list) > 0 {
		p.first = list[0].Stored
	}
	return err
}

const maxSequence = 1<<64 - 1

// A replay gathers what members have missed.
type replay struct {
	member *Member
	now    time.Time
	frames []*signalr.Frame
	bytes  int
	behind []*catching // pairs of which there is more than can be sent at once
	list   []*journal.Entry[*signalr.Frame]
}

// join joins one pair and gathers what it has missed. It reports whether that
// is all. The caller holds the organization's lock.
func (r *replay) join(p *plan) (recovered bool) {
	m, o := r.member, r.member.org
	if p.state {
		r.state(p)
		return true
	}
	if p.After == "" || p.lost {
		m.enter(p.Pair)
		return !p.lost
	}
	r.list, _ = o.log.Since(r.list[:0], p.Pair, p.place)
	size := 0
	for _, n := range r.list {
		size += len(n.Event.Data)
	}
	if len(r.list) > 0 && !p.paged {
		p.first = r.list[0].Event.Stored
	}
	recovered = p.first.IsZero() || !p.first.Before(p.Since)
	if p.paged || r.bytes+size > atOnce {
		c := &catching{Join: p.Join, place: p.place}
		m.await(c)
		r.behind = append(r.behind, c)
		return recovered
	}
	for _, n := range r.list {
		if p.replays(m.index, n.Event, r.now) {
			r.frames = append(r.frames, m.index.frame(n))
			r.bytes += len(n.Event.Data)
		}
	}
	m.enter(p.Pair).skip(m, p.place, o.log.Last(p.Pair))
	return recovered
}

// replays tells whether a client that has missed an event shall have it now.
func (j *Join) replays(x *Index, e *event.Event, now time.Time) bool {
	return !e.Stored.Before(j.Since) && x.replayable(e, now)
}

// state joins a state and gathers its newest value. The caller holds the
// organization's lock.
func (r *replay) state(p *plan) {
	m, log := r.member, r.member.org.log
	t, place := m.enter(p.Pair), p.place
	if p.After != "" || p.Snapshot {
		n, _ := log.State(p.Pair)
		switch {
		case n != nil && n.Event.Sequence > place:
			r.frames = append(r.frames, m.index.frame(n))
		case n == nil && p.value != nil && p.value.Sequence > place:
			r.frames = append(r.frames, m.index.push(p.value))
			place = p.value.Sequence
		}
	}
	t.skip(m, place, log.Last(p.Pair))
}
