package transport

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"sync"
	"time"
)

// An eventStream is one connection over server-sent events: the answer to
// one GET, which stays open, is the way down; POSTs are the way up
// (TransportProtocols.md, "Server-Sent Events").
type eventStream struct {
	inbound
	h       *Handler
	control *http.ResponseController // of the GET

	mu     sync.Mutex
	out    []byte        // events that wait for serve
	owed   bool          // a send was told to wait: Writable must follow
	finish bool          // nothing follows out
	cause  error         // why, if this side cut the connection
	left   bool          // the GET has been served: control must not be used
	wake   chan struct{} // one token: something of the above has changed
}

// connectEventStream makes a connection of a GET and serves it until it ends.
func (h *Handler) connectEventStream(w http.ResponseWriter, r *http.Request, user any, id tokenID) {
	c := newConn(r, user, id, ServerSentEvents)
	if !h.enter(w, r, c, true) {
		return
	}
	h.accepted.Add(1)
	s := &eventStream{inbound: newInbound(), h: h, control: http.NewResponseController(w), wake: make(chan struct{}, 1)}
	c.link = s
	s.receiver = h.accept(c)
	// Only now: the client may send as soon as it sees the answer's begin.
	if h.join(c) {
		s.abort()
	}
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-cache,no-store")
	header.Set("Pragma", "no-cache")
	header.Set("Content-Encoding", "identity") // or a proxy may compress, and hold back what it has
	s.control.SetReadDeadline(time.Time{})     //nolint:errcheck // a server's ReadTimeout is meant for requests
	err := s.serve(w, r, []byte(":\r\n"))      // the client's "open" fires on the first bytes
	s.end(err)
	h.release(c, true)
}

// serve writes first, and then events until the connection ends; it returns
// what the receiver is told.
func (s *eventStream) serve(w http.ResponseWriter, r *http.Request, first []byte) error {
	defer s.leave()
	if err := s.write(w, first); err != nil {
		return err
	}
	for {
		select {
		case <-r.Context().Done():
			// Clients have no other way to say goodbye: the released server
			// takes it for one, too.
			return nil
		case <-s.wake:
		}
		s.mu.Lock()
		out, owed, finish := s.out, s.owed, s.finish
		s.out, s.owed = nil, false
		s.mu.Unlock()
		if err := s.write(w, out); err != nil {
			return err
		}
		if finish {
			return nil
		}
		if owed {
			s.writable()
		}
	}
}

// write writes and flushes, with a deadline that abort can bring forward.
func (s *eventStream) write(w http.ResponseWriter, b []byte) error {
	if cause := s.deadline(time.Now().Add(s.h.o.SendTimeout)); cause != nil {
		return cause
	}
	if len(b) == 0 {
		return nil
	}
	_, err := w.Write(b)
	if err == nil {
		err = s.control.Flush()
	}
	// HTTP/2 ends a stream whose deadline passes, though nothing is written.
	cause := s.deadline(time.Time{})
	switch {
	case err == nil || cause != nil:
		return cause
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrSendTimeout
	}
	return err
}

// deadline is for the next write; it returns why there is to be none.
func (s *eventStream) deadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause == nil {
		s.control.SetWriteDeadline(t) //nolint:errcheck // the write tells
	}
	return s.cause
}

// leave ends the use of the GET's answer.
func (s *eventStream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = true
}

// send makes one event of all messages.
func (s *eventStream) send(msgs [][]byte, _ bool) (ready bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finish || s.left || s.cause != nil {
		return true // nowhere to go
	}
	s.out = appendEvent(s.out, msgs)
	s.owed = true
	s.signal()
	return false
}

// appendEvent writes one event: each line of the payload behind "data: ", an
// empty line at the end. Hub messages in JSON are one line but for what an
// application's own values bring. Clients take a carriage return, too, for the
// end of a line (HTML standard, "Parsing an event stream").
func appendEvent(dst []byte, msgs [][]byte) []byte {
	dst = append(dst, "data: "...)
	for _, m := range msgs {
		for {
			i := bytes.IndexAny(m, "\r\n")
			if i < 0 {
				break
			}
			dst = append(dst, m[:i]...)
			dst = append(dst, "\r\ndata: "...)
			if bytes.HasPrefix(m[i:], []byte("\r\n")) {
				i++
			}
			m = m[i+1:]
		}
		dst = append(dst, m...)
	}
	return append(dst, "\r\n\r\n"...)
}

func (s *eventStream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *eventStream) close(bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish = true
	s.signal()
}

// abort ends the connection at once, even if the client takes nothing.
func (s *eventStream) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil || s.left {
		return
	}
	s.cause = ErrAborted
	s.control.SetWriteDeadline(time.Now()) //nolint:errcheck // a write that waits tells
	s.signal()
}
