package transport

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/gobwas/ws"
)

// isUpgrade tells whether a request asks for a WebSocket.
func isUpgrade(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// connectWebSocket makes a connection of an upgrade request.
func (h *Handler) connectWebSocket(w http.ResponseWriter, r *http.Request, user any, t connToken) {
	c := newConn(r, user, t.id, WebSockets)
	if !h.enter(w, r, c, t.negotiated) {
		return
	}
	s, early, ok := h.upgrade(w, r, c)
	if !ok {
		h.release(c, false)
		return
	}
	h.accepted.Add(1)
	if t.kind&stateful != 0 {
		c.outlives = newResumption(h, c)
	}
	s.receiver = h.accept(c)
	if c.outlives != nil {
		c.outlives.receiver = s.receiver.(Resumer)
	}
	if h.join(c) {
		c.Abort()
	}
	// A fresh goroutine: its stack is small, and net/http's is given back.
	go s.run(early)
}

// upgrade answers an upgrade request and gives the connection its link; the
// receiver is still to come. early is what the client sent right behind it.
func (h *Handler) upgrade(w http.ResponseWriter, r *http.Request, c *Conn) (s *webSocket, early []byte, ok bool) {
	nc, rw, _, err := ws.HTTPUpgrader{Timeout: h.o.SendTimeout}.Upgrade(r, w)
	if err != nil {
		h.o.Logger.Debug("upgrade refused", "conn", c.id, "err", err)
		if nc != nil {
			nc.Close()
		}
		return nil, nil, false
	}
	early = make([]byte, rw.Reader.Buffered())
	io.ReadFull(rw.Reader, early) //nolint:errcheck // they are in memory
	// Nothing is written before the receiver is known: it must be told
	// afterwards.
	s = &webSocket{h: h, c: c, socket: newSocket(nc, h.bufs), writing: true}
	c.link = s
	return s, early, true
}

// A webSocket is one connection over a WebSocket.
type webSocket struct {
	h        *Handler
	c        *Conn
	socket   socket
	receiver Receiver

	// owned by whoever reads: run, or a poller in readable
	frames  frameReader
	deaf    bool // the receiver wants nothing more
	goodbye bool // the client has sent a close frame

	writers sync.WaitGroup // goroutines that write what the socket did not take: one at most

	mu        sync.Mutex
	writing   bool          // there is such a goroutine, or run has not begun
	behind    []byte        // frames that must wait for it
	owed      bool          // a send was told to wait: Writable must follow
	closeSent bool          // no data may follow
	ended     bool          // no write may begin
	cause     error         // why, if this side cut the connection
	gate      chan struct{} // not nil while the receiver holds; closed to go on
	watch     *watch        // not nil: a poller reads
	reading   bool          // it does so now
	left      bool          // it will not any more
}

// run feeds the receiver until the connection ends, or a poller takes over.
func (s *webSocket) run(early []byte) {
	s.begin()
	var err error
	if s.pause() { // as for all that comes
		err = s.take(early)
	}
	if err == nil && s.pause() && s.h.pollers.watch(s) {
		return
	}
	for err == nil {
		s.pause()
		err = s.socket.read(s.take)
	}
	s.leave(err)
}

// readable feeds what the socket has; a poller calls it, and not again before
// the watch is armed.
func (s *webSocket) readable() {
	s.mu.Lock()
	if s.left {
		s.mu.Unlock()
		return
	}
	s.reading = true
	s.mu.Unlock()
	err := s.socket.readReady(s.take, s.wanted)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = false
	if err == nil && s.ended {
		err = net.ErrClosed
	}
	if err == nil && s.gate == nil {
		err = s.watch.arm(s)
	}
	if err != nil {
		s.left = true
		go s.leave(err)
	}
}

// unwatched goes on behind what has changed outside: a poller that waits does
// not see it. The caller holds mu.
func (s *webSocket) unwatched() {
	switch {
	case s.watch == nil || s.reading || s.left:
	case s.ended:
		s.left = true
		go s.leave(net.ErrClosed)
	case s.gate == nil:
		if err := s.watch.arm(s); err != nil {
			s.cut(err)
		}
	}
}

// leave is the end of the connection, or of its socket. err is why nothing more
// can be read.
func (s *webSocket) leave(err error) {
	if s.watch != nil {
		s.watch.end()
	}
	if status, ok := errors.AsType[closeError](err); ok {
		s.sendClose(ws.StatusCode(status))
	}
	err, final := s.finish(err)
	if r := s.c.outlives; r != nil && r.park(err, final) {
		return
	}
	s.receiver.Closed(err)
	s.h.release(s.c, true)
}

// finish lets the last bytes out, bounded by the writer's deadline, and closes
// the socket. It returns what the receiver is told, and whether one of both
// sides wanted the end.
func (s *webSocket) finish(err error) (told error, final bool) {
	s.mu.Lock()
	s.ended = true
	if errors.Is(err, os.ErrDeadlineExceeded) { // no answer to the close frame
		s.cut(err)
	}
	s.mu.Unlock()
	s.writers.Wait()
	s.socket.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	final = s.goodbye || s.closeSent || errors.Is(s.cause, ErrAborted)
	switch {
	case s.goodbye:
		return nil, final
	case s.cause != nil:
		return s.cause, final
	}
	return err, final
}

func (s *webSocket) upper() Receiver { return s.receiver }

func (s *webSocket) take(p []byte) error { return s.frames.consume(p, s.data, s.controlFrame) }

func (s *webSocket) data(p []byte) error {
	if !s.deaf && s.receiver.Feed(p) != nil {
		s.deaf = true // the receiver closes; only its close handshake is waited for
	}
	return nil
}

func (s *webSocket) controlFrame(op ws.OpCode, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch op {
	case ws.OpPing:
		s.control(ws.OpPong, payload)
	case ws.OpClose:
		s.goodbye = true
		if !s.closeSent {
			s.closeSent = true
			s.control(ws.OpClose, closeAnswer(payload))
		}
		return io.EOF
	}
	return nil
}

// pause waits while the receiver holds. It reports whether the connection still
// is to be read.
func (s *webSocket) pause() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if gate := s.gate; gate != nil {
		s.mu.Unlock()
		<-gate
		s.mu.Lock()
	}
	return !s.ended
}

// wanted tells whether the receiver takes more now.
func (s *webSocket) wanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gate == nil && !s.ended
}

// hold has no effect once the end has begun: then reading must go on, or the
// end would never be seen.
func (s *webSocket) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gate == nil && !s.closeSent && !s.ended {
		s.gate = make(chan struct{})
	}
}

func (s *webSocket) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open()
}

// open lets run go on. The caller holds mu.
func (s *webSocket) open() {
	if s.gate != nil {
		close(s.gate)
		s.gate = nil
		s.unwatched()
	}
}
