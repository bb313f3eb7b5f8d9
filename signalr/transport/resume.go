package transport

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// A resumption is what outlives the sockets of a connection with stateful
// reconnect: between two of them the connection is parked. The client comes
// back by an upgrade request with the token it has, without negotiation or
// handshake; what was on its way is the receivers' business.
type resumption struct {
	h        *Handler
	receiver Resumer       // known before the first socket is read
	turn     chan struct{} // holds a token while a new socket is being made

	mu       sync.Mutex
	retained bool          // the receiver wants the connection to outlive its socket
	dropped  bool          // and does not any more
	parked   bool          // there is no socket, and the timer runs
	over     bool          // the connection has ended, or is about to
	conn     *Conn         // on the newest socket
	free     chan struct{} // closed when the newest socket has ended
	lost     error         // how it did
	timer    *time.Timer   // ends the connection when no client comes back
}

func newResumption(h *Handler, c *Conn) *resumption {
	return &resumption{h: h, conn: c, free: make(chan struct{}), turn: make(chan struct{}, 1)}
}

// errReplaced ends a socket whose client has come with another: the client
// knows before the server that it is dead.
var errReplaced = errors.New("transport: the client has come with a new socket")

func (r *resumption) retain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retained = true
}

// park is the end of a socket; final says that one of both sides wanted it. It
// reports false when that is the end of the connection.
func (r *resumption) park(err error, final bool) bool {
	r.mu.Lock()
	wanted := r.retained && !r.dropped && !final
	r.mu.Unlock()
	wanted = wanted && r.receiver.Suspended()
	r.mu.Lock()
	defer r.mu.Unlock()
	defer close(r.free)
	if !wanted || r.dropped {
		r.over = true
		return false
	}
	r.lost = err
	r.wait()
	return true
}

// wait begins the time that the client has. The caller holds mu.
func (r *resumption) wait() {
	r.parked = true
	r.timer = time.AfterFunc(r.h.o.DisconnectTimeout, r.expire)
}

// expire ends a connection that is parked.
func (r *resumption) expire() {
	r.mu.Lock()
	if !r.parked {
		r.mu.Unlock()
		return
	}
	r.parked, r.over = false, true
	err, c := r.lost, r.conn
	r.mu.Unlock()
	r.receiver.Closed(err)
	r.h.release(c, true)
}

// discard ends a connection that is parked, and lets no other wait. It returns
// the connection on its newest socket, which is to be ended, too. It does not
// wait for what the receiver is being told: it may be the receiver who asks.
func (r *resumption) discard() *Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped = true
	if r.parked {
		r.timer.Stop()
		go r.expire()
	}
	return r.conn
}

// resumeWebSocket serves an upgrade request for a connection that there is: a
// socket that still looks alive gives way. Without stateful reconnect the
// request is refused as any second WebSocket.
func (h *Handler) resumeWebSocket(w http.ResponseWriter, r *http.Request, user any, c *Conn) {
	re := c.outlives
	if re == nil {
		answer(w, http.StatusConflict, "")
		return
	}
	select {
	case re.turn <- struct{}{}: // a client may come again while it is still being answered
		defer func() { <-re.turn }()
	case <-r.Context().Done():
		return
	}
	if status, text := re.claim(); status != 0 {
		answer(w, status, text)
		return
	}
	next := newConn(r, user, c.token, WebSockets)
	next.outlives, next.leave = re, c.leave
	s, early, ok := h.upgrade(w, r, next)
	if !ok {
		re.unclaim()
		return
	}
	s.receiver = re.receiver
	re.mu.Lock()
	re.conn, re.free = next, make(chan struct{})
	dropped := re.dropped
	re.mu.Unlock()
	re.receiver.Resumed(next)
	if h.replace(next) || dropped {
		next.Abort()
	}
	go s.run(early)
}

// claim takes a connection for a new socket: the old one has ended when it
// returns. Status is 0, or the answer to the request.
func (r *resumption) claim() (status int, text string) {
	r.mu.Lock()
	if r.over || !r.retained {
		defer r.mu.Unlock()
		if r.over {
			return http.StatusNotFound, noConnection
		}
		return http.StatusConflict, ""
	}
	old, free := r.conn.link.(*webSocket), r.free
	r.mu.Unlock()
	old.end(errReplaced)
	<-free
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || r.dropped {
		return http.StatusNotFound, noConnection
	}
	r.timer.Stop()
	r.parked = false
	return 0, ""
}

// unclaim gives a connection back whose new socket could not be made.
func (r *resumption) unclaim() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wait()
	if r.dropped {
		r.timer.Stop()
		go r.expire()
	}
}
