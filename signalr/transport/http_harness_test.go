package transport_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr/transport"
)

// What the transports over plain HTTP are tested with.

// A reply is the answer to a request, or why there is none.
type reply struct {
	status int
	header http.Header
	body   string
	err    error
}

// is checks a reply's status and body.
func (p reply) is(t testing.TB, what string, status int, body string) {
	t.Helper()
	if p.err != nil || p.status != status || p.body != body {
		t.Errorf("%s: got %d with %q, %v, want %d with %q", what, p.status, p.body, p.err, status, body)
	}
}

// start makes a request and goes on; path is behind the hub's, with its query.
func (s *site) start(ctx context.Context, method, path string, header http.Header, body io.Reader) <-chan reply {
	s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	got := make(chan reply, 1)
	go func() {
		resp, err := s.client.Do(r)
		if err != nil {
			got <- reply{err: err}
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		got <- reply{resp.StatusCode, resp.Header, string(text), err}
	}()
	return got
}

// request makes a request and waits for its answer.
func (s *site) request(method, path string, body string) reply {
	s.t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	return wait(s.t, s.start(s.t.Context(), method, path, nil, r), "the answer to "+method)
}

// token negotiates; it is the query of a connection.
func (s *site) token() string {
	s.t.Helper()
	return "?id=" + s.negotiate("?negotiateVersion=1").ConnectionToken
}

var eventStream = http.Header{"Accept": {"text/event-stream"}}

// A stream is the client's end of server-sent events.
type stream struct {
	t     testing.TB
	resp  *http.Response
	r     *bufio.Reader
	query string
	drop  func()
}

// events opens server-sent events; it returns when the answer has begun.
func (s *site) events() (*stream, *receiver) {
	s.t.Helper()
	st := s.listen(s.token(), eventStream)
	return st, s.next()
}

func (s *site) listen(query string, header http.Header) *stream {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+query, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header = header
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("events: %s", resp.Status)
	}
	st := &stream{t: s.t, resp: resp, r: bufio.NewReader(resp.Body), query: query, drop: cancel}
	st.expect(":\r\n")
	return st
}

// expect reads as many bytes as want has, and compares them.
func (st *stream) expect(want string) {
	st.t.Helper()
	b := make([]byte, len(want))
	if _, err := io.ReadFull(st.r, b); err != nil || string(b) != want {
		st.t.Fatalf("the stream has %q, %v, want %q", b, err, want)
	}
}

// expectEnd reads the end of the answer.
func (st *stream) expectEnd() {
	st.t.Helper()
	if b, err := io.ReadAll(st.r); err != nil || len(b) > 0 {
		st.t.Fatalf("the stream has %q, %v, want its end", b, err)
	}
}

// poller opens long polling; it returns behind the first poll.
func (s *site) poller() (query string, r *receiver) {
	s.t.Helper()
	query = s.token()
	s.request(http.MethodGet, query, "").is(s.t, "first poll", http.StatusOK, "")
	return query, s.next()
}

// poll starts a poll.
func (s *site) poll(query string) <-chan reply {
	s.t.Helper()
	return s.start(s.t.Context(), http.MethodGet, query+"&_=1", nil, nil)
}

// raw writes a request as text on a connection of its own.
func (s *site) raw(text string) net.Conn {
	s.t.Helper()
	c, err := s.dial(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// path is that of a request to the hub.
func (s *site) path(query string) string {
	s.t.Helper()
	u, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	return u.Path + query
}

// stuckEvents opens server-sent events and reads nothing of them.
func (s *site) stuckEvents() (net.Conn, *receiver) {
	s.t.Helper()
	c := s.raw("GET " + s.path(s.token()) + " HTTP/1.1\r\nHost: hub.test\r\nAccept: text/event-stream\r\n\r\n")
	r := s.next()
	for i := 0; i < 100; i++ { // more than a network in memory takes
		r.conn.Send([][]byte{make([]byte, 10_000)}, false)
	}
	return c, r
}

// overHTTP runs a body for both transports that send by POST. The connection
// is open; drop is what a client does that vanishes.
func overHTTP(t *testing.T, body func(t *testing.T, s *site, query string, r *receiver)) {
	t.Helper()
	for _, kind := range []string{"events", "polling"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, "memory", transport.Options{})
				if kind == "events" {
					st, r := s.events()
					body(t, s, st.query, r)
					return
				}
				query, r := s.poller()
				s.keepPolling(query)
				body(t, s, query, r)
			})
		})
	}
}

// keepPolling polls until it is told to stop, so that the connection lives.
func (s *site) keepPolling(query string) {
	ctx, cancel := context.WithCancel(context.Background())
	s.t.Cleanup(cancel)
	go func() {
		for {
			got := <-s.start(ctx, http.MethodGet, query, nil, nil)
			if got.err != nil || got.status != http.StatusOK {
				return
			}
		}
	}()
}

// endedOnce checks that the receiver is told of the end, and only once.
func endedOnce(t testing.TB, r *receiver) (err error) {
	t.Helper()
	err = wait(t, r.closed, "the end")
	select {
	case <-r.closed:
		t.Error("Closed twice")
	case <-time.After(time.Minute):
	}
	return err
}

func unmarshal(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("parse %q: %v", text, err)
	}
}
