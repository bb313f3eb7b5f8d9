package transport

import (
	"errors"
	"net/http"
	"os"
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
	begun   bool          // the receiver is known, and may be told of the end
	cause   error         // why it shall end as soon as it has begun
	current chan struct{} // of the poll that waits, or writes: a token says that something has changed
	idle    *time.Timer   // ends the connection when no poll comes
	since   time.Time     // when the last poll left

	writing *http.ResponseController // of the poll that is being answered with data
}

// connectLongPoll makes a connection of the first GET, which is answered at
// once: the client sends its handshake only then.
func (h *Handler) connectLongPoll(w http.ResponseWriter, r *http.Request, user any, id tokenID) {
	c := newConn(r, user, id, LongPolling)
	if !h.enter(w, r, c, true) {
		return
	}
	h.accepted.Add(1)
	l := &longPoll{inbound: newInbound(), h: h, c: c}
	c.link = l
	l.start(h.accept(c))
	if h.join(c) {
		l.abort()
	}
	pollHeaders(w)
	answer(w, http.StatusOK, "")
}

// start begins the connection's life; the receiver may have ended it already.
func (l *longPoll) start(receiver Receiver) {
	l.mu.Lock()
	l.receiver = receiver
	l.begun, l.since = true, time.Now()
	l.idle = time.AfterFunc(l.h.o.DisconnectTimeout, l.lapse)
	cause := l.cause
	l.mu.Unlock()
	if cause != nil {
		l.dispose(cause)
	}
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
	control := http.NewResponseController(w)
	for {
		out, last, superseded := l.take(mine, r, control)
		switch {
		case superseded:
			w.WriteHeader(http.StatusNoContent)
			return
		case len(out) > 0:
			l.deliver(w, control, mine, out)
			return
		case last:
			w.WriteHeader(http.StatusNoContent)
			l.dispose(nil)
			return
		}
		select {
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
	l.signal()
	l.idle.Stop()
	l.current = make(chan struct{}, 1)
	return l.current, true
}

// take is what the current poll has to answer. A poll that is not current any
// more gets nothing, so that nothing is lost with it; one that came while
// another was being answered waits for its turn.
func (l *longPoll) take(mine chan struct{}, r *http.Request, control *http.ResponseController) (out []byte, last, superseded bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.current != mine || l.over:
		return nil, false, true
	case l.writing != nil, r.Context().Err() != nil:
		return nil, false, false
	case len(l.out) > 0:
		out, l.out = l.out, nil
		l.writing = control
		control.SetWriteDeadline(time.Now().Add(l.h.o.SendTimeout)) //nolint:errcheck // the write tells
	}
	return out, l.finish, false
}

// deliver answers a poll with data. When it cannot be written the connection
// ends: the client would be behind and not know it.
func (l *longPoll) deliver(w http.ResponseWriter, control *http.ResponseController, mine chan struct{}, out []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Length", strconv.Itoa(len(out)))
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(out)
	if err == nil {
		err = control.Flush()
	}
	if err != nil { // the client lacks what it should have got
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = ErrSendTimeout
		}
		l.dispose(err)
		return
	}
	l.leave(mine)
	l.mu.Lock()
	control.SetWriteDeadline(time.Time{}) //nolint:errcheck // the next request is another matter
	l.writing = nil
	l.signal() // who came meanwhile
	owed := l.owed
	l.owed = false
	l.mu.Unlock()
	if owed {
		l.writable()
	}
}

// leave ends a poll; without another one the connection lapses.
func (l *longPoll) leave(mine chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == mine && !l.over {
		l.current, l.since = nil, time.Now()
		l.idle.Reset(l.h.o.DisconnectTimeout)
	}
}

// lapse ends a connection whose client polls no more. A poll may have come,
// and even gone, since the timer fired.
func (l *longPoll) lapse() {
	l.mu.Lock()
	polls := l.current != nil || time.Since(l.since) < l.h.o.DisconnectTimeout
	l.mu.Unlock()
	if !polls {
		l.dispose(nil)
	}
}

// dispose ends the connection, once. With an error it does not let a poll
// write on.
func (l *longPoll) dispose(err error) {
	l.mu.Lock()
	if !l.begun {
		l.cause = err
	}
	if l.over || !l.begun {
		l.mu.Unlock()
		return
	}
	l.over = true
	l.out = nil
	l.idle.Stop()
	l.signal()
	if l.writing != nil && err != nil {
		l.writing.SetWriteDeadline(time.Now()) //nolint:errcheck // then it lasts for SendTimeout
	}
	l.mu.Unlock()
	l.end(err)
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

// signal wakes the current poll. The caller holds mu.
func (l *longPoll) signal() {
	select {
	case l.current <- struct{}{}:
	default: // there is none, or it has its token
	}
}

// close lets the polls take what is left; the last one ends the connection.
func (l *longPoll) close(bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finish = true
	l.signal()
}

// abort does not wait for what the receiver is being told: it may be the
// receiver who asks.
func (l *longPoll) abort() { go l.dispose(ErrAborted) }
