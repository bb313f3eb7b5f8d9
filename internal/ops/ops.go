package ops

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
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
	// Pprof opens /debug/pprof/.
	Pprof bool
	// Logger gets requests that were refused; default none.
	Logger *slog.Logger
}

// A Handler serves the admin listener. It answers only requests that name it
// by a loopback address or the address they came to, and none of a page of
// another origin: a browser on the same machine must not be led here.
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
	if o.Pprof {
		h.mux.HandleFunc("/debug/pprof/", pprof.Index)
		h.mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		h.mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		h.mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		h.mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return h
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
	if why := stranger(r); why != "" {
		h.o.Logger.Warn("admin request refused", "reason", why)
		say(w, http.StatusForbidden, "refused: "+why)
		return
	}
	h.mux.ServeHTTP(w, r)
}

// stranger says why a request may be a browser that was led here: its Host is
// a name that could be anybody's, or its Origin another site.
func stranger(r *http.Request) string {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if net.ParseIP(host) == nil && !strings.EqualFold(host, "localhost") {
		return "the Host header is not an address or localhost"
	}
	if o := r.Header.Get("Origin"); o != "" {
		if _, from, ok := strings.Cut(o, "://"); !ok || !strings.EqualFold(from, r.Host) {
			return "the request comes from a page of another origin"
		}
	}
	return ""
}
