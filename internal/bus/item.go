package bus

import (
	"fmt"
	"time"

	"rte/internal/event"
)

// An item is one event on its way into the store. Guarded by lanes.mu, but
// for the fixed part, which is written before it enters and read freely.
type item struct {
	// Fixed.
	call      *call
	index     int // in the call
	stream    *stream
	subject   string
	messageID string // "": the message has none, and is never sent again for want of an answer

	event event.Event // a copy; its time is set when first sent

	state    itemState
	token    uint64    // of the attempt in flight
	sent     time.Time // when that was
	began    time.Time // when the first one was sent
	next     *item     // behind it in the lane
	err      error     // the last answer, if it was no
	sequence uint64    // once stored
	floor    uint64    // up to where the store had answered when the first one was sent
	handed   bool      // on, to the feeds
}

type itemState uint8

const (
	queued   itemState = iota // behind another in its lane
	ready                     // head of its lane, waits for the window
	inFlight                  // head of its lane, sent
	failed                    // head of its lane, to be sent again at the next tick
	finished
)

// start sends the head of a lane: it is appended to send, or waits for the
// window. Called with mu held, like all in this file.
func (l *lanes) start(it *item, send []sending) []sending {
	if it.call.abandoned {
		return l.advance(it, send)
	}
	if it.began.IsZero() {
		it.floor = it.stream.newest
	}
	if sequence, ok := l.known.find(it); ok {
		l.store(it, ack{sequence: sequence, duplicate: true})
		return l.advance(it, send)
	}
	if len(l.inFlight) >= l.window {
		it.state = ready
		l.ready = append(l.ready, it)
		return send
	}
	if it.event.Time.IsZero() {
		it.event.Time = stampTime(l.now())
	}
	l.token++
	it.state, it.token, it.sent = inFlight, l.token, time.Now()
	if it.began.IsZero() {
		it.began = it.sent
	}
	l.inFlight[it.token] = it
	return append(send, sending{it, it.token})
}

// fill starts heads that wait for the window, the oldest first.
func (l *lanes) fill(send []sending) []sending {
	for len(l.ready) > 0 && len(l.inFlight) < l.window {
		it := l.ready[0]
		l.ready = l.ready[1:]
		send = l.start(it, send)
	}
	return send
}

// advance ends the turn of a lane's head. Items behind it that nobody waits
// for any more are passed over, and if it was refused so are those of its call.
func (l *lanes) advance(it *item, send []sending) []sending {
	it.state = finished
	next := it.next
	for next != nil && (next.call.abandoned || it.err != nil && next.call == it.call) {
		if !next.call.abandoned {
			l.refuse(next, fmt.Errorf("an earlier event of this pair was refused: %w", it.err))
		}
		next.state = finished
		next = next.next
	}
	if next == nil {
		delete(l.tails, it.event.Topic)
		return send
	}
	return l.start(next, send)
}

// store tells the call that an item went in.
func (l *lanes) store(it *item, a ack) {
	it.state, it.err, it.sequence = finished, nil, a.sequence
	if a.duplicate {
		l.stats.duplicates++
	} else {
		l.stats.stored++
		l.recent.note(it, a.sequence)
	}
	it.stream.answered = time.Now()
	cursor := it.stream.cursor(a.sequence)
	l.handOn(it, a, cursor)
	c := it.call
	if c.abandoned {
		return
	}
	e := c.events[it.index]
	e.Cursor, e.Sequence = cursor, a.sequence
	if e.Time.IsZero() {
		e.Time = it.event.Time
		if a.duplicate {
			c.duplicates = append(c.duplicates, it)
		}
	}
	c.finish()
}

// refuse tells the call that an item cannot go in.
func (l *lanes) refuse(it *item, err error) {
	it.state, it.err = finished, err
	if c := it.call; !c.abandoned {
		l.stats.refused++
		c.refuse(it.index, err)
		c.finish()
	}
}
