package node_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"rte/internal/node"
	"rte/signalr"
	"rte/signalr/client"
)

// A farm is some nodes on one store behind a dumb proxy: each request goes to
// the next of them.
type farm struct {
	t     *testing.T
	nodes []*world
	proxy *httptest.Server

	mu    sync.Mutex
	next  int
	conns map[net.Conn]bool // that the proxy has with nodes
}

func newFarm(t *testing.T, n int) *farm {
	t.Helper()
	s := natsServer(t, nil)
	f := &farm{t: t, conns: map[net.Conn]bool{}}
	for range n {
		f.nodes = append(f.nodes, start(t, func(c *node.Config) { c.NATSURL = []string{s.ClientURL()} }))
	}
	f.proxy = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "farm"}) },
		Transport:     &http.Transport{DialContext: f.dial, DisableKeepAlives: true, DisableCompression: true},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
	})
	t.Cleanup(f.proxy.Close)
	return f
}

func (f *farm) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	f.mu.Lock()
	f.next++
	w := f.nodes[f.next%len(f.nodes)]
	f.mu.Unlock()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(w.URL(), "http://"))
	if err == nil {
		f.mu.Lock()
		f.conns[c] = true
		f.mu.Unlock()
	}
	return c, err
}

// cut breaks all connections between proxy and nodes.
func (f *farm) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		c.Close() //nolint:errcheck // most have ended
		delete(f.conns, c)
	}
}

// visit connects by the proxy.
func (f *farm) visit(o client.Options) *visitor {
	f.t.Helper()
	v := &visitor{t: f.t, pushes: make(chan push, 10_000)}
	o.Token = tokenOf(sign(f.t, nil))
	on := map[string]func([]signalr.Value){"MessageReceived": func(args []signalr.Value) {
		var p push
		if err := signalr.Decode(args[0], &p); err != nil {
			f.t.Errorf("push: %v", err)
		}
		v.pushes <- p
	}}
	ctx, cancel := context.WithTimeout(f.t.Context(), 20*time.Second)
	defer cancel()
	var err error
	if v.Client, err = client.Dial(ctx, f.proxy.URL+"/rte", on, o); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { v.Close() }) //nolint:errcheck // it never fails
	return v
}

// passed is how many requests a node has passed on to others.
func (f *farm) passed() (n int) {
	f.t.Helper()
	for _, w := range f.nodes {
		_, text := w.get(w.AdminURL() + "/metrics")
		_, rest, ok := strings.Cut(text, "\nrte_passed_on_requests_total ")
		var k int
		if _, err := fmt.Sscan(rest, &k); !ok || err != nil {
			f.t.Fatalf("no metric of requests passed on: %v", err)
		}
		n += k
	}
	return n
}

// TestNoStickySessions: behind a proxy that gives each request to the next of
// three nodes, each transport with each protocol calls and hears, in order.
func TestNoStickySessions(t *testing.T) {
	t.Parallel()
	for _, transport := range []client.Transport{client.WebSockets, client.ServerSentEvents, client.LongPolling} {
		for _, protocol := range []signalr.Protocol{signalr.JSON{}, signalr.MessagePack{}} {
			if transport == client.ServerSentEvents && protocol.Binary() {
				continue // it carries text only
			}
			t.Run(fmt.Sprint(transport, " ", protocol.Name()), func(t *testing.T) {
				t.Parallel()
				f := newFarm(t, 3)
				v := f.visit(client.Options{Transport: transport, Protocol: protocol})
				v.subscribe(queueText + ":QueueStatus")
				const n = 30
				for i := range n {
					f.nodes[i%3].publish(orgA, "QueueStatus", queueText, fmt.Sprintf(`{"queueName":"%d"}`, i))
					if got := v.next(); !strings.Contains(string(got.Data), fmt.Sprintf(`"%d"`, i)) {
						t.Fatalf("push %d is %s", i, got.Data)
					}
					if i%5 == 0 {
						v.subscribe(queueText + ":QueueCallInArrived")
					}
				}
				if passed := f.passed(); (passed > 0) != (transport != client.WebSockets) {
					t.Errorf("%d requests were passed on over %s", passed, transport)
				}
			})
		}
	}
}

// TestResumeElsewhere: a stateful connection whose socket is cut again and
// again comes back by whichever node, and nothing is lost or comes twice.
func TestResumeElsewhere(t *testing.T) {
	t.Parallel()
	f := newFarm(t, 3)
	v := f.visit(client.Options{Transport: client.WebSockets, StatefulReconnect: true})
	v.subscribe(queueText + ":QueueCallInArrived")
	id := v.ID()
	const n = 60
	for i := range n {
		if i%10 == 5 {
			f.cut()
		}
		f.nodes[i%3].publish(orgA, "QueueCallInArrived", queueText, fmt.Sprintf(`{"queueName":"%d"}`, i))
		if got := v.next(); !strings.Contains(string(got.Data), fmt.Sprintf(`"%d"`, i)) {
			t.Fatalf("push %d is %s", i, got.Data)
		}
	}
	if v.ID() != id {
		t.Error("it has become another connection")
	}
	if f.passed() == 0 {
		t.Error("no socket came to another node than the connection's")
	}
}

// TestElsewhereStranger: the token of a connection on another node does not
// let another user in.
func TestElsewhereStranger(t *testing.T) {
	t.Parallel()
	f := newFarm(t, 2)
	a, b := f.nodes[0], f.nodes[1]
	token := sign(t, nil)
	ask := func(w *world, method, path, token string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, w.HubURL()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		return w.do(r)
	}
	_, answer := ask(a, http.MethodPost, "/negotiate?negotiateVersion=1", token)
	_, rest, _ := strings.Cut(answer, `"connectionToken":"`)
	id, _, _ := strings.Cut(rest, `"`)
	if status, text := ask(a, http.MethodGet, "?id="+id, token); status != http.StatusOK {
		t.Fatalf("first poll: %d %s", status, text)
	}
	stranger := service(t, orgB)
	for _, w := range f.nodes {
		if status, _ := ask(w, http.MethodPost, "?id="+id, stranger); status != http.StatusForbidden {
			t.Errorf("another user's POST: %d, want 403", status)
		}
		if status, _ := ask(w, http.MethodPost, "?id="+id, "rubbish"); status != http.StatusUnauthorized {
			t.Errorf("a POST without a token: %d, want 401", status)
		}
	}
	if status, _ := ask(b, http.MethodDelete, "?id="+id, token); status != http.StatusAccepted {
		t.Errorf("goodbye by the other node: %d, want 202", status)
	}
	if status, text := ask(b, http.MethodGet, "?id="+id, token); status != http.StatusNotFound {
		t.Errorf("a poll after the goodbye: %d %s, want 404", status, text)
	}
	if status, _ := ask(b, http.MethodGet, "?id="+id[:43]+"!", token); status != http.StatusNotFound {
		t.Errorf("a poll with a token that nobody signed: %d, want 404", status)
	}
}
