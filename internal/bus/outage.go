package bus

import (
	"fmt"
	"time"

	"rte/internal/event"
)

// What lanes do while the store gives no good answer.

// again sends what was refused for now or got no answer. The message id stays
// the same, so an attempt that was stored after all is found out.
func (l *lanes) again(c *call) {
	var send []sending
	l.mu.Lock()
	for i := range c.items {
		it := &c.items[i]
		switch {
		case it.state == inFlight && it.messageID != "" && time.Since(it.sent) > l.ackWait:
			l.leave(it)
		case it.state != failed:
			continue
		}
		l.stats.retries++
		send = l.start(it, send)
	}
	l.mu.Unlock()
	l.send(send)
}

// disconnected: calls wait for the connection as long as it may come back.
func (l *lanes) disconnected() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost.IsZero() {
		l.lost = time.Now()
	}
}

// reconnected takes everything in flight for lost. What was stored all the
// same is found out by its id.
func (l *lanes) reconnected() {
	var send []sending
	l.mu.Lock()
	l.recent.reset()
	l.lost = time.Time{}
	for _, it := range l.inFlight {
		l.leave(it)
		switch it.state = failed; {
		case it.call.abandoned:
			send = l.advance(it, send)
		case it.messageID == "":
			send = l.lose(it, send)
		}
	}
	send = l.fill(send)
	l.mu.Unlock()
	l.send(send)
}

// led sends again what a stream has not answered: it has another leader, and
// what the one before had not stored yet, nobody will answer.
func (l *lanes) led(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recent.reset() // a server that has just started knows the ids of the newest states only
	for _, it := range l.inFlight {
		if it.stream == s && it.messageID != "" && !it.call.abandoned {
			l.leave(it)
			it.state = failed // until the next tick
		}
	}
}

// abandon ends a call whose events found no answer in time.
func (l *lanes) abandon(c *call, reason error) {
	var send []sending
	l.mu.Lock()
	c.abandoned = true
	for i := range c.items {
		it := &c.items[i]
		if it.state == finished {
			continue
		}
		err := reason
		if it.err != nil {
			err = fmt.Errorf("%w: last answer: %w", reason, it.err)
		}
		c.refuse(i, err)
		l.stats.unavailable++
	}
	// Only now: a lane that moves on passes over this call's items.
	for i := range c.items {
		switch it := &c.items[i]; it.state {
		case failed:
			send = l.advance(it, send)
		case inFlight:
			// Its lane waits: what comes behind must not overtake it.
			token := it.token
			time.AfterFunc(l.ackWait, func() { l.send(l.forget(token)) })
		}
	}
	l.mu.Unlock()
	l.send(send)
}

// forget ends the turn of an abandoned item that is still without an answer.
func (l *lanes) forget(token uint64) (send []sending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	it := l.inFlight[token]
	if it == nil {
		return nil
	}
	l.leave(it)
	l.refuse(it, errNoAnswer)
	return l.fill(l.advance(it, nil))
}

// silent is a stream that has left everything unanswered for so long, nil if
// there is none.
func (l *lanes) silent(long time.Duration) *stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, it := range l.inFlight {
		if time.Since(it.began) > long && time.Since(it.stream.answered) > long {
			return it.stream
		}
	}
	return nil
}

// fail refuses new calls at once from now on; nil ends that. A store that was
// opened again gives no answer to what was sent before.
func (l *lanes) fail(why error) {
	l.mu.Lock()
	l.failing = nil
	if why != nil {
		l.failing = fmt.Errorf("%w: %w", event.ErrUnavailable, why)
	}
	l.mu.Unlock()
	if why == nil {
		l.reconnected()
	}
}
