package client

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"rte/signalr"
)

// resume mends a connection whose link was lost: one attempt, at once, to open
// another WebSocket to the same connection, as released clients do. There is
// no handshake. Both sides say where they go on (Sequence), send once more
// what is not acknowledged, and then what is new. It returns the new link, or
// nil when the connection has ended.
func (s *conn) resume(old link, lost error) link {
	s.mu.Lock()
	if s.broken != nil {
		lost = s.broken
	}
	hopeless := s.redial == nil || s.closing || s.synced != nil || wanted(lost) || s.life.Err() != nil
	s.up = s.up && hopeless
	s.mu.Unlock()
	if hopeless {
		s.end(lost)
		return nil
	}
	old.cut()
	ctx, cancel := context.WithTimeoutCause(s.life, s.c.o.ServerTimeout, s.c.silent())
	defer cancel()
	l, err := s.redial(ctx)
	if err != nil {
		s.end(lost) // why the connection is gone; the attempt was a chance
		return nil
	}
	// Nobody sends any more over the old link: it is closed.
	if s.take(s.life) != nil {
		l.cut()
		return nil
	}
	if !s.install(l) {
		<-s.turn
		l.cut()
		return nil
	}
	s.c.running.Go(func() { // beside the reader: the server may wait to be read
		defer func() { <-s.turn }()
		s.resend(l)
	})
	return l
}

// install makes a link the current one, but for senders.
func (s *conn) install(l link) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		return false
	}
	s.link, s.up, s.broken, s.heard = l, false, nil, time.Now()
	s.reader = signalr.Reader{} // half a message of the old link comes once more
	// The Sequence must come, whatever else does.
	due := time.AfterFunc(s.c.o.ServerTimeout, func() { s.giveUp(l, s.c.silent()) })
	s.synced = func() { due.Stop() }
	return true
}

// resend sends what a new link begins with, then lets senders to it.
func (s *conn) resend(l link) {
	s.mu.Lock()
	first, sent := s.replay.again()
	s.mu.Unlock()
	b, err := s.protocol.Append(nil, &signalr.Sequence{ID: first})
	if err == nil {
		err = l.write(append(b, bytes.Join(sent, nil)...), time.Now().Add(s.c.o.ServerTimeout))
	}
	if err != nil {
		s.giveUp(l, fmt.Errorf("send: %w", err))
		return
	}
	s.mu.Lock()
	s.up = s.link == l
	s.mu.Unlock()
}

// sequence does the counting of stateful reconnect. Messages that are not
// wanted go no further: those that came before, and on a new link all before
// the Sequence, Close and Ping, too.
func (s *conn) sequence(m signalr.Message) (wanted bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q, ok := m.(*signalr.Sequence); ok {
		if s.synced != nil {
			s.synced()
			s.synced = nil
		}
		if !s.replay.begin(q.ID) {
			return false, ErrSequence
		}
		return false, nil
	}
	if s.synced != nil {
		return false, nil
	}
	if a, ok := m.(*signalr.Ack); ok {
		s.replay.acked(a.ID)
		if s.room != nil && !s.replay.full() {
			delete(s.waiting, s.room)
			close(s.room)
			s.room = nil
		}
		return false, nil
	}
	return !counted(m) || s.replay.came(), nil
}

// remember puts a message that is sent into the replay buffer. While there is no
// room it does not; what it returns then tells when to try again. over says
// that there is always room.
func (s *conn) remember(m signalr.Message, b []byte, over bool) (room <-chan struct{}) {
	if s.replay == nil || !counted(m) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !over && s.replay.full() {
		if s.room == nil {
			s.room = make(chan struct{})
		}
		return s.room
	}
	s.replay.add(b)
	return nil
}
