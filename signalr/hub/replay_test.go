package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// Stateful reconnect on the wire, as the released clients speak it
// (docs/protocol.md, section 6).

const (
	handshake2 = `{"protocol":"json","version":2}`
	closeText  = `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`
)

func sequence(id int) string { return fmt.Sprintf(`{"type":9,"sequenceId":%d}`, id) }
func ack(id int) string      { return fmt.Sprintf(`{"type":8,"sequenceId":%d}`, id) }

// resuming is a site whose connections may outlive their sockets.
func resuming(t *testing.T, o hub.Options, body func(s *site)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(o)
		body(serve(t, h, transport.NewHandler(h.Accept, transport.Options{StatefulReconnect: true})))
	})
}

// negotiates is the query of a connection that may outlive its socket.
func (s *site) negotiates() (query string) {
	s.Helper()
	resp, err := s.server.Client().Post(s.server.URL+"/hub/negotiate?negotiateVersion=1&useStatefulReconnect=true", "", nil)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	var n struct {
		ConnectionToken      string
		UseStatefulReconnect bool
	}
	if err := json.NewDecoder(resp.Body).Decode(&n); err != nil || !n.UseStatefulReconnect {
		s.Fatalf("negotiate: %+v, %v", n, err)
	}
	return "?id=" + n.ConnectionToken
}

// socket opens a WebSocket of a connection; nothing is said yet.
func (s *site) socket(query string) *wire {
	s.Helper()
	d := ws.Dialer{NetDial: s.server.Network.Dial}
	conn, early, _, err := d.Dial(s.Context(), "ws://hub.test/hub"+query)
	if err != nil {
		s.Fatal(err)
	}
	w := &wire{T: s.T, conn: conn, in: conn}
	if early != nil {
		w.in = early
	}
	s.Cleanup(func() { conn.Close() })
	s.leave = append(s.leave, func() { conn.Close() })
	return w
}

// stateful makes a connection that outlives its socket.
func (s *site) stateful() (w *wire, query string) {
	s.Helper()
	query = s.negotiates()
	w = s.socket(query)
	w.send(handshake2)
	w.expect("{}")
	return w, query
}

// cut ends the socket without a word, and waits until that is known.
func (w *wire) cut() {
	w.conn.Close()
	synctest.Wait()
}

// back comes back with a new socket and goes on with the client's message
// number first.
func (s *site) back(query string, first int) *wire {
	s.Helper()
	w := s.socket(query)
	w.send(sequence(first))
	return w
}

func (s *site) refused(query string, status int) {
	s.Helper()
	d := ws.Dialer{NetDial: s.server.Network.Dial}
	_, _, _, err := d.Dial(s.Context(), "ws://hub.test/hub"+query)
	if code, ok := err.(ws.StatusError); !ok || int(code) != status { //nolint:errorlint // it is not wrapped
		s.Errorf("upgrade: %v, want status %d", err, status)
	}
}

var echoes = hub.Options{Methods: map[string]hub.Method{"Echo": echo}}

func TestNothingWasMissed(t *testing.T) {
	resuming(t, echoes, func(s *site) {
		w, query := s.stateful()
		w.send(call("1", "Echo", `"a"`))
		w.expect(result("1", `"a"`))
		w.send(ack(1))
		w.cut()
		w = s.back(query, 2)
		w.expect(sequence(2)) // nothing to send again: the next number
		w.send(call("2", "Echo", `"b"`))
		w.expect(result("2", `"b"`))
	})
}

// The socket is lost with calls and pushes on their way, in both directions.
// A JavaScript client begins to count only some time after it has seen the
// handshake's answer, and shows that by its first ping: what comes earlier it
// would take for uncounted, and take again after the next cut. Other clients
// need not say anything.
func TestNothingIsCountedBeforeTheClientSpeaks(t *testing.T) {
	greets := hub.Options{
		Methods: map[string]hub.Method{"Echo": echo},
		OnConnected: func(_ context.Context, c *hub.Conn) error {
			c.Send(push("hello"))
			return nil
		},
	}
	t.Run("ping", func(t *testing.T) {
		resuming(t, greets, func(s *site) {
			w, query := s.stateful()
			pinged := make(chan struct{})
			go func() {
				<-time.After(500 * time.Millisecond)
				w.send(ping)
				close(pinged)
			}()
			s.after(500*time.Millisecond, 500*time.Millisecond, "the greeting", func() { w.expect(pushed("hello")) })
			<-pinged
			w.cut()
			w = s.back(query, 1)
			w.expect(sequence(1), pushed("hello"))
		})
	})
	t.Run("call", func(t *testing.T) {
		resuming(t, greets, func(s *site) {
			w, _ := s.stateful()
			w.send(call("1", "Echo", `"a"`))
			w.expect(pushed("hello"), result("1", `"a"`))
		})
	})
	t.Run("silence", func(t *testing.T) {
		resuming(t, greets, func(s *site) {
			w, _ := s.stateful()
			s.after(time.Second, 2*time.Second, "the greeting", func() { w.expect(pushed("hello")) })
		})
	})
	t.Run("cut at once", func(t *testing.T) {
		resuming(t, greets, func(s *site) {
			w, query := s.stateful()
			w.cut()
			w = s.back(query, 1)
			w.expect(sequence(1), pushed("hello"))
		})
	})
	t.Run("the end", func(t *testing.T) {
		resuming(t, greets, func(s *site) {
			w, _ := s.stateful()
			synctest.Wait()
			s.hub.Drain(s.Context(), 0)
			w.expect(pushed("hello"), `{"type":7,"allowReconnect":true}`)
		})
	})
}

func TestReplay(t *testing.T) {
	resuming(t, echoes, func(s *site) {
		w, query := s.stateful()
		id := s.hub.Conns()[0].ID()
		w.send(call("1", "Echo", `"a"`))
		w.expect(result("1", `"a"`)) // message 1 of the server's, not acknowledged
		s.hub.All().Send(push("2"))  // 2: written, and lost with the socket
		synctest.Wait()
		w.cut()
		s.hub.All().Send(push("3")) // 3: sent while nobody is there
		s.hub.All().Send(push("4"))

		w = s.socket(query)
		w.expect(sequence(1), result("1", `"a"`), pushed("2"), pushed("3"), pushed("4"))
		// The client sends again what was not acknowledged, too: 1 is known.
		w.send(sequence(1), call("1", "Echo", `"a"`), call("2", "Echo", `"b"`))
		w.expect(result("2", `"b"`))
		if conns := s.hub.Conns(); len(conns) != 1 || conns[0].ID() != id {
			s.Errorf("%d connections, want the one there was", len(conns))
		}
		if st := s.hub.Stats(); st.Resumptions != 1 || st.Replayed != 2 || st.Invocations != 2 {
			s.Errorf("Stats = %+v, want 1 resumption, 2 messages again, 2 invocations", st)
		}
		w.send(ack(4))
		s.after(0, 2*time.Second, "the server's Ack", func() { w.expect(ack(2)) })
		w.cut()
		w = s.back(query, 3)
		w.expect(sequence(5), result("2", `"b"`)) // 5 was never acknowledged
	})
}

// On a new socket nothing counts before Sequence.
func TestNothingCountsBeforeSequence(t *testing.T) {
	resuming(t, echoes, func(s *site) {
		w, query := s.stateful()
		w.cut()
		w = s.socket(query)
		w.expect(sequence(1))
		w.send(call("1", "Echo", `"ignored"`), ping, `{"type":7}`)
		w.send(sequence(1), call("2", "Echo", `"a"`))
		w.expect(result("2", `"a"`))
	})
}

func TestSequenceAheadOfWhatCame(t *testing.T) {
	resuming(t, echoes, func(s *site) {
		w, query := s.stateful()
		w.send(call("1", "Echo", `"a"`))
		w.expect(result("1", `"a"`))
		w.cut()
		w = s.back(query, 3) // 2 never came
		w.expect(sequence(1), result("1", `"a"`), closeText, "status 1000")
		s.refused(query, http.StatusNotFound)
		if n := s.hub.Stats().Closes[hub.Protocol]; n != 1 {
			s.Errorf("%d connections closed for the protocol, want 1", n)
		}
	})
}

// Only messages that ask or answer are counted; each of them is.
func TestWhatIsCounted(t *testing.T) {
	o := hub.Options{
		Methods: map[string]hub.Method{"Echo": echo, "Void": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
			for _, u := range c.Uploads {
				if _, err := u.Next(context.Background()); err != io.EOF { //nolint:errorlint // it is not wrapped
					return nil, fmt.Errorf("upload: %w", err)
				}
			}
			return nil, nil
		}},
		Streams: map[string]hub.Stream{"Items": func(ctx context.Context, _ *hub.Call, send func(signalr.Value) error) error {
			send(signalr.Any(1))
			<-ctx.Done()
			return ctx.Err()
		}},
		Uploads: map[string]int{"Void": 1},
	}
	resuming(t, o, func(s *site) {
		w, query := s.stateful()
		w.send(ping, ack(0), call("1", "Echo", `"a"`)) // 1
		w.expect(result("1", `"a"`))
		w.send(`{"type":4,"invocationId":"2","target":"Items","arguments":[]}`, ping) // 2
		w.expect(`{"type":2,"invocationId":"2","item":1}`)
		w.send(`{"type":5,"invocationId":"2"}`) // 3
		w.expect(`{"type":3,"invocationId":"2"}`)
		w.send(`{"type":1,"invocationId":"3","target":"Void","arguments":[],"streamIds":["4"]}`) // 4
		w.send(`{"type":3,"invocationId":"4"}`, `{"type":99}`)                                   // 5; of a newer protocol
		w.expect(result("3", "null"))
		s.after(0, 2*time.Second, "the server's Ack", func() { w.expect(ack(5)) })
		w.cut()
		w = s.back(query, 6)
		w.expect(sequence(1), result("1", `"a"`), `{"type":2,"invocationId":"2","item":1}`, `{"type":3,"invocationId":"2"}`, result("3", "null"))
	})
}

// The Ack comes at most once a second and only when there is something new.
func TestAcks(t *testing.T) {
	resuming(t, echoes, func(s *site) {
		w, _ := s.stateful()
		begin := time.Now()
		for range 30 {
			w.send(call("", "Echo", `"a"`))
			time.Sleep(100 * time.Millisecond)
		}
		var acks []string
		for len(acks) < 3 {
			acks = append(acks, w.receive())
		}
		last := ack(30)
		if acks[2] != last {
			acks = append(acks, w.receive())
		}
		if took := time.Since(begin); acks[len(acks)-1] != last || took > 5*time.Second {
			s.Errorf("Acks %q after %v, want the last to be of 30", acks, took)
		}
		w.send(ping)
		s.after(10*time.Second, 17*time.Second, "the next thing", func() { w.expect(ping) })
	})
}

// Who speaks an old version, or does not ask, is like everybody else.
func TestVersionOneDoesNotResume(t *testing.T) {
	resuming(t, echoes, func(s *site) {
		query := s.negotiates()
		w := s.socket(query)
		w.send(handshake)
		w.expect("{}")
		w.send(call("1", "Echo", `"a"`), call("2", "Echo", `"b"`))
		w.expect(result("1", `"a"`), result("2", `"b"`))
		s.refused(query, http.StatusConflict)
		time.Sleep(5 * time.Second)
		w.cut()
		s.refused(query, http.StatusNotFound)
		if n := s.hub.Stats().Closes[hub.Lost]; n != 1 {
			s.Errorf("%d connections lost, want 1", n)
		}
	})
}

// Nothing but the end is heard of by the application.
func TestTheApplicationSeesOneConnection(t *testing.T) {
	var log []string
	o := echoes
	o.OnConnected = func(_ context.Context, c *hub.Conn) error {
		log = append(log, "connected")
		c.Join("group")
		return nil
	}
	o.OnDisconnected = func(_ *hub.Conn, err error) { log = append(log, fmt.Sprint("disconnected ", err)) }
	resuming(t, o, func(s *site) {
		w, query := s.stateful()
		for range 3 {
			w.cut()
			time.Sleep(14 * time.Second)
			w = s.back(query, 1)
		}
		s.hub.Group("group").Send(push("x"))
		w.expect(sequence(1), pushed("x"))
		w.cut()
		time.Sleep(16 * time.Second)
		synctest.Wait()
		s.refused(query, http.StatusNotFound)
		if got := strings.Join(log, ", "); got != "connected, disconnected EOF" {
			s.Errorf("the application saw %s", got)
		}
	})
}

// A goodbye, and a close by the server, are final; so are they while nobody is
// there.
func TestEndsOfStatefulConnections(t *testing.T) {
	for name, end := range map[string]func(s *site, w *wire){
		"the client's Close": func(_ *site, w *wire) {
			w.send(`{"type":7}`)
			w.expect(`{"type":7,"allowReconnect":true}`, "status 1000")
		},
		"a close frame":      func(_ *site, w *wire) { w.frame(ws.NewCloseFrame(nil)) },
		"closed":             func(s *site, _ *wire) { s.hub.Conns()[0].Close("why", "text", false) },
		"closed while away":  func(s *site, w *wire) { w.cut(); s.hub.Conns()[0].Close("why", "text", false) },
		"drained while away": func(s *site, w *wire) { w.cut(); s.hub.Drain(s.Context(), 0) },
		"too much waits": func(s *site, w *wire) {
			w.cut()
			for range 12 {
				s.hub.All().Send(push(strings.Repeat("x", 100<<10)))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			resuming(t, echoes, func(s *site) {
				w, query := s.stateful()
				end(s, w)
				synctest.Wait()
				s.refused(query, http.StatusNotFound)
				if n := s.hub.Stats().Connections; n != 0 {
					s.Errorf("%d connections are left", n)
				}
			})
		})
	}
}

// More than ReplayBytes are not sent without being acknowledged; acknowledgements
// of the client's messages go out nevertheless, and pings do not stop.
func TestReplayBound(t *testing.T) {
	o := echoes
	o.ReplayBytes = 1000
	resuming(t, o, func(s *site) {
		w, query := s.stateful()
		big := strings.Repeat("x", 400)
		for i := range 10 {
			s.hub.All().Send(push(fmt.Sprint(i, big)))
		}
		w.expect(pushed("0"+big), pushed("1"+big))
		w.send(call("1", "Echo", `"a"`))
		s.after(0, 2*time.Second, "the Ack", func() { w.expect(ack(1)) })
		w.send(ack(1))
		w.expect(pushed("2" + big))
		w.cut()
		w = s.back(query, 2)
		w.expect(sequence(2), pushed("1"+big), pushed("2"+big), ack(1))
		w.send(ack(3))
		w.expect(pushed("3"+big), pushed("4"+big))
		w.send(ack(1<<40), ack(-1), ack(3)) // what was sent cannot be more than that
		w.expect(pushed("5"+big), pushed("6"+big))
		w.send(`{"type":7}`) // the end is not held back, nor is what waits
		w.expect(pushed("7"+big), pushed("8"+big), pushed("9"+big), result("1", `"a"`), `{"type":7,"allowReconnect":true}`)
	})
}

// A stream goes on where it was, with its back-pressure.
func TestStreamAcrossSockets(t *testing.T) {
	o := hub.Options{QueueBytes: 4000, Streams: map[string]hub.Stream{"Count": func(_ context.Context, _ *hub.Call, send func(signalr.Value) error) error {
		for i := range 1000 {
			if err := send(signalr.Any(i)); err != nil {
				return err
			}
		}
		return nil
	}}}
	resuming(t, o, func(s *site) {
		w, query := s.stateful()
		w.send(`{"type":4,"invocationId":"1","target":"Count","arguments":[]}`)
		got, first := 0, 1
		for got < 1000 {
			for range 20 {
				if got == 1000 {
					break
				}
				w.expect(fmt.Sprintf(`{"type":2,"invocationId":"1","item":%d}`, got))
				got++
			}
			if got%100 == 0 {
				w.cut()
				w = s.back(query, 2)
				again := first // or earlier: an Ack may have been lost with the socket
				if _, err := fmt.Sscanf(w.receive(), `{"type":9,"sequenceId":%d}`, &again); err != nil || again > first {
					s.Fatalf("goes on with %d, %v, want at most %d", again, err, first)
				}
				for i := again; i <= got; i++ {
					w.expect(fmt.Sprintf(`{"type":2,"invocationId":"1","item":%d}`, i-1))
				}
			}
			w.send(ack(got))
			first = got + 1
		}
		for {
			record := w.receive()
			if record == `{"type":3,"invocationId":"1"}` {
				return
			}
			if record != ack(1) {
				s.Fatalf("received %s", record)
			}
		}
	})
}

// While nobody is there nothing is silent, and nothing is pinged.
func TestNoTimeoutWhileAway(t *testing.T) {
	o := echoes
	o.ClientTimeout, o.KeepAlive = 2*time.Second, time.Second
	resuming(t, o, func(s *site) {
		w, query := s.stateful()
		w.send(ping)
		synctest.Wait()
		w.cut()
		time.Sleep(14 * time.Second)
		w = s.back(query, 1)
		w.expect(sequence(1), ping)
		for record := ping; record != closeText; {
			record = w.receive()
			if record != ping && record != closeText {
				s.Fatalf("received %s", record)
			}
		}
	})
}

// What the client has begun on the old socket is nothing on the new one.
func TestHalfAMessage(t *testing.T) {
	resuming(t, echoes, func(s *site) {
		w, query := s.stateful()
		whole := call("1", "Echo", `"a"`)
		w.raw(whole[:20])
		w.cut()
		w = s.back(query, 1)
		w.send(whole)
		w.expect(sequence(1), result("1", `"a"`))
	})
}

// A call that runs while the socket is lost answers on the next.
func TestCallAcrossSockets(t *testing.T) {
	release := make(chan struct{})
	o := hub.Options{Methods: map[string]hub.Method{"Wait": func(context.Context, *hub.Call) (signalr.Value, error) {
		<-release
		return signalr.Any("done"), nil
	}}}
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release = make(chan struct{})
		h := hub.New(o)
		s := serve(t, h, transport.NewHandler(h.Accept, transport.Options{StatefulReconnect: true}))
		w, query := s.stateful()
		w.send(call("1", "Wait"))
		synctest.Wait()
		w.cut()
		close(release)
		synctest.Wait()
		w = s.back(query, 2)
		w.expect(sequence(1), result("1", `"done"`))
	})
}
