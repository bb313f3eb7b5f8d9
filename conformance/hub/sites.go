package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"rte/signalr/hub"
	"rte/signalr/transport"
)

// A site is one hub at one path. All have the same methods.
type site struct {
	path    string
	diary   *diary
	server  *hub.Server
	handler *transport.Handler
}

// A plan says how a site differs from the server's defaults.
type plan struct {
	path   string
	change func(s *site, h *hub.Options, t *transport.Options)
}

// plans are the sites, by what they are there for; url is their own address.
func plans(url string) []plan {
	only := func(path string, offered transport.Transport) plan {
		return plan{path, func(_ *site, _ *hub.Options, t *transport.Options) { t.Transports = offered }}
	}
	return []plan{
		{"/default", func(*site, *hub.Options, *transport.Options) {}},
		only("/sockets", transport.WebSockets),
		only("/events", transport.ServerSentEvents),
		only("/polling", transport.LongPolling),
		only("/nosockets", transport.ServerSentEvents|transport.LongPolling),
		{"/detailed", func(_ *site, h *hub.Options, _ *transport.Options) { h.DetailedErrors = true }},
		{"/small", func(_ *site, h *hub.Options, _ *transport.Options) {
			h.MaxMessageBytes, h.DetailedErrors = 1000, true
		}},
		{"/large", func(_ *site, h *hub.Options, _ *transport.Options) {
			h.MaxMessageBytes, h.QueueBytes = 4<<20, 8<<20
		}},
		{"/quick", quick},
		{"/parallel", func(_ *site, h *hub.Options, _ *transport.Options) { h.Parallel = 4 }},
		{"/stateful", func(_ *site, _ *hub.Options, t *transport.Options) {
			t.StatefulReconnect, t.DisconnectTimeout = true, 2*time.Second
		}},
		{"/plain", plainDesk},
		{"/tokens", tokens},
		{"/refresh", refreshing},
		{"/refusing", func(_ *site, h *hub.Options, _ *transport.Options) {
			h.OnConnected = func(context.Context, *hub.Conn) error { return errors.New("the door is shut") }
		}},
		{"/asking", func(s *site, h *hub.Options, _ *transport.Options) {
			h.DetailedErrors = true
			h.OnConnected = func(ctx context.Context, c *hub.Conn) error {
				_, err := c.Invoke(ctx, "Answer")
				return err
			}
		}},
		{"/origins", func(_ *site, _ *hub.Options, t *transport.Options) {
			t.AllowedOrigins = []string{"https://desk.example.com"}
		}},

		placed("/redirect", transport.Redirect{URL: url + "/default"}, nil),
		placed("/elsewhere", transport.Redirect{URL: url + "/tokens", AccessToken: tokenOf("alice", time.Hour)}, nil),
		placed("/round", transport.Redirect{URL: url + "/round"}, nil),
		placed("/full", transport.Redirect{}, errors.New("the house is full")),
	}
}

// placed sends everybody elsewhere, or tells them why not.
func placed(path string, to transport.Redirect, err error) plan {
	return plan{path, func(_ *site, _ *hub.Options, t *transport.Options) {
		t.Place = func(*http.Request, any) (transport.Redirect, error) { return to, err }
	}}
}

// quick makes the timers of quiet connections short, so that tests need not
// wait. The server's clock ticks once a second.
func quick(_ *site, h *hub.Options, t *transport.Options) {
	h.KeepAlive, h.ClientTimeout = time.Second, 3*time.Second
	t.PollTimeout, t.DisconnectTimeout = time.Second, 3*time.Second
}

// build makes the sites.
func build(d *diary, url string) []*site {
	var sites []*site
	for _, p := range plans(url) {
		s := &site{path: p.path, diary: d}
		h := hub.Options{
			Methods:        s.methods(),
			Streams:        s.streams(),
			Uploads:        map[string]int{"Concat": 1, "Weave": 2, "Slow": 1, "Mirror": 1},
			UserID:         func(c *hub.Conn) string { return c.Transport().Query().Get("user") },
			OnConnected:    s.connected,
			OnDisconnected: s.disconnected,
		}
		var t transport.Options
		p.change(s, &h, &t)
		s.server = hub.New(h)
		s.handler = transport.NewHandler(s.server.Accept, t)
		sites = append(sites, s)
	}
	return sites
}

// mount is the handler of all sites. What is asked for below /moved is sent on
// to the same path without it, by an absolute address.
func mount(sites []*site, url string) http.Handler {
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest, moved := strings.CutPrefix(r.URL.Path, "/moved/")
		if !moved {
			http.NotFound(w, r)
			return
		}
		to := *r.URL
		to.Path = "/" + rest
		http.Redirect(w, r, url+to.RequestURI(), http.StatusTemporaryRedirect)
	})
	for _, s := range sites {
		h = transport.Mount(s.path, s.handler, h)
	}
	return h
}
