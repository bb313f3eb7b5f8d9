package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"rte/internal/auth"
	"rte/internal/bus"
	"rte/internal/event"
	"rte/internal/registry"
)

// Options of a [Handler]. All but Logger are required.
type Options struct {
	// Registry keeps what is said.
	Registry *registry.Registry
	// Bus reaches the other nodes.
	Bus *bus.Bus
	// Node is this node's name in answers.
	Node string
	// Connections are this node's, by id; Close ends one and reports whether
	// it was there.
	Connections func(Filter) []Connection
	Close       func(id string) bool
	// Verify says whose a token is.
	Verify func(ctx context.Context, token string) (*auth.Principal, error)
	// Open lets everybody in: right on loopback alone.
	Open bool
	// Logger gets a line for every act, and for who was refused; nil means
	// none.
	Logger *slog.Logger
}

// A Handler serves /admin/v1/. Safe for concurrent use.
type Handler struct {
	o        Options
	mux      *http.ServeMux
	looks    *bus.Ask[Filter, look]
	closings *bus.Ask[string, bool]
	stops    []func()

	mu      sync.Mutex
	acts    map[string]uint64
	refused uint64
}

// Path is where a handler is to be mounted.
const Path = "/admin/v1/"

// New makes a handler that also answers the other nodes, until Stop.
func New(o Options) (*Handler, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Handler{o: o, mux: http.NewServeMux(), acts: map[string]uint64{}}
	h.looks = bus.NewAsk[Filter, look](o.Bus, "connections")
	h.closings = bus.NewAsk[string, bool](o.Bus, "close")
	stop, err := h.looks.Answer(h.lookHere)
	if err != nil {
		return nil, err
	}
	h.stops = append(h.stops, stop)
	if stop, err = h.closings.Answer(o.Close); err != nil {
		h.Stop()
		return nil, err
	}
	h.stops = append(h.stops, stop)
	for _, route := range []struct {
		pattern, act string
		serve        func(*request) (any, error)
	}{
		{"GET " + Path + "connections", "list connections", h.listConnections},
		{"DELETE " + Path + "connections/{id}", "end connection", h.endConnection},
		{"POST " + Path + "revocations", "revoke", h.revoke},
		{"POST " + Path + "rights", "set rights", h.setRights},
		{"POST " + Path + "lists", "set list", h.setList},
		{"POST " + Path + "directory", "set directory", h.setDirectory},
	} {
		h.acts[route.act] = 0
		h.mux.HandleFunc(route.pattern, func(w http.ResponseWriter, r *http.Request) { h.act(w, r, route.act, route.serve) })
	}
	return h, nil
}

// Stop ends answering the other nodes.
func (h *Handler) Stop() {
	for _, stop := range h.stops {
		stop()
	}
	h.stops = nil
}

// Stats is a snapshot of a handler's counters.
type Stats struct {
	Acts    map[string]uint64 // acts that went well; every act has an entry
	Refused uint64            // requests of nobody who may
}

// Stats is a snapshot.
func (h *Handler) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Stats{Acts: map[string]uint64{}, Refused: h.refused}
	for act, n := range h.acts {
		s.Acts[act] = n
	}
	return s
}

// ServeHTTP serves operators.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.Guard(h.mux).ServeHTTP(w, r) }

// A request is one act of an operator.
type request struct {
	*http.Request
	w     http.ResponseWriter
	about []any // ids for the log: what it is about
}

// logAbout adds an id to the log's line, where there is one.
func (r *request) logAbout(name string, id event.GUID) {
	if !id.IsZero() {
		r.about = append(r.about, name, id)
	}
}

// act serves one act, answers and logs it.
func (h *Handler) act(w http.ResponseWriter, r *http.Request, act string, serve func(*request) (any, error)) {
	q := &request{Request: r, w: w}
	answer, err := serve(q)
	line := append([]any{"act", act, "by", by(r)}, q.about...)
	if err != nil {
		status := statusOf(err)
		if line = append(line, "status", status); status >= http.StatusInternalServerError {
			line = append(line, "err", err) // else it is about what was sent
		}
		h.o.Logger.Warn("admin act failed", line...)
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "2")
		}
		fail(w, status, err.Error())
		return
	}
	h.mu.Lock()
	h.acts[act]++
	h.mu.Unlock()
	h.o.Logger.Info("admin act", line...)
	say(w, http.StatusOK, answer)
}

// A problem is a request that cannot be served as it is.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

// bad is a problem with what was sent.
func bad(text string) error { return &problem{http.StatusBadRequest, text} }

func statusOf(err error) int {
	if p, ok := errors.AsType[*problem](err); ok {
		return p.status
	}
	switch {
	case errors.Is(err, registry.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, event.ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// operator is the key of who asks in a request's context.
type operator struct{}

// by is who asks, as the log has it.
func by(r *http.Request) string {
	who, _ := r.Context().Value(operator{}).(string)
	return who
}

// Guard lets operators pass to next and answers all others.
func (h *Handler) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := h.who(r)
		if err != nil {
			h.turnAway(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), operator{}, who)))
	})
}

var errNobody = errors.New("this needs a token of the role admin in the header Authorization: Bearer, or a client certificate of --admin-client-ca")

// who says who asks.
func (h *Handler) who(r *http.Request) (string, error) {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return "certificate " + strconv.Quote(r.TLS.PeerCertificates[0].Subject.CommonName), nil
	}
	if h.o.Open {
		return "loopback", nil
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", errNobody
	}
	p, err := h.o.Verify(r.Context(), strings.TrimSpace(token))
	switch {
	case err != nil:
		return "", err
	case p.Role != auth.Admin:
		return "", &problem{http.StatusForbidden, "this needs the role admin; the token has the role " + p.Role.String() + ", or its key may give no other"}
	case p.Subject != "":
		return "token of " + strconv.Quote(p.Subject), nil
	}
	return "token of " + p.User.String(), nil
}

// turnAway answers a request that is no operator's.
func (h *Handler) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	h.mu.Lock()
	h.refused++
	h.mu.Unlock()
	status, text := http.StatusUnauthorized, errNobody.Error()
	if p, ok := errors.AsType[*problem](err); ok {
		status, text = p.status, p.text
	}
	if u, ok := errors.AsType[*auth.Unavailable](err); ok {
		status, text = http.StatusServiceUnavailable, "nobody can say now whether the token is good; try again"
		w.Header().Set("Retry-After", strconv.Itoa(int((u.RetryAfter+time.Second-1)/time.Second)))
	}
	if reason, ok := auth.Refused(err); ok {
		text = "the token is refused: " + reason.String()
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	_, path := h.mux.Handler(r) // its pattern: what was written there may be anything
	h.o.Logger.Warn("admin request refused", "remote", r.RemoteAddr, "path", path, "status", status, "err", err)
	fail(w, status, text)
}
