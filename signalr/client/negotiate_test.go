package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/signalr/client"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

func bearer(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

// What negotiation may answer, and what the client makes of it.
func TestNegotiation(t *testing.T) {
	const ws = `"availableTransports":[{"transport":"WebSockets","transferFormats":["Text"]}]`
	tests := []struct {
		name, url, answer string // the hub's path, its answer
		stateful          bool
		asked, want       string // requests of a good end; the error
		is                error
	}{
		{name: "version 1", answer: `{"negotiateVersion":1,"connectionId":"public","connectionToken":"to/ken",` + ws + `}`, asked: "POST /hub/negotiate?negotiateVersion=1 user; GET /hub?id=to%2Fken user"},
		{name: "version 0", answer: `{"connectionId":"public",` + ws + `}`, asked: "POST /hub/negotiate?negotiateVersion=1 user; GET /hub?id=public user"},
		{name: "version 0 with a token", answer: `{"negotiateVersion":0,"connectionId":"public","connectionToken":"t",` + ws + `}`, asked: "POST /hub/negotiate?negotiateVersion=1 user; GET /hub?id=public user"},
		{name: "query", url: "?b=1&a=x%20y", answer: `{"connectionId":"i",` + ws + `}`, asked: "POST /hub/negotiate?b=1&a=x%20y&negotiateVersion=1 user; GET /hub?b=1&a=x%20y&id=i user"},
		{name: "version in the URL", url: "?negotiateVersion=0", answer: `{"connectionId":"i",` + ws + `}`, asked: "POST /hub/negotiate?negotiateVersion=0 user; GET /hub?negotiateVersion=0&id=i user"},
		{name: "slash", url: "/", answer: `{"connectionId":"i",` + ws + `}`, asked: "POST /hub/negotiate?negotiateVersion=1 user; GET /hub/?id=i user"},
		{name: "escaped path", url: "/a%2Fb", answer: `{"connectionId":"i",` + ws + `}`, asked: "POST /hub/a%2Fb/negotiate?negotiateVersion=1 user; GET /hub/a%2Fb?id=i user"},
		{name: "stateful", stateful: true, answer: `{"connectionId":"i","useStatefulReconnect":true,` + ws + `}`, asked: "POST /hub/negotiate?negotiateVersion=1&useStatefulReconnect=true user; GET /hub?id=i user"},
		{name: "stateful by the URL", url: "?useStatefulReconnect=true", answer: `{"connectionId":"i","useStatefulReconnect":true,` + ws + `}`, asked: "POST /hub/negotiate?useStatefulReconnect=true&negotiateVersion=1 user; GET /hub?useStatefulReconnect=true&id=i user"},
		{name: "not stateful by the URL", url: "?useStatefulReconnect=false", stateful: true, answer: `{"connectionId":"i",` + ws + `}`, asked: "POST /hub/negotiate?useStatefulReconnect=false&negotiateVersion=1 user; GET /hub?useStatefulReconnect=false&id=i user"},
		{name: "members of later versions", answer: `{"tokenLifetimeSeconds":9,"future":{},"connectionId":"i",` + ws + `}`, asked: "POST /hub/negotiate?negotiateVersion=1 user; GET /hub?id=i user"},

		{name: "stateful unasked", answer: `{"connectionId":"i","useStatefulReconnect":true,` + ws + `}`, want: "negotiate: the server has stateful reconnect, which was not asked for"},
		{name: "error", answer: `{"error":"the hub is full","connectionId":"i",` + ws + `}`, want: "negotiate: the hub is full"},
		{name: "old server", answer: `{"Url":"/signalr","ConnectionToken":"t","ConnectionId":"i","ProtocolVersion":"1.5","TryWebSockets":true}`, want: "negotiate: the server speaks ASP.NET SignalR, not ASP.NET Core SignalR", is: client.ErrOldServer},
		{name: "no id", answer: `{"negotiateVersion":1,"connectionToken":"t",` + ws + `}`, want: "negotiate: the answer names no connection"},
		{name: "no token", answer: `{"negotiateVersion":1,"connectionId":"i",` + ws + `}`, want: "negotiate: the answer has no token for its connection"},
		{name: "long", answer: `{"connectionId":"` + strings.Repeat("i", 64<<10) + `"}`, want: "negotiate: the answer is longer than 65536 bytes"},
		{name: "array", answer: `[]`, want: "negotiate: read answer: json: cannot unmarshal array into Go value of type client.negotiation"},
		{name: "redirect to nowhere", answer: `{"url":"ftp://elsewhere"}`, want: `negotiate: redirected: read the hub's URL: "ftp" is not http or https`},
		{name: "relative redirect", answer: `{"url":"/elsewhere"}`, want: `negotiate: redirected: read the hub's URL: "" is not http or https`},
		{name: "redirect in a circle", answer: `{"url":"http://hub.test/hub"}`, want: "negotiate: too many redirects", is: client.ErrRedirects},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(t)
				f.answers(test.answer)
				c := client.New(f.server.URL+"/hub"+test.url, client.Options{HTTPClient: f.server.Client(), Token: bearer("user"), StatefulReconnect: test.stateful})
				if test.want != "" {
					err := c.Start(t.Context())
					if fmt.Sprint(err) != test.want || test.is != nil && !errors.Is(err, test.is) {
						t.Errorf("Start = %v, want %s", err, test.want)
					}
					if n := len(f.requests()); errors.Is(test.is, client.ErrRedirects) && n != 101 {
						t.Errorf("%d requests, want 1 and 100 redirects", n)
					}
					return
				}
				version := 1
				if strings.Contains(test.answer, "Stateful") {
					version = 2
				}
				f.connect(c, version)
				if asked := strings.Join(f.requests(), "; "); asked != test.asked {
					t.Errorf("asked for %s\nwant      %s", asked, test.asked)
				}
			})
		})
	}
}

// Redirects are followed, by a token of their own, until the next attempt.
func TestRedirects(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.answer = func(r *http.Request) string {
			switch r.URL.Path {
			case "/hub/negotiate":
				return `{"url":"http://hub.test/b?hub=chat","accessToken":"ticket"}`
			case "/b/negotiate":
				return `{"url":"ws://hub.test/c/"}` // without a token the last one holds
			}
			return offers + "}"
		}
		tokens := 0
		c := client.New(f.server.URL+"/hub", client.Options{HTTPClient: f.server.Client(), Reconnect: client.FourAttempts(), Token: func(context.Context) (string, error) {
			tokens++
			return fmt.Sprint("user", tokens), nil
		}})
		p := f.connect(c, 1)
		want := func(token string) []string {
			return []string{
				"POST /hub/negotiate?negotiateVersion=1 " + token,
				"POST /b/negotiate?hub=chat&negotiateVersion=1 ticket",
				"POST /c/negotiate?negotiateVersion=1 ticket",
				"GET /c/?id=secret-token ticket",
			}
		}
		if diff := cmp.Diff(want("user1"), f.requests()); diff != "" {
			t.Errorf("requests (-want +got):\n%s", diff)
		}
		p.conn.Close()
		f.accept().greet(1)
		if diff := cmp.Diff(want("user2"), f.requests()); diff != "" {
			t.Errorf("requests of a reconnect (-want +got):\n%s", diff)
		}
	})
}

// The real hub sends clients elsewhere, and refuses them.
func TestRedirectsOfTheHub(t *testing.T) {
	bubble(t, func(t *testing.T) {
		to := transport.Options{
			Authenticate: func(r *http.Request) (any, error) { return r.Header.Get("Authorization"), nil },
			Place: func(r *http.Request, user any) (transport.Redirect, error) {
				switch {
				case r.URL.Query().Has("full"):
					return transport.Redirect{}, errors.New("come back tomorrow")
				case user == "Bearer ann":
					return transport.Redirect{URL: "http://hub.test/hub?at=b", AccessToken: "ticket"}, nil
				}
				return transport.Redirect{}, nil
			},
		}
		users := make(chan any, 10)
		s := newSite(t, hub.Options{OnConnected: func(_ context.Context, c *hub.Conn) error {
			users <- c.User()
			return nil
		}}, to)
		s.dial(nil, client.Options{Token: bearer("ann")})
		if user := <-users; user != "Bearer ticket" {
			t.Errorf("the hub sees %v, want the ticket", user)
		}
		_, err := client.Dial(t.Context(), s.server.URL+"/hub?full", nil, client.Options{HTTPClient: s.server.Client()})
		if e, ok := errors.AsType[*client.ServerError](err); !ok || e.Text != "come back tomorrow" {
			t.Errorf("Dial = %v, want the hub's words", err)
		}
	})
}

// Without a token there is no header; an empty one is none.
func TestNoToken(t *testing.T) {
	for name, token := range map[string]func(context.Context) (string, error){"none": nil, "empty": bearer("")} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSite(t, hub.Options{}, transport.Options{Authenticate: func(r *http.Request) (any, error) {
					if h := r.Header["Authorization"]; h != nil || r.Header.Get("X-Requested-With") != "XMLHttpRequest" || r.Header.Get("Tenant") != "a" {
						t.Errorf("headers of %s: %v", r.URL.Path, r.Header)
					}
					return nil, nil
				}})
				s.dial(nil, client.Options{Token: token, Header: http.Header{"Tenant": {"a"}}})
			})
		})
	}
}
