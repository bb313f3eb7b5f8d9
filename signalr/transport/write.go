package transport

import (
	"encoding/binary"
	"errors"
	"os"
	"time"

	"github.com/gobwas/ws"
)

// The writing half of a webSocket. There is one writer at a time: whoever
// holds mu while writing is false, or the goroutine that writing stands for.

// send writes one frame that holds all messages: one system call for
// everything that is pending.
func (s *webSocket) send(msgs [][]byte, binary bool) (ready bool) {
	size := 0
	for _, m := range msgs {
		size += len(m)
	}
	op := ws.OpText
	if binary {
		op = ws.OpBinary
	}
	buf := s.h.bufs.get()
	b := appendFrameHeader(*buf, op, size)
	for _, m := range msgs {
		b = append(b, m...)
	}
	s.mu.Lock()
	switch {
	case s.closeSent || s.ended:
		ready = true // nowhere to go
	case s.writing: // a control frame did not fit into the socket
		s.behind = append(s.behind, b...)
	default:
		ready = s.write(b)
	}
	s.owed = s.owed || !ready
	s.mu.Unlock()
	*buf = b
	s.h.bufs.put(buf)
	return ready
}

// begin writes what was sent before run began.
func (s *webSocket) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := s.behind
	s.behind, s.writing = nil, len(rest) > 0
	if s.writing {
		s.writers.Go(func() { s.writeRest(rest) })
	}
}

// write sends bytes, or gives what the socket does not take to a goroutine.
// The caller holds mu; nobody else is writing.
func (s *webSocket) write(b []byte) (done bool) {
	n, err := s.socket.tryWrite(b)
	if err != nil {
		s.cut(err)
		return true
	}
	if n == len(b) {
		return true
	}
	s.writing = true
	rest := append([]byte(nil), b[n:]...)
	s.writers.Go(func() { s.writeRest(rest) })
	return false
}

// writeRest writes what the socket did not take at once, and what had to wait
// behind it, with a deadline.
func (s *webSocket) writeRest(rest []byte) {
	var owed bool
	for len(rest) > 0 {
		s.socket.SetWriteDeadline(time.Now().Add(s.h.o.SendTimeout)) //nolint:errcheck // the write tells
		_, err := s.socket.Write(rest)
		s.mu.Lock()
		rest, s.behind = s.behind, nil
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				err = ErrSendTimeout
			}
			s.cut(err)
			rest = nil
		}
		if len(rest) == 0 {
			// A deadline that has passed would fail even a write that need
			// not wait.
			s.socket.SetWriteDeadline(time.Time{}) //nolint:errcheck // the next write tells
			s.writing = false
			owed, s.owed = s.owed && err == nil, false
		}
		s.mu.Unlock()
	}
	if owed {
		s.receiver.Writable()
	}
}

// control writes a control frame; behind a frame that is being written it
// waits. A client that floods pings while it reads nothing gets no answers,
// but the last word is never left out. The caller holds mu.
func (s *webSocket) control(op ws.OpCode, payload []byte) {
	b := append(appendFrameHeader(nil, op, len(payload)), payload...)
	switch {
	case s.ended:
	case !s.writing:
		s.write(b)
	case op == ws.OpClose || len(s.behind)+len(b) <= readSize:
		s.behind = append(s.behind, b...)
	}
}

// sendClose starts the closing handshake, once, and bounds the wait for the
// client's answer.
func (s *webSocket) sendClose(status ws.StatusCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closeSent && !s.ended {
		s.closeSent = true
		s.bound()
		s.control(ws.OpClose, binary.BigEndian.AppendUint16(nil, uint16(status)))
	}
	s.open() // the answer must be read
}

// bound ends the wait for the client's answer to a close frame. The caller holds
// mu.
func (s *webSocket) bound() {
	if s.watch != nil {
		time.AfterFunc(s.h.o.CloseTimeout, func() { s.end(os.ErrDeadlineExceeded) })
		return
	}
	s.socket.SetReadDeadline(time.Now().Add(s.h.o.CloseTimeout)) //nolint:errcheck // a dead socket needs none
}

func (s *webSocket) close(failed bool) {
	status := ws.StatusNormalClosure
	if failed {
		status = ws.StatusInternalServerError
	}
	s.sendClose(status)
}

func (s *webSocket) abort() { s.end(ErrAborted) }

// end cuts the connection, from outside.
func (s *webSocket) end(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut(cause)
}

// cut ends the connection at once; run notices and tells the receiver. Only
// the first cause counts. The caller holds mu.
func (s *webSocket) cut(cause error) {
	if s.cause == nil {
		s.cause = cause
	}
	s.ended = true
	s.socket.cut()
	s.open()
	s.unwatched()
}
