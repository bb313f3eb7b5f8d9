package transport

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxNegotiateVersion is the newest version of negotiation; newer ones that a
// client asks for are answered with it.
const maxNegotiateVersion = 1

// negotiation is the answer to a POST on /negotiate. A member that is not
// there must not be written: "ProtocolVersion", for one, would make clients
// believe in an old ASP.NET server.
type negotiation struct {
	Version    int                  `json:"negotiateVersion"`
	ID         string               `json:"connectionId"`
	Token      string               `json:"connectionToken,omitempty"`
	Transports []availableTransport `json:"availableTransports"`
	Stateful   bool                 `json:"useStatefulReconnect,omitempty"`
	Lifetime   int                  `json:"tokenLifetimeSeconds,omitempty"`
}

type negotiationError struct {
	Error string `json:"error"`
}

// redirection is the answer that sends a client elsewhere.
type redirection struct {
	Version     int    `json:"negotiateVersion"`
	URL         string `json:"url"`
	AccessToken string `json:"accessToken,omitempty"`
}

type availableTransport struct {
	Transport string   `json:"transport"`
	Formats   []string `json:"transferFormats"`
}

// negotiate gives out a connection token. It keeps nothing.
func (h *Handler) negotiate(w http.ResponseWriter, r *http.Request, user any, _ *Conn) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST, OPTIONS")
		answer(w, http.StatusMethodNotAllowed, "")
		return
	}
	h.negotiations.Add(1)
	version, failure := negotiateVersion(r)
	if failure != "" {
		writeJSON(w, http.StatusOK, negotiationError{failure})
		return
	}
	if h.o.Place != nil && h.place(w, r, user, version) {
		return
	}
	n := negotiation{Version: version, Transports: h.available(), Stateful: h.o.StatefulReconnect && asksStateful(r)}
	var kind tokenKind
	if n.Stateful {
		kind |= stateful
	}
	if version == 0 {
		kind |= public
	}
	id := newTokenID()
	n.ID, n.Token = id.public(), signToken(h.o.Secret, id, kind, time.Now())
	if version == 0 { // these clients know only the id, and connect with it
		n.ID, n.Token = n.Token, ""
	} else if h.o.Refresh {
		n.Lifetime = h.lifetime(user)
	}
	writeJSON(w, http.StatusOK, n)
}

// place asks the application where a client belongs. It reports whether that
// has answered the request.
func (h *Handler) place(w http.ResponseWriter, r *http.Request, user any, version int) bool {
	to, err := h.o.Place(r, user)
	refusal, refused := errors.AsType[*Refusal](err)
	switch {
	case refused:
		h.refuse(w, refusal)
	case err != nil:
		writeJSON(w, http.StatusOK, negotiationError{err.Error()})
	case to.URL != "":
		writeJSON(w, http.StatusOK, redirection{version, to.URL, to.AccessToken})
	default:
		return false
	}
	return true
}

// asksStateful tells whether a client wants stateful reconnect.
func asksStateful(r *http.Request) bool {
	text, _ := queryValue(r, "useStatefulReconnect")
	return strings.EqualFold(text, "true")
}

// lifetime is for how long a token still holds, in whole seconds; 0 is not
// known.
func (h *Handler) lifetime(user any) int {
	if h.o.Lifetime == nil {
		return 0
	}
	return max(0, int(h.o.Lifetime(user)/time.Second))
}

// available lists the transports offered, the preferred ones first.
func (h *Handler) available() []availableTransport {
	list := []availableTransport{}
	for _, t := range [...]Transport{WebSockets, ServerSentEvents, LongPolling} {
		formats := []string{"Text", "Binary"}
		if t == ServerSentEvents {
			formats = formats[:1]
		}
		if h.o.Transports&t != 0 {
			list = append(list, availableTransport{t.String(), formats})
		}
	}
	return list
}

// negotiateVersion reads the version asked for; no version means 0.
func negotiateVersion(r *http.Request) (version int, failure string) {
	text, ok := queryValue(r, "negotiateVersion")
	if !ok {
		return 0, ""
	}
	version, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return 0, "The client requested a non-integer protocol version."
	case version < 0:
		return 0, "The client requested version '" + strconv.Itoa(version) + "', but the server does not support this version."
	}
	return min(version, maxNegotiateVersion), ""
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(b) //nolint:errcheck // the client has gone; there is nobody to tell
}
