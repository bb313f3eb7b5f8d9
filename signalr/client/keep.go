package client

import (
	"fmt"
	"time"

	"rte/signalr"
)

// ackEvery is how often what came is acknowledged, at most (that of the
// released clients and servers).
const ackEvery = time.Second

// keep keeps the connection alive until it ends: it pings, notices a silent
// server, acknowledges, and sends what others left to it.
func (s *conn) keep() {
	ping := time.NewTicker(s.c.o.KeepAlive)
	defer ping.Stop()
	watch := time.NewTimer(s.c.o.ServerTimeout)
	defer watch.Stop()
	if s.still() {
		ping.Stop()
		watch.Stop()
	} else { // as released clients do: it tells the hub that this one counts, and can be missed
		s.send(s.life, &signalr.Ping{}) //nolint:errcheck // as below
	}
	ack := time.NewTicker(ackEvery)
	defer ack.Stop()
	if s.replay == nil {
		ack.Stop()
	}
	for {
		var m signalr.Message
		select {
		case <-s.life.Done():
			return
		case <-ping.C:
			m = &signalr.Ping{}
		case <-ack.C:
			if m = s.ack(); m == nil {
				continue
			}
		case <-s.poke:
			s.sendNow()
			continue
		case <-watch.C:
			watch.Reset(s.watch())
			continue
		}
		s.send(s.life, m) //nolint:errcheck // a failure ends the connection, or the link
	}
}

// still says that polls are the sign of life, both ways.
func (s *conn) still() bool {
	l, _ := s.current()
	_, polls := l.(*longPoll)
	return polls
}

// watch ends a connection, or gives up its link, if the server has been silent
// for too long, and says when to look again.
func (s *conn) watch() time.Duration {
	s.mu.Lock()
	left := s.c.o.ServerTimeout - time.Since(s.heard)
	if s.busy || !s.up {
		left = s.c.o.ServerTimeout
	}
	l := s.link
	s.mu.Unlock()
	switch {
	case left > 0:
		return left
	case s.replay != nil:
		s.giveUp(l, s.c.silent())
	default:
		s.end(s.c.silent())
	}
	return s.c.o.ServerTimeout
}

// silent is what a server that says nothing is accused of.
func (c *Client) silent() error { return fmt.Errorf("%w (%v)", ErrServerTimeout, c.o.ServerTimeout) }

// ack is the message that acknowledges what has come, nil if there is nothing
// new.
func (s *conn) ack() signalr.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.up {
		return nil
	}
	if id, owed := s.replay.ack(); owed {
		return &signalr.Ack{ID: id}
	}
	return nil
}

// sendLater leaves a message to the keeper, for those who cannot wait.
func (s *conn) sendLater(m signalr.Message) {
	s.mu.Lock()
	s.later = append(s.later, m)
	s.mu.Unlock()
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// sendNow sends what was left to the keeper. It does not wait for room in the
// replay buffer: that would keep it from acknowledging.
func (s *conn) sendNow() {
	s.mu.Lock()
	later := s.later
	s.later = nil
	s.mu.Unlock()
	for _, m := range later {
		s.sendOver(s.life, m, true) //nolint:errcheck // a failure ends the connection, or the link
	}
}
