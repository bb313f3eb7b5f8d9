package bus

import (
	"context"
	"math/rand/v2"
	"time"
)

// When a flow is checked for what the live lane has lost without a trace: a
// message whose pair then stays silent.
const (
	// afterTrouble is the pause behind a join, and between the two checks
	// behind any trouble: in a cluster it takes a moment until all servers know
	// who listens.
	afterTrouble = time.Second
	// checkEvery is the least pause without any trouble; the most is twice that.
	checkEvery = 15 * time.Second
	// checkPause is the least pause between two checks.
	checkPause = 250 * time.Millisecond
	// underway is how long a message may be on its way, and mostUnderway how
	// long what has come may wait for a slow sink, before it is taken for lost.
	underway, mostUnderway = 250 * time.Millisecond, 2 * time.Second
)

// suspect asks for a check soon. It never blocks.
func (f *Flow) suspect() {
	select {
	case f.wake <- struct{}{}:
	default: // one is asked for
	}
}

// check is the goroutine that checks a flow until it ends.
func (f *Flow) check() {
	defer f.work.Done()
	ctx := f.ctx
	dropped := int64(0)
	for pause := afterTrouble; ; {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
			pause = afterTrouble // once more behind this one
		case <-time.After(pause):
			pause = f.bus.checkEvery + rand.N(f.bus.checkEvery)
		}
		if err := f.checkAll(ctx); err != nil && ctx.Err() == nil {
			f.bus.log.Warn("live messages cannot be checked yet", "org", f.org, "err", err)
			pause = afterTrouble
		}
		if n := f.watch.drops(); n != dropped { // the client tells of the first of a row only
			dropped, pause = n, afterTrouble
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(checkPause):
		}
	}
}

func (f *Flow) checkAll(ctx context.Context) error {
	if f.watch.feed != nil {
		if !f.watch.feed.gapped() {
			return nil // every answer was heard
		}
		f.bus.checks.Add(1)
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.catchUp(ctx)
	}
	f.bus.checks.Add(1)
	for i := range f.lanes {
		if err := f.checkLane(ctx, &f.lanes[i]); err != nil {
			return err
		}
	}
	return nil
}

// checkLane asks which pairs spoke since the last check, and whether each was
// heard so far.
func (f *Flow) checkLane(ctx context.Context, l *flowLane) error {
	now, err := f.bus.lookPatiently(ctx, l.stream)
	if err != nil {
		return err
	}
	f.mu.Lock()
	after, epoch, many := l.checked, l.epoch, l.many
	f.mu.Unlock()
	if now.last <= after || l.stream.identity.Load() != identity(l.stream.name, now.created) {
		return nil // nothing is new, or it is another stream, of which the lookout will tell
	}
	var spoke []stored
	upTo, err := f.bus.newest(ctx, l.stream, f.org, after, now.last, &many, func(list []stored) { spoke = append(spoke, list...) })
	if err != nil {
		return err
	}
	if f.missing(l, spoke) > 0 {
		f.await(ctx)
	}
	if n := f.missing(l, spoke); l.stream.lane == EventLane && n > mostSingly {
		f.bus.holes.Add(uint64(n))
		if err := f.walkFreely(l, after, upTo, epoch); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if l.epoch != epoch || f.ended() {
		return ctx.Err()
	}
	for _, r := range spoke {
		p, known := r.event.Pair, l.known(r.event.Pair)
		h, missing := l.holes[p]
		switch {
		case r.sequence <= known:
		case missing:
			h.target = max(h.target, r.sequence)
			l.holes[p] = h
		case l.stream.lane == EventLane:
			f.open(l, p, hole{last: known, target: r.sequence})
		default:
			f.bus.holes.Add(1)
			f.bus.refilled.Add(1)
			f.give(l, r)
		}
	}
	l.many = many
	l.check(upTo)
	return nil
}

// mostSingly is how many pairs are refilled one by one; more are read together.
const mostSingly = 64

// missing counts the pairs that have spoken and were not heard so far.
func (f *Flow) missing(l *flowLane, spoke []stored) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range spoke {
		if r.sequence > l.known(r.event.Pair) {
			n++
		}
	}
	return n
}

// await lets what is on its way arrive.
func (f *Flow) await(ctx context.Context) {
	for end := time.Now().Add(mostUnderway); ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(underway):
		}
		if !f.watch.waiting() || time.Now().After(end) {
			return
		}
	}
}
