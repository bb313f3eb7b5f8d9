package transport_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/signalr/transport"
)

// Where negotiation sends a client, by the application's word.
func TestPlace(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		to         transport.Redirect
		err        error
		status     int
		body       string // of version 1; "" is the usual answer
		retryAfter string
	}{
		{name: "here", status: 200},
		{name: "elsewhere", to: transport.Redirect{URL: "https://b.example.com/rte"}, status: 200, body: `{"negotiateVersion":1,"url":"https://b.example.com/rte"}`},
		{
			name: "elsewhere with a token", to: transport.Redirect{URL: "https://b.example.com/rte", AccessToken: "ticket"}, status: 200,
			body: `{"negotiateVersion":1,"url":"https://b.example.com/rte","accessToken":"ticket"}`,
		},
		{name: "refused in words", err: errors.New("Too many connections."), status: 200, body: `{"error":"Too many connections."}`},
		{name: "refused by status", err: &transport.Refusal{Status: 503, RetryAfter: 2 * time.Second}, status: 503, retryAfter: "2"},
	} {
		s := newSite(t, "memory", transport.Options{
			Authenticate: authenticate,
			Place: func(r *http.Request, user any) (transport.Redirect, error) {
				if user.(person).name != "ann" || r.URL.Path != "/hub/negotiate" {
					t.Errorf("%s: Place was asked about %v, %s", test.name, user, r.URL.Path)
				}
				return test.to, test.err
			},
		})
		resp, body := s.do(http.MethodPost, "/negotiate?negotiateVersion=1", from("ann"))
		usual := test.status == 200 && test.body == ""
		if resp.StatusCode != test.status || !usual && body != test.body || resp.Header.Get("Retry-After") != test.retryAfter {
			t.Errorf("%s: %s with %q, want %d with %q", test.name, resp.Status, body, test.status, test.body)
		}
		if usual {
			var n negotiated
			if unmarshal(t, body, &n); n.ConnectionToken == "" {
				t.Errorf("%s: %s", test.name, body)
			}
		}
		if resp, body := s.do(http.MethodPost, "/negotiate?negotiateVersion=x", from("ann")); resp.StatusCode != 200 || body != `{"error":"The client requested a non-integer protocol version."}` {
			t.Errorf("%s: a bad version comes first: %s with %q", test.name, resp.Status, body)
		}
		if resp, _ := s.do(http.MethodPost, "/negotiate?negotiateVersion=1", nil); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: nobody: %s", test.name, resp.Status)
		}
	}
}

// renewing lets ann and bob in; ann's tokens differ, and hold for a minute.
func renewing() transport.Options {
	return transport.Options{
		Refresh: true, StatefulReconnect: true,
		Authenticate: authenticate,
		Confirm: func(r *http.Request, user any) error {
			if who, err := authenticate(r); err != nil || who.(person).name != user.(person).name {
				return errors.New("somebody else")
			}
			return nil
		},
		Lifetime: func(any) time.Duration { return time.Minute + time.Millisecond },
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	s := newSite(t, "memory", renewing())
	lifetime := func(query string) *int {
		_, body := s.do(http.MethodPost, "/negotiate"+query, from("ann"))
		var n negotiated
		unmarshal(t, body, &n)
		return n.TokenLifetimeSeconds
	}
	if n := lifetime("?negotiateVersion=1"); n == nil || *n != 60 {
		t.Errorf("tokenLifetimeSeconds = %v, want 60", n)
	}
	if n := lifetime(""); n != nil {
		t.Errorf("tokenLifetimeSeconds = %v at version 0, want none", *n)
	}
	queries := s.openAll("ann")
	_, old := s.do(http.MethodPost, "/negotiate", from("ann"))
	var v0 negotiated
	unmarshal(t, old, &v0)
	unused := s.negotiateAs("ann")
	for _, test := range []struct {
		name, method, query, who string
		status                   int
		body                     string
	}{
		{"a socket's", "POST", queries["socket"], "ann", 200, `{"tokenLifetimeSeconds":60}`},
		{"event stream's", "POST", queries["events"], "ann", 200, `{"tokenLifetimeSeconds":60}`},
		{"long polling's", "POST", queries["polling"], "ann", 200, `{"tokenLifetimeSeconds":60}`},
		{"no id", "POST", "", "ann", 400, `{"error":"missing_connection_token"}`},
		{"version 0", "POST", "?id=" + v0.ConnectionID, "ann", 400, `{"error":"unsupported_negotiate_version"}`},
		{"unknown", "POST", "?id=x", "ann", 404, `{"error":"connection_not_found"}`},
		{"not connected", "POST", "?id=" + unused, "ann", 404, `{"error":"connection_not_found"}`},
		{"no token", "POST", queries["socket"], "", 401, `{"error":"invalid_token"}`},
		{"somebody else", "POST", queries["socket"], "bob", 403, `{"error":"permission_change_rejected"}`},
		{"GET", "GET", queries["socket"], "ann", 405, ""},
	} {
		p := wait(t, s.start(t.Context(), test.method, "/refresh"+test.query, from(test.who), nil), "the answer")
		p.is(t, test.name, test.status, test.body)
		if test.body != "" && p.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: Content-Type = %q", test.name, p.header.Get("Content-Type"))
		}
	}
}

// negotiateAs is a fresh token.
func (s *site) negotiateAs(who string) string {
	s.t.Helper()
	_, body := s.do(http.MethodPost, "/negotiate?negotiateVersion=1", from(who))
	var n negotiated
	unmarshal(s.t, body, &n)
	return n.ConnectionToken
}

func TestRefreshIsOffByDefault(t *testing.T) {
	t.Parallel()
	s := newSite(t, "memory", transport.Options{Lifetime: func(any) time.Duration { return time.Hour }})
	_, _ = s.open()
	s.request(http.MethodPost, "/refresh?id=x", "").is(t, "refresh", http.StatusNotFound, `{"error":"refresh_disabled"}`)
	if n := s.negotiate("?negotiateVersion=1"); n.TokenLifetimeSeconds != nil {
		t.Errorf("tokenLifetimeSeconds = %d, want none", *n.TokenLifetimeSeconds)
	}
}

// The receiver is told, and sees the new user; so does who comes back later.
func TestRefreshedUser(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := renewing()
		o.Authenticate = func(r *http.Request) (any, error) {
			user, err := authenticate(r)
			return &user, err // another pointer for each token
		}
		o.Confirm = func(*http.Request, any) error { return nil }
		s := newSite(t, "memory", o)
		_, r, query := s.resumable(from("ann"))
		synctest.Wait() // it is known now to whom a refresh belongs
		first := r.conn.User()
		wait(t, s.start(t.Context(), http.MethodPost, "/refresh"+query, from("ann"), nil), "the answer").is(t, "refresh", 200, `{"tokenLifetimeSeconds":60}`)
		second := wait(t, r.refreshed, "Refreshed")
		if first == second || second != r.conn.User() {
			t.Errorf("the user is %p, was %p, the receiver saw %p", r.conn.User(), first, second)
		}
		if diff := cmp.Diff(*first.(*any), *second.(*any), cmp.AllowUnexported(person{})); diff != "" {
			t.Error(diff)
		}
		s.socket(query, from("ann"))
		if c := wait(t, r.resumed, "Resumed"); c.User() == second {
			t.Error("the resumed connection has the user of an older token")
		}
	})
}
