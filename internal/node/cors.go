package node

import (
	"fmt"
	"net/http"

	"rte/signalr/transport"
)

// Which pages of other origins may use the public HTTP API. The hub keeps to
// the same rule, in signalr/transport.

// checkOrigins finds origins that no page can have.
func (c *Config) checkOrigins() error {
	for _, o := range c.AllowedOrigins {
		if err := transport.CheckOrigin(o); err != nil {
			return fmt.Errorf("--allowed-origins: %w", err)
		}
	}
	return nil
}

// A sharing is what pages of other origins may do at a path.
type sharing struct {
	path    string
	method  string // GET means HEAD, too
	rest    bool   // the handler answers other methods itself
	headers string // that their requests may have, beside authorization; a list with commas
	expose  string // headers of the answer that they may read, beside those of refusals; likewise
	open    bool   // pages of any origin, not of --allowed-origins alone: there is nothing to protect
}

// share serves a path to pages of other origins, too, and answers browsers that
// ask before they send a request (CORS protocol of the Fetch standard). Those
// questions carry no token.
func (n *Node) share(mux *http.ServeMux, s sharing, h http.HandlerFunc) {
	methods, headers, expose := s.method, "authorization", "Retry-After, WWW-Authenticate"
	if s.method == http.MethodGet {
		methods += ", HEAD"
	}
	if s.headers != "" {
		headers += ", " + s.headers
	}
	if s.open {
		headers = "*, " + headers // authorization is never part of *
	}
	if s.expose != "" {
		expose += ", " + s.expose
	}
	mux.HandleFunc("OPTIONS "+s.path, func(w http.ResponseWriter, r *http.Request) {
		if n.allowPage(w, r, s.open) {
			transport.AnswerPreflight(w, methods+", OPTIONS", headers)
		}
	})
	pattern := s.method + " " + s.path
	if s.rest {
		pattern = s.path
	}
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if n.allowPage(w, r, s.open) {
			w.Header().Set("Access-Control-Expose-Headers", expose)
			h(w, r)
		}
	})
}

// allowPage lets a page of another origin read the answer, or has refused the
// request.
func (n *Node) allowPage(w http.ResponseWriter, r *http.Request, open bool) bool {
	if open {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		return true
	}
	if transport.AllowOrigin(w, r, n.cfg.AllowedOrigins) {
		return true
	}
	n.log.Debug("request refused", "path", r.URL.Path, "reason", "origin")
	w.WriteHeader(http.StatusForbidden)
	return false
}
