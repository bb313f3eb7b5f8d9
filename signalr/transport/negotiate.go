package transport

import (
	"encoding/json"
	"net/http"
	"strconv"
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
}

type negotiationError struct {
	Error string `json:"error"`
}

type availableTransport struct {
	Transport string   `json:"transport"`
	Formats   []string `json:"transferFormats"`
}

// negotiate gives out a connection token. It keeps nothing.
func (h *Handler) negotiate(w http.ResponseWriter, r *http.Request, _ any, _ *Conn) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST, OPTIONS")
		answer(w, http.StatusMethodNotAllowed, "")
		return
	}
	h.negotiations.Add(1)
	version, failure := negotiateVersion(r)
	if failure != "" {
		writeJSON(w, negotiationError{failure})
		return
	}
	id := newTokenID()
	token := signToken(h.o.Secret, id, time.Now())
	n := negotiation{
		Version:    version,
		ID:         id.public(),
		Token:      token,
		Transports: h.available(),
	}
	if version == 0 { // these clients know only the id, and connect with it
		n.ID, n.Token = token, ""
	}
	writeJSON(w, n)
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

func writeJSON(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Header().Set("Cache-Control", "no-store")
	w.Write(b) //nolint:errcheck // the client has gone; there is nobody to tell
}
