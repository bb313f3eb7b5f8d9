package transport

import (
	"errors"
	"net/http"
)

// refreshed is the answer to a new token.
type refreshed struct {
	Lifetime int `json:"tokenLifetimeSeconds"`
}

// refresh serves a POST on "/refresh": the connection's user shows a new token,
// which counts from then on (authentication refresh of ASP.NET Core 11). Unlike
// elsewhere the refusals have bodies, with codes that programs read.
func (h *Handler) refresh(w http.ResponseWriter, r *http.Request) {
	if h.elsewhere(w, r) || !h.admit(w, r) {
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST, OPTIONS")
		answer(w, http.StatusMethodNotAllowed, "")
		return
	}
	if !h.o.Refresh {
		writeJSON(w, http.StatusNotFound, negotiationError{"refresh_disabled"})
		return
	}
	text, _ := queryValue(r, "id")
	t, c := h.connOf(r)
	switch {
	case text == "":
		writeJSON(w, http.StatusBadRequest, negotiationError{"missing_connection_token"})
	case t.kind&public != 0: // who knows its id need not be its owner
		writeJSON(w, http.StatusBadRequest, negotiationError{"unsupported_negotiate_version"})
	case c == nil:
		writeJSON(w, http.StatusNotFound, negotiationError{"connection_not_found"})
	default:
		h.renew(w, r, c)
	}
}

// renew takes a new token for a connection.
func (h *Handler) renew(w http.ResponseWriter, r *http.Request, c *Conn) {
	var user any
	var err error
	if h.o.Authenticate != nil {
		user, err = h.o.Authenticate(r)
	}
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		h.refuse(w, refusal)
		return
	}
	if err != nil {
		h.refused.Add(1)
		writeJSON(w, http.StatusUnauthorized, negotiationError{"invalid_token"})
		return
	}
	if h.sameUser(r, user, c) != nil {
		h.refused.Add(1)
		writeJSON(w, http.StatusForbidden, negotiationError{"permission_change_rejected"})
		return
	}
	c.user.Store(&user)
	if upper, ok := c.link.upper().(Refresher); ok {
		upper.Refreshed()
	}
	writeJSON(w, http.StatusOK, refreshed{h.lifetime(user)})
}
