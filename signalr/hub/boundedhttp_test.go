package hub_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// What clients of the other transports may cost: those who take nothing, and
// those who give little by little.
func TestMemoryOverHTTPIsBounded(t *testing.T) {
	for _, way := range []transport.Transport{transport.ServerSentEvents, transport.LongPolling} {
		one, kept, waits := int64(request), int64(16<<10), queueBytes+40_000 // the event stream's answer
		if way == transport.LongPolling {
			one, kept, waits = base, 2<<10, queueBytes-10_000 // a poll comes and goes
		}
		for _, c := range []cost{
			{name: "nothing", peer: func(s *site) { s.talk(way, signalr.JSON{}).shaking() }, most: one, kept: kept},
			{name: "nothing is fetched or read", peer: func(s *site) {
				s.talk(way, signalr.JSON{}).shaking()
				s.fill(waits)
			}, most: one + wireBytes + 2*batch + queued, n: 50, kept: kept},
			{name: "a body that trickles", peer: func(s *site) {
				s.trickles(s.talk(way, signalr.JSON{}).shaking())
			}, most: one + request + 16<<10 + maxBytes*3/2, n: 50, kept: kept + 4<<10}, // 16 KiB to read with
			{name: "twenty bodies at a time", peer: func(s *site) {
				k := s.talk(way, signalr.JSON{}).shaking()
				for range 20 {
					s.trickles(k)
				}
			}, most: one + 20*request + 16<<10 + maxBytes*3/2, n: 10, kept: kept + 20*4<<10},
		} {
			t.Run(fmt.Sprint(way, ": ", c.name), c.measure)
		}
	}
}

// trickles posts a body that begins and does not end.
func (s *site) trickles(k *talker) {
	c, ok := k.carrier.(interface{ posts(body io.Reader) })
	if !ok {
		k.Fatal("it cannot post")
	}
	r, w := io.Pipe()
	k.Cleanup(func() { w.Close() })
	s.leave = append(s.leave, func() { w.Close() })
	go c.posts(r)
	for range 20 {
		w.Write([]byte(strings.Repeat(" ", 1000))) //nolint:errcheck // it is a pipe
	}
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
	_, before := heap()
	negotiate(100_000)
	if _, now := heap(); now-before > 256<<10 {
		t.Errorf("100,000 negotiations left %d bytes", now-before)
	}
}

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// On real sockets a connection that waits is a goroutine and what the system
// keeps of it, both ends here; nothing is read before there is something to read.
func TestMemoryOverSockets(t *testing.T) {
	const n, idle = 200, 20 << 10
	newCrowd(t, 1, false).close() // what is made once is there
	goroutines := runtime.NumGoroutine()
	data, before := heap()
	crowd := newCrowd(t, n, false)
	_, now := heap()
	if each := (now - before) / n; each > idle {
		t.Errorf("%d bytes for each connection that waits, want at most %d", each, idle)
	}
	part := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(strings.Repeat(" ", 30_000)))))
	part = append(part, ws.MustCompileFrame(ws.MaskFrame(ws.NewPingFrame(nil)))...)
	for _, end := range crowd.ends {
		if _, err := end.Write(part); err != nil {
			t.Fatal(err)
		}
		if f, err := readFrame(end); err != nil || f.Header.OpCode != ws.OpPong { // it has been taken
			t.Fatalf("received %+v, %v, want a pong", f.Header, err)
		}
	}
	_, now = heap()
	if each := (now - before) / n; each > idle+maxBytes*3/2 {
		t.Errorf("%d bytes for each message that has begun, want at most %d", each, idle+maxBytes*3/2)
	}
	for _, end := range crowd.ends {
		end.Close()
	}
	crowd.close()
	crowd = nil
	now, _ = heap()
	if left := (now - data) / n; left > held || runtime.NumGoroutine() > goroutines {
		t.Errorf("%d bytes are left for each connection, want at most %d; %d goroutines, want %d", left, held, runtime.NumGoroutine(), goroutines)
	}
}
