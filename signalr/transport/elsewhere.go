package transport

import (
	"encoding/base64"
	"net/http"
	"time"
)

// elsewhere lets another server answer a request of a connection that is not
// here. It reports whether one has.
func (h *Handler) elsewhere(w http.ResponseWriter, r *http.Request) bool {
	if h.o.Elsewhere == nil || r.Method == http.MethodOptions {
		return false
	}
	text, _ := queryValue(r, "id")
	t, ok := openToken(h.o.Secret, text, time.Now())
	if !ok || h.knows(t.id) {
		return false
	}
	if isUpgrade(r) && t.kind&stateful == 0 {
		return false // a WebSocket that does not come back
	}
	return h.o.Elsewhere(w, r, t.id.public())
}

// Has tells whether a connection is here, or was here and its token could
// still be taken for that of a new one. id is its public id ([Conn.ID]).
func (h *Handler) Has(id string) bool {
	t, ok := parseID(id)
	return ok && h.knows(t)
}

// Cede is Has for another server that asks, because it makes the connection if
// nobody has it. So from then on its token makes none here: when that server
// goes, the client's next poll is told so, and not taken for a first one.
func (h *Handler) Cede(id string) (has bool) {
	t, ok := parseID(id)
	if !ok {
		return false
	}
	if h.knows(t) {
		return true
	}
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ceded[t] = now
	h.sweep(now)
	return false
}

// parseID reads a public id.
func parseID(id string) (t tokenID, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(id)
	if err != nil || len(b) != len(t) {
		return t, false
	}
	copy(t[:], b)
	return t, true
}

func (h *Handler) knows(id tokenID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, over := h.spent[id]
	return over || h.conns[id] != nil
}
