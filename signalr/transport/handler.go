package transport

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
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
	// Confirm says whether a later request of a connection, a poll or a POST,
	// comes from the connection's user; the answer to any error is as with
	// Authenticate. nil asks Authenticate, and wants an equal user. An
	// application may let a token pass here that has expired meanwhile.
	Confirm func(r *http.Request, user any) error
	// Transports are those offered; 0 means all.
	Transports Transport
	// AllowedOrigins are the origins whose pages may connect, such as
	// "https://desk.example.com", or with every name below a domain,
	// "https://*.example.com"; see [CheckOrigin]. The hub's own always may.
	// Empty means any: right where tokens, not cookies, say who somebody is.
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
	// DisconnectTimeout is how long a long-polling client may not poll, and
	// how long a resumable connection may be without a socket. Default 15 s.
	DisconnectTimeout time.Duration
	// PollTimeout is how long a poll waits for something to send. Default
	// 90 s; clients give up after 100 s.
	PollTimeout time.Duration
	// StatefulReconnect grants it to clients that ask for it: over WebSockets
	// their connections outlive a lost socket. All receivers must be
	// [Resumer]s then.
	StatefulReconnect bool
	// Place may send a client that negotiates elsewhere, or refuse it. The
	// zero Redirect keeps it here. The text of an error is told to the client,
	// in an answer with status 200, unless it is a [*Refusal]. Default: all
	// stay.
	Place func(r *http.Request, user any) (Redirect, error)
	// Enter may refuse a new connection: with the status of a [*Refusal], else
	// with 503, and an empty body. negotiated says that its client has
	// negotiated before, and so has been let in by Place already. leave, if
	// not nil, is called once when the connection has ended, or has not come
	// to be after all; it must not block. A socket with which a client comes
	// back (stateful reconnect) is no new connection. Default: all may enter.
	Enter func(r *http.Request, user any, negotiated bool) (leave func(), err error)
	// Refresh lets clients show a new token for an open connection, by POST
	// on "/refresh" below the hub's path. Set Confirm with it: without, only
	// an equal user is taken for the same.
	Refresh bool
	// Lifetime is for how long the token still holds that Authenticate made
	// user of; clients are told with Refresh. 0 is not told. Default 0.
	Lifetime func(user any) time.Duration
	// Elsewhere is asked about a request of a connection that this handler does
	// not have, but whose token it takes for good: another server that shares
	// Secret may have it ([Handler.Has], [Handler.Cede]). It hands the request to that server,
	// answers with what that says and returns true; false means that nobody
	// has the connection. It is asked before anything has been answered, and
	// not about a WebSocket's first request, unless its connection may come
	// back. nil: there are no other servers.
	Elsewhere func(w http.ResponseWriter, r *http.Request, id string) (answered bool)
	// Logger gets debug lines about refused requests; default none.
	Logger *slog.Logger
}

// A Redirect is another hub that a client shall negotiate with.
type Redirect struct {
	URL string // of the hub, without "/negotiate"; "": none
	// AccessToken takes the place of the client's own token from then on;
	// "" leaves that.
	AccessToken string
}

// A Refusal is an error of Options.Authenticate, Confirm, Place or Enter with a
// status of its own.
type Refusal struct {
	Status     int           // such as 403 or 503
	RetryAfter time.Duration // 0: the header is left out
}

func (r *Refusal) Error() string { return "refused with status " + strconv.Itoa(r.Status) }

// Stats is a snapshot of a handler's counters since its start.
type Stats struct {
	Negotiations uint64 // answered
	Refused      uint64 // by Authenticate, Place, Enter or origin
	Connections  int    // open now
	Accepted     uint64 // connections made
}

// A Handler serves one hub's path, and "/negotiate" and "/refresh" below it.
// Mount it with [Mount]. Safe for concurrent use.
type Handler struct {
	accept func(*Conn) Receiver
	o      Options

	negotiations, refused, accepted atomic.Uint64

	running sync.WaitGroup // feeders and writers
	bufs    *buffers
	pollers pollers

	mu      sync.Mutex
	closing bool                  // nothing new comes in
	cutting bool                  // nothing stays
	conns   map[tokenID]*Conn     // open, or being made: Conn.joined
	spent   map[tokenID]time.Time // ended, until their tokens are too old anyway
	ceded   map[tokenID]time.Time // other servers make these, until likewise
	swept   time.Time             // when both were last cleaned
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
	o.DisconnectTimeout = orDefault(o.DisconnectTimeout, 15*time.Second)
	o.PollTimeout = orDefault(o.PollTimeout, 90*time.Second)
	if o.Transports == 0 {
		o.Transports = WebSockets | ServerSentEvents | LongPolling
	}
	return &Handler{accept: accept, o: o, bufs: &buffers{}, conns: map[tokenID]*Conn{}, spent: map[tokenID]time.Time{}, ceded: map[tokenID]time.Time{}}
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
		case "/refresh", "/refresh/":
			h.refresh(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// serve does what is common to every request: origin, preflight, identity. A
// request of an open connection is its user's business; c is that connection.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, act func(w http.ResponseWriter, r *http.Request, user any, c *Conn)) {
	if h.elsewhere(w, r) || !h.admit(w, r) {
		return
	}
	_, c := h.connOf(r)
	user, err := h.identify(r, c)
	if err != nil {
		h.refuse(w, err)
		return
	}
	act(w, r, user, c)
}

// admit looks at the origin and answers preflights. It reports whether the
// request is still to be answered.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request) bool {
	if !AllowOrigin(w, r, h.o.AllowedOrigins) {
		h.refused.Add(1)
		h.o.Logger.Debug("request refused", "reason", "origin")
		w.WriteHeader(http.StatusForbidden)
		return false
	}
	if IsPreflight(r) {
		AnswerPreflight(w, "GET, POST, DELETE, OPTIONS", "authorization, content-type, x-requested-with, x-signalr-user-agent")
		return false
	}
	return true
}

// connOf is the open connection that a request names, or nil, and its token.
func (h *Handler) connOf(r *http.Request) (connToken, *Conn) {
	text, _ := queryValue(r, "id")
	t, ok := openToken(h.o.Secret, text, time.Now())
	if !ok {
		return t, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.conns[t.id]
	if c == nil || !c.joined { // its own request is still being answered
		return t, nil
	}
	return t, c
}

// identify says who sends a request; an error refuses it. What belongs to a
// connection must come from the connection's user. Who comes back with a new
// socket must have what a new connection needs, too.
func (h *Handler) identify(r *http.Request, c *Conn) (user any, err error) {
	returns := c != nil && c.outlives != nil && isUpgrade(r)
	if c != nil && h.o.Confirm != nil && !returns {
		return c.User(), h.o.Confirm(r, c.User())
	}
	if h.o.Authenticate == nil {
		return nil, nil
	}
	user, err = h.o.Authenticate(r)
	if err == nil && c != nil {
		err = h.sameUser(r, user, c)
	}
	if err != nil {
		return nil, err
	}
	return user, nil
}

// sameUser sees whether a request that was let in as user comes from the
// connection's user.
func (h *Handler) sameUser(r *http.Request, user any, c *Conn) error {
	switch {
	case h.o.Confirm != nil:
		return h.o.Confirm(r, c.User())
	case !reflect.DeepEqual(c.User(), user): // == may panic
		return &Refusal{Status: http.StatusForbidden}
	}
	return nil
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
