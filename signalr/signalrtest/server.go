package signalrtest

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// A Server is an HTTP server on a network of its own.
type Server struct {
	URL     string  // "http://hub.test", without a slash at the end
	Network Network // dial it for a connection without HTTP

	http    *http.Server
	running sync.WaitGroup
	client  *http.Client
}

// serverAddress is where every server listens, on its own network.
const serverAddress = "hub.test:80"

// NewServer starts a server. The caller must Close it.
func NewServer(handler http.Handler) *Server {
	s := &Server{
		URL:  "http://hub.test",
		http: &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)},
	}
	s.client = &http.Client{Transport: &http.Transport{
		DialContext:       s.Network.Dial,
		DisableKeepAlives: true, // no goroutine outlives its request
	}}
	l, err := s.Network.Listen(serverAddress)
	if err != nil {
		panic("signalrtest: " + err.Error()) // nobody else listens there
	}
	s.running.Go(func() { s.http.Serve(l) }) //nolint:errcheck // it ends by Close
	return s
}

// Client makes requests to the server. It keeps no idle connections.
func (s *Server) Client() *http.Client { return s.client }

// Dial opens a connection to the server, below HTTP.
func (s *Server) Dial(ctx context.Context) (net.Conn, error) {
	return s.Network.Dial(ctx, "tcp", serverAddress)
}

// Close stops the server. Connections that were taken over from HTTP, as
// WebSockets are, are their owner's to close.
func (s *Server) Close() {
	s.http.Close() //nolint:errcheck // the listener's Close cannot fail
	s.running.Wait()
}
