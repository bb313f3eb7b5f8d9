package hub_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// heap is what is in use, for data and for stacks, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what pools held is gone behind the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// What a peer may cost, whatever it sends, in bytes for each connection. base is
// an open connection of both ends in this process: net/http's goroutines and
// buffers have gone, the network in memory has its own; under the race detector
// it is 28 KB.
const (
	base     = 40 << 10
	maxBytes = 32 << 10 // Options.MaxMessageBytes by default
)

// TestMemoryIsBounded has many connections do what costs most, and measures. Not
// parallel: it reads the allocator's own figures.
func TestMemoryIsBounded(t *testing.T) {
	const conns = 100
	for _, test := range []struct {
		name string
		do   func(s *site, w *wire) // for each connection, the handshake is done
		raw  bool                   // or is not
		most int64
		end  bool // the connection is closed for it
	}{
		{"nothing", func(*site, *wire) {}, false, base, false},
		{"a handshake that trickles and never ends", func(_ *site, w *wire) {
			w.raw(`{"protocol":"json",`)
			for range 30 {
				w.raw(strings.Repeat(" ", 1000))
			}
		}, true, base + 2*maxBytes, false},
		{"a handshake without end", func(_ *site, w *wire) { w.raw(strings.Repeat(" ", maxBytes+1)) }, true, base, true},
		{"a message that trickles and never ends", func(_ *site, w *wire) {
			for range 30 {
				w.raw(strings.Repeat(" ", 1000))
			}
		}, false, base + maxBytes + maxBytes/2, false},
		{"a message without end", func(_ *site, w *wire) { w.raw(strings.Repeat(" ", maxBytes+1)) }, false, base, true},
		{"a thousand empty, tiny and broken-up frames", func(_ *site, w *wire) {
			for range 250 {
				w.raw("")
				w.raw(" ")
				w.frame(ws.NewFrame(ws.OpText, false, []byte(" ")))
				w.frame(ws.NewFrame(ws.OpContinuation, true, nil))
			}
		}, false, base + maxBytes, false},
		{"pings whose answers are not read", func(_ *site, w *wire) {
			for range 1000 {
				w.frame(ws.NewPingFrame(bytes.Repeat([]byte("p"), 125)))
			}
		}, false, base + 64<<10 + 64<<10, false}, // the network takes 64 KiB; behind it wait 16 KiB at most
		{"calls behind one that does not return", func(_ *site, w *wire) {
			for range 15 {
				w.send(call("", "Block", `"`+strings.Repeat("x", 1000)+`"`))
			}
		}, false, base + 16*3000, false},
		{"ids of streams and results that nobody knows", func(_ *site, w *wire) {
			for i := range 500 {
				w.send(item(fmt.Sprint(i), "1"), done(fmt.Sprint(i)), cancel(fmt.Sprint(i)), result(fmt.Sprint("hub", i), "1"), ack(i))
			}
		}, false, base, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				block := make(chan struct{})
				defer close(block)
				s := newSite(t, hub.Options{Methods: blocking(block)})
				one := s.open() // what is made once is there
				before := heap()
				for range conns {
					w := s.open()
					if !test.raw {
						w.send(handshake)
						w.expect("{}")
					}
					test.do(s, w)
				}
				if test.end {
					time.Sleep(10 * time.Second) // the answer to the close frame is waited for
				}
				synctest.Wait()
				each := (heap() - before) / conns
				t.Logf("%d bytes for each connection", each)
				if each > test.most {
					t.Errorf("%d bytes for each connection, want at most %d", each, test.most)
				}
				if n := s.hub.Stats().Connections; test.end && n > 1 || !test.end && n != conns+1 {
					t.Errorf("%d connections are open, want them closed: %t", n, test.end)
				}
				runtime.KeepAlive(one)
			})
		})
	}
}

// blocking is a method that returns when it is let.
func blocking(gate <-chan struct{}) map[string]hub.Method {
	return map[string]hub.Method{"Block": func(context.Context, *hub.Call) (signalr.Value, error) {
		<-gate
		return nil, nil
	}}
}

// Negotiations leave nothing behind, however many are never used.
func TestNegotiationsCostNothing(t *testing.T) {
	h := hub.New(hub.Options{})
	defer h.Close()
	mux := transport.Mount("/hub", transport.NewHandler(h.Accept, transport.Options{StatefulReconnect: true}), http.NotFoundHandler())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://hub.test/hub/negotiate?negotiateVersion=1&useStatefulReconnect=true", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	negotiate := func(times int) {
		for range times {
			mux.ServeHTTP(discard{http.Header{}}, r)
		}
	}
	negotiate(100)
	before := heap()
	negotiate(100_000)
	if grown := heap() - before; grown > 256<<10 {
		t.Errorf("100,000 negotiations left %d bytes", grown)
	}
}

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// A connection whose client does not come back costs its queues at most, and
// nothing in the end.
func TestMemoryOfParkedConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const conns, queue = 50, 100 << 10
		h := hub.New(hub.Options{QueueBytes: queue})
		s := serve(t, h, transport.NewHandler(h.Accept, transport.Options{StatefulReconnect: true}))
		before := heap()
		for range conns {
			w, _ := s.stateful()
			w.send(ping)
			synctest.Wait()
			w.cut()
		}
		for range 90 {
			for _, c := range h.Conns() {
				c.Send(push(strings.Repeat("x", 1000))) // a frame for each: nothing is shared
			}
		}
		synctest.Wait()
		if each := (heap() - before) / conns; each > base+2*queue || h.Stats().Connections != conns {
			t.Errorf("%d bytes for each of %d connections, want at most %d", each, h.Stats().Connections, base+2*queue)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if left := heap() - before; left > 512<<10 || h.Stats().Connections != 0 {
			t.Errorf("%d bytes and %d connections are left", left, h.Stats().Connections)
		}
	})
}
