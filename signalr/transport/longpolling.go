package transport

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// A longPoll is one connection over long polling: what there is to send waits
// for the client's next GET; POSTs are the way up (TransportProtocols.md,
// "Long Polling").
type longPoll struct {
	inbound
	h *Handler
	c *Conn

	mu      sync.Mutex
	out     []byte        // waits for a poll
	owed    bool          // a send was told to wait: Writable must follow
	finish  bool          // nothing follows out
	over    bool          // the connection has ended
	current chan struct{} // the poll that waits, or writes; closed when a newer one comes
	wake    chan struct{} // one token for the current poll: something has changed
	idle    *time.Timer   // ends the connection when no poll comes
}

// connectLongPoll makes a connection of the first GET, which is answered at
// once: the client sends its handshake only then.
func (h *Handler) connectLongPoll(w http.ResponseWriter, r *http.Request, user any, id tokenID) {
	c := newConn(r, user, id, LongPolling)
	if status, text := h.reserve(c); status != 0 {
		answer(w, status, text)
		return
	}
	h.accepted.Add(1)
	l := &longPoll{inbound: newInbound(), h: h, c: c, wake: make(chan struct{}, 1)}
	cut := h.join(c, l)
	l.receiver = h.accept(c)
	l.mu.Lock()
	l.idle = time.AfterFunc(h.o.DisconnectTimeout, l.lapse)
	l.mu.Unlock()
	if cut {
		l.abort()
	}
	pollHeaders(w)
	answer(w, http.StatusOK, "")
}

// pollHeaders keep every answer to a poll out of caches.
func pollHeaders(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Cache-Control", "no-cache, no-store")
	header.Set("Pragma", "no-cache")
	header.Set("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")
}

// poll serves a later GET: 200 with all that is pending, 200 without a body
// when there was nothing for Options.PollTimeout, 204 when nothing will come
// any more or a newer poll has taken over.
func (l *longPoll) poll(w http.ResponseWriter, r *http.Request) {
	pollHeaders(w)
	mine, ok := l.begin()
	if !ok {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	timeout := time.NewTimer(l.h.o.PollTimeout)
	defer timeout.Stop()
	for {
		out, last, superseded := l.take(mine)
		switch {
		case superseded:
			w.WriteHeader(http.StatusNoContent)
			return
		case len(out) > 0:
			l.deliver(w, mine, out)
			return
		case last:
			w.WriteHeader(http.StatusNoContent)
			l.dispose(nil)
			return
		}
		select {
		case <-l.wake:
		case <-mine:
		case <-timeout.C:
			l.leave(mine)
			answer(w, http.StatusOK, "")
			return
		case <-r.Context().Done():
			l.leave(mine)
			return
		}
	}
}

// begin makes a poll the current one; the one before is told to go. ok is
// false when the connection has ended.
func (l *longPoll) begin() (mine chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return nil, false
	}
	if l.current != nil {
		close(l.current)
	}
	l.idle.Stop()
	l.current = make(chan struct{})
	return l.current, true
}

// take is what the current poll has to answer. A poll that is not current any
// more gets nothing, so that nothing is lost with it.
func (l *longPoll) take(mine chan struct{}) (out []byte, last, superseded bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current != mine || l.over {
		return nil, false, true
	}
	out = l.out
	l.out = nil
	return out, l.finish, false
}

// deliver answers a poll with data. When it cannot be written the connection
// ends: the client would be behind and not know it.
func (l *longPoll) deliver(w http.ResponseWriter, mine chan struct{}, out []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Length", strconv.Itoa(len(out)))
	control := http.NewResponseController(w)
	control.SetWriteDeadline(time.Now().Add(l.h.o.SendTimeout)) //nolint:errcheck // the write tells
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(out)
	if err == nil {
		err = control.Flush()
	}
	control.SetWriteDeadline(time.Time{}) //nolint:errcheck // the next request is another matter
	l.leave(mine)
	if err != nil { // the client lacks what it should have got
		l.dispose(err)
		return
	}
	l.mu.Lock()
	owed := l.owed && !l.over
	l.owed = false
	l.mu.Unlock()
	if owed {
		l.receiver.Writable()
	}
}

// leave ends a poll; without another one the connection lapses.
func (l *longPoll) leave(mine chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == mine && !l.over {
		l.current = nil
		l.idle.Reset(l.h.o.DisconnectTimeout)
	}
}

// lapse ends a connection whose client polls no more.
func (l *longPoll) lapse() {
	l.mu.Lock()
	waiting := l.current != nil
	l.mu.Unlock()
	if !waiting {
		l.dispose(nil)
	}
}

// dispose ends the connection, once.
func (l *longPoll) dispose(err error) {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return
	}
	l.over = true
	l.idle.Stop()
	if l.current != nil {
		close(l.current)
		l.current = nil
	}
	l.mu.Unlock()
	l.end()
	l.receiver.Closed(err)
	l.h.release(l.c, true)
}

// send keeps the messages for the next poll.
func (l *longPoll) send(msgs [][]byte, _ bool) (ready bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.finish {
		return true // nowhere to go
	}
	for _, m := range msgs {
		l.out = append(l.out, m...)
	}
	l.owed = true
	l.signal()
	return false
}

func (l *longPoll) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// close lets the polls take what is left; the last one ends the connection.
func (l *longPoll) close(bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finish = true
	l.signal()
}

func (l *longPoll) abort() { go l.dispose(ErrAborted) }
