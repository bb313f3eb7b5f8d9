package hub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// pair is a hub, one connection of it, and its client.
func pair(at func(hub.Options) *site, o hub.Options) (*site, *hub.Conn, *talker) {
	conns := make(chan *hub.Conn, 1)
	o.OnConnected = func(_ context.Context, c *hub.Conn) error { conns <- c; return nil }
	s := at(o)
	w := s.meet()
	return s, <-conns, w
}

// bulk is a push of about 10,000 bytes.
func bulk(i int) *signalr.Frame { return push(fmt.Sprint(i) + strings.Repeat(".", 10_000)) }

func TestSlowClient(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		s, c, w := pair(at, hub.Options{QueueBytes: 100_000})
		sent := 0
		for ; c.Reason() == ""; sent++ {
			c.Send(bulk(sent))
			synctest.Wait()
		}
		// The network takes 64 KiB, the transport a batch of as much, the
		// queue its bound.
		if most := (100_000 + 2*64<<10) / 10_000; sent < 10 || sent > most+1 {
			t.Errorf("closed behind %d messages of 10000 bytes, want 10 to %d", sent, most+1)
		}
		for i := 0; ; i++ {
			got := w.receive()
			if strings.HasPrefix(got, `{"type":7`) {
				if want := `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`; got != want {
					t.Errorf("received %s, want %s", got, want)
				}
				break
			}
			if want := fmt.Sprint(i) + "..."; !strings.Contains(got, want) {
				t.Fatalf("message %d is %.60s", i, got)
			}
			if i >= sent {
				t.Fatal("received more than was sent")
			}
		}
		w.closed(ws.StatusNormalClosure)
		synctest.Wait()
		if st := s.hub.Stats(); st.Closes[hub.Slow] != 1 || c.Reason() != hub.Slow {
			t.Errorf("reason %s, Stats = %+v, want slow", c.Reason(), st)
		}
	})
}

// A message that alone is more than may wait.
func TestOneMessageTooLargeForTheQueue(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		_, c, w := pair(at, hub.Options{QueueBytes: 1000})
		c.Send(bulk(0))
		c.Send(push("behind it"))
		w.expect(`{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`)
		w.closed(ws.StatusNormalClosure)
	})
}

// A client that takes nothing is cut by the transport; it costs nobody else
// anything, and no ping is queued for it. Who polls is not written to before it
// comes: then it has gone (TestVanishOnEveryWay).
func TestStuckClient(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		conns := make(chan *hub.Conn, 20)
		errs := make(chan error, 20)
		s := at(hub.Options{
			KeepAlive:      2 * time.Second,
			Methods:        map[string]hub.Method{"Echo": echo},
			OnConnected:    func(_ context.Context, c *hub.Conn) error { conns <- c; return nil },
			OnDisconnected: func(_ *hub.Conn, err error) { errs <- err },
		})
		for range 10 {
			s.meet()
			c := <-conns
			for i := range 10 {
				c.Send(bulk(i))
			}
		}
		w := s.meet()
		<-conns
		for i := range 9 {
			s.after(0, 0, "answer", func() {
				w.send(call("1", "Echo", `"a"`))
				w.expect(result("1", `"a"`))
			})
			if len(errs) > 0 {
				t.Fatalf("after %d s a stuck client was cut: %v", i, <-errs)
			}
			<-time.After(999 * time.Millisecond) // never idle for long enough to be pinged
		}
		if n := s.hub.Stats().Pings; n != 0 {
			t.Errorf("%d pings, want none", n)
		}
		want := transport.ErrSendTimeout
		if s.polls() {
			<-time.After(6 * time.Second) // 15 in all
			want = nil
		}
		<-time.After(2 * time.Second)
		for range 10 {
			if err := <-errs; !errors.Is(err, want) {
				t.Errorf("OnDisconnected(%v), want %v", err, want)
			}
		}
	})
}

// A client that is slow for a while gets everything, in order.

// TestDismiss: who may hear nothing more is not sent what waits, only the
// Close.
func TestDismiss(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		s, c, w := pair(at, hub.Options{QueueBytes: 10 << 20})
		const sent = 100
		for i := range sent {
			c.Send(bulk(i))
			synctest.Wait()
		}
		c.Dismiss("revoked", "told why")
		c.Close(hub.Aborted, "too late", true)
		for i := 0; ; i++ {
			got := w.receive()
			if strings.HasPrefix(got, `{"type":7`) {
				if want := `{"type":7,"error":"told why"}`; got != want && got != `{"type":7,"error":"told why","allowReconnect":false}` {
					t.Errorf("received %s, want %s", got, want)
				}
				break
			}
			// The network takes 64 KiB, the transport a batch of as much.
			if most := 2 * 64 << 10 / 10_000; i > most {
				t.Fatalf("received message %d of %d, want at most %d", i+1, sent, most+1)
			}
		}
		w.closed(ws.StatusNormalClosure)
		synctest.Wait()
		if st := s.hub.Stats(); st.Closes["revoked"] != 1 || c.Reason() != "revoked" {
			t.Errorf("reason %s, Stats = %+v", c.Reason(), st)
		}
	})
}

// TestUnqueue takes back what waits and is picked; the rest arrives in order,
// and the room of what has gone is there again.
func TestUnqueue(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		_, c, w := pair(at, hub.Options{QueueBytes: 600_000})
		const sent = 60
		frames := map[*signalr.Frame]int{}
		for i := range sent {
			f := bulk(i)
			frames[f] = i
			c.Send(f)
			synctest.Wait()
		}
		taken := map[int]bool{}
		n := c.Unqueue(func(f *signalr.Frame) bool {
			i := frames[f]
			taken[i] = i%2 == 1
			return taken[i]
		})
		if n < 10 || n > sent/2 || c.Unqueue(func(f *signalr.Frame) bool { return frames[f]%2 == 1 }) != 0 {
			t.Errorf("%d of %d taken back, or not all at once", n, sent)
		}
		for i := range n { // as many more have room
			f := bulk(sent + i)
			c.Send(f)
		}
		if c.Reason() != "" {
			t.Fatalf("ended: %s", c.Reason())
		}
		for i := range sent + n {
			if taken[i] {
				continue
			}
			if got, want := w.receive(), fmt.Sprint(i)+"..."; !strings.Contains(got, want) {
				t.Fatalf("received %.60s, want message %d", got, i)
			}
		}
	})
}

func TestSlowClientCatchesUp(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		s, c, w := pair(at, hub.Options{QueueBytes: 10 << 20})
		for round := range 3 {
			for i := range 40 {
				c.Send(bulk(i))
				if i%10 == 0 {
					synctest.Wait()
				}
			}
			<-time.After(time.Duration(round) * time.Second)
			for i := range 40 {
				if got, want := w.receive(), pushed(fmt.Sprint(i)+strings.Repeat(".", 10_000)); got != want {
					t.Fatalf("round %d, message %d is %.60s", round, i, got)
				}
			}
			<-time.After(s.while())
			c.Send(push("end of round"))
			if got := w.vital(); got != pushed("end of round") {
				t.Fatalf("received %.60s", got)
			}
		}
	})
}

func TestManySenders(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		const senders, each, clients = 8, 60, 5
		conns := make(chan *hub.Conn, clients)
		s := at(hub.Options{
			QueueBytes:  10 << 20,
			OnConnected: func(_ context.Context, c *hub.Conn) error { conns <- c; return nil },
		})
		var wires []*talker
		var all []*hub.Conn
		for range clients {
			wires = append(wires, s.meet())
			all = append(all, <-conns)
		}
		var wg sync.WaitGroup
		for sender := range senders {
			wg.Go(func() {
				for i := range each {
					f := push(fmt.Sprintf("%d %d", sender, i))
					for _, c := range all {
						c.Send(f)
					}
				}
			})
		}
		for _, w := range wires {
			wg.Go(func() {
				var next [senders]int
				for range senders * each {
					got := w.receive()
					var sender, i int
					if _, err := fmt.Sscanf(got, `{"type":1,"target":"Push","arguments":["%d %d"]}`, &sender, &i); err != nil || next[sender] != i {
						t.Errorf("received %.80s, want number %d of that sender (%v)", got, next[sender], err)
						return
					}
					next[sender]++
				}
			})
		}
		wg.Wait()
		if st := s.hub.Stats(); st.Messages != senders*each*clients || st.Bytes == 0 {
			t.Errorf("Stats = %+v, want %d messages", st, senders*each*clients)
		}
	})
}

// Sends race with the end of the connection, from every side.
func TestSendsAndEnds(t *testing.T) {
	for end := range 4 {
		for i := range 5 {
			t.Run(fmt.Sprint(end, i), func(t *testing.T) {
				everyBubble(t, func(t *testing.T, at func(hub.Options) *site) { sendsAndEnds(t, at, end) })
			})
		}
	}
}

func sendsAndEnds(t *testing.T, at func(hub.Options) *site, end int) {
	s, c, w := pair(at, hub.Options{QueueBytes: 20_000})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				c.Send(push("x"))
			}
		})
	}
	switch end {
	case 0:
		wg.Go(w.vanish)
	case 1:
		wg.Go(func() { c.Close(hub.Aborted, "", false) })
	case 2:
		wg.Go(func() { s.hub.Drain(context.Background(), 0) })
	case 3:
		wg.Go(c.Transport().Abort)
	}
	wg.Go(func() {
		for got := w.receive(); got != "end"; got = w.receive() {
		}
	})
	wg.Wait()
	if after, _, _ := s.lost(); end == 0 {
		<-time.After(after)
	}
	synctest.Wait()
	c.Send(push("nobody there"))
	c.Close(hub.Aborted, "", false)
	if st := s.hub.Stats(); st.Connections != 0 {
		t.Errorf("Stats = %+v, want no connection", st)
	}
}

func TestSendBeforeTheHandshake(t *testing.T) {
	everywhere(t, func() hub.Options { return hub.Options{} }, func(s *site) {
		w := s.arrive()
		synctest.Wait()
		c := s.hub.Conns()[0]
		c.Send(push("too early"))
		if c.ProtocolName() != "" {
			s.Errorf("ProtocolName = %q before the handshake, want none", c.ProtocolName())
		}
		w.greet()
		w.expect("{}")
		c.Send(push("in time"))
		w.expect(pushed("in time"))
		w = s.arrive()
		synctest.Wait()
		s.hub.Conns()[1].Close("limit", "no words for it yet", false)
		w.closed(ws.StatusNormalClosure)
	})
}

func TestStatsAddUp(t *testing.T) {
	everywhere(t, func() hub.Options { return echoes }, func(s *site) {
		w, refused := s.meet(), s.arrive()
		for range 10 {
			w.send(call("1", "Echo", `"abc"`))
			w.expect(result("1", `"abc"`))
			w.send(call("", "Echo", `"abc"`), ping)
		}
		want := hub.Stats{
			Messages:    10,
			Bytes:       uint64(len("{}_") + 10*len(w.encode(result("1", `"abc"`))) + len(`{"error":"Handshake was canceled."}_`)),
			Invocations: 20,
			Closes:      map[hub.CloseReason]uint64{hub.Refused: 1},
		}
		if !s.polls() {
			w.expect(ping)
			want.Pings = 1
			want.Bytes += uint64(len(w.encode(ping)))
		}
		after, why, _ := s.lost()
		want.Closes[why]++
		w.vanish()
		refused.expect(`{"error":"Handshake was canceled."}`)
		refused.closed(ws.StatusNormalClosure)
		<-time.After(after)
		synctest.Wait()
		if diff := cmp.Diff(want, s.hub.Stats()); diff != "" {
			s.Errorf("Stats (-want +got):\n%s", diff)
		}
	})
}
