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
	h *Handler

	mu     sync.Mutex
	out    []byte        // events that wait for serve
	owed   bool          // a send was told to wait: Writable must follow
	finish bool          // nothing follows out
	cause  error         // why, if this side cut the connection
	wake   chan struct{} // one token: something of the above has changed
}

// connectEventStream makes a connection of a GET and serves it until it ends.
func (h *Handler) connectEventStream(w http.ResponseWriter, r *http.Request, user any, id tokenID) {
	c := newConn(r, user, id, ServerSentEvents)
	if status, text := h.reserve(c); status != 0 {
		answer(w, status, text)
		return
	}
	h.accepted.Add(1)
	s := &eventStream{inbound: newInbound(), h: h, wake: make(chan struct{}, 1)}
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-cache, no-store")
	header.Set("Pragma", "no-cache")
	header.Set("Content-Encoding", "identity") // or a proxy may compress, and hold back what it has
	control := http.NewResponseController(w)
	w.Write([]byte(":\r\n")) //nolint:errcheck // Flush tells
	err := control.Flush()   // the client's "open" fires on the first bytes
	cut := h.join(c, s)
	s.receiver = h.accept(c)
	if cut {
		s.abort()
	}
	if err == nil {
		err = s.serve(w, r, control)
	}
	s.end()
	s.receiver.Closed(err)
	h.release(c, true)
}

// serve writes events until the connection ends; it returns what the receiver
// is told.
func (s *eventStream) serve(w http.ResponseWriter, r *http.Request, control *http.ResponseController) error {
	for {
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-s.wake:
		}
		s.mu.Lock()
		out, owed, finish, cause := s.out, s.owed, s.finish, s.cause
		s.out, s.owed = nil, false
		s.mu.Unlock()
		if cause != nil {
			return cause
		}
		if len(out) > 0 {
			control.SetWriteDeadline(time.Now().Add(s.h.o.SendTimeout)) //nolint:errcheck // the write tells
			_, err := w.Write(out)
			if err == nil {
				err = control.Flush()
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = ErrSendTimeout
			}
			if err != nil {
				return err
			}
		}
		if finish {
			return nil
		}
		if owed {
			s.receiver.Writable()
		}
	}
}

// send makes one event of all messages.
func (s *eventStream) send(msgs [][]byte, _ bool) (ready bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.finish || s.cause != nil {
		return true // nowhere to go
	}
	s.out = appendEvent(s.out, msgs)
	s.owed = true
	s.signal()
	return false
}

// appendEvent writes one event: each line of the payload behind "data: ", an
// empty line at the end. Hub messages in JSON are one line but for what an
// application's own values bring.
func appendEvent(dst []byte, msgs [][]byte) []byte {
	dst = append(dst, "data: "...)
	for _, m := range msgs {
		for {
			line, rest, more := bytes.Cut(m, []byte{'\n'})
			dst = append(dst, bytes.TrimSuffix(line, []byte{'\r'})...)
			if !more {
				break
			}
			dst = append(dst, "\r\ndata: "...)
			m = rest
		}
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

func (s *eventStream) abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cause = ErrAborted
	s.signal()
}
