package hub_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"rte/signalr"
	"rte/signalr/hub"
)

// A client that calls faster than its methods run is read no further; nothing
// is lost, and the rest waits where it was sent from.
func TestFloodOfCalls(t *testing.T) {
	for _, each := range []bool{true, false} { // a frame for each call, or one for all
		t.Run(fmt.Sprint(each), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const calls = 5000
				gate := make(chan struct{})
				var ran []string
				s := newSite(t, hub.Options{Methods: map[string]hub.Method{"Take": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
					<-gate
					var text string
					err := c.Bind(&text)
					ran = append(ran, strings.TrimRight(text, "."))
					return nil, err
				}}})
				w := s.shake()
				var want, records []string
				for i := range calls {
					want = append(want, fmt.Sprint(i))
					records = append(records, call("", "Take", `"`+fmt.Sprint(i)+strings.Repeat(".", 200)+`"`))
				}
				var written atomic.Int64
				done := make(chan struct{})
				go func() {
					defer close(done)
					if !each {
						w.send(records...)
						return
					}
					for _, r := range records {
						w.send(r)
						written.Add(int64(len(r)))
					}
				}()
				synctest.Wait()
				select {
				case <-done:
					t.Fatal("the hub took everything while nothing ran")
				default:
				}
				// 64 KiB are on the way, the hub has read at most a piece
				// more than may wait.
				if n := written.Load(); n > 64<<10+17*300+32<<10 {
					t.Errorf("%d bytes were taken while nothing ran", n)
				}
				if n := s.hub.Stats().Invocations; n > 200 {
					t.Errorf("%d invocations are waiting, want a bounded number", n)
				}
				close(gate)
				<-done
				synctest.Wait()
				if diff := cmp.Diff(want, ran); diff != "" {
					t.Errorf("calls that ran (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// The same, again and again: between two floods the hub reads on.
func TestFloodInWaves(t *testing.T) {
	inBubble(t, hub.Options{Methods: map[string]hub.Method{"Echo": echo}}, func(s *site) {
		w := s.shake()
		for wave := range 20 {
			var calls, answers []string
			for i := range 50 + wave {
				calls = append(calls, call(fmt.Sprint(i), "Echo", `"x"`))
				answers = append(answers, result(fmt.Sprint(i), `"x"`))
			}
			go w.send(calls...)
			w.expect(answers...)
		}
	})
}

// The end of a connection is seen although it is held, once it is written to.
func TestHeldConnectionEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(s *site, w *wire, c *hub.Conn)
		why  hub.CloseReason
	}{
		{"the hub closes", func(_ *site, _ *wire, c *hub.Conn) { c.Close(hub.Aborted, "", false) }, hub.Aborted},
		{"the network", func(_ *site, w *wire, c *hub.Conn) {
			w.conn.Close()
			c.Send(push("anyone?"))
		}, hub.Lost},
		{"drain", func(s *site, _ *wire, _ *hub.Conn) { s.hub.Drain(s.Context(), 0) }, hub.Draining},
		{"cut", func(_ *site, _ *wire, c *hub.Conn) { c.Transport().Abort() }, hub.Lost},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				conns, ended := make(chan *hub.Conn, 1), make(chan hub.CloseReason, 1)
				s := newSite(t, hub.Options{
					Methods: map[string]hub.Method{"Block": func(ctx context.Context, _ *hub.Call) (signalr.Value, error) {
						<-ctx.Done() // only the connection's end releases it
						return nil, nil
					}},
					OnConnected:    func(_ context.Context, c *hub.Conn) error { conns <- c; return nil },
					OnDisconnected: func(c *hub.Conn, _ error) { ended <- c.Reason() },
				})
				w := s.shake()
				for range 100 {
					w.send(call("1", "Block"))
				}
				synctest.Wait()
				test.end(s, w, <-conns)
				go func() { // what a live client does
					for got := w.receive(); got != "end"; got = w.receive() {
					}
				}()
				if got := <-ended; got != test.why {
					t.Errorf("ended as %s, want %s", got, test.why)
				}
			})
		})
	}
}

func TestMessageSizes(t *testing.T) {
	const max = 1000
	const tooLarge = `{"type":7,"error":"Connection closed with an error. InvalidDataException: The maximum message size of 1000B was exceeded. The message size can be configured in AddHubOptions.","allowReconnect":true}`
	sized := func(n int) string { // a call of n bytes, separator included
		c := call("1", "Length", `""`)
		return strings.Replace(c, `""`, `"`+strings.Repeat("x", n-1-len(c))+`"`, 1)
	}
	o := hub.Options{MaxMessageBytes: max, DetailedErrors: true, Methods: map[string]hub.Method{"Length": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
		var text string
		err := c.Bind(&text)
		return signalr.Any(len(text)), err
	}}}
	exact := result("1", fmt.Sprint(max-1-len(call("1", "Length", `""`))))
	inBubbleNamed(t, "exactly", o, func(s *site) {
		w := s.shake()
		w.send(sized(max), sized(max)) // both in one frame
		w.expect(exact, exact)
		for _, r := range []string{sized(max), sized(max)} { // over many frames
			for rest := r + "\x1e"; rest != ""; rest = rest[min(7, len(rest)):] {
				w.raw(rest[:min(7, len(rest))])
			}
			w.expect(exact)
		}
		many := make([]string, 500)
		for i := range many {
			many[i] = call("", "Length", `""`)
		}
		w.send(append(many, call("2", "Length", `""`))...)
		w.expect(result("2", "0"))
	})
	inBubbleNamed(t, "one more", o, func(s *site) {
		w := s.shake()
		w.send(sized(max), sized(max+1), sized(max))
		got := w.receive()
		if got == exact { // it may still get out
			got = w.receive()
		}
		if got != tooLarge {
			t.Errorf("received %s, want %s", got, tooLarge)
		}
		w.expect("status 1000", "end")
	})
	inBubbleNamed(t, "endless", o, func(s *site) {
		w := s.shake()
		for range max {
			w.raw("x")
		}
		w.expect(tooLarge, "status 1000", "end")
	})
}

func TestUnreadableMessages(t *testing.T) {
	const closed = `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`
	for _, bad := range []string{"", "{", "[]", "null", `{"type":"1"}`, `{"type":1}`, `{"type":1,"target":"Echo","arguments":{}}`, "\x02\x91\x06", `{"type":1,"target":"Echo","arguments":["` + "\xff" + `"]}`, strings.Repeat("[", 10_000)} {
		inBubbleNamed(t, fmt.Sprintf("%.20q", bad), hub.Options{Methods: methods()}, func(s *site) {
			other := s.shake()
			w := s.shake()
			w.send(call("1", "Echo", `"a"`), bad, call("2", "Echo", `"b"`))
			got := w.receive()
			if got == result("1", `"a"`) { // its answer may still get out
				got = w.receive()
			}
			if got != closed {
				t.Errorf("received %s, want %s", got, closed)
			}
			w.expect("status 1000", "end")
			other.send(call("1", "Echo", `"others live"`))
			other.expect(result("1", `"others live"`))
			synctest.Wait()
			if got := s.hub.Stats().Closes; got[hub.Protocol] != 1 || len(got) != 1 {
				t.Errorf("closes = %v, want one for the protocol", got)
			}
		})
	}
}

// Frames of either kind, in fragments, with pings among them.
func TestFramesOfEveryForm(t *testing.T) {
	inBubble(t, hub.Options{Methods: map[string]hub.Method{"Echo": echo}}, func(s *site) {
		w := s.open()
		c := call("1", "Echo", `"客"`) + "\x1e"
		for _, f := range []ws.Frame{
			ws.NewBinaryFrame([]byte(handshake + "\x1e")),
			ws.NewFrame(ws.OpText, false, []byte(c[:10])),
			ws.NewFrame(ws.OpContinuation, false, []byte(c[10:50])),
			ws.NewFrame(ws.OpContinuation, true, []byte(c[50:])),
			ws.NewBinaryFrame([]byte(c + c)),
		} {
			if err := w.frame(f); err != nil {
				t.Fatal(err)
			}
		}
		w.expect("{}", result("1", `"客"`), result("1", `"客"`), result("1", `"客"`))
	})
}
