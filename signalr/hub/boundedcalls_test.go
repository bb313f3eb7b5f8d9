package hub_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gobwas/ws"
)

// What calls, streams and connections without a socket may cost.

// parsed is what a call takes at most, times its size: an argument of two bytes
// ("1,") is a value of 16 bytes that points to one of 32, beside the bytes
// themselves; what grows may be a quarter larger.
const parsed = 26 * 5 / 4

// task is a small call that waits: what is run, the message, its parts.
const task = 1500

func TestMemoryOfCallsIsBounded(t *testing.T) {
	for _, c := range []cost{
		// 16 wait behind the one that runs, and those of the piece that was read.
		{name: "small calls behind one that does not return", peer: func(s *site) {
			floods(s.shake(), call("", "Block", `"`+strings.Repeat("x", 300)+`"`))
		}, most: base + wireBytes + (17+16<<10/300)*task},
		// One runs, one waits, a part of a third has come.
		{name: "large calls behind one that does not return", peer: func(s *site) {
			floods(s.shake(), call("", "Block", strings.Repeat("1,", maxBytes/2-100)+"1"))
		}, most: base + wireBytes + 2*parsed*maxBytes + maxBytes*3/2, n: 20},
		// 100 run (Options.MaxStreams): goroutines, contexts, uploads that hold 10
		// items each; then the client is held.
		{name: "endless uploads that nobody reads", peer: func(s *site) {
			w := s.shake()
			for i := range 200 {
				w.send(with(call("", "Collect"), fmt.Sprint(i)))
			}
			for range 10 {
				for i := range 100 {
					w.send(item(fmt.Sprint(i), "1"))
				}
			}
			floods(w, item("1", "1"))
		}, most: base + wireBytes + 100*(8<<10+11*300) + 16<<10/30*300, n: 20},
		{name: "streams begun and cancelled, over and over", peer: func(s *site) {
			w := s.shake()
			for i := range 300 {
				id := fmt.Sprint(i)
				w.send(stream(id, "Forever"))
				w.expect(item(id, `"on"`))
				w.send(cancel(id))
				w.expect(done(id))
			}
		}, most: base, n: 20},
		{name: "streams that are refused", peer: func(s *site) {
			w := s.shake()
			for i := range 300 {
				w.send(stream(fmt.Sprint(i), "Nowhere"))
				w.receive()
			}
		}, most: base, n: 20},
		{name: "ids of streams and results that nobody knows", peer: func(s *site) {
			w := s.shake()
			for i := range 1000 {
				w.send(item(fmt.Sprint(i), "1"), done(fmt.Sprint(i)), cancel(fmt.Sprint(i)), result(fmt.Sprint("hub", i), "1"), ack(i), sequence(i))
			}
		}, most: base, n: 10},
		// Each is a goroutine of the application's, with what it waits for; what
		// it asks is read.
		{name: "a thousand results that never come", peer: func(s *site) {
			w := s.shake()
			synctest.Wait()
			c := s.hub.Conns()[len(s.hub.Conns())-1]
			for range 1000 {
				go c.Invoke(context.Background(), "Say") //nolint:errcheck // the connection's end ends it
			}
			for i := range 1000 {
				w.receive()
				w.send(result(fmt.Sprint("no", i), "1"))
			}
		}, most: base + 1000*(6<<10), n: 10},
	} {
		t.Run(c.name, c.measure)
	}
}

func TestMemoryOfResumingIsBounded(t *testing.T) {
	for _, c := range []cost{
		{name: "false Acks and Sequences", peer: func(s *site) {
			w, _ := s.stateful()
			for i := range 300 {
				w.send(ack(i), ack(-i), ack(1<<40), sequence(1), sequence(-i), ping)
			}
		}, most: base, n: 20},
		// The network, a batch, the queue and as much that was sent.
		{name: "a client that acknowledges nothing and reads nothing", peer: func(s *site) {
			w, _ := s.stateful()
			w.send(ping)
			s.fill(queueBytes + 40_000)
		}, most: base + wireBytes + batch + 2*queued},
		// Nobody reads what waits; it ends by itself when the client does not come.
		{name: "a client that does not come back", peer: func(s *site) {
			w, _ := s.stateful()
			w.send(ping)
			synctest.Wait()
			w.cut()
			s.fill(queueBytes - 10_000)
		}, most: base + queued},
		// The application's calls stay while the client comes again and again,
		// each time with calls in the same breath as its request.
		{name: "a client that comes back fifty times while a call runs", peer: func(s *site) {
			w, query := s.stateful()
			w.send(call("", "Block"))
			synctest.Wait()
			for i := range 50 {
				w.cut()
				w = s.back(query, 1)
				floods(w, call(fmt.Sprint(i), "Block", `"`+strings.Repeat("x", 1000)+`"`))
			}
		}, most: base + wireBytes + (17+16<<10/1000)*2*task, n: 10, kept: 50 << 10},
	} {
		t.Run(c.name, c.measure)
	}
}

// queued is Options.QueueBytes of these tests, as a frame of each push takes it:
// the bytes, the message they were made of, and slices that grow.
const queued = queueBytes * 5 / 2

// fill sends the newest connection so many bytes, in frames of its own: almost as
// much as may wait for it.
func (s *site) fill(size int) {
	s.Helper()
	synctest.Wait()
	c := s.hub.Conns()[len(s.hub.Conns())-1]
	for i := range size / 1000 {
		if c.Send(push(strings.Repeat("x", 1000))); i%30 == 0 {
			synctest.Wait() // some of it is on its way
		}
	}
	if c.Reason() != "" {
		s.Fatalf("closed as %s: more than may wait", c.Reason())
	}
}

// floods sends a record until the hub reads no more.
func floods(w *wire, record string) {
	go func() {
		for w.frame(ws.NewTextFrame([]byte(record+"\x1e"))) == nil {
		}
	}()
}
