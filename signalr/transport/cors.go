package transport

import (
	"net/http"
	"slices"
	"strings"
)

// preflightAge is how long a browser may remember a preflight's answer, in
// seconds. Chromium caps it at two hours.
const preflightAge = "7200"

// allowOrigin sets the headers that let a page of another origin read the
// answer. Released clients send credentials by default, so the origin is
// echoed, never "*". It reports whether the origin may talk to this hub;
// requests without one, which no browser page makes across origins, may.
func (h *Handler) allowOrigin(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	header := w.Header()
	header.Add("Vary", "Origin")
	if len(h.o.AllowedOrigins) > 0 && !sameOrigin(r, origin) &&
		!slices.ContainsFunc(h.o.AllowedOrigins, func(o string) bool { return strings.EqualFold(o, origin) || o == "*" }) {
		return false
	}
	header.Set("Access-Control-Allow-Origin", origin)
	header.Set("Access-Control-Allow-Credentials", "true")
	return true
}

// sameOrigin tells whether a page of this very server asks: it needs no
// permission.
func sameOrigin(r *http.Request, origin string) bool {
	_, host, ok := strings.Cut(origin, "://")
	return ok && strings.EqualFold(host, r.Host)
}

// preflight answers a browser's question whether a request may be made.
func preflight(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS")
	header.Set("Access-Control-Allow-Headers", "authorization, content-type, x-requested-with, x-signalr-user-agent")
	header.Set("Access-Control-Max-Age", preflightAge)
	w.WriteHeader(http.StatusNoContent)
}
