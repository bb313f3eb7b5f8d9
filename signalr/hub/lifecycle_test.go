package hub_test

import (
	"context"
	"strings"
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

// An ending is a way to end a connection.
type ending struct {
	name   string
	end    func(s *site, w *talker, c *hub.Conn)
	heard  []string // by the client, then the end
	status ws.StatusCode
	entry  string // in the diary
}

// on ends a connection.
func (e *ending) on(at func(hub.Options) *site) {
	var d diary
	s := at(d.options())
	w := s.meet()
	e.end(s, w, <-d.conns)
	w.expect(e.heard...)
	w.closed(e.status)
	synctest.Wait()
	<-time.After(time.Minute)
	if diff := cmp.Diff([]string{"connected", e.entry}, d.read()); diff != "" {
		s.Errorf("diary (-want +got):\n%s", diff)
	}
	st := s.hub.Stats()
	total := uint64(0)
	for _, n := range st.Closes {
		total += n
	}
	if st.Connections != 0 || total != 1 || s.handler.Stats().Connections != 0 {
		s.Errorf("Stats = %+v, want one close and no connection", st)
	}
}

// TestEveryWayToEnd holds for every transport and protocol.
func TestEveryWayToEnd(t *testing.T) {
	plain := func(error string, reconnect bool) string {
		b, _ := signalr.JSON{}.Append(nil, &signalr.Close{Error: error, AllowReconnect: reconnect})
		return string(b[:len(b)-1])
	}
	const text = "Connection closed with an error."
	tests := []ending{
		{"client says Close", func(_ *site, w *talker, _ *hub.Conn) { w.send(`{"type":7}`) }, []string{plain("", true)}, 1000, "disconnected goodbye"},
		{"client says Close with an error", func(_ *site, w *talker, _ *hub.Conn) { w.send(`{"type":7,"error":"x"}`) }, []string{plain("", true)}, 1000, "disconnected goodbye"},
		{"unreadable message", func(_ *site, w *talker, _ *hub.Conn) { w.raw([]byte("\x01x\x1e")) }, []string{plain(text, true)}, 1000, "disconnected protocol"},
		{"message that is too large", func(_ *site, w *talker, _ *hub.Conn) {
			w.send(call("1", "Echo", `"`+strings.Repeat("x", 40_000)+`"`))
		}, []string{plain(text, true)}, 1000, "disconnected protocol"},
		{"application", func(_ *site, _ *talker, c *hub.Conn) { c.Close("limit", "too many", false) }, []string{plain("too many", false)}, 1000, "disconnected limit"},
		{"application, client may come back", func(_ *site, _ *talker, c *hub.Conn) {
			c.Send(push("last"))
			c.Close("limit", "too many", true)
		}, []string{pushed("last"), plain("too many", true)}, 1000, "disconnected limit"},
		{"application, no text", func(_ *site, _ *talker, c *hub.Conn) { c.Close(hub.Aborted, "", false) }, []string{plain("", false)}, 1000, "disconnected aborted"},
		{"a method", func(_ *site, w *talker, _ *hub.Conn) { w.send(call("", "Bye")) }, []string{plain("no longer yours", false)}, 1000, "disconnected revoked"},
		{"two reasons, the first counts", func(_ *site, _ *talker, c *hub.Conn) {
			c.Close("first", "1", true)
			c.Close("second", "2", false)
		}, []string{plain("1", true)}, 1000, "disconnected first"},
		{"drain", func(s *site, _ *talker, _ *hub.Conn) { s.hub.Drain(s.Context(), time.Second) }, []string{plain("", true)}, 1000, "disconnected draining"},
		{"a push that cannot be encoded", func(_ *site, _ *talker, c *hub.Conn) {
			c.Send(signalr.NewFrame(&signalr.Invocation{Target: "T", Arguments: []signalr.Value{signalr.Any(make(chan int))}}))
		}, []string{plain(text, true)}, 1000, "disconnected aborted"},
		{"the transport is aborted", func(_ *site, _ *talker, c *hub.Conn) { c.Transport().Abort() }, nil, 0, "disconnected lost, with an error"},
		{"shutdown cuts", func(s *site, _ *talker, _ *hub.Conn) {
			ctx, cancel := context.WithCancel(s.Context())
			cancel()
			s.handler.Shutdown(ctx) //nolint:errcheck // it says that it had to cut
		}, nil, 0, "disconnected lost, with an error"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			everyBubble(t, func(_ *testing.T, at func(hub.Options) *site) { test.on(at) })
		})
	}
}

// What only a WebSocket has, and silence, which is none where clients poll.
func TestEveryWayToEndAWebSocket(t *testing.T) {
	tests := []ending{
		{"client closes it", func(_ *site, w *talker, _ *hub.Conn) { closeFrame(w, 1000) }, nil, 1000, "disconnected goodbye"},
		{"client goes away", func(_ *site, w *talker, _ *hub.Conn) { closeFrame(w, 1001) }, nil, 1001, "disconnected goodbye"},
		{"broken frame", func(_ *site, w *talker, _ *hub.Conn) {
			w.carrier.(*socketCarrier).conn.Write([]byte{0x81, 1, 'a'}) //nolint:errcheck // the test sees
		}, nil, 1002, "disconnected lost, with an error"},
		{"silence", func(_ *site, w *talker, _ *hub.Conn) { w.send(ping) }, []string{ping, ping, timedOut}, 1000, "disconnected timeout"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				test.on(func(o hub.Options) *site { return newSite(t, o) })
			})
		})
	}
}

func closeFrame(w *talker, code ws.StatusCode) {
	w.carrier.(*socketCarrier).frame(ws.NewCloseFrame(ws.NewCloseFrameBody(code, ""))) //nolint:errcheck // the test sees
}

func TestNoConnectNoDisconnect(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		var d diary
		s := at(d.options())
		s.arrive().vanish() // says nothing
		w := s.arrive()
		w.raw([]byte(handshake))
		w.vanish()
		s.arrive().raw([]byte(`{"protocol":"xml","version":1}` + "\x1e"))
		silent := s.arrive()
		silent.expect(`{"error":"Handshake was canceled."}`)
		silent.closed(ws.StatusNormalClosure)
		<-time.After(time.Minute)
		if got := d.read(); got != nil {
			t.Errorf("diary = %q, want nothing", got)
		}
		_, why, _ := s.lost()
		if got := s.hub.Stats().Closes; got[hub.Refused] != 2 || got[why] != 2 {
			t.Errorf("closes = %v, want 2 refused and 2 %s", got, why)
		}
	})
}
