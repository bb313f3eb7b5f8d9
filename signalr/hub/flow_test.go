package hub_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// A client that calls faster than its methods run is read no further; nothing
// is lost, and the rest waits where it was sent from.
func TestFloodOfCalls(t *testing.T) {
	for _, each := range []bool{true, false} { // a frame for each call, or one for all
		t.Run(fmt.Sprint(each), func(t *testing.T) {
			everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
				const calls = 400 // many times what may wait
				gate := make(chan struct{})
				var ran []string
				s := at(hub.Options{Methods: map[string]hub.Method{"Take": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
					<-gate
					var text string
					err := c.Bind(&text)
					ran = append(ran, strings.TrimRight(text, "."))
					return nil, err
				}}})
				s.server.Network.Buffer = 4 << 10
				w := s.meet()
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
				// 4 KiB are on the way, the hub has read at most a piece
				// more than may wait, and a client that posts holds one.
				if n := written.Load(); n > 4<<10+17*300+32<<10 {
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
	everywhere(t, func() hub.Options { return echoes }, func(s *site) {
		w := s.meet()
		for wave := range 20 {
			var calls, answers []string
			for i := range 50 + wave {
				calls = append(calls, call(fmt.Sprint(i), "Echo", `"x"`))
				answers = append(answers, result(fmt.Sprint(i), `"x"`))
			}
			taken := w.begin(calls...)
			w.expect(answers...)
			taken()
		}
	})
}

// The end of a connection is seen although it is held, once it is written to.
func TestHeldConnectionEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(s *site, w *talker, c *hub.Conn)
		why  hub.CloseReason // "" is that of a client that vanishes
	}{
		{"the hub closes", func(_ *site, _ *talker, c *hub.Conn) { c.Close(hub.Aborted, "", false) }, hub.Aborted},
		{"the network", func(s *site, w *talker, c *hub.Conn) {
			w.vanish()
			if s.way == transport.WebSockets { // it is not read
				c.Send(push("anyone?"))
			}
		}, ""},
		{"drain", func(s *site, _ *talker, _ *hub.Conn) { s.hub.Drain(s.Context(), 0) }, hub.Draining},
		{"cut", func(_ *site, _ *talker, c *hub.Conn) { c.Transport().Abort() }, hub.Lost},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
				conns, ended := make(chan *hub.Conn, 1), make(chan hub.CloseReason, 1)
				s := at(hub.Options{
					Methods: map[string]hub.Method{"Block": func(ctx context.Context, _ *hub.Call) (signalr.Value, error) {
						<-ctx.Done() // only the connection's end releases it
						return nil, nil
					}},
					OnConnected:    func(_ context.Context, c *hub.Conn) error { conns <- c; return nil },
					OnDisconnected: func(c *hub.Conn, _ error) { ended <- c.Reason() },
				})
				w := s.meet()
				var calls []string
				for range 100 {
					calls = append(calls, call("1", "Block"))
				}
				go w.write(w.encode(calls...)) //nolint:errcheck // it may not be taken to its end
				synctest.Wait()
				test.end(s, w, <-conns)
				why := test.why
				if why == "" {
					_, why, _ = s.lost()
				} else { // a live client reads to the end
					for got := w.receive(); got != "end"; got = w.receive() {
					}
				}
				if got := <-ended; got != why {
					t.Errorf("ended as %s, want %s", got, why)
				}
			})
		})
	}
}

func TestMessageSizes(t *testing.T) {
	const most = 1000
	const tooLarge = `{"type":7,"error":"Connection closed with an error. InvalidDataException: The maximum message size of 1000B was exceeded. The message size can be configured in AddHubOptions.","allowReconnect":true}`
	// sized is a call of n bytes with its framing.
	sized := func(k *talker, n int) string {
		text := strings.Repeat("x", most-200) // in MessagePack the head of a text depends on its size
		over := len(k.encode(call("1", "Length", `"`+text+`"`))) - len(text)
		return call("1", "Length", `"`+strings.Repeat("x", n-over)+`"`)
	}
	options := func() hub.Options {
		return hub.Options{MaxMessageBytes: most, DetailedErrors: true, Methods: map[string]hub.Method{"Length": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
			var text string
			err := c.Bind(&text)
			return signalr.Any(len(text)), err
		}}}
	}
	exact := func(k *talker) string { return result("1", fmt.Sprint(strings.Count(sized(k, most), "x"))) }
	everywhereNamed(t, "exactly", options, func(s *site) {
		w := s.meet()
		if n := len(w.encode(sized(w, most))); n != most {
			s.Fatalf("the largest message has %d bytes, want %d", n, most)
		}
		w.send(sized(w, most), sized(w, most)) // both in one transport message
		w.expect(exact(w), exact(w))
		for range 2 { // over many
			for piece := range slices.Chunk(w.encode(sized(w, most)), 7) {
				w.raw(piece)
			}
			w.expect(exact(w))
		}
		many := make([]string, 500)
		for i := range many {
			many[i] = call("", "Length", `""`)
		}
		taken := w.begin(append(many, call("2", "Length", `""`))...)
		w.expect(result("2", "0"))
		taken()
	})
	everywhereNamed(t, "one more", options, func(s *site) {
		w := s.meet()
		w.send(sized(w, most), sized(w, most+1), sized(w, most))
		got := w.receive()
		if got == exact(w) { // it may still get out
			got = w.receive()
		}
		if got != tooLarge {
			s.Errorf("received %s, want %s", got, tooLarge)
		}
		w.closed(ws.StatusNormalClosure)
	})
	everywhereNamed(t, "endless", options, func(s *site) {
		w := s.meet()
		size := "" // as it says of itself: 2 GiB
		if s.protocol.Binary() {
			size = "\xff\xff\xff\xff\x07"
		}
		for piece := range slices.Chunk([]byte(size+strings.Repeat("x", most-len(size))), 10) {
			w.raw(piece)
		}
		w.expect(tooLarge)
		w.closed(ws.StatusNormalClosure)
	})
}

// unreadable are messages that are none, by protocol.
var unreadable = map[string][]string{
	"json": {
		"", "{", "[]", "null", `{"type":"1"}`, `{"type":1}`, `{"type":1,"target":"Echo","arguments":{}}`, "\x02\x91\x06",
		`{"type":1,"target":"Echo","arguments":["` + "\xff" + `"]}`, strings.Repeat("[", 10_000),
	},
	"messagepack": {
		"\x00", "\x01\xc0", "\x01\x90", "\x02\x91\xc0", "\x02\x91\x01", // too short for what they say
		"\x09\x95\x01\x80\xc0\xa1E\xc0\x90\x90", "\x06\x95\x01\x80\xc0\xa1\xff", "\x02\x91\xc1",
	},
}

func TestUnreadableMessages(t *testing.T) {
	const closed = `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`
	options := func() hub.Options { return hub.Options{Methods: methods()} }
	everywhere(t, options, func(s *site) {
		other := s.meet()
		all := unreadable[s.protocol.Name()]
		for _, bad := range all {
			w := s.meet()
			end := "\x1e"
			if s.protocol.Binary() {
				end = ""
			}
			w.raw(slices.Concat(w.encode(call("1", "Echo", `"a"`)), []byte(bad+end), w.encode(call("2", "Echo", `"b"`))))
			got := w.receive()
			if got == result("1", `"a"`) { // its answer may still get out
				got = w.receive()
			}
			if got != closed {
				s.Errorf("behind %.20q received %s, want %s", bad, got, closed)
			}
			w.closed(ws.StatusNormalClosure)
			other.send(call("1", "Echo", `"others live"`))
			other.expect(result("1", `"others live"`))
		}
		synctest.Wait()
		if got := s.hub.Stats().Closes; got[hub.Protocol] != uint64(len(all)) || len(got) != 1 {
			s.Errorf("closes = %v, want %d for the protocol", got, len(all))
		}
	})
}

// Frames of either kind, in fragments: only a WebSocket has them.
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
