package bus

import (
	"context"
	"time"
)

// load gives what is there. Called with mu held, while the live lane waits.
func (f *Flow) load(ctx context.Context, began look, window time.Duration) error {
	b := f.bus
	states, others := &f.lanes[StateLane], &f.lanes[EventLane]
	now, err := b.lookPatiently(ctx, states.stream)
	if err != nil {
		return err
	}
	_, err = b.newest(ctx, states.stream, f.org, 0, now.last, &states.many, func(list []stored) { f.giveMissing(states, list) })
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
		given += f.giveMissing(l, list)
	}
	l.check(upTo)
	return given, nil
}

// walkFreely is walk for what lies behind a check, without mu: what is live
// goes on. Whatever it gives comes behind all that its pair had before, for it
// reads on from where nothing was missing.
func (f *Flow) walkFreely(l *flowLane, after, upTo uint64, epoch int) error {
	r := reading{org: f.org, filter: l.stream.orgFilter(f.org), from: after + 1, upTo: upTo}
	for whole := false; !whole; {
		var list []stored
		var err error
		if list, r.from, whole, err = f.bus.ordered(f.ctx, f.bus.getter, l.stream, r); err != nil {
			return err
		}
		f.mu.Lock()
		if l.epoch == epoch && !f.ended() {
			f.bus.refilled.Add(uint64(f.giveMissing(l, list)))
		}
		f.mu.Unlock()
	}
	return nil
}

// catchUp gives everything that a store inside has. Called with mu held.
func (f *Flow) catchUp(ctx context.Context) error {
	f.watch.feed.clearGap() // what lay in it is in the store by now
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
