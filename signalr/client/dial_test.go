package client_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr"
	"rte/signalr/client"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

func TestDialIsRefused(t *testing.T) {
	t.Parallel()
	refuse := func(status int) transport.Options {
		return transport.Options{Authenticate: func(r *http.Request) (any, error) {
			if r.Header.Get("Authorization") != "Bearer good" {
				return nil, &transport.Refusal{Status: status}
			}
			return nil, nil
		}}
	}
	for _, skip := range []bool{false, true} {
		act := "negotiate"
		if skip {
			act = "connect"
		}
		for _, status := range []int{401, 403, 503} {
			t.Run(fmt.Sprint(act, status), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s := newSite(t, hub.Options{}, refuse(status))
					token := func(context.Context) (string, error) { return "bad", nil }
					_, err := client.Dial(t.Context(), s.server.URL+"/hub", nil, client.Options{HTTPClient: s.server.Client(), SkipNegotiation: skip, Token: token})
					got, ok := errors.AsType[*client.StatusError](err)
					if !ok || got.Status != status || got.Act != act || got.Text != http.StatusText(status) {
						t.Errorf("Dial = %v, want %s refused with %d", err, act, status)
					}
					token = func(context.Context) (string, error) { return "good", nil }
					s.dial(nil, client.Options{SkipNegotiation: skip, Token: token})
				})
			})
		}
	}
}

func TestDialErrors(t *testing.T) {
	t.Parallel()
	const answer = `{"negotiateVersion":1,"connectionId":"id","connectionToken":"secret-token","availableTransports":[{"transport":"WebSockets","transferFormats":["Text"]}]}`
	page := strings.Repeat("<p>  not\nhere </p>", 1000)
	server := func(h http.HandlerFunc) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	missing := server(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		w.Write([]byte(page))
	})
	nonsense := server(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) })
	full := server(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"error":"the hub is full"}`)) })
	noSocket := server(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.Write([]byte(answer))
		}
	})
	wrongKey := server(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.Write([]byte(answer))
			return
		}
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(http.StatusSwitchingProtocols)
	})
	gone := server(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.Write([]byte(answer))
			return
		}
		c, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			c.Close()
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + l.Addr().String()
	l.Close()
	tests := []struct{ name, url, want string }{
		{"404 page", missing, "negotiate: status 404: <p> not here </p>"},
		{"no JSON", nonsense, "negotiate: read answer: "},
		{"hub's error", full, "negotiate: the hub is full"},
		{"no WebSocket", noSocket, "connect: status 200: OK"},
		{"somebody else's WebSocket", wrongKey, "connect: the answer is not a WebSocket's"},
		{"cut", gone, "connect: EOF"},
		{"no server", nobody, "negotiate: dial tcp "},
		{"no host", "http:///hub", "read the hub's URL: it names no host"},
		{"no scheme", "127.0.0.1/hub", `read the hub's URL: "" is not http or https`},
		{"other scheme", "ftp://127.0.0.1/hub", `read the hub's URL: "ftp" is not http or https`},
		{"no URL", "http://[", "read the hub's URL: missing ']' in host"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			_, err := client.Dial(t.Context(), test.url, nil, client.Options{HTTPClient: h})
			if err == nil || !strings.HasPrefix(err.Error(), test.want) || len(err.Error()) > 300 {
				t.Errorf("Dial = %v, want %s", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error %q shows the connection's token", err)
			}
		})
	}
	if _, err := client.Dial(t.Context(), nobody, nil, client.Options{SkipNegotiation: true}); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Dial = %v, want %v", err, syscall.ECONNREFUSED)
	}
	fail := errors.New("no token today")
	if _, err := client.Dial(t.Context(), nobody, nil, client.Options{Token: func(context.Context) (string, error) { return "", fail }}); !errors.Is(err, fail) {
		t.Errorf("Dial = %v, want %v", err, fail)
	}
}

func TestDialURLs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		seen := make(chan string, 10)
		s := newSite(t, hub.Options{}, transport.Options{Authenticate: func(r *http.Request) (any, error) {
			q := r.URL.Query()
			q.Del("id")
			seen <- r.Method + " " + r.URL.Path + "?" + q.Encode()
			return nil, nil
		}})
		for _, url := range []string{"http://hub.test/hub", "http://hub.test/hub/", "ws://hub.test/HUB", "http://hub.test/hub/?tenant=a%20b#x"} {
			c, err := client.Dial(t.Context(), url, nil, client.Options{HTTPClient: s.server.Client()})
			if err != nil {
				t.Errorf("Dial(%s): %v", url, err)
				continue
			}
			if c.ID() == "" {
				t.Errorf("Dial(%s): no id", url)
			}
			c.Close()
			post, get := <-seen, <-seen
			if strings.Contains(url, "tenant") && (post != "POST /hub/negotiate?negotiateVersion=1&tenant=a+b" || get != "GET /hub/?tenant=a+b") {
				t.Errorf("Dial(%s) asked for %s and %s", url, post, get)
			}
		}
	})
}

// The settings of the HTTP client's transport hold for the WebSocket.
func TestDialOverTLS(t *testing.T) {
	t.Parallel()
	h := hub.New(hub.Options{Methods: map[string]hub.Method{"Echo": echo}})
	handler := transport.NewHandler(h.Accept, transport.Options{})
	server := httptest.NewTLSServer(transport.Mount("/hub", handler, http.NotFoundHandler()))
	defer func() {
		server.Close()
		if err := handler.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		h.Close()
	}()
	httpClient := server.Client()
	httpClient.Timeout = time.Minute // of a request, not of a connection
	c, err := client.Dial(t.Context(), server.URL+"/hub", nil, client.Options{HTTPClient: httpClient})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if v, err := c.Invoke(t.Context(), "Echo", "over TLS"); err != nil || text(t, v) != "over TLS" {
		t.Errorf("Invoke = %v, %v", v, err)
	}
}

func TestHandshakeFails(t *testing.T) {
	tests := []struct{ name, says, want string }{
		{"refused", "{\"error\":\"go away\"}\x1e", "shake hands: go away"},
		{"other message first", "{\"type\":7}\x1e", "shake hands: signalr: expected a handshake response from the server"},
		{"no handshake", "hello\x1e", "shake hands: signalr: the server's first message is not a handshake response"},
		{"too long", strings.Repeat("x", 2000), "shake hands: " + signalr.ErrTooLarge.Error()},
		{"silence", "", "shake hands: " + client.ErrServerTimeout.Error() + " (30s)"},
		{"half", "{", "shake hands: " + client.ErrServerTimeout.Error() + " (30s)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				begin := time.Now()
				_, _, err := newFake(t).dial(test.says, client.Options{MaxMessageBytes: 1000})
				if err == nil || err.Error() != test.want || time.Since(begin) > 31*time.Second {
					t.Errorf("Dial = %v after %v, want %s", err, time.Since(begin), test.want)
				}
			})
		})
	}
}

func TestDialContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begin := time.Now()
		_, err := client.Dial(ctx, f.server.URL, nil, client.Options{HTTPClient: f.server.Client()})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 5*time.Second {
			t.Errorf("Dial = %v after %v, want a timeout after 5 s", err, time.Since(begin))
		}
		(<-f.conns).Close()
		synctest.Wait()
	})
}
