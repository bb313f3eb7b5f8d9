package client

import (
	"fmt"
	"strings"
	"time"

	"rte/signalr"
)

// receive reads until the connection ends, over one link after the other.
func (s *conn) receive(early []byte) {
	l, _ := s.current()
	err := s.feed(early)
	for {
		var lost error
		for err == nil && lost == nil {
			var p []byte
			p, lost = l.read()
			err = s.feed(p)
		}
		if err != nil { // somebody has said what is wrong
			s.end(err)
			return
		}
		if l = s.resume(l, lost); l == nil {
			return
		}
	}
}

func (s *conn) feed(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	s.mu.Lock()
	s.heard = time.Now()
	s.mu.Unlock()
	return s.reader.Feed(s.protocol, s.c.o.MaxMessageBytes, p, s.record)
}

// record takes one message. Its error ends the connection.
func (s *conn) record(b []byte) error {
	m, err := s.protocol.Parse(append([]byte(nil), b...))
	if err != nil {
		return err
	}
	if s.replay != nil {
		if wanted, err := s.sequence(m); !wanted || err != nil {
			return err
		}
	}
	switch m := m.(type) {
	case *signalr.Invocation:
		return s.invoked(m)
	case *signalr.StreamItem:
		s.item(m, len(b))
	case *signalr.Completion:
		s.completed(m)
	case *signalr.Close:
		return &ServerError{Text: m.Error, Close: true, AllowReconnect: m.AllowReconnect}
	}
	return nil
}

// invoked runs the handlers of a target: those of On here, so that they keep
// the order of the messages, the one of Handle beside the reader.
func (s *conn) invoked(m *signalr.Invocation) error {
	if m.Stream {
		return nil // no released hub streams from a client
	}
	s.c.mu.Lock()
	t := s.c.handlers[strings.ToLower(m.Target)]
	var on []func([]signalr.Value)
	var handle Handler
	if t != nil {
		on, handle = t.on, t.handle
	}
	s.c.mu.Unlock()
	if len(on) > 0 {
		s.hold(true)
		for _, fn := range on {
			fn(m.Arguments)
		}
		s.hold(false)
	}
	if handle == nil && m.ID == "" {
		return nil
	}
	return s.answer(m, handle)
}

// hold notes that the reader is held up on this side, or is so no more.
func (s *conn) hold(busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy, s.heard = busy, time.Now()
}

// answer runs a handler beside the reader and tells the hub how it went.
func (s *conn) answer(m *signalr.Invocation, handle Handler) error {
	if !s.slot() {
		if s.life.Err() != nil {
			return s.why()
		}
		return fmt.Errorf("%w: %d calls of the hub are not answered", ErrOverrun, cap(s.slots))
	}
	s.c.running.Go(func() {
		defer func() { <-s.slots }()
		// HubProtocol.md has no words for it; these are the released clients'.
		done := &signalr.Completion{ID: m.ID, Error: "Client didn't provide a result."}
		if handle != nil {
			result, err := handle(s.life, m.Arguments)
			switch {
			case err != nil:
				done.Error = wireText(err)
			case result == nil:
				done.Result, done.Error = signalr.Null, ""
			default:
				done.Result, done.Error = result, ""
			}
		}
		if m.ID == "" {
			return // the hub does not wait
		}
		if err := s.send(s.life, done); err != nil && s.life.Err() == nil { // it cannot be encoded
			s.send(s.life, &signalr.Completion{ID: m.ID, Error: wireText(err)}) //nolint:errcheck // the connection's end tells
		}
	})
	return nil
}

// slot takes one of the places for handlers that answer. None becoming free
// for Options.ServerTimeout means that they wait for the reader, which waits
// here.
func (s *conn) slot() bool {
	select {
	case s.slots <- struct{}{}:
		return true
	default:
	}
	s.hold(true)
	defer s.hold(false)
	patience := time.NewTimer(s.c.o.ServerTimeout)
	defer patience.Stop()
	select {
	case s.slots <- struct{}{}:
		return true
	case <-patience.C:
	case <-s.life.Done():
	}
	return false
}

// wireText is what the hub is told of an error; an empty text would be none.
func wireText(err error) string {
	if text := err.Error(); text != "" {
		return text
	}
	return "error"
}
