package hub_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"rte/signalr"
	"rte/signalr/hub"
)

// state is the n-th value of a state, padded to a size.
func state(key string, n, size int) *signalr.Frame {
	text := fmt.Sprintf("%s %d ", key, n) + strings.Repeat(".", size)
	return signalr.NewStateFrame(&signalr.Invocation{Target: "Push", Arguments: []signalr.Value{signalr.Any(text)}}, key)
}

func answer(id string) *signalr.Frame {
	return signalr.NewFrame(&signalr.Completion{ID: id, Result: signalr.Any(true)})
}

// stall sends until the client's transport takes no more. It returns how many
// messages it took for that; the last of them wait.
func stall(c *hub.Conn) (n int) {
	for ; ; n++ {
		synctest.Wait()
		if queued, _, _, _ := c.Held(); queued > 0 {
			return n
		}
		c.Send(bulk(n))
	}
}

// head reads a message: what it begins with.
func (w *talker) head() string {
	got := w.vital()
	if strings.HasPrefix(got, `{"type":7`) {
		return got
	}
	_, text, _ := strings.Cut(got, `"arguments":["`)
	if strings.HasPrefix(got, `{"type":3`) {
		text = "answer."
	}
	text, _, _ = strings.Cut(text, ".")
	return strings.TrimSpace(text)
}

// heads reads to the end: a Close, or "end".
func (w *talker) heads() (heads []string) {
	for {
		head := w.head()
		if head == "end" {
			return heads
		}
		heads = append(heads, head)
		if strings.HasPrefix(head, "{") {
			return heads
		}
	}
}

// TestRenew: from half full on a state takes the place of the newest older value
// of its own, and of nothing else; an older value never follows a newer one.
func TestRenew(t *testing.T) {
	for _, c := range []struct {
		name string
		send []*signalr.Frame // behind what stalls the client
		want []string
	}{
		{"below half full nothing is replaced", []*signalr.Frame{state("a", 1, 10), state("a", 2, 10)}, []string{"a 1", "a 2"}},
		{
			"the newest value wins, at the older one's place",
			[]*signalr.Frame{state("a", 1, 10), state("b", 1, 60_000), state("a", 2, 10), push("x.")},
			[]string{"a 2", "b 1", "x"},
		},
		{
			"of several the newest is replaced",
			[]*signalr.Frame{state("a", 1, 10), state("a", 2, 10), state("b", 1, 60_000), state("a", 3, 10), state("a", 4, 10)},
			[]string{"a 1", "a 4", "b 1"},
		},
		{
			"one that had no older value is replaced by the next",
			[]*signalr.Frame{state("b", 1, 60_000), state("a", 1, 10), push("x."), state("c", 1, 10), state("a", 2, 10), state("c", 2, 10)},
			[]string{"b 1", "a 2", "x", "c 2"},
		},
		{
			"what no state says is kept",
			[]*signalr.Frame{push("a 1."), push("a 1."), state("b", 1, 60_000), push("a 1.")},
			[]string{"a 1", "a 1", "b 1", "a 1"},
		},
		{
			"a newer value does not overtake an answer: it may be that of the Subscribe that asked for it",
			[]*signalr.Frame{state("a", 1, 10), answer("1"), state("b", 1, 60_000), state("a", 2, 10), answer("2"), state("a", 3, 10), state("a", 4, 10)},
			[]string{"a 1", "answer", "b 1", "a 2", "answer", "a 4"},
		},
		{
			"bytes are counted anew: there is room for what is left",
			[]*signalr.Frame{state("a", 1, 10), state("b", 1, 60_000), state("b", 2, 10), state("c", 1, 60_000), state("c", 2, 10), state("d", 1, 90_000)},
			[]string{"a 1", "b 2", "c 2", "d 1"},
		},
		{
			"a newer value that does not fit is too much",
			[]*signalr.Frame{state("b", 1, 60_000), state("a", 1, 10), state("a", 2, 100_000)},
			[]string{`{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
				s, conn, w := pair(at, hub.Options{QueueBytes: 120_000})
				n := stall(conn)
				for _, f := range c.send {
					conn.Send(f)
				}
				conn.Send(push("end."))
				synctest.Wait()
				got := w.heads()
				if strings.HasPrefix(c.want[0], "{") { // what waits is dropped
					if last := got[len(got)-1]; last != c.want[0] || conn.Reason() != hub.Slow {
						t.Errorf("the last is %.80s, closed as %q", last, conn.Reason())
					}
					return
				}
				if len(got) < n || !slices.Equal(got[n:], c.want) {
					t.Errorf("received %q, want %q behind %d", got, c.want, n)
				}
				synctest.Wait()
				if queued, _, _, _ := conn.Held(); queued != 0 || conn.Reason() != "" {
					t.Errorf("%d bytes are counted at the end, closed as %q", queued, conn.Reason())
				}
				if renewed := s.hub.Stats().Renewed; int(renewed) != len(c.send)-len(c.want) {
					t.Errorf("%d are counted as replaced, want %d", renewed, len(c.send)-len(c.want))
				}
			})
		})
	}
}

// TestRenewAgainstModel: whatever is sent, taken back and read when, each state
// only goes forward and ends with its newest value, all else comes in order and
// whole, and nothing that was sent behind an answer comes before it.
func TestRenewAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	inBubble(t, hub.Options{}, func(s *site) {
		_, c, w := pair(func(o hub.Options) *site { return newSite(s.T, o) }, hub.Options{QueueBytes: 200_000})
		rnd := rand.New(rand.NewPCG(seed, 1))
		var values [5]int // sent, by key
		var heard [5]int
		others, next, over := 0, 0, false
		var behind []int // how many answers were sent before each state value
		read := func(n int) {
			for range n {
				got := w.head()
				var key, value, order int
				switch {
				case got == "end":
					over = true
					return
				case got == "answer":
					next++
				case strings.HasPrefix(got, "other"):
					if fmt.Sscanf(got, "other %d", &order); order != others+1 { //nolint:errcheck // then it differs
						s.Fatalf("%q behind %d", got, others)
					}
					others = order
				default:
					if _, err := fmt.Sscanf(got, "%d %d", &key, &value); err != nil || value <= heard[key] {
						s.Fatalf("%q behind %d (%v)", got, heard[key], err)
					}
					heard[key] = value
					if before := behind[value-1]; before > next {
						s.Fatalf("%q came before the answer before it: %d of %d", got, next, before)
					}
				}
			}
		}
		sent, value, asked := 0, 0, 0
		for range 5000 {
			queued, _, _, _ := c.Held()
			switch n := rnd.IntN(20); {
			case n == 0 && queued < 150_000:
				c.Send(answer("1"))
				asked++
			case n < 6 && queued < 150_000:
				sent++
				c.Send(push(fmt.Sprintf("other %d ", sent) + strings.Repeat(".", rnd.IntN(5000))))
			case n < 17 && queued < 170_000:
				value++
				key := rnd.IntN(len(values))
				values[key] = value
				behind = append(behind, asked)
				c.Send(state(fmt.Sprint(key), value, rnd.IntN(5000)))
			case n == 17:
				synctest.Wait()
			case n > 17 && queued > 100_000:
				read(1 + rnd.IntN(30))
			}
		}
		c.Send(push("end."))
		for !over {
			read(1)
		}
		if others != sent || values != heard || next != asked {
			s.Errorf("heard %d of %d others, states up to %v of %v, %d of %d answers", others, sent, heard, values, next, asked)
		}
		synctest.Wait()
		if queued, _, _, _ := c.Held(); queued != 0 || c.Reason() != "" {
			s.Errorf("%d bytes are counted at the end, closed as %q", queued, c.Reason())
		}
	})
}

// TestRenewWithReconnect: what has been written on the socket is counted and
// comes again as it was; only what waits is replaced.
func TestRenewWithReconnect(t *testing.T) {
	conns := make(chan *hub.Conn, 1)
	resuming(t, hub.Options{
		QueueBytes: 60_000, ReplayBytes: 25_000,
		OnConnected: func(_ context.Context, c *hub.Conn) error { conns <- c; return nil },
	}, func(s *site) {
		w, query := s.stateful()
		w.send(ping)
		c := <-conns
		c.Send(state("a", 1, 10))
		c.Send(state("a", 2, 20_000)) // 1 and 2 are written
		synctest.Wait()
		for _, f := range []*signalr.Frame{state("a", 3, 10), bulk(0), bulk(1), bulk(2), state("a", 4, 10), state("a", 5, 10), push("last")} {
			c.Send(f)
		}
		synctest.Wait()
		if _, unsure, _, _ := c.Held(); unsure < 20_000 || unsure > 25_000 {
			s.Errorf("%d bytes may have to come again", unsure)
		}
		begins := func(w *wire, want string) {
			s.Helper()
			if got := w.receive(); !strings.HasPrefix(got, `{"type":1,"target":"Push","arguments":["`+want) {
				s.Fatalf("received %.60s, want %s", got, want)
			}
		}
		begins(w, "a 1 ")
		begins(w, "a 2 ")
		w.cut()
		w = s.back(query, 1)
		w.expect(sequence(1))
		begins(w, "a 1 ")
		begins(w, "a 2 ")
		w.send(ack(2))
		begins(w, "a 5 ")
		begins(w, "0.")
		begins(w, "1.")
		w.send(ack(5))
		begins(w, "2.")
		begins(w, "last")
		w.send(ack(7))
		synctest.Wait()
		if queued, unsure, _, _ := c.Held(); queued != 0 || unsure != 0 {
			s.Errorf("%d bytes wait, %d may have to come again", queued, unsure)
		}
		s.hub.Close()
	})
}

// TestOffer waits until half the bound is free, ends with its context and with
// the connection, and closes one for which the frame is too large.
func TestOffer(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		_, c, w := pair(at, hub.Options{QueueBytes: 100_000})
		n := stall(c)
		for queued := 0; queued <= 50_000; n++ {
			c.Send(bulk(n))
			queued, _, _, _ = c.Held()
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- c.Offer(ctx, push("too late")) }()
		synctest.Wait()
		if len(ended) > 0 {
			t.Fatalf("Offer = %v, and there is no room", <-ended)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Offer = %v", err)
		}
		go func() { ended <- c.Offer(context.Background(), push("in time.")) }()
		synctest.Wait()
		if len(ended) > 0 {
			t.Fatalf("Offer = %v, and there is no room", <-ended)
		}
		for range n {
			w.head()
		}
		if got := w.head(); got != "in time" {
			t.Errorf("the last is %q", got)
		}
		if err := <-ended; err != nil {
			t.Errorf("Offer = %v", err)
		}
		if room := c.Room(); room != 50_000 {
			t.Errorf("Room = %d", room)
		}
		if err := c.Offer(context.Background(), push(strings.Repeat("x", 100_000))); !errors.Is(err, hub.ErrEnded) {
			t.Errorf("Offer = %v of what never fits, want ErrEnded", err)
		}
		if c.Reason() != hub.Slow {
			t.Errorf("closed as %q, want slow", c.Reason())
		}
		if err := c.Offer(context.Background(), push("x")); !errors.Is(err, hub.ErrEnded) {
			t.Errorf("Offer = %v behind the end", err)
		}
		if room := c.Room(); room != 0 {
			t.Errorf("Room = %d of one that has ended", room)
		}
	})
}

// BenchmarkRenew is what a state costs where the client is slow and much waits.
func BenchmarkRenew(b *testing.B) {
	for _, waiting := range []int{100, 4000} {
		b.Run(fmt.Sprintf("waiting=%d", waiting), func(b *testing.B) {
			c := newCrowd(b, 1, true)
			defer c.close()
			conn := c.conns[0]
			for queued := 0; queued == 0; queued, _, _, _ = conn.Held() {
				conn.Send(bulk(0))
			}
			conn.Send(push(strings.Repeat("x", 600_000)))
			for i := range waiting {
				conn.Send(state(fmt.Sprint(i), 0, 10))
			}
			f := state(fmt.Sprint(waiting-1), 1, 10)
			b.ReportAllocs()
			for b.Loop() {
				conn.Send(f)
			}
			if conn.Reason() != "" {
				b.Fatalf("closed: %s", conn.Reason())
			}
		})
	}
}
