package bus

import (
	"rte/internal/event"
)

const (
	// mostRefills is how many pairs of a flow are refilled at a time.
	mostRefills = 8
	// refillMessages is how many messages of one pair are read at a time.
	refillMessages = 256
)

// A refill is a pair that is to be refilled.
type refill struct {
	lane  *flowLane
	pair  event.Pair
	epoch int // of the lane; in another one the hole is void
}

// open lets a pair wait until it is refilled. Called with mu held.
func (f *Flow) open(l *flowLane, p event.Pair, h hole) {
	f.bus.holes.Add(1)
	l.holes[p] = h
	delete(l.seen, p)
	f.refills = append(f.refills, refill{lane: l, pair: p, epoch: l.epoch})
	if f.workers < mostRefills {
		f.workers++
		f.work.Add(1)
		go f.refillAll()
	}
}

// refillAll is a goroutine that refills pairs while there are any.
func (f *Flow) refillAll() {
	defer f.work.Done()
	for {
		f.mu.Lock()
		if len(f.refills) == 0 || f.ended() {
			f.workers--
			f.mu.Unlock()
			return
		}
		r := f.refills[0]
		f.refills = f.refills[1:]
		f.mu.Unlock()
		for n := 0; ; n++ {
			err := f.refill(r)
			if err == nil {
				break
			}
			f.bus.log.Warn("a hole cannot be refilled yet", "org", f.org, "err", err)
			if f.bus.pause(f.ctx, n, nil) != nil {
				break // the flow has ended
			}
		}
	}
}

// refill reads what a pair misses, until nothing does.
func (f *Flow) refill(one refill) error {
	l, p := one.lane, one.pair
	t := event.Topic{Org: f.org, Pair: p}
	r := reading{org: f.org, filter: l.stream.subject(t, f.bus.catalog.Type(p.Kind).Key), most: refillMessages}
	for {
		f.mu.Lock()
		h, missing := l.holes[p]
		missing = missing && l.epoch == one.epoch && !f.ended()
		f.mu.Unlock()
		if !missing {
			return nil
		}
		r.from, r.upTo = h.last+1, h.target
		list, _, whole, err := f.bus.ordered(f.ctx, f.bus.getter, l.stream, r)
		if err != nil {
			return err
		}
		f.refilled(one, list, whole, r.upTo)
	}
}

// refilled gives what was read. whole tells that the store has nothing more up
// to a place: what was there has gone by age.
func (f *Flow) refilled(one refill, list []stored, whole bool, upTo uint64) {
	l, p := one.lane, one.pair
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.epoch != one.epoch || f.ended() {
		return
	}
	f.bus.refilled.Add(uint64(f.giveMissing(l, list)))
	if h, missing := l.holes[p]; missing && whole && h.last < upTo {
		l.note(p, spot{sequence: upTo})
	}
	l.settle()
}
