package ops

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options of a [Handler].
type Options struct {
	// Ready says why the node is not ready, "" when it is.
	Ready func() string
	// Figures hands over the node's figures at the moment of asking.
	Figures func(add func(Figure))
	// Hosts are names, beside addresses and localhost, by which requests may
	// call this machine.
	Hosts []string
	// Logger gets requests that were refused; default none.
	Logger *slog.Logger
}

// A Handler serves the admin listener. It answers only requests that name it
// by an address or a name of its own, and none of a page of another origin: a
// browser on the same machine must not be led here.
type Handler struct {
	mux      *http.ServeMux
	registry *prometheus.Registry
	o        Options
}

// New makes the admin handler.
func New(o Options) *Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Handler{mux: http.NewServeMux(), registry: newRegistry(o.Figures), o: o}
	h.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	h.mux.HandleFunc("GET /readyz", h.readyz)
	h.mux.Handle("GET /metrics", promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{}))
	return h
}

// Handle serves more at a path; call it before the handler serves.
func (h *Handler) Handle(path string, next http.Handler) { h.mux.Handle(path, next) }

// ProfilesPath is where Profiles is to be handled.
const ProfilesPath = "/debug/pprof/"

// Profiles serves the process's profiles.
func Profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// Histogram makes a histogram of seconds and returns what observes it.
func (h *Handler) Histogram(name, help string, buckets []float64) (observe func(seconds float64)) {
	m := prometheus.NewHistogram(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets})
	h.registry.MustRegister(m)
	return m.Observe
}

func (h *Handler) readyz(w http.ResponseWriter, _ *http.Request) {
	if h.o.Ready != nil {
		if why := h.o.Ready(); why != "" {
			say(w, http.StatusServiceUnavailable, why)
			return
		}
	}
	say(w, http.StatusOK, "ready")
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}

// ServeHTTP checks who asks and serves.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if why := h.stranger(r); why != "" {
		h.o.Logger.Warn("admin request refused", "reason", why)
		say(w, http.StatusForbidden, "refused: "+why)
		return
	}
	h.mux.ServeHTTP(w, r)
}

// stranger says why a request may be a browser that was led here: its Host is
// a name that could be anybody's, or its Origin another site.
func (h *Handler) stranger(r *http.Request) string {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	ours := func(name string) bool { return strings.EqualFold(host, name) }
	if net.ParseIP(host) == nil && !ours("localhost") && !slices.ContainsFunc(h.o.Hosts, ours) {
		return "the Host header is no address, nor a name of this machine"
	}
	if o := r.Header.Get("Origin"); o != "" {
		if _, from, ok := strings.Cut(o, "://"); !ok || !strings.EqualFold(from, r.Host) {
			return "the request comes from a page of another origin"
		}
	}
	return ""
}
