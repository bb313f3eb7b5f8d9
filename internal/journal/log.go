package journal

import (
	"time"

	"rte/internal/event"
)

// An Entry is one event that is remembered. Frame is the owner's own: what it
// has made of the event for its clients, to be shared by those who come later.
type Entry[F any] struct {
	Event *event.Event
	Frame F
	bytes int64
	line  *line[F]
}

// entryBytes is what an entry takes beside its event's data, about: entry,
// event, texts, its place in two lists. Data counts twice: a frame repeats it.
const entryBytes = 500

// A Log is what is remembered of one organization. It is not safe for
// concurrent use: its owner has a lock.
type Log[F any] struct {
	window time.Duration
	budget *Budget
	lines  map[event.Pair]*line[F]
	// recent are the events that are no states, as they came; from head on.
	recent []*Entry[F]
	head   int
	olders []*older[F] // in the order of until
	// oldest is the number behind which no event is missing in recent.
	oldest uint64
	gone   uint64 // the store does not reach back to numbers below it
	anew   bool   // the states' store was wiped: not all that it has may be known
	bytes  int64
}

// A line is what is remembered of a pair.
type line[F any] struct {
	last    uint64      // number of its newest event
	states  bool        // it is a state's
	state   *Entry[F]   // newest value; nil if it does not fit
	entries []*Entry[F] // events, oldest first
	older   *older[F]   // what was read of it from the store; nil: nothing
}

// NewLog makes an empty log. Events that are no states are remembered for the
// window.
func NewLog[F any](window time.Duration, b *Budget) *Log[F] {
	b.join()
	return &Log[F]{window: window, budget: b, lines: map[event.Pair]*line[F]{}}
}

// Begin says behind which number the log has every event that is no state
// (Flow.Oldest).
func (l *Log[F]) Begin(oldest uint64) { l.oldest = max(l.oldest, oldest) }

// Add remembers an event, the newest of its pair. It forgets what is too old,
// or does not fit into the budget any more. A number that is not above that of
// the event before says that the store was wiped and begins anew; then all of
// its stream, the states' or the others', that came before is forgotten.
func (l *Log[F]) Add(e *event.Event, state bool, now time.Time) *Entry[F] {
	if p := l.lines[e.Pair]; p != nil && e.Sequence <= p.last {
		l.wipe(e, state)
	}
	p := l.line(e.Pair)
	p.last = e.Sequence
	n := &Entry[F]{Event: e, line: p, bytes: entryBytes + 2*int64(len(e.Data))}
	l.take(n.bytes)
	if p.states = state; state {
		if p.state != nil {
			l.take(-p.state.bytes)
		}
		p.state = n
	} else {
		p.entries = append(p.entries, n)
		l.recent = append(l.recent, n)
	}
	l.Expire(now)
	for l.budget.over(l.bytes) && len(l.olders) > 0 {
		l.forgetOlder()
	}
	for l.budget.over(l.bytes) && l.head < len(l.recent) {
		l.forget()
	}
	if state && l.budget.over(l.bytes) { // nothing else is left to forget
		p.state = nil
		l.take(-n.bytes)
	}
	return n
}

func (l *Log[F]) line(p event.Pair) *line[F] {
	at := l.lines[p]
	if at == nil {
		at = &line[F]{}
		l.lines[p] = at
	}
	return at
}

// wipe forgets a whole stream: the event is the first that shows it is another.
// Others of the new one may have come before, and are forgotten with the rest.
func (l *Log[F]) wipe(e *event.Event, state bool) {
	if state {
		l.anew = true
	} else {
		for len(l.olders) > 0 {
			l.forgetOlder()
		}
		for l.head < len(l.recent) {
			l.forget()
		}
		l.oldest, l.gone = e.Sequence-1, 0
	}
	for pair, p := range l.lines {
		if p.states != state {
			continue
		}
		if p.state != nil {
			l.take(-p.state.bytes)
		}
		delete(l.lines, pair)
	}
}

func (l *Log[F]) take(n int64) {
	l.bytes += n
	l.budget.take(n)
}

// Expire forgets the events that are older than the window.
func (l *Log[F]) Expire(now time.Time) {
	for len(l.olders) > 0 && now.After(l.olders[0].until) {
		l.forgetOlder()
	}
	for l.head < len(l.recent) && now.Sub(l.recent[l.head].Event.Stored) > l.window {
		l.forget()
	}
}

// forget forgets the oldest event. A line's oldest is always the one of its
// events that came first.
func (l *Log[F]) forget() {
	n := l.recent[l.head]
	l.recent[l.head] = nil
	if l.head++; l.head > len(l.recent)/2 {
		left := copy(l.recent, l.recent[l.head:])
		clear(l.recent[left:])
		l.recent, l.head = l.recent[:left], 0
		if left == 0 {
			l.recent = nil
		}
	}
	p := n.line
	p.entries[0] = nil
	if p.entries = p.entries[1:]; len(p.entries) == 0 {
		p.entries = nil
	}
	l.oldest = max(l.oldest, n.Event.Sequence)
	if p.older == nil || p.older.has(n.Event.Sequence) {
		l.take(-n.bytes)
		return
	}
	p.older.entries = append(p.older.entries, n)
}

// Prune forgets pairs of which nothing is remembered but the number of the
// newest event, where that is not above the pair's floor: then floor says the
// same.
func (l *Log[F]) Prune(floor func(event.Pair) uint64) {
	for pair, p := range l.lines {
		if !p.states && len(p.entries) == 0 && p.older == nil && p.last <= floor(pair) {
			delete(l.lines, pair)
		}
	}
}

// Last is the number of a pair's newest event, as far as is known.
func (l *Log[F]) Last(p event.Pair) uint64 {
	if n := l.lines[p]; n != nil {
		return n.last
	}
	return 0
}

// State is the newest value of a state. Both results are nil and true if it
// has none; ok is false if it has one that is not remembered, or may have one.
func (l *Log[F]) State(p event.Pair) (n *Entry[F], ok bool) {
	switch at := l.lines[p]; {
	case at == nil || at.last == 0:
		return nil, !l.anew
	case at.state == nil:
		return nil, false
	default:
		return at.state, true
	}
}

// Reaches tells whether all events of a pair behind a number are remembered.
func (l *Log[F]) Reaches(p event.Pair, after uint64) bool {
	at := l.lines[p]
	return after >= l.oldest || at != nil && at.older != nil && after >= at.older.after
}

// Since appends to list a pair's events behind a number, oldest first; whole is
// false if some may be forgotten, all up to Oldest.
func (l *Log[F]) Since(list []*Entry[F], p event.Pair, after uint64) (_ []*Entry[F], whole bool) {
	at := l.lines[p]
	whole = after >= l.oldest
	if at == nil {
		return list, whole
	}
	if at.older != nil {
		list = appendBehind(list, at.older.entries, after)
		whole = whole || after >= at.older.after
		if n := len(at.older.entries); n > 0 { // one that came late may be in both
			after = max(after, at.older.entries[n-1].Event.Sequence)
		}
	}
	return appendBehind(list, at.entries, after), whole
}

func appendBehind[F any](list, entries []*Entry[F], after uint64) []*Entry[F] {
	for len(entries) > 0 && entries[0].Event.Sequence <= after {
		entries = entries[1:]
	}
	return append(list, entries...)
}

// Oldest is the number behind which every event that is no state is
// remembered.
func (l *Log[F]) Oldest() uint64 { return l.oldest }

// Len is how many states and other events are remembered.
func (l *Log[F]) Len() (states, events int) {
	for _, p := range l.lines {
		if p.state != nil {
			states++
		}
	}
	return states, len(l.recent) - l.head
}

// Close gives the log's memory back to the budget. Nothing may be added any
// more.
func (l *Log[F]) Close() {
	for len(l.olders) > 0 {
		l.forgetOlder()
	}
	l.take(-l.bytes)
	l.budget.leave()
	l.lines, l.recent, l.head = map[event.Pair]*line[F]{}, nil, 0
}
