package bus

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
	if r.gap && f.catchUp(f.ctx) != nil {
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

// giveMissing gives those of a list, in the order of the store, that were not
// given before. Called with mu held.
func (f *Flow) giveMissing(l *flowLane, list []stored) (given int) {
	for _, r := range list {
		if r.sequence > l.known(r.event.Pair) {
			f.give(l, r)
			given++
		}
	}
	return given
}
