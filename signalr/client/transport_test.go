package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"rte/signalr"
	"rte/signalr/client"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// A gate is a proxy that lets only some transports through, and notes what
// was tried.
type gate struct {
	closed map[client.Transport]bool
	stuck  map[client.Transport]bool // no answer comes

	mu    sync.Mutex
	tried []string
	ids   map[string]bool
}

func (g *gate) front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var t client.Transport
		switch {
		case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/negotiate"):
			t = "negotiate"
		case r.Method != http.MethodGet:
			next.ServeHTTP(w, r)
			return
		case r.Header.Get("Upgrade") != "":
			t = client.WebSockets
		case r.Header.Get("Accept") == "text/event-stream":
			t = client.ServerSentEvents
		default:
			t = client.LongPolling
		}
		g.mu.Lock()
		if g.ids == nil {
			g.ids = map[string]bool{}
		}
		id := r.URL.Query().Get("id")
		if t == "negotiate" || !g.ids[id] { // polls come again
			g.tried = append(g.tried, string(t))
		}
		g.ids[id] = true
		stuck, closed := g.stuck[t], g.closed[t]
		g.mu.Unlock()
		if stuck {
			<-r.Context().Done()
			return
		}
		if closed {
			http.Error(w, "no upgrades here", http.StatusBadGateway)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// stick says whether a transport gets no answer.
func (g *gate) stick(t client.Transport, stuck bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stuck = map[client.Transport]bool{t: stuck}
}

// log is what was tried.
func (g *gate) log() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return strings.Join(g.tried, " ")
}

func TestTransportIsChosen(t *testing.T) {
	type set = map[client.Transport]bool
	const ws, sse, lp = client.WebSockets, client.ServerSentEvents, client.LongPolling
	tests := []struct {
		name          string
		closed, stuck set
		offered       transport.Transport
		o             client.Options
		tried, want   string // of the requests; of the error
	}{
		{name: "first", tried: "negotiate WebSockets"},
		{name: "no WebSockets", closed: set{ws: true}, tried: "negotiate WebSockets negotiate ServerSentEvents"},
		{name: "plain requests only", closed: set{ws: true, sse: true}, tried: "negotiate WebSockets negotiate ServerSentEvents negotiate LongPolling"},
		{name: "proxy that swallows", stuck: set{ws: true}, tried: "negotiate WebSockets negotiate ServerSentEvents"},
		{name: "MessagePack", closed: set{ws: true}, o: client.Options{Protocol: signalr.MessagePack{}}, tried: "negotiate WebSockets negotiate LongPolling"},
		{name: "offered", offered: transport.LongPolling, tried: "negotiate LongPolling"},
		{name: "fixed", o: client.Options{Transport: sse}, tried: "negotiate ServerSentEvents"},
		{name: "skipped negotiation", o: client.Options{SkipNegotiation: true}, tried: "WebSockets"},
		{
			name: "nothing works", closed: set{ws: true, sse: true, lp: true}, tried: "negotiate WebSockets negotiate ServerSentEvents negotiate LongPolling",
			want: "no transport works; WebSockets: connect: status 502: no upgrades here; ServerSentEvents: connect: status 502: no upgrades here; LongPolling: connect: status 502: no upgrades here",
		},
		{name: "fixed does not work", closed: set{ws: true}, o: client.Options{Transport: ws}, tried: "negotiate WebSockets", want: "connect: status 502: no upgrades here"},
		{name: "fixed is not offered", offered: transport.WebSockets | transport.LongPolling, o: client.Options{Transport: sse}, tried: "negotiate", want: "connect: no transport in common: the hub does not offer ServerSentEvents for json, only WebSockets, LongPolling"},
		{name: "nothing fits", offered: transport.ServerSentEvents, o: client.Options{Protocol: signalr.MessagePack{}}, tried: "negotiate", want: "connect: no transport in common: for messagepack the hub offers ServerSentEvents"},
		{name: "no such transport", o: client.Options{Transport: "Pigeons"}, want: `client: there is no transport "Pigeons"`},
		{name: "skipped negotiation of another", o: client.Options{Transport: lp, SkipNegotiation: true}, want: "client: LongPolling needs negotiation"},
		{name: "skipped negotiation and stateful reconnect", o: client.Options{StatefulReconnect: true, SkipNegotiation: true}, want: "client: stateful reconnect needs negotiation"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				g := &gate{closed: test.closed, stuck: test.stuck}
				s := newSiteBehind(t, hub.Options{Methods: map[string]hub.Method{"Echo": echo}}, transport.Options{Transports: test.offered}, g.front)
				test.o.HTTPClient = s.server.Client()
				begin := time.Now()
				c, err := client.Dial(t.Context(), s.server.URL+"/hub", nil, test.o)
				if fmt.Sprint(err) != test.want && (err != nil || test.want != "") {
					t.Errorf("Dial = %v, want %s", err, test.want)
				}
				if took := time.Since(begin); took > 31*time.Second {
					t.Errorf("Dial took %v", took)
				}
				if err == nil {
					if v, err := c.Invoke(t.Context(), "Echo", "x"); err != nil || text(t, v) != "x" {
						t.Errorf("Echo = %v, %v", v, err)
					}
					c.Close()
				}
				if tried := g.log(); tried != test.tried {
					t.Errorf("tried %s, want %s", tried, test.tried)
				}
				if status, ok := errors.AsType[*client.StatusError](err); strings.Contains(test.want, "status 502") && (!ok || status.Status != 502) {
					t.Errorf("the error %v has no status", err)
				}
				if strings.Contains(test.want, "in common") && !errors.Is(err, client.ErrNoTransport) {
					t.Errorf("the error %v is not %v", err, client.ErrNoTransport)
				}
			})
		})
	}
}

// What a hub may write into its offers.
func TestOffers(t *testing.T) {
	tests := []struct{ name, transports, want string }{
		{"null", `null`, "connect: no transport in common: for json the hub offers nothing"},
		{"unknown", `[{"transport":"Pigeons","transferFormats":["Text"]}]`, "connect: no transport in common: for json the hub offers Pigeons"},
		{"unknown first", `[{"transport":"Pigeons","transferFormats":["Text"]},{"transport":"WebSockets","transferFormats":["Text"]}]`, ""},
		{"twice", `[{"transport":"WebSockets","transferFormats":["Text"]},{"transport":"WebSockets","transferFormats":["Text"]}]`, ""},
		{"no format", `[{"transport":"WebSockets"}]`, "connect: no transport in common: for json the hub offers WebSockets"},
		{"another format", `[{"transport":"WebSockets","transferFormats":["Binary"]}]`, "connect: no transport in common: for json the hub offers WebSockets"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(t)
				f.answers(`{"negotiateVersion":1,"connectionId":"public","connectionToken":"secret-token","availableTransports":` + test.transports + `}`)
				c := client.New(f.server.URL+"/hub", client.Options{HTTPClient: f.server.Client()})
				if test.want == "" {
					f.connect(c, 1)
					return
				}
				if err := c.Start(t.Context()); err == nil || err.Error() != test.want {
					t.Errorf("Start = %v, want %s", err, test.want)
				}
			})
		})
	}
}

// A Start that is given up stops trying transports.
func TestStartContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := &gate{stuck: map[client.Transport]bool{client.WebSockets: true}}
		s := newSiteBehind(t, hub.Options{}, transport.Options{}, g.front)
		c := client.New(s.server.URL+"/hub", client.Options{HTTPClient: s.server.Client()})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begin := time.Now()
		if err := c.Start(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 5*time.Second {
			t.Errorf("Start = %v after %v, want a timeout after 5 s", err, time.Since(begin))
		}
		if tried := g.log(); tried != "negotiate WebSockets" || c.State() != client.Disconnected {
			t.Errorf("tried %s, and the client is %v", tried, c.State())
		}
		g.stick(client.WebSockets, false)
		if err := c.Start(t.Context()); err != nil { // it may be tried again
			t.Error(err)
		}
		if err := c.Start(t.Context()); err == nil {
			t.Error("a second Start: no error")
		}
		c.Close()
		if err := c.Start(t.Context()); !errors.Is(err, client.ErrClosed) {
			t.Errorf("Start of a closed client = %v, want %v", err, client.ErrClosed)
		}
	})
}
