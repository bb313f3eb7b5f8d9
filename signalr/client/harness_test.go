package client_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gobwas/ws"

	"rte/signalr"
	"rte/signalr/client"
	"rte/signalr/hub"
	"rte/signalr/signalrtest"
	"rte/signalr/transport"
)

// A site is a hub in memory and the way to it.
type site struct {
	*testing.T
	hub    *hub.Server
	server *signalrtest.Server
}

// newSite serves a hub at /hub; the test is in a bubble.
func newSite(t *testing.T, o hub.Options, to transport.Options) *site {
	t.Helper()
	s := &site{T: t, hub: hub.New(o)}
	h := transport.NewHandler(s.hub.Accept, to)
	s.server = signalrtest.NewServer(transport.Mount("/hub", h, http.NotFoundHandler()))
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		h.Shutdown(ctx) //nolint:errcheck // tests leave connections open
		s.hub.Close()
		s.server.Close()
	})
	return s
}

func (s *site) dial(on map[string]func([]signalr.Value), o client.Options) *client.Client {
	s.Helper()
	o.HTTPClient = s.server.Client()
	c, err := client.Dial(s.Context(), s.server.URL+"/hub", on, o)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { c.Close() })
	return c
}

// A fake is a server that behaves as a test wants. It takes one WebSocket.
type fake struct {
	*testing.T
	server *signalrtest.Server
	conns  chan net.Conn
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{T: t, conns: make(chan net.Conn, 1)}
	f.server = signalrtest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/negotiate") {
			w.Write([]byte(`{"negotiateVersion":1,"connectionId":"public","connectionToken":"secret-token","availableTransports":[]}`)) //nolint:errcheck // the client sees
			return
		}
		conn, _, _, err := ws.HTTPUpgrader{}.Upgrade(r, w)
		if err != nil {
			t.Error(err)
			return
		}
		f.conns <- conn
	}))
	t.Cleanup(f.server.Close)
	return f
}

// dial connects while the fake says text as its first frame.
func (f *fake) dial(text string, o client.Options) (*client.Client, net.Conn, error) {
	f.Helper()
	conns := make(chan net.Conn, 1)
	go func() {
		conn := <-f.conns
		if text != "" {
			ws.WriteFrame(conn, ws.NewTextFrame([]byte(text))) //nolint:errcheck // the client sees
		}
		conns <- conn
	}()
	o.HTTPClient = f.server.Client()
	c, err := client.Dial(f.Context(), f.server.URL+"/hub", nil, o)
	conn := <-conns
	f.Cleanup(func() {
		conn.Close()
		if c != nil {
			c.Close()
		}
	})
	return c, conn, err
}

func bubble(t *testing.T, body func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, body)
}

func text(t *testing.T, v signalr.Value) (s string) {
	t.Helper()
	if err := signalr.Decode(v, &s); err != nil {
		t.Fatal(err)
	}
	return s
}
