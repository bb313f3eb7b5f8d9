package transport_test

import (
	"errors"
	"net/http"
	"sync"
	"testing"

	"rte/signalr/transport"
)

// A person is a user that cannot be compared with ==.
type person struct {
	name  string
	roles []string
}

func authenticate(r *http.Request) (any, error) {
	name := r.Header.Get("Authorization")
	if name == "" {
		return nil, errors.New("no token")
	}
	return person{name, []string{"agent"}}, nil
}

func from(name string, more ...http.Header) http.Header {
	header := http.Header{}
	for _, h := range more {
		for k, v := range h {
			header[k] = v
		}
	}
	if name != "" {
		header["Authorization"] = []string{name}
	}
	return header
}

var upgradeHeader = http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
	"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}}

// openAll makes a connection of each transport for one user.
func (s *site) openAll(name string) map[string]string {
	s.t.Helper()
	queries := map[string]string{}
	for kind, header := range map[string]http.Header{"events": eventStream, "polling": nil, "socket": upgradeHeader} {
		var n negotiated
		p := wait(s.t, s.start(s.t.Context(), http.MethodPost, "/negotiate?negotiateVersion=1", from(name), nil), "negotiation")
		unmarshal(s.t, p.body, &n)
		query := "?id=" + n.ConnectionToken
		queries[kind] = query
		switch kind { // in such a way that other requests find the connection
		case "socket":
			w, resp := s.upgrade(query, from(name))
			if resp.StatusCode != http.StatusSwitchingProtocols {
				s.t.Fatal(resp.Status)
			}
			w.send(frame(textFrame, "x"))
			s.next().got(s.t, 1)
			continue
		case "events":
			s.listen(query, from(name, header))
		default:
			wait(s.t, s.start(s.t.Context(), http.MethodGet, query, from(name, header), nil), "the first poll")
		}
		s.next()
	}
	return queries
}

// requests are all those that belong to an open connection.
var requests = []struct {
	name, kind, method string
	header             http.Header
	status             int
}{
	{"POST to events", "events", "POST", nil, 200},
	{"POST to polling", "polling", "POST", nil, 200},
	{"POST to a socket", "socket", "POST", nil, 405},
	{"events again", "events", "GET", eventStream, 409},
	{"upgrade again", "socket", "GET", upgradeHeader, 409},
	{"upgrade of polling", "polling", "GET", upgradeHeader, 400},
	{"DELETE of events", "events", "DELETE", nil, 400},
	{"DELETE of polling", "polling", "DELETE", nil, 202},
}

func TestIdentityWithoutConfirm(t *testing.T) {
	t.Parallel()
	s := newSite(t, "memory", transport.Options{Authenticate: authenticate})
	queries := s.openAll("ann")
	for _, test := range requests {
		for _, who := range []struct {
			name   string
			status int
		}{{"", 401}, {"bob", 403}, {"ann", test.status}} {
			p := wait(t, s.start(t.Context(), test.method, queries[test.kind], from(who.name, test.header), nil), "the answer")
			if p.err != nil || p.status != who.status || p.status != test.status && p.body != "" {
				t.Errorf("%s by %q: %d with %q, %v, want %d", test.name, who.name, p.status, p.body, p.err, who.status)
			}
			if got := p.header.Get("WWW-Authenticate"); (got == "Bearer") != (p.status == 401) {
				t.Errorf("%s by %q: WWW-Authenticate = %q", test.name, who.name, got)
			}
		}
	}
}

// Confirm alone decides about the requests of an open connection, and is asked
// for its user; Authenticate about all others.
func TestConfirm(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var verdict error
	var asked []string
	s := newSite(t, "memory", transport.Options{
		Authenticate: authenticate,
		Confirm: func(r *http.Request, user any) error {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, r.Method+" "+user.(person).name)
			return verdict
		},
	})
	queries := s.openAll("ann")
	if len(asked) > 0 {
		t.Fatalf("Confirm was asked about %q, want nothing yet", asked)
	}
	for _, test := range requests {
		for _, v := range []struct {
			err    error
			status int
		}{{errors.New("secret details"), 401}, {&transport.Refusal{Status: 403}, 403}, {nil, test.status}} {
			mu.Lock()
			verdict, asked = v.err, nil
			mu.Unlock()
			// Without a token: whether that will do is Confirm's business.
			p := wait(t, s.start(t.Context(), test.method, queries[test.kind], from("", test.header), nil), "the answer")
			if p.err != nil || p.status != v.status || v.err != nil && p.body != "" {
				t.Errorf("%s: %d with %q, %v, want %d", test.name, p.status, p.body, p.err, v.status)
			}
			if len(asked) != 1 || asked[0] != test.method+" ann" {
				t.Errorf("%s: Confirm was asked about %q, want once about ann", test.name, asked)
			}
		}
	}
	asked = nil
	p := wait(t, s.start(t.Context(), http.MethodGet, "?id=unknown", nil, nil), "the answer")
	if p.status != http.StatusUnauthorized || p.body != "" || len(asked) > 0 {
		t.Errorf("an unknown connection: %d with %q, Confirm asked %q, want 401 by Authenticate", p.status, p.body, asked)
	}
	p = wait(t, s.start(t.Context(), http.MethodGet, queries["polling"], from("ann"), nil), "the answer")
	p.is(t, "a connection that has ended", http.StatusNotFound, noConnection)
}

// A refused poll does not take the place of the one that waits.
func TestConfirmOfPolls(t *testing.T) {
	t.Parallel()
	s := newSite(t, "memory", transport.Options{Authenticate: authenticate})
	var n negotiated
	p := wait(t, s.start(t.Context(), http.MethodPost, "/negotiate?negotiateVersion=1", from("ann"), nil), "negotiation")
	unmarshal(t, p.body, &n)
	query := "?id=" + n.ConnectionToken
	wait(t, s.start(t.Context(), http.MethodGet, query, from("ann"), nil), "the first poll").is(t, "first poll", 200, "")
	r := s.next()
	waiting := s.start(t.Context(), http.MethodGet, query, from("ann"), nil)
	for name, status := range map[string]int{"": 401, "bob": 403} {
		wait(t, s.start(t.Context(), http.MethodGet, query, from(name), nil), "the poll").is(t, "poll by "+name, status, "")
	}
	r.conn.Send([][]byte{[]byte("for ann")}, false)
	wait(t, waiting, "the poll").is(t, "poll by ann", 200, "for ann")
}
