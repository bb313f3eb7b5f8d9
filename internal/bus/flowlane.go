package bus

import (
	"sync/atomic"
	"time"

	"rte/internal/event"
)

// A flowLane is what a flow knows of one of its two streams. Guarded by the
// flow's mu, but for the fixed part and floor.
type flowLane struct {
	stream *stream // fixed
	floor  atomic.Uint64

	// checked is a place in the stream: up to it nothing is missing of a pair
	// that has no entry in seen or holes.
	checked uint64
	// seen are the last events of pairs that spoke behind checked: up to there
	// nothing of them is missing.
	seen map[event.Pair]spot
	// ahead is the highest of seen.
	ahead uint64
	// holes are the pairs that wait until they are refilled.
	holes map[event.Pair]hole
	// many tells that the organization has too many subjects for one question.
	many bool
	// epoch counts the wipes of the stream; what was read before is void.
	epoch int
}

// A spot is an event's place in the store.
type spot struct {
	sequence uint64
	stored   int64 // nanoseconds since 1970
}

// A hole is what a pair misses.
type hole struct {
	last   uint64 // up to here it is whole
	target uint64 // up to here it is known to go
}

func newFlowLane(s *stream) flowLane {
	return flowLane{stream: s, seen: map[event.Pair]spot{}, holes: map[event.Pair]hole{}}
}

// known is the place up to which a pair is whole.
func (l *flowLane) known(p event.Pair) uint64 {
	if h, missing := l.holes[p]; missing {
		return h.last
	}
	return max(l.checked, l.seen[p].sequence)
}

// note takes down that a pair is whole up to a place.
func (l *flowLane) note(p event.Pair, m spot) {
	if h, missing := l.holes[p]; missing {
		h.last = m.sequence
		if h.last < h.target {
			l.holes[p] = h
			return
		}
		delete(l.holes, p)
	}
	if m.sequence > l.checked {
		l.seen[p] = m
		l.ahead = max(l.ahead, m.sequence)
	}
}

// check moves the place up to which nothing is missing, and forgets what lies
// before it.
func (l *flowLane) check(upTo uint64) {
	l.checked = max(l.checked, upTo)
	if len(l.seen) > 0 {
		kept := make(map[event.Pair]spot) // a map never gives memory back
		if l.ahead > l.checked {
			for p, m := range l.seen {
				if m.sequence > l.checked {
					kept[p] = m
				}
			}
		}
		l.seen = kept
	}
	l.settle()
}

// settle says how far everything has been given.
func (l *flowLane) settle() {
	floor := l.checked
	for _, h := range l.holes {
		floor = min(floor, h.last)
	}
	raise(&l.floor, floor)
}

// restart begins anew behind a place, for a store that was wiped or has lost
// its newest part. What was stored since then has been heard already.
func (l *flowLane) restart(at uint64, since time.Time) {
	l.epoch++
	l.checked = at
	l.holes = map[event.Pair]hole{}
	for p, m := range l.seen {
		if m.stored < since.UnixNano() {
			delete(l.seen, p)
		}
	}
	l.floor.Store(at)
}
