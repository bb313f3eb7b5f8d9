package hub_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// A diary notes what happens to the connections of a hub.
type diary struct {
	conns   chan *hub.Conn // those whose OnConnected has begun
	entries chan string
}

func (d *diary) options() hub.Options {
	d.conns, d.entries = make(chan *hub.Conn, 100), make(chan string, 100)
	return hub.Options{
		Methods: map[string]hub.Method{
			"Echo": echo,
			"Bye": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
				c.Conn.Close("revoked", "no longer yours", false)
				return nil, nil
			},
		},
		OnConnected: func(_ context.Context, c *hub.Conn) error {
			d.conns <- c
			d.entries <- "connected"
			return nil
		},
		OnDisconnected: func(c *hub.Conn, err error) {
			text := "disconnected " + string(c.Reason())
			if err != nil {
				text += ", with an error"
			}
			d.entries <- text
		},
	}
}

func (d *diary) read() (all []string) {
	for len(d.entries) > 0 {
		all = append(all, <-d.entries)
	}
	return all
}

func TestEveryWayToEnd(t *testing.T) {
	closeFrame := func(w *wire, code ws.StatusCode) {
		w.frame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, ""))) //nolint:errcheck // the test sees
	}
	plain := func(error string, reconnect bool) string {
		b, _ := signalr.JSON{}.Append(nil, &signalr.Close{Error: error, AllowReconnect: reconnect})
		return string(b[:len(b)-1])
	}
	const text = "Connection closed with an error."
	tests := []struct {
		name  string
		end   func(s *site, w *wire, c *hub.Conn)
		heard []string // by the client, then the end
		entry string
	}{
		{"client says Close", func(_ *site, w *wire, _ *hub.Conn) { w.send(`{"type":7}`) }, []string{plain("", true), "status 1000"}, "disconnected goodbye"},
		{"client says Close with an error", func(_ *site, w *wire, _ *hub.Conn) { w.send(`{"type":7,"error":"x"}`) }, []string{plain("", true), "status 1000"}, "disconnected goodbye"},
		{"client closes the WebSocket", func(_ *site, w *wire, _ *hub.Conn) { closeFrame(w, 1000) }, []string{"status 1000"}, "disconnected goodbye"},
		{"client goes away", func(_ *site, w *wire, _ *hub.Conn) { closeFrame(w, 1001) }, []string{"status 1001"}, "disconnected goodbye"},
		{"the network", func(_ *site, w *wire, _ *hub.Conn) { w.conn.Close() }, nil, "disconnected lost, with an error"},
		{"broken frame", func(_ *site, w *wire, _ *hub.Conn) { w.conn.Write([]byte{0x81, 1, 'a'}) }, []string{"status 1002"}, "disconnected lost, with an error"}, //nolint:errcheck // the test sees
		{"unreadable message", func(_ *site, w *wire, _ *hub.Conn) { w.send("x") }, []string{plain(text, true), "status 1000"}, "disconnected protocol"},
		{"application", func(_ *site, _ *wire, c *hub.Conn) { c.Close("limit", "too many", false) }, []string{plain("too many", false), "status 1000"}, "disconnected limit"},
		{"application, no text", func(_ *site, _ *wire, c *hub.Conn) { c.Close(hub.Aborted, "", false) }, []string{plain("", false), "status 1000"}, "disconnected aborted"},
		{"a method", func(_ *site, w *wire, _ *hub.Conn) { w.send(call("", "Bye")) }, []string{plain("no longer yours", false), "status 1000"}, "disconnected revoked"},
		{"two reasons, the first counts", func(_ *site, _ *wire, c *hub.Conn) {
			c.Close("first", "1", true)
			c.Close("second", "2", false)
		}, []string{plain("1", true), "status 1000"}, "disconnected first"},
		{"drain", func(s *site, _ *wire, _ *hub.Conn) { s.hub.Drain(s.Context(), time.Second) }, []string{plain("", true), "status 1000"}, "disconnected draining"},
		{"a push that cannot be encoded", func(_ *site, _ *wire, c *hub.Conn) {
			c.Send(signalr.NewFrame(&signalr.Invocation{Target: "T", Arguments: []signalr.Value{signalr.Any(make(chan int))}}))
		}, []string{plain(text, true), "status 1000"}, "disconnected aborted"},
		{"the transport is aborted", func(_ *site, _ *wire, c *hub.Conn) { c.Transport().Abort() }, nil, "disconnected lost, with an error"},
		{"shutdown cuts", func(s *site, _ *wire, _ *hub.Conn) {
			ctx, cancel := context.WithCancel(s.Context())
			cancel()
			s.handler.Shutdown(ctx) //nolint:errcheck // it says that it had to cut
		}, nil, "disconnected lost, with an error"},
		{"silence", func(_ *site, w *wire, _ *hub.Conn) { w.send(ping) }, []string{ping, ping, plain(text, true), "status 1000"}, "disconnected timeout"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var d diary
				s := newSite(t, d.options())
				w := s.shake()
				test.end(s, w, <-d.conns)
				for _, want := range test.heard {
					w.expect(want)
				}
				synctest.Wait()
				<-time.After(time.Minute)
				if diff := cmp.Diff([]string{"connected", test.entry}, d.read()); diff != "" {
					t.Errorf("diary (-want +got):\n%s", diff)
				}
				st := s.hub.Stats()
				total := uint64(0)
				for _, n := range st.Closes {
					total += n
				}
				if st.Connections != 0 || total != 1 || s.handler.Stats().Connections != 0 {
					t.Errorf("Stats = %+v, want one close and no connection", st)
				}
			})
		})
	}
}

func TestNoConnectNoDisconnect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		s := newSite(t, d.options())
		w := s.open() // says nothing
		w.conn.Close()
		w = s.open()
		w.send(`{"protocol":"xml","version":1}`)
		w = s.open()
		w.raw(handshake)
		w.conn.Close()
		s.open() // times out
		<-time.After(time.Minute)
		if got := d.read(); got != nil {
			t.Errorf("diary = %q, want nothing", got)
		}
		if got := s.hub.Stats().Closes; got[hub.Refused] != 2 || got[hub.Lost] != 2 {
			t.Errorf("closes = %v, want 2 refused and 2 lost", got)
		}
	})
}

func TestOnConnectedRefuses(t *testing.T) {
	tests := []struct {
		name     string
		err      error
		panics   bool
		detailed bool
		want     string
	}{
		{"error", errSecret, false, false, "Connection closed with an error."},
		{"error with details", errSecret, false, true, "Connection closed with an error. secret detail"},
		{"panic", nil, true, false, "Connection closed with an error."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var d diary
				o := d.options()
				o.DetailedErrors = test.detailed
				o.Methods["Ran"] = func(context.Context, *hub.Call) (signalr.Value, error) {
					d.entries <- "a method ran"
					return nil, nil
				}
				o.OnConnected = func(_ context.Context, c *hub.Conn) error {
					d.entries <- "connected"
					c.Send(push("hello"))
					if test.panics {
						panic("secret")
					}
					return test.err
				}
				s := newSite(t, o)
				w := s.open()
				w.send(handshake, call("1", "Ran"), call("2", "Ran"))
				w.expect("{}", pushed("hello"), `{"type":7,"error":"`+test.want+`"}`, "status 1011", "end")
				synctest.Wait()
				if diff := cmp.Diff([]string{"connected", "disconnected refused"}, d.read()); diff != "" {
					t.Errorf("diary (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// What has been closed runs nothing more, though it was asked before.
func TestNothingRunsAfterClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		o := d.options()
		gate := make(chan struct{})
		o.Methods["Ran"] = func(context.Context, *hub.Call) (signalr.Value, error) {
			d.entries <- "ran"
			<-gate
			return nil, nil
		}
		s := newSite(t, o)
		w := s.shake()
		w.send(call("1", "Ran"), call("2", "Ran"), call("3", "Ran"))
		synctest.Wait()
		(<-d.conns).Close("revoked", "", false)
		synctest.Wait()
		close(gate)
		w.expect(`{"type":7}`, "status 1000", "end")
		synctest.Wait()
		if diff := cmp.Diff([]string{"connected", "ran", "disconnected revoked"}, d.read()); diff != "" {
			t.Errorf("diary (-want +got):\n%s", diff)
		}
	})
}

func TestPushOfOnConnectedComesFirst(t *testing.T) {
	inBubble(t, hub.Options{
		Methods: map[string]hub.Method{"Echo": echo},
		OnConnected: func(_ context.Context, c *hub.Conn) error {
			<-time.After(time.Second)
			for i := range 3 {
				c.Send(push(fmt.Sprint(i)))
			}
			return nil
		},
	}, func(s *site) {
		w := s.open()
		w.send(handshake, call("1", "Echo", `"a"`))
		s.after(0, 0, "the handshake's answer", func() { w.expect("{}") })
		s.after(time.Second, time.Second, "pushes and answer", func() { w.expect(pushed("0"), pushed("1"), pushed("2"), result("1", `"a"`)) })
	})
}

// OnDisconnected waits for what runs, and its panic is nobody else's.
func TestOnDisconnectedIsLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d diary
		o := d.options()
		o.Methods["Slow"] = func(ctx context.Context, _ *hub.Call) (signalr.Value, error) {
			<-ctx.Done()
			<-time.After(time.Second)
			d.entries <- "method ended"
			return nil, nil
		}
		note := o.OnDisconnected
		o.OnDisconnected = func(c *hub.Conn, err error) {
			c.Send(push("too late")) // goes nowhere
			note(c, err)
			panic("in OnDisconnected")
		}
		s := newSite(t, o)
		w := s.shake()
		w.send(call("1", "Slow"), call("2", "Slow"))
		synctest.Wait()
		w.conn.Close()
		<-time.After(time.Minute)
		if diff := cmp.Diff([]string{"connected", "method ended", "disconnected lost, with an error"}, d.read()); diff != "" {
			t.Errorf("diary (-want +got):\n%s", diff)
		}
		w = s.shake()
		w.send(call("1", "Echo", `"the server lives"`))
		w.expect(result("1", `"the server lives"`))
	})
}

func TestCloseTexts(t *testing.T) {
	inBubble(t, hub.Options{
		KeepAlive:      time.Hour,
		DetailedErrors: true,
		CloseTexts:     map[hub.CloseReason]string{hub.Timeout: "timeout", hub.Protocol: "protocol", hub.Draining: "draining", hub.Refused: "never this one"},
	}, func(s *site) {
		w := s.shake()
		w.send("x")
		w.expect(`{"type":7,"error":"protocol","allowReconnect":true}`)
		w = s.shake()
		w.send(ping)
		w.expect(`{"type":7,"error":"timeout","allowReconnect":true}`)
		w = s.open()
		w.send("x")
		w.expect(`{"error":"An unexpected error occurred during connection handshake."}`)
		w = s.shake()
		s.hub.Drain(s.Context(), 0)
		w.expect(`{"type":7,"error":"draining","allowReconnect":true}`)
	})
}

func TestGoodbyeHasNoError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		errs := make(chan error, 2)
		s := newSite(t, hub.Options{
			OnDisconnected: func(_ *hub.Conn, err error) { errs <- err },
		})
		client := s.dial(nil)
		synctest.Wait() // OnConnected has run: only then there is an OnDisconnected
		if err := client.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-errs; err != nil {
			t.Errorf("OnDisconnected(%v), want nil", err)
		}
		c := make(chan *hub.Conn, 1)
		s2 := newSite(t, hub.Options{
			OnConnected:    func(_ context.Context, conn *hub.Conn) error { c <- conn; return nil },
			OnDisconnected: func(_ *hub.Conn, err error) { errs <- err },
		})
		s2.shake()
		(<-c).Transport().Abort()
		if err := <-errs; !errors.Is(err, transport.ErrAborted) {
			t.Errorf("OnDisconnected(%v), want %v", err, transport.ErrAborted)
		}
	})
}
