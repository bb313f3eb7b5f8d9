package hub_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/go-cmp/cmp"

	"rte/signalr"
	"rte/signalr/hub"
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
