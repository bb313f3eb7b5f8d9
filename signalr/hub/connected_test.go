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

func TestOnConnectedRefuses(t *testing.T) {
	tests := []struct {
		name     string
		err      error
		panics   bool
		detailed bool
		want     string
	}{
		{"passing error", fmt.Errorf("%w: %w", hub.ErrLater, errSecret), false, false, `"Connection closed with an error.","allowReconnect":true`},
		{"error", errSecret, false, false, `"Connection closed with an error."`},
		{"error with details", errSecret, false, true, `"Connection closed with an error. secret detail"`},
		{"panic", nil, true, false, `"Connection closed with an error."`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
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
				s := at(o)
				w := s.arrive()
				w.greet(call("1", "Ran"), call("2", "Ran"))
				w.expect("{}", pushed("hello"), `{"type":7,"error":`+test.want+`}`)
				w.closed(ws.StatusInternalServerError)
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
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		var d diary
		o := d.options()
		gate := make(chan struct{})
		o.Methods["Ran"] = func(context.Context, *hub.Call) (signalr.Value, error) {
			d.entries <- "ran"
			<-gate
			return nil, nil
		}
		s := at(o)
		w := s.meet()
		w.send(call("1", "Ran"), call("2", "Ran"), call("3", "Ran"))
		synctest.Wait()
		(<-d.conns).Close("revoked", "", false)
		synctest.Wait()
		close(gate)
		w.expect(`{"type":7}`)
		w.closed(ws.StatusNormalClosure)
		synctest.Wait()
		if diff := cmp.Diff([]string{"connected", "ran", "disconnected revoked"}, d.read()); diff != "" {
			t.Errorf("diary (-want +got):\n%s", diff)
		}
	})
}

func TestPushOfOnConnectedComesFirst(t *testing.T) {
	options := hub.Options{
		Methods: map[string]hub.Method{"Echo": echo},
		OnConnected: func(_ context.Context, c *hub.Conn) error {
			<-time.After(time.Second)
			for i := range 3 {
				c.Send(push(fmt.Sprint(i)))
			}
			return nil
		},
	}
	everywhere(t, func() hub.Options { return options }, func(s *site) {
		w := s.arrive()
		w.greet(call("1", "Echo", `"a"`))
		s.after(0, 0, "the handshake's answer", func() { w.expect("{}") })
		s.after(time.Second, time.Second, "pushes and answer", func() { w.expect(pushed("0"), pushed("1"), pushed("2"), result("1", `"a"`)) })
	})
}

// OnDisconnected waits for what runs, and its panic is nobody else's.
func TestOnDisconnectedIsLast(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
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
		s := at(o)
		w := s.meet()
		w.send(call("1", "Slow"), call("2", "Slow"))
		synctest.Wait()
		w.vanish()
		<-time.After(time.Minute)
		if diff := cmp.Diff([]string{"connected", "method ended", s.lostEntry()}, d.read()); diff != "" {
			t.Errorf("diary (-want +got):\n%s", diff)
		}
		w = s.meet()
		w.send(call("1", "Echo", `"the server lives"`))
		w.expect(result("1", `"the server lives"`))
	})
}

func TestCloseTexts(t *testing.T) {
	options := hub.Options{
		KeepAlive:      time.Hour,
		DetailedErrors: true,
		CloseTexts:     map[hub.CloseReason]string{hub.Timeout: "timeout", hub.Protocol: "protocol", hub.Draining: "draining", hub.Refused: "never this one"},
	}
	everywhere(t, func() hub.Options { return options }, func(s *site) {
		w := s.meet()
		w.raw([]byte("\x01x\x1e")) // unreadable in either protocol
		w.expect(`{"type":7,"error":"protocol","allowReconnect":true}`)
		if !s.polls() { // or nobody is too silent
			w = s.meet()
			w.send(ping)
			w.expect(`{"type":7,"error":"timeout","allowReconnect":true}`)
		}
		w = s.arrive()
		w.raw([]byte("x\x1e"))
		w.expect(`{"error":"An unexpected error occurred during connection handshake."}`)
		w = s.meet()
		s.hub.Drain(s.Context(), 0)
		w.expect(`{"type":7,"error":"draining","allowReconnect":true}`)
	})
}

func TestGoodbyeHasNoError(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		errs := make(chan error, 2)
		s := at(hub.Options{
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
		s2 := at(hub.Options{
			OnConnected:    func(_ context.Context, conn *hub.Conn) error { c <- conn; return nil },
			OnDisconnected: func(_ *hub.Conn, err error) { errs <- err },
		})
		s2.meet()
		(<-c).Transport().Abort()
		if err := <-errs; !errors.Is(err, transport.ErrAborted) {
			t.Errorf("OnDisconnected(%v), want %v", err, transport.ErrAborted)
		}
	})
}
