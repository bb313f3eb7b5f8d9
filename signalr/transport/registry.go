package transport

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Which connections there are: a handler's part that outlives a request.

// enter lets a new connection in, or has answered its request.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request, c *Conn, negotiated bool) bool {
	if h.o.Enter != nil {
		leave, err := h.o.Enter(r, c.User(), negotiated)
		if refusal, ok := errors.AsType[*Refusal](err); ok {
			h.refuse(w, refusal)
			return false
		} else if err != nil {
			h.refuse(w, &Refusal{Status: http.StatusServiceUnavailable})
			return false
		}
		c.leave = leave
	}
	status, text := h.reserve(c)
	if status == 0 {
		return true
	}
	if c.leave != nil {
		c.leave()
	}
	answer(w, status, text)
	return false
}

// reserve enters a new connection under its token. Status is 0, or the answer
// to the request if the token is taken or the handler is closing.
func (h *Handler) reserve(c *Conn) (status int, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, over := h.spent[c.token]
	switch {
	case h.closing:
		return http.StatusServiceUnavailable, ""
	case h.conns[c.token] != nil:
		return http.StatusConflict, ""
	case over: // since find has looked
		return http.StatusNotFound, noConnection
	}
	h.conns[c.token] = c
	h.running.Add(1)
	return 0, ""
}

// join completes a reserved connection, whose link and receiver are known now:
// other requests find it. It reports whether Shutdown has lost its patience
// meanwhile.
func (h *Handler) join(c *Conn) (cut bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.joined = true
	return h.cutting
}

// replace puts a connection with its new socket in the place of the one before.
// It reports what join does.
func (h *Handler) replace(c *Conn) (cut bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.joined = true
	h.conns[c.token] = c
	return h.cutting
}

// tokenSlack is how much longer than ConnectTimeout a token may be taken for
// valid, because it says its second only.
const tokenSlack = time.Second

// release removes a connection. The token of one that was used stays known
// until it is too old, so that it cannot make a second one.
func (h *Handler) release(c *Conn, used bool) {
	now := time.Now()
	h.mu.Lock()
	delete(h.conns, c.token)
	if used {
		h.spent[c.token] = now
	}
	h.sweep(now)
	h.mu.Unlock()
	if c.leave != nil {
		c.leave()
	}
	h.running.Done()
}

// sweep forgets tokens that are too old anyway. The caller holds mu.
func (h *Handler) sweep(now time.Time) {
	keep := h.o.ConnectTimeout + tokenSlack
	if now.Sub(h.swept) <= keep {
		return
	}
	h.swept = now
	for _, tokens := range []map[tokenID]time.Time{h.spent, h.ceded} {
		for id, at := range tokens {
			if now.Sub(at) > keep {
				delete(tokens, id)
			}
		}
	}
}

// Stats is a snapshot of the counters.
func (h *Handler) Stats() Stats {
	h.mu.Lock()
	open := len(h.conns)
	h.mu.Unlock()
	return Stats{Negotiations: h.negotiations.Load(), Refused: h.refused.Load(), Connections: open, Accepted: h.accepted.Load()}
}

// Shutdown refuses new connections and waits until the open ones have ended;
// the receivers are expected to close them. When ctx ends first, what is
// still open is aborted.
func (h *Handler) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	h.closing = true
	h.mu.Unlock()
	done := make(chan struct{})
	go func() {
		h.running.Wait()
		h.pollers.close()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	h.mu.Lock()
	h.cutting = true
	left := len(h.conns)
	for _, c := range h.conns {
		if c.joined {
			c.Abort()
		}
	}
	h.mu.Unlock()
	<-done
	if left == 0 {
		return nil
	}
	return errors.New("transport: " + strconv.Itoa(left) + " connections had to be cut")
}
