package transport

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// connect serves the hub's own path (TransportProtocols.md and the released
// server's dispatcher: POST sends, GET with text/event-stream is server-sent
// events, an upgrade is a WebSocket, any other GET polls, DELETE ends).
func (h *Handler) connect(w http.ResponseWriter, r *http.Request, user any, c *Conn) {
	token, _ := queryValue(r, "id")
	switch {
	case r.Method == http.MethodGet && isUpgrade(r):
		t, ok := connToken{id: newTokenID()}, true // without an id it is a client that skipped negotiation
		if token != "" {
			t, ok = h.find(w, token, c)
		}
		switch {
		case !ok || !h.offers(w, WebSockets, c):
		case c != nil:
			h.resumeWebSocket(w, r, user, c)
		default:
			h.connectWebSocket(w, r, user, t)
		}
	case r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/event-stream"):
		if t, ok := h.find(w, token, c); ok && h.offers(w, ServerSentEvents, c) {
			h.connectEventStream(w, r, user, t.id)
		}
	case r.Method == http.MethodGet:
		t, ok := h.find(w, token, c)
		if !ok || !h.offers(w, LongPolling, c) {
			return
		}
		if c != nil {
			c.link.(*longPoll).poll(w, r)
			return
		}
		h.connectLongPoll(w, r, user, t.id)
	case r.Method == http.MethodPost:
		if _, ok := h.find(w, token, c); ok {
			h.post(w, r, c)
		}
	case r.Method == http.MethodDelete:
		if _, ok := h.find(w, token, c); ok {
			h.terminate(w, c)
		}
	default:
		w.Header().Set("Allow", "GET, POST, DELETE, OPTIONS")
		answer(w, http.StatusMethodNotAllowed, "")
	}
}

// offers answers a request for a transport that cannot be had: because it is
// not offered, or because the connection has another.
func (h *Handler) offers(w http.ResponseWriter, t Transport, c *Conn) bool {
	switch {
	case h.o.Transports&t == 0:
		answer(w, http.StatusNotFound, t.String()+" transport not supported by this end point type")
	case c != nil && c.transport != t:
		answer(w, http.StatusBadRequest, "Cannot change transports mid-connection")
	default:
		return true
	}
	return false
}

// post serves a POST: bytes from the client.
func (h *Handler) post(w http.ResponseWriter, r *http.Request, c *Conn) {
	if c == nil { // negotiated, but there is no transport yet
		answer(w, http.StatusNotFound, noConnection)
		return
	}
	switch l := c.link.(type) {
	case *eventStream:
		h.receive(w, r, &l.inbound)
	case *longPoll:
		h.receive(w, r, &l.inbound)
	default:
		answer(w, http.StatusMethodNotAllowed, "POST requests are not allowed for WebSocket connections.")
	}
}

// terminate serves a DELETE: a long-polling client's goodbye.
func (h *Handler) terminate(w http.ResponseWriter, c *Conn) {
	if c == nil {
		answer(w, http.StatusNotFound, noConnection)
		return
	}
	l, ok := c.link.(*longPoll)
	if !ok {
		answer(w, http.StatusBadRequest, "Cannot terminate this connection using the DELETE endpoint.")
		return
	}
	answer(w, http.StatusAccepted, "")
	l.dispose(nil)
}

// find looks a token up for a request that needs an existing connection, and
// answers the request itself when there is none. Where serve has found the
// connection already, the token has been checked.
func (h *Handler) find(w http.ResponseWriter, token string, c *Conn) (t connToken, ok bool) {
	if c != nil {
		return connToken{id: c.token}, true
	}
	if token == "" {
		answer(w, http.StatusBadRequest, "Connection ID required")
		return t, false
	}
	t, ok = openToken(h.o.Secret, token, time.Now())
	if ok {
		h.mu.Lock()
		_, over := h.spent[t.id]
		_, ceded := h.ceded[t.id]
		ok = !over && !ceded && (h.conns[t.id] != nil || t.age <= h.o.ConnectTimeout)
		h.mu.Unlock()
	}
	if !ok {
		answer(w, http.StatusNotFound, noConnection)
	}
	return t, ok
}

// noConnection is the released server's answer to a token it does not know.
const noConnection = "No Connection with that ID"

// answer writes a plain text with the released server's wording.
func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	io.WriteString(w, text) //nolint:errcheck // the client has gone; there is nobody to tell
}
