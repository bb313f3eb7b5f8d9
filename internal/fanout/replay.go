package fanout

import (
	"time"

	"rte/internal/event"
	"rte/internal/journal"
	"rte/signalr"
)

// A replay gathers what members have missed.
type replay struct {
	member *Member
	now    time.Time
	frames []*signalr.Frame
	room   int          // for them, in bytes
	joined []event.Pair // of states
	behind []*catching  // pairs of which there is more than can be sent at once
	list   []*journal.Entry[*signalr.Frame]
}

// join joins one pair and gathers what it has missed: everything up to floor
// has come to this node. It reports whether that is all. The caller holds the
// organization's lock.
func (r *replay) join(p *plan, floor uint64) (recovered bool) {
	m, o := r.member, r.member.org
	if p.state {
		r.state(p, floor)
		return true
	}
	if p.After == "" || p.lost {
		m.enter(p.Pair)
		return !p.lost
	}
	r.list, _ = o.log.Since(r.list[:0], p.Pair, p.place)
	size := 0
	for _, n := range r.list {
		size += sizeOf(n.Event)
	}
	if len(r.list) > 0 && !p.paged {
		p.first = r.list[0].Event.Stored
	}
	recovered = p.first.IsZero() || !p.first.Before(p.Since)
	if p.paged || size > r.room {
		r.behind = append(r.behind, m.await(p))
		return recovered
	}
	for _, n := range r.list {
		if p.replays(m.index, n.Event, r.now) {
			r.add(m.index.frame(n), n.Event)
		}
	}
	m.enter(p.Pair).skip(m, p.place, floor)
	return recovered
}

// add gathers an event's frame.
func (r *replay) add(f *signalr.Frame, e *event.Event) {
	r.frames = append(r.frames, f)
	r.room -= sizeOf(e)
}

// sizeOf is about what an event takes in a client's queue, in bytes.
func sizeOf(e *event.Event) int { return len(e.Data) + pushBytes }

// replays tells whether a client that has missed an event shall have it now.
func (j *Join) replays(x *Index, e *event.Event, now time.Time) bool {
	return !e.Stored.Before(j.Since) && x.replayable(e, now)
}

// state joins a state and gathers its newest value. The caller holds the
// organization's lock.
func (r *replay) state(p *plan, floor uint64) {
	m, place := r.member, p.place
	if p.After != "" || p.Snapshot {
		n, _ := m.org.log.State(p.Pair)
		e := p.value
		if n != nil {
			e = n.Event
		}
		switch {
		case e == nil || e.Sequence <= place:
		case sizeOf(e) > r.room:
			r.behind = append(r.behind, m.await(p))
			return
		case n != nil:
			r.add(m.index.frame(n), e)
		default:
			r.add(m.index.push(e), e)
			place = e.Sequence
		}
	}
	m.enter(p.Pair).skip(m, place, floor)
}
