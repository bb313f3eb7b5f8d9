package transport_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"rte/signalr/signalrtest"
	"rte/signalr/transport"
)

// A receiver is the upper end of a connection in these tests.
type receiver struct {
	conn     *transport.Conn
	fed      chan []byte
	writable chan struct{}
	closed   chan error
	refuse   error // what Feed returns
	onFeed   func(p []byte)

	holds     bool // as it is resumed
	unwanted  atomic.Bool
	suspended chan struct{}
	resumed   chan *transport.Conn
	refreshed chan any
}

func (r *receiver) Feed(p []byte) error {
	if r.onFeed != nil {
		r.onFeed(p)
	}
	if r.refuse == nil {
		r.fed <- bytes.Clone(p)
	}
	return r.refuse
}

func (r *receiver) Writable() { r.writable <- struct{}{} }

func (r *receiver) Closed(err error) { r.closed <- err }

func (r *receiver) Suspended() bool {
	r.suspended <- struct{}{}
	return !r.unwanted.Load()
}

func (r *receiver) Resumed(c *transport.Conn) {
	if r.holds {
		c.Hold()
	}
	r.resumed <- c
}

func (r *receiver) Refreshed() { r.refreshed <- r.conn.User() }

// A site is a handler on some network.
type site struct {
	t        testing.TB
	handler  *transport.Handler
	url      string // of the hub
	client   *http.Client
	dial     func(ctx context.Context) (net.Conn, error)
	accepted chan *receiver
	prepare  func(*receiver)      // before the receiver is told of anything
	memory   *signalrtest.Network // if it is in memory

	opened atomic.Int64
	byTag  sync.Map // of chan *receiver
}

// tagged is where the receiver of the connection with a tag is found: tests
// that share a site must not take each other's.
func (s *site) tagged(tag string) chan *receiver {
	c, _ := s.byTag.LoadOrStore(tag, make(chan *receiver, 1))
	return c.(chan *receiver)
}

// networks are what a connection can run over; each takes another way through
// the transport's reading and writing.
var networks = []string{"tcp", "tcp unwatched", "tls", "memory"}

// narrowNetworks are the same with small buffers in the system, so that a
// client that does not read is felt soon.
var narrowNetworks = []string{"tcp narrow", "tcp narrow unwatched", "tls narrow", "memory"}

// newSite serves a hub at /hub; the test's end shuts it down.
func newSite(t testing.TB, network string, o transport.Options) *site {
	t.Helper()
	s := &site{t: t, accepted: make(chan *receiver, 1000)}
	s.handler = transport.NewHandler(func(c *transport.Conn) transport.Receiver {
		r := &receiver{conn: c, fed: make(chan []byte, 10_000), writable: make(chan struct{}, 100), closed: make(chan error, 10),
			suspended: make(chan struct{}, 100), resumed: make(chan *transport.Conn, 100), refreshed: make(chan any, 10)}
		if s.prepare != nil {
			s.prepare(r)
		}
		if tag := c.Query().Get("tag"); tag != "" {
			s.tagged(tag) <- r
			return r
		}
		s.accepted <- r
		return r
	}, o)
	mux := transport.Mount("/hub", s.handler, http.NotFoundHandler())
	kind, how, _ := strings.Cut(network, " ")
	if strings.Contains(how, "unwatched") {
		transport.Unwatched(s.handler)
	}
	if kind == "memory" {
		server := signalrtest.NewServer(mux)
		t.Cleanup(server.Close)
		s.url, s.client, s.dial, s.memory = server.URL, server.Client(), server.Dial, &server.Network
	} else {
		s.serveSystem(mux, kind == "tls", strings.Contains(how, "narrow"))
	}
	s.url += "/hub"
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.handler.Shutdown(ctx) // what a test left open is cut
	})
	return s
}

// serveSystem uses the system's network.
func (s *site) serveSystem(handler http.Handler, encrypted, small bool) {
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if small {
		server.Listener = narrowListener{server.Listener}
	}
	if encrypted {
		server.StartTLS()
	} else {
		server.Start()
	}
	s.t.Cleanup(server.Close)
	s.url, s.client = server.URL, server.Client()
	s.dial = func(ctx context.Context) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
		if small {
			c, err = narrow(c, err)
		}
		if !encrypted || err != nil {
			return c, err
		}
		config := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		config.NextProtos, config.ServerName = nil, "example.com"
		t := tls.Client(c, config)
		return t, t.HandshakeContext(ctx)
	}
}

// A narrowListener gives its connections small buffers in the system.
type narrowListener struct{ net.Listener }

func (l narrowListener) Accept() (net.Conn, error) { return narrow(l.Listener.Accept()) }

func narrow(c net.Conn, err error) (net.Conn, error) {
	if tcp, ok := c.(*net.TCPConn); ok && err == nil {
		err = errors.Join(tcp.SetWriteBuffer(128<<10), tcp.SetReadBuffer(128<<10)) // smaller than a segment is slow
	}
	return c, err
}

// do makes a request; path is behind the hub's, with its query.
func (s *site) do(method, path string, header http.Header) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(body)
}

type negotiated struct {
	NegotiateVersion    *int
	ConnectionID        string `json:"connectionId"`
	ConnectionToken     string
	AvailableTransports []struct {
		Transport       string
		TransferFormats []string
	}
	Error                string
	UseStatefulReconnect *bool
	TokenLifetimeSeconds *int
	URL                  string
	AccessToken          string
}

func (s *site) negotiate(query string) (n negotiated) {
	s.t.Helper()
	resp, body := s.do(http.MethodPost, "/negotiate"+query, nil)
	if err := json.Unmarshal([]byte(body), &n); err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("negotiate%s: status %d, body %q, %v", query, resp.StatusCode, body, err)
	}
	return n
}
