package bus

import (
	"context"
	"time"

	"rte/internal/event"
)

// take takes what the live lane brings.
func (f *Flow) take(r stored) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended() {
		return
	}
	l := f.laneOf(r)
	if f.watch.feed != nil {
		f.takeInside(l, r)
		return
	}
	p, known := r.event.Pair, l.known(r.event.Pair)
	if r.sequence <= known {
		return // it was loaded, or read from the store
	}
	h, missing := l.holes[p]
	switch {
	case missing:
		h.target = max(h.target, r.sequence) // it is read again with the rest
		l.holes[p] = h
	case r.last > known && l.stream.lane == EventLane:
		f.open(l, p, hole{last: known, target: r.sequence})
	case r.last > known: // State has the newest only, and this is it
		f.bus.holes.Add(1)
		f.give(l, r)
	default:
		f.give(l, r)
	}
	if len(l.seen) >= mostSeen {
		f.suspect() // so that it is forgotten soon
	}
}

// mostSeen is how many pairs may speak before a check, which lets them be
// forgotten.
const mostSeen = 1 << 14

// takeInside takes what this process has stored: everything, in the order of
// the streams, but for what a slow sink or a lost answer has left out.
func (f *Flow) takeInside(l *flowLane, r stored) {
	if r.gap && f.catchUp(f.watch.ctx) != nil {
		return // the flow has ended
	}
	if r.sequence <= l.known(r.event.Pair) {
		return
	}
	f.give(l, r)
	if r.sequence > l.checked {
		l.checked = r.sequence
		raise(&l.floor, r.sequence)
		if r.sequence >= l.ahead {
			clear(l.seen)
		}
	}
}

func (f *Flow) laneOf(r stored) *flowLane { return &f.lanes[f.bus.streamOf(r.event.Topic).lane] }

// give hands an event to the sink. Called with mu held.
func (f *Flow) give(l *flowLane, r stored) {
	l.note(r.event.Pair, spot{sequence: r.sequence, stored: r.event.Stored.UnixNano()})
	f.watch.hand(r.event)
}

// open lets a pair wait until it is refilled. Called with mu held.
func (f *Flow) open(l *flowLane, p event.Pair, h hole) {
	f.bus.holes.Add(1)
	l.holes[p] = h
	delete(l.seen, p)
	f.work.Add(1)
	go f.refill(l, p, l.epoch)
}

// refill reads what a pair misses, until nothing does.
func (f *Flow) refill(l *flowLane, p event.Pair, epoch int) {
	defer f.work.Done()
	ctx := f.watch.ctx
	select {
	case f.pairs <- struct{}{}:
		defer func() { <-f.pairs }()
	case <-ctx.Done():
		return
	}
	t := event.Topic{Org: f.org, Pair: p}
	r := reading{org: f.org, filter: l.stream.subject(t, f.bus.catalog.Type(p.Kind).Key), most: refillMessages}
	for {
		f.mu.Lock()
		h, missing := l.holes[p]
		if !missing || l.epoch != epoch {
			f.mu.Unlock()
			return
		}
		f.mu.Unlock()
		r.from, r.upTo = h.last+1, h.target
		list, _, whole, err := f.bus.ordered(ctx, f.bus.getter, l.stream, r)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			f.bus.log.Warn("a hole cannot be refilled yet", "org", f.org, "err", err)
			continue
		}
		f.refilled(l, p, epoch, list, whole, r.upTo)
	}
}

// refillMessages is how many messages of one pair are read at a time.
const refillMessages = 256

// refilled gives what was read. whole tells that the store has nothing more up
// to a place: what was there has gone by age.
func (f *Flow) refilled(l *flowLane, p event.Pair, epoch int, list []stored, whole bool, upTo uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.epoch != epoch || f.ended() {
		return
	}
	for _, r := range list {
		if r.sequence > l.known(p) {
			f.bus.refilled.Add(1)
			f.give(l, r)
		}
	}
	if h, missing := l.holes[p]; missing && whole && h.last < upTo {
		l.note(p, spot{sequence: upTo})
	}
	l.settle()
}

// load gives what is there. Called with mu held, while the live lane waits.
func (f *Flow) load(ctx context.Context, began look, window time.Duration) error {
	b := f.bus
	states, others := &f.lanes[StateLane], &f.lanes[EventLane]
	now, err := b.lookPatiently(ctx, states.stream)
	if err != nil {
		return err
	}
	_, err = b.newest(ctx, states.stream, f.org, 0, now.last, &states.many, func(list []stored) {
		for _, r := range list {
			if r.sequence > states.known(r.event.Pair) {
				f.give(states, r)
			}
		}
	})
	if err != nil {
		return err
	}
	states.check(now.last)
	if now, err = b.lookPatiently(ctx, others.stream); err != nil {
		return err
	}
	// What was stored since the call belongs to the flow whatever the clock of
	// the server that stored it.
	first, err := b.firstSince(ctx, others.stream, began.now.Add(-window), began.last+1)
	if err != nil {
		return err
	}
	others.checked = first - 1
	f.oldest.Store(first - 1)
	_, err = f.walk(ctx, others, now.last)
	return err
}

// walk gives everything that is missing up to a place in the stream. Called
// with mu held.
func (f *Flow) walk(ctx context.Context, l *flowLane, upTo uint64) (given int, err error) {
	r := reading{org: f.org, filter: l.stream.orgFilter(f.org), from: l.checked + 1, upTo: upTo}
	for whole := l.checked >= upTo; !whole; {
		var list []stored
		if list, r.from, whole, err = f.bus.ordered(ctx, f.bus.getter, l.stream, r); err != nil {
			return given, err
		}
		for _, one := range list {
			if one.sequence > l.known(one.event.Pair) {
				f.give(l, one)
				given++
			}
		}
	}
	l.check(upTo)
	return given, nil
}

// catchUp gives everything that the store has. Called with mu held.
func (f *Flow) catchUp(ctx context.Context) error {
	if f.watch.feed != nil {
		f.watch.feed.clearGap() // what lay in it is in the store by now
	}
	for i := range f.lanes {
		l := &f.lanes[i]
		now, err := f.bus.lookPatiently(ctx, l.stream)
		if err != nil {
			return err
		}
		given, err := f.walk(ctx, l, now.last)
		f.bus.refilled.Add(uint64(given))
		if err != nil {
			return err
		}
	}
	return nil
}
