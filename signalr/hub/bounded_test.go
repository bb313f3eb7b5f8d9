package hub_test

import (
	"bytes"
	"context"
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

// heap is what is in use, in bytes, and with it the stacks of goroutines.
func heap() (data, withStacks int64) {
	runtime.GC()
	runtime.GC() // what pools held is gone behind the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.HeapAlloc + m.StackInuse)
}

// What a peer may cost is made of these, in bytes.
const (
	// base is an open connection, both ends of it, in this process: net/http's
	// goroutines and buffers have gone, the network in memory has its own. It
	// is 28 KB under the race detector, less without.
	base = 40 << 10
	// request is an HTTP request under way, both ends of it: two goroutines, 4
	// KiB to read and 4 KiB to write on either side, and 32 KiB with which the
	// client copies a body.
	request = 128 << 10
	// maxBytes is Options.MaxMessageBytes by default.
	maxBytes = 32 << 10
	// wireBytes is what the network takes that nobody reads.
	wireBytes = 64 << 10
	// batch is what the hub hands to a transport at once, and that keeps until
	// its client takes it. Slices that grow may be a quarter larger.
	batch = (64 << 10) * 5 / 4
	// queueBytes is Options.QueueBytes here.
	queueBytes = 100 << 10
	// held is what is left of a connection that has gone, of the test's own; ran
	// is what the runtime keeps of a goroutine, to use it again.
	held, ran = 6 << 10, 1 << 10
)

// A cost is what one peer makes the server hold.
type cost struct {
	name string
	peer func(s *site) // connects and does it
	most int64         // bytes for each
	ends bool          // the hub closes the connection for it
	n    int           // peers, default 100
	kept int64         // bytes that the test keeps of each
}

// measure has many peers do it, and sees that all is given back when they have
// gone. Not parallel: it reads the allocator's own figures.
func (c cost) measure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := int64(c.n)
		if n == 0 {
			n = 100
		}
		h := hub.New(costly())
		s := serve(t, h, transport.NewHandler(h.Accept, transport.Options{StatefulReconnect: true}))
		s.shake().conn.Close() // what is made once is there
		synctest.Wait()
		goroutines := runtime.NumGoroutine()
		data, before := heap()
		for range n {
			c.peer(s)
		}
		if c.ends {
			time.Sleep(10 * time.Second) // the answer to a close frame is waited for
		}
		synctest.Wait()
		_, now := heap()
		each, more := (now-before)/n, runtime.NumGoroutine()-goroutines
		t.Logf("%d bytes for each connection, at most %d", each, c.most)
		if each > c.most {
			t.Errorf("%d bytes for each connection, want at most %d", each, c.most)
		}
		if open := int64(h.Stats().Connections); c.ends && open > 0 || !c.ends && open != n {
			t.Errorf("%d connections are open, want them closed: %t", open, c.ends)
		}
		for _, conn := range h.Conns() {
			conn.Transport().Abort()
		}
		for _, leave := range s.leave {
			leave()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		most := held + c.kept + ran*int64(more)/n
		now, _ = heap()
		if left := (now - data) / n; left > most || runtime.NumGoroutine() > goroutines || h.Stats().Connections > 0 {
			t.Errorf("%d bytes are left for each connection, want at most %d; %d goroutines, want %d; %d connections, want none",
				left, most, runtime.NumGoroutine(), goroutines, h.Stats().Connections)
		}
	})
}

// costly are methods that hold what they are given until the connection ends.
func costly() hub.Options {
	block := func(ctx context.Context, _ *hub.Call) (signalr.Value, error) { <-ctx.Done(); return nil, nil }
	return hub.Options{
		QueueBytes: queueBytes,
		Methods:    map[string]hub.Method{"Block": block, "Collect": block},
		Streams:    map[string]hub.Stream{"Forever": forever},
		Uploads:    map[string]int{"Collect": 1},
	}
}

// trickle sends a thousand bytes at a time, then one at a time, and no end.
func trickle(w *wire) {
	for range 30 {
		w.raw(strings.Repeat(" ", 1000))
	}
	for range 500 {
		w.raw(" ")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	for _, c := range []cost{
		{name: "nothing", peer: func(s *site) { s.shake() }, most: base},
		{name: "a handshake that trickles and never ends", peer: func(s *site) { trickle(s.open()) }, most: base + 2*maxBytes}, // append may double
		{name: "a handshake without end", peer: func(s *site) { s.open().raw(strings.Repeat(" ", maxBytes+1)) }, most: base, ends: true},
		{name: "a message that trickles and never ends", peer: func(s *site) { trickle(s.shake()) }, most: base + maxBytes*3/2}, // the reader grows by half
		{name: "a message without end", peer: func(s *site) { s.shake().raw(strings.Repeat(" ", maxBytes+1)) }, most: base, ends: true},
		{name: "a message that says it has 2 GiB", peer: func(s *site) {
			s.talk(transport.WebSockets, signalr.MessagePack{}).shaking().raw([]byte("\xff\xff\xff\xff\x07" + strings.Repeat("x", 1000)))
		}, most: base + 3000},
		{name: "frames that say they have 2 EiB", peer: func(s *site) {
			s.shake().conn.Write(append([]byte{0x81, 0xff, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, bytes.Repeat([]byte{1, 2, 3, 4}, 250)...)) //nolint:errcheck // it shows
		}, most: base + 3000},
		{name: "100,000 empty, tiny and broken-up frames", peer: func(s *site) {
			w, message := s.shake(), ping+"\x1e"
			for i := range 25_000 {
				b := []byte{message[i%len(message)]}
				for _, f := range []ws.Frame{
					ws.NewFrame(ws.OpText, false, b), ws.NewFrame(ws.OpContinuation, true, nil), ws.NewTextFrame(nil), ws.NewPongFrame(nil),
				} {
					w.frame(f) //nolint:errcheck // the figures show
				}
			}
		}, most: base, n: 2},
		{name: "100,000 pings whose answers are not read", peer: func(s *site) {
			ping := ws.MustCompileFrame(ws.MaskFrame(ws.NewPingFrame(bytes.Repeat([]byte("p"), 125))))
			go s.shake().conn.Write(bytes.Repeat(ping, 100_000)) //nolint:errcheck // it is cut in the end
		}, most: base + wireBytes + 2*16<<10, n: 5}, // behind what the network takes wait 16 KiB, twice while they grow
	} {
		t.Run(c.name, c.measure)
	}
}
