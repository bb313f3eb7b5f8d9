package journal

import (
	"time"

	"rte/internal/event"
)

// older are events of a pair that are not recent any more. They are kept for
// a window behind the moment when they were read: those who come back at the
// same time ask for the same.
type older[F any] struct {
	after   uint64 // nothing behind this is missing
	entries []*Entry[F]
	line    *line[F]
	until   time.Time
	busy    chan struct{} // not nil while somebody reads what is before
}

// Pin begins to remember what is older of a pair: nothing behind upTo is
// forgotten from now on, for a window. What lies before it is to be read from
// the store and given to Remember. busy is not nil while somebody else reads:
// it is closed when that is over, and then is the time to look again.
func (l *Log[F]) Pin(p event.Pair, now time.Time) (upTo uint64, busy <-chan struct{}) {
	at := l.line(p)
	o := at.older
	if o == nil {
		o = &older[F]{after: l.oldest, line: at, until: now.Add(l.window)}
		at.older = o
		l.olders = append(l.olders, o)
		l.take(entryBytes)
	}
	if o.busy != nil {
		return 0, o.busy
	}
	o.busy = make(chan struct{})
	return o.after, nil
}

// has tells whether an event is among the entries already.
func (o *older[F]) has(sequence uint64) bool {
	n := len(o.entries)
	return n > 0 && sequence <= o.entries[n-1].Event.Sequence
}

// Remember ends what Pin has begun: events are all of the pair behind after and
// up to upTo. whole false means that they are not, and nothing is kept.
func (l *Log[F]) Remember(p event.Pair, after, upTo uint64, events []*event.Event, whole bool) {
	at := l.lines[p]
	if at == nil || at.older == nil || at.older.busy == nil {
		return // there was no room to keep it
	}
	o := at.older
	close(o.busy)
	o.busy = nil
	if !whole || o.after != upTo {
		return
	}
	list := make([]*Entry[F], 0, len(events)+len(o.entries))
	for _, e := range events {
		n := &Entry[F]{Event: e, line: at, bytes: entryBytes + 2*int64(len(e.Data))}
		l.take(n.bytes)
		list = append(list, n)
		at.last = max(at.last, e.Sequence)
	}
	late := o.entries // that came late may have been read, too
	o.after, o.entries = after, list
	for _, n := range late {
		if o.has(n.Event.Sequence) {
			l.take(-n.bytes)
			continue
		}
		o.entries = append(o.entries, n)
	}
}

// Lose notes that the store does not reach back to a number of the stream of
// what is no state: then it does not reach back to a smaller one, either.
func (l *Log[F]) Lose(after uint64) { l.gone = max(l.gone, after+1) }

// Lost tells whether it is known that the store does not reach back to a number.
func (l *Log[F]) Lost(after uint64) bool { return after < l.gone }

// forgetOlder forgets what was read first.
func (l *Log[F]) forgetOlder() {
	o := l.olders[0]
	l.olders[0] = nil
	if l.olders = l.olders[1:]; len(l.olders) == 0 {
		l.olders = nil
	}
	for _, n := range o.entries {
		l.take(-n.bytes)
	}
	l.take(-entryBytes)
	o.line.older = nil
	if o.busy != nil {
		close(o.busy)
	}
}
