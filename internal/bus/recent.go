package bus

import (
	"time"

	"rte/internal/event"
)

// A recent knows which states were stored since the store may have forgotten
// ids: since it was started or connected to.
//
// State keeps the newest message of a pair, and a store that was started anew
// knows the ids of those only. When a producer that got no answer sends several
// states of a pair again, the older ones go in as new and replace the newest,
// which is then refused as a duplicate, though it is there no more. So it must
// go in once more, under another id.
//
// The zero value remembers nothing. Guarded by lanes.mu.
type recent struct {
	keep   time.Duration // how long the store remembers ids
	until  time.Time     // then what was stored before is forgotten anyway
	first  map[*stream]uint64
	newest map[event.Topic]uint64
}

// reset begins anew.
func (r *recent) reset() {
	r.until = time.Now().Add(r.keep)
	r.first, r.newest = map[*stream]uint64{}, map[event.Topic]uint64{}
}

// over forgets everything when its time has passed. It reports whether it has.
func (r *recent) over() bool {
	if r.newest != nil && time.Now().After(r.until) {
		r.first, r.newest = nil, nil
	}
	return r.newest == nil
}

// note takes down where an item was stored.
func (r *recent) note(it *item, sequence uint64) {
	if it.stream.lane != StateLane || r.over() {
		return
	}
	if first, known := r.first[it.stream]; !known || sequence < first {
		r.first[it.stream] = sequence
	}
	r.newest[it.event.Topic] = sequence
}

// overtaken tells whether a duplicate, whose message was stored at sequence,
// has been replaced by an older one of its pair.
func (r *recent) overtaken(it *item, sequence uint64) bool {
	if it.stream.lane != StateLane || r.over() {
		return false
	}
	first, known := r.first[it.stream]
	return known && sequence < first && sequence < r.newest[it.event.Topic]
}
