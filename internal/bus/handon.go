package bus

import (
	"fmt"

	"rte/internal/event"
)

// What lanes do for the feeds of a store inside: hand on each stored event
// once. Everything here is called with lanes.mu held.

// handOn gives an item that was stored to whoever watches, unless it was given
// before. An answer that was lost shows as a duplicate at the next attempt.
func (l *lanes) handOn(it *item, a ack, cursor string) {
	if l.feeds != nil && a.sequence > it.stream.newest+1 {
		l.feeds.doubt() // between them something is stored whose answer was lost
	}
	it.stream.newest = max(it.stream.newest, a.sequence)
	if l.feeds == nil || it.handed || a.duplicate && a.sequence <= it.floor {
		return
	}
	it.handed = true
	l.feeds.hand(it.stream, &it.event, cursor, a.sequence)
}

// heard is told of what a store inside had some time ago. All of that was
// answered by now, unless answers were lost. Called without mu, as the next two.
func (l *lanes) heard(s *stream, had uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if had > s.newest {
		s.newest = had
		l.feeds.doubt()
	}
}

// newest is up to where a store inside was heard.
func (l *lanes) newest(s *stream) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.newest
}

// rewind is for a stream that has lost its newest messages.
func (l *lanes) rewind(s *stream, last uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.newest = last
}

// leave gives up an attempt. Its answer may still come, and then its event is
// in the store and must be heard, though its call was told otherwise.
func (l *lanes) leave(it *item) {
	delete(l.inFlight, it.token)
	if l.feeds == nil {
		return
	}
	if len(l.late) >= l.window { // of a store that has not answered for long
		clear(l.late)
	}
	l.late[it.token] = it
}

// tooLate takes an answer to an attempt that was given up.
func (l *lanes) tooLate(token uint64, a ack) {
	it := l.late[token]
	delete(l.late, token)
	if it != nil && a.err == nil {
		l.handOn(it, a, it.stream.cursor(a.sequence))
	}
}

// lose ends an item of which nobody can say whether it was stored: it has no
// id, so it cannot be sent again.
func (l *lanes) lose(it *item, send []sending) []sending {
	it.err = errLost
	if c := it.call; !c.abandoned {
		l.stats.unavailable++
		c.refuse(it.index, errLost)
		c.finish()
	}
	return l.advance(it, send)
}

var errLost = fmt.Errorf("%w: the answer was lost", event.ErrUnavailable)
