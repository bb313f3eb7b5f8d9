package transport_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr/transport"
)

// The texts are the released server's, byte for byte.
const (
	noID         = "Connection ID required"
	noConnection = "No Connection with that ID"
	noPost       = "POST requests are not allowed for WebSocket connections."
	noDelete     = "Cannot terminate this connection using the DELETE endpoint."
	noSSE        = "ServerSentEvents transport not supported by this end point type"
	noPolling    = "LongPolling transport not supported by this end point type"
)

func TestHTTPSurface(t *testing.T) {
	t.Parallel()
	s := newSite(t, "tcp", transport.Options{ConnectTimeout: time.Hour, Transports: transport.WebSockets})
	fresh := "?id=" + s.negotiate("?negotiateVersion=1").ConnectionToken
	used := "?id=" + s.negotiate("?negotiateVersion=1").ConnectionToken
	if _, resp := s.upgrade(used, nil); resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp.Status)
	}
	s.next()
	sse := http.Header{"Accept": {"text/event-stream"}}
	tests := []struct {
		name, method, query string
		header              http.Header
		status              int
		body                string
	}{
		{"poll without id", "GET", "", nil, 400, noID},
		{"poll with an empty id", "GET", "?id=", nil, 400, noID},
		{"poll unknown id", "GET", "?id=unknown", nil, 404, noConnection},
		{"poll negotiated id", "GET", fresh, nil, 404, noPolling},
		{"poll a WebSocket's id", "GET", used, nil, 404, noPolling},
		{"events without id", "GET", "", sse, 400, noID},
		{"events unknown id", "GET", "?id=unknown", sse, 404, noConnection},
		{"events negotiated id", "GET", fresh, sse, 404, noSSE},
		{"events of a WebSocket's id", "GET", used, sse, 404, noSSE},
		{"POST without id", "POST", "", nil, 400, noID},
		{"POST unknown id", "POST", "?id=unknown", nil, 404, noConnection},
		{"POST to a WebSocket", "POST", used, nil, 405, noPost},
		{"POST to a WebSocket, key in another case", "POST", "?ID=" + used[4:], nil, 405, noPost},
		{"DELETE without id", "DELETE", "", nil, 400, noID},
		{"DELETE unknown id", "DELETE", "?id=unknown", nil, 404, noConnection},
		{"DELETE a WebSocket", "DELETE", used, nil, 400, noDelete},
		{"PUT", "PUT", used, nil, 405, ""},
		{"PATCH", "PATCH", "", nil, 405, ""},
		{"HEAD", "HEAD", used, nil, 405, ""},
		{"OPTIONS that asks for nothing", "OPTIONS", used, nil, 405, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			resp, body := s.do(test.method, test.query, test.header)
			if resp.StatusCode != test.status || body != test.body {
				t.Errorf("got %s with %q, want %d with %q", resp.Status, body, test.status, test.body)
			}
			if got := resp.Header.Get("Content-Type"); got != "text/plain" {
				t.Errorf("Content-Type = %q, want text/plain", got)
			}
		})
	}
}

func TestUpgradeRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		header http.Header
		status int
	}{
		{"no key", http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"}}, 400},
		{"no connection header", http.Header{"Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}, 400},
		{"old version", http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"8"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}, 426},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, "memory", transport.Options{})
			query := "?id=" + s.negotiate("?negotiateVersion=1").ConnectionToken
			if resp, _ := s.do(http.MethodGet, query, test.header); resp.StatusCode != test.status {
				t.Errorf("%s: %s, want %d", test.name, resp.Status, test.status)
			}
			synctest.Wait()
			// A request that was no WebSocket must not use the token up.
			if _, resp := s.upgrade(query, nil); resp.StatusCode != http.StatusSwitchingProtocols {
				t.Errorf("%s: a good upgrade behind it: %s, want 101", test.name, resp.Status)
			}
		})
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	var answer error
	seen := make(chan string, 100)
	s := newSite(t, "tcp", transport.Options{Authenticate: func(r *http.Request) (any, error) {
		seen <- r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization")
		return "user 7", answer
	}})
	s.negotiate("?negotiateVersion=1")
	if got := <-seen; got != "POST /hub/negotiate " {
		t.Errorf("asked about %q, want the negotiation", got)
	}
	_, r := s.open()
	if got := <-seen; got != "GET /hub " {
		t.Errorf("asked about %q, want the connection request", got)
	}
	if r.conn.User() != "user 7" {
		t.Errorf("User = %v, want user 7", r.conn.User())
	}
	tests := []struct {
		name       string
		err        error
		status     int
		retryAfter string
	}{
		{"any error", errors.New("token expired, secret details"), 401, ""},
		{"wrapped refusal", errors.Join(&transport.Refusal{Status: 403}), 403, ""},
		{"busy", &transport.Refusal{Status: 503, RetryAfter: 1500 * time.Millisecond}, 503, "2"},
		{"busy for long", &transport.Refusal{Status: 503, RetryAfter: time.Minute}, 503, "60"},
	}
	for i, test := range tests {
		answer = test.err
		for _, path := range []string{"/negotiate?negotiateVersion=1", "", "?id=x"} {
			resp, body := s.do(http.MethodPost, path, nil)
			if resp.StatusCode != test.status || body != "" || resp.ContentLength != 0 {
				t.Errorf("%s: POST %q: %s with %q, want %d, empty", test.name, path, resp.Status, body, test.status)
			}
			if got := resp.Header.Get("Retry-After"); got != test.retryAfter {
				t.Errorf("%s: Retry-After = %q, want %q", test.name, got, test.retryAfter)
			}
			if got := resp.Header.Get("WWW-Authenticate"); (got == "Bearer") != (test.status == 401) {
				t.Errorf("%s: WWW-Authenticate = %q", test.name, got)
			}
		}
		_, resp := s.upgrade("", nil) // refused before 101
		body, err := io.ReadAll(resp.Body)
		if resp.StatusCode != test.status || len(body) > 0 || err != nil {
			t.Errorf("%s: upgrade: %s with %q, %v, want %d, empty", test.name, resp.Status, body, err, test.status)
		}
		if got, want := s.handler.Stats().Refused, uint64(4*(i+1)); got != want {
			t.Errorf("%s: %d refused, want %d", test.name, got, want)
		}
	}
	if st := s.handler.Stats(); st.Connections != 1 || st.Accepted != 1 {
		t.Errorf("Stats = %+v, want one connection", st)
	}
}

func TestQueryIsKeptWithoutSecrets(t *testing.T) {
	t.Parallel()
	s := newSite(t, "tcp", transport.Options{})
	n := s.negotiate("?negotiateVersion=1")
	_, resp := s.upgrade("?tenant=a%20b&id="+n.ConnectionToken+"&Access_Token=secret&access_token=secret2&_=123&tenant=c", nil)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp.Status)
	}
	c := s.next().conn
	if got := c.Query().Encode(); got != "tenant=a+b&tenant=c" {
		t.Errorf("Query = %q, want the tenants alone", got)
	}
	if c.ID() != n.ConnectionID || c.Transport() != transport.WebSockets || c.Transport().String() != "WebSockets" || c.RemoteAddr() == "" {
		t.Errorf("ID %q, transport %v, address %q, want id %q over WebSockets", c.ID(), c.Transport(), c.RemoteAddr(), n.ConnectionID)
	}
	if _, resp := s.upgrade("", nil); resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp.Status)
	}
	if r := s.next(); r.conn.Query() != nil || len(r.conn.ID()) != 22 {
		t.Errorf("without a query: %v, id %q, want none and a fresh id", r.conn.Query(), r.conn.ID())
	}
}
