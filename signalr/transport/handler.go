package transport

import (
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a [Handler]. The zero value is a good server that lets
// everybody in.
type Options struct {
	// Authenticate says who sends a request; it is asked on negotiation and
	// on the request that makes a connection. Any error refuses: with the
	// status and headers of a [*Refusal], else with 401, and always with an
	// empty body, because released clients show the body to their users.
	// nil lets everybody in with a nil user.
	Authenticate func(*http.Request) (user any, err error)
	// AllowedOrigins are the origins whose pages may connect, such as
	// "https://desk.example.com"; the hub's own always may. Empty means any:
	// right where tokens, not cookies, say who somebody is.
	AllowedOrigins []string
	// Secret signs connection tokens; nodes that share it can adopt each
	// other's. Default: fresh random bytes.
	Secret []byte
	// ConnectTimeout is how long a negotiated token waits for its
	// connection. Default 15 s.
	ConnectTimeout time.Duration
	// SendTimeout is how long a client may take over the bytes of one Send,
	// once they do not fit into the system's buffers. Default 10 s.
	SendTimeout time.Duration
	// CloseTimeout is how long the client's answer to a WebSocket close is
	// waited for. Default 5 s.
	CloseTimeout time.Duration
	// Logger gets debug lines about refused requests; default none.
	Logger *slog.Logger
}

// A Refusal is an error of Options.Authenticate with a status of its own.
type Refusal struct {
	Status     int           // such as 403 or 503
	RetryAfter time.Duration // 0: the header is left out
}

func (r *Refusal) Error() string { return "refused with status " + strconv.Itoa(r.Status) }

// Stats is a snapshot of a handler's counters since its start.
type Stats struct {
	Negotiations uint64 // answered
	Refused      uint64 // by Authenticate or origin
	Connections  int    // open now
	Accepted     uint64 // connections made
}

// A Handler serves one hub's path and "/negotiate" below it. Mount it with
// [Mount]. Safe for concurrent use.
type Handler struct {
	accept func(*Conn) Receiver
	o      Options

	negotiations, refused, accepted atomic.Uint64

	running sync.WaitGroup // feeders and writers
	bufs    *buffers

	mu      sync.Mutex
	closing bool                  // nothing new comes in
	cutting bool                  // nothing stays
	conns   map[tokenID]*Conn     // open; link is nil while the upgrade is being answered
	spent   map[tokenID]time.Time // ended, until their tokens are too old anyway
	swept   time.Time             // when spent was last cleaned
}

// NewHandler makes a handler. accept is asked for the receiver of each new
// connection.
func NewHandler(accept func(*Conn) Receiver, o Options) *Handler {
	if o.Secret == nil {
		o.Secret = make([]byte, 32)
		rand.Read(o.Secret) // never fails (crypto/rand)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.ConnectTimeout = orDefault(o.ConnectTimeout, 15*time.Second)
	o.SendTimeout = orDefault(o.SendTimeout, 10*time.Second)
	o.CloseTimeout = orDefault(o.CloseTimeout, 5*time.Second)
	return &Handler{accept: accept, o: o, bufs: &buffers{}, conns: map[tokenID]*Conn{}, spent: map[tokenID]time.Time{}}
}

func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

// Mount puts a handler at path, with and without a slash at its end, ignoring
// case as ASP.NET Core's routing does, and gives everything else to next.
func Mount(path string, h *Handler, next http.Handler) http.Handler {
	path = strings.TrimSuffix(path, "/")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.URL.Path
		if len(p) < len(path) || !strings.EqualFold(p[:len(path)], path) {
			next.ServeHTTP(w, r)
			return
		}
		switch strings.ToLower(p[len(path):]) {
		case "", "/":
			h.serve(w, r, h.connect)
		case "/negotiate", "/negotiate/":
			h.serve(w, r, h.negotiate)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// serve does what is common to every request: origin, preflight, identity.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, act func(http.ResponseWriter, *http.Request, any)) {
	if !h.allowOrigin(w, r) {
		h.refused.Add(1)
		h.o.Logger.Debug("request refused", "reason", "origin")
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		preflight(w, r)
		return
	}
	var user any
	if h.o.Authenticate != nil {
		var err error
		if user, err = h.o.Authenticate(r); err != nil {
			h.refuse(w, err)
			return
		}
	}
	act(w, r, user)
}

func (h *Handler) refuse(w http.ResponseWriter, err error) {
	h.refused.Add(1)
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok {
		w.Header().Set("WWW-Authenticate", "Bearer")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if refusal.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((refusal.RetryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(refusal.Status)
}

// connect serves the hub's own path (TransportProtocols.md and the released
// server's dispatcher: POST sends, GET with text/event-stream is server-sent
// events, an upgrade is a WebSocket, any other GET polls, DELETE ends).
func (h *Handler) connect(w http.ResponseWriter, r *http.Request, user any) {
	token, _ := queryValue(r, "id")
	switch {
	case r.Method == http.MethodGet && isUpgrade(r):
		h.connectWebSocket(w, r, user, token)
	case r.Method == http.MethodGet:
		want := LongPolling
		if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
			want = ServerSentEvents
		}
		if _, ok := h.find(w, token); ok {
			answer(w, http.StatusNotFound, want.String()+" transport not supported by this end point type")
		}
	case r.Method == http.MethodPost:
		if _, ok := h.find(w, token); ok {
			answer(w, http.StatusMethodNotAllowed, "POST requests are not allowed for WebSocket connections.")
		}
	case r.Method == http.MethodDelete:
		if _, ok := h.find(w, token); ok {
			answer(w, http.StatusBadRequest, "Cannot terminate this connection using the DELETE endpoint.")
		}
	default:
		w.Header().Set("Allow", "GET, POST, DELETE, OPTIONS")
		answer(w, http.StatusMethodNotAllowed, "")
	}
}

// find looks a token up for a request that needs an existing connection, and
// answers the request itself when there is none.
func (h *Handler) find(w http.ResponseWriter, token string) (id tokenID, ok bool) {
	if token == "" {
		answer(w, http.StatusBadRequest, "Connection ID required")
		return id, false
	}
	id, age, ok := openToken(h.o.Secret, token, time.Now())
	if ok {
		h.mu.Lock()
		_, over := h.spent[id]
		ok = !over && (h.conns[id] != nil || age <= h.o.ConnectTimeout)
		h.mu.Unlock()
	}
	if !ok {
		answer(w, http.StatusNotFound, noConnection)
	}
	return id, ok
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
