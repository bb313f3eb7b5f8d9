package hub_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// ways are all pairs of transport and protocol.
var ways = []struct {
	transport transport.Transport
	protocol  signalr.Protocol
}{
	{transport.WebSockets, signalr.JSON{}},
	{transport.WebSockets, signalr.MessagePack{}},
	{transport.ServerSentEvents, signalr.JSON{}},
	{transport.LongPolling, signalr.JSON{}},
	{transport.LongPolling, signalr.MessagePack{}},
}

// talk makes a connection; the handshake is still to come.
func (s *site) talk(way transport.Transport, protocol signalr.Protocol) *talker {
	s.Helper()
	k := &talker{T: s.T, protocol: protocol}
	switch way {
	case transport.WebSockets:
		k.carrier = socketCarrier{s.open(), protocol.Binary()}
	case transport.ServerSentEvents:
		k.carrier = s.eventCarrier()
	default:
		k.carrier = s.pollCarrier()
	}
	return k
}

// shaking shakes hands.
func (k *talker) shaking() *talker {
	k.Helper()
	k.write([]byte(fmt.Sprintf("{\"protocol\":%q,\"version\":1}\x1e", k.protocol.Name())))
	k.expect("{}")
	return k
}

// onEveryWay runs a test body for each pair.
func onEveryWay(t *testing.T, options func() hub.Options, body func(s *site, way transport.Transport, k *talker)) {
	t.Helper()
	t.Parallel()
	for _, way := range ways {
		t.Run(way.transport.String()+"/"+way.protocol.Name(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, options())
				body(s, way.transport, s.talk(way.transport, way.protocol).shaking())
			})
		})
	}
}

// everywhere runs a test body for each pair; clients come by meet. What belongs
// to one transport or encoding, frames and the like, is tested with inBubble.
func everywhere(t *testing.T, options func() hub.Options, body func(s *site)) {
	t.Helper()
	t.Parallel()
	for _, way := range ways {
		t.Run(way.transport.String()+"/"+way.protocol.Name(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, options())
				s.way, s.protocol = way.transport, way.protocol
				body(s)
			})
		})
	}
}

// meet makes a connection the way that everywhere is at, and shakes hands.
func (s *site) meet() *talker {
	s.Helper()
	return s.talk(s.way, s.protocol).shaking()
}

func TestCallsOnEveryWay(t *testing.T) {
	options := func() hub.Options {
		return hub.Options{Methods: map[string]hub.Method{
			"Echo": echo,
			"Early": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
				c.Conn.Send(push("before"))
				c.Complete(signalr.Any("answer"))
				c.Conn.Send(push("behind"))
				return nil, nil
			},
			"Fails": func(context.Context, *hub.Call) (signalr.Value, error) { return nil, &hub.Error{Text: "no"} },
			"Many": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
				for i := range 100 {
					c.Conn.Send(push(fmt.Sprint(i, strings.Repeat("x", 5000))))
				}
				return signalr.Any("sent"), nil
			},
		}}
	}
	onEveryWay(t, options, func(_ *site, _ transport.Transport, k *talker) {
		for range 3 {
			k.send(call("1", "Echo", `"a"`), call("2", "Echo", `"b"`))
			k.expect(result("1", `"a"`), result("2", `"b"`))
		}
		k.send(call("3", "Early"), call("4", "Fails"))
		k.expect(pushed("before"), result("3", `"answer"`), pushed("behind"),
			failure("4", "An unexpected error occurred invoking 'Fails' on the server. HubException: no"))
		k.send(call("5", "Many")) // more than one batch
		for i := range 100 {
			k.expect(pushed(fmt.Sprint(i, strings.Repeat("x", 5000))))
		}
		k.expect(result("5", `"sent"`))
	})
}

// withDiary is a hub whose connections carry their own diary.
func withDiary() hub.Options {
	var mine diary
	o := mine.options()
	o.OnConnected = func(_ context.Context, c *hub.Conn) error {
		mine.entries <- "connected"
		c.Value = &mine
		return nil
	}
	return o
}

func TestEndOnEveryWay(t *testing.T) {
	const text = "Connection closed with an error."
	ends := []struct {
		name  string
		end   func(s *site, k *talker, c *hub.Conn)
		heard []string
		entry string
	}{
		{"server, client may come back", func(_ *site, _ *talker, c *hub.Conn) {
			c.Send(push("last"))
			c.Close("limit", "too many", true)
		}, []string{pushed("last"), `{"type":7,"error":"too many","allowReconnect":true}`, "end"}, "disconnected limit"},
		{"server, client must not", func(_ *site, _ *talker, c *hub.Conn) { c.Close("limit", "", false) }, []string{`{"type":7}`, "end"}, "disconnected limit"},
		{"drain", func(s *site, _ *talker, _ *hub.Conn) { s.hub.Drain(s.Context(), 0) }, []string{`{"type":7,"allowReconnect":true}`, "end"}, "disconnected draining"},
		{"client's Close", func(_ *site, k *talker, _ *hub.Conn) { k.send(`{"type":7}`) }, []string{`{"type":7,"allowReconnect":true}`, "end"}, "disconnected goodbye"},
		{"too large", func(_ *site, k *talker, _ *hub.Conn) {
			k.send(call("1", "Echo", `"`+strings.Repeat("x", 40_000)+`"`))
		}, []string{`{"type":7,"error":"` + text + `","allowReconnect":true}`, "end"}, "disconnected protocol"},
		{"abort", func(_ *site, _ *talker, c *hub.Conn) { c.Transport().Abort() }, nil, "disconnected lost, with an error"},
	}
	for _, end := range ends {
		t.Run(end.name, func(t *testing.T) {
			onEveryWay(t, withDiary, func(s *site, _ transport.Transport, k *talker) {
				synctest.Wait()
				c := s.hub.Conns()[0]
				end.end(s, k, c)
				k.expect(end.heard...)
				<-time.After(time.Minute)
				if diff := cmp.Diff([]string{"connected", end.entry}, c.Value.(*diary).read()); diff != "" {
					s.Errorf("diary (-want +got):\n%s", diff)
				}
				if st := s.hub.Stats(); st.Connections != 0 || s.handler.Stats().Connections != 0 {
					s.Errorf("Stats = %+v, want no connection", st)
				}
			})
		})
	}
}

// A client that vanishes is noticed: at once where a connection of the network
// stands for it, else when it has not polled for 15 seconds.
func TestVanishOnEveryWay(t *testing.T) {
	onEveryWay(t, withDiary, func(s *site, way transport.Transport, k *talker) {
		synctest.Wait()
		d := s.hub.Conns()[0].Value.(*diary)
		d.read()
		begin, after, want := time.Now(), time.Duration(0), "disconnected lost, with an error"
		switch way { // to stop looks the same
		case transport.ServerSentEvents:
			want = "disconnected goodbye"
		case transport.LongPolling:
			after, want = 15*time.Second, "disconnected goodbye"
		}
		k.vanish()
		if got := <-d.entries; got != want || time.Since(begin) != after {
			s.Errorf("%q after %v, want %q after %v", got, time.Since(begin), want, after)
		}
		<-time.After(time.Hour)
		if got := d.read(); got != nil {
			s.Errorf("then %q, want nothing", got)
		}
	})
}

func TestPingsOnEveryWay(t *testing.T) {
	options := func() hub.Options { return hub.Options{Methods: map[string]hub.Method{"Echo": echo}} }
	onEveryWay(t, options, func(s *site, way transport.Transport, k *talker) {
		if way != transport.LongPolling {
			for range 5 {
				s.after(14*time.Second, 16*time.Second, "ping", func() { k.expect(ping) })
			}
			return
		}
		k.send(ping) // it pings once: its polls stand for the rest
		go func() {
			<-time.After(time.Hour)
			s.hub.Conns()[0].Send(push("at last"))
		}()
		s.after(time.Hour, time.Hour, "the push", func() { k.expect(pushed("at last")) })
		if got := s.hub.Stats().Pings; got != 0 {
			s.Errorf("%d pings, want none", got)
		}
	})
}

func TestHandshakeRefusedOverHTTP(t *testing.T) {
	for _, test := range []struct {
		way            transport.Transport
		protocol, want string
	}{
		{transport.ServerSentEvents, "messagepack", "Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format."},
		{transport.ServerSentEvents, "xml", "The protocol 'xml' is not supported."},
		{transport.LongPolling, "xml", "The protocol 'xml' is not supported."},
		{transport.LongPolling, "", "Handshake was canceled."},
	} {
		inBubbleNamed(t, test.way.String()+"/"+test.protocol, hub.Options{}, func(s *site) {
			k := s.talk(test.way, signalr.JSON{})
			if test.protocol != "" {
				k.write([]byte(`{"protocol":"` + test.protocol + `","version":1}` + "\x1e"))
			}
			k.expect(`{"error":"`+test.want+`"}`, "end")
			synctest.Wait()
			if got := s.hub.Stats(); got.Connections != 0 || got.Closes[hub.Refused] != 1 {
				s.Errorf("Stats = %+v, want one refused", got)
			}
		})
	}
}

// Draining reaches everybody, the ones that fetch their messages included.
func TestDrainOnEveryWay(t *testing.T) {
	const each = 10
	inBubble(t, hub.Options{}, func(s *site) {
		told := make(chan string, each*len(ways))
		for range each {
			for _, way := range ways {
				k := s.talk(way.transport, way.protocol).shaking()
				go func() { told <- k.receive() + k.receive() }()
			}
		}
		s.hub.Drain(s.Context(), time.Second)
		for range cap(told) {
			if got, want := <-told, `{"type":7,"allowReconnect":true}end`; got != want {
				s.Errorf("received %s, want %s", got, want)
			}
		}
		if err := s.handler.Shutdown(s.Context()); err != nil {
			s.Errorf("Shutdown = %v, want nil", err)
		}
		if got := s.hub.Stats().Closes[hub.Draining]; got != uint64(cap(told)) {
			s.Errorf("%d drained, want %d", got, cap(told))
		}
	})
}
