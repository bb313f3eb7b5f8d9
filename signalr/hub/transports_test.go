package hub_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

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
	everywhere(t, options, func(s *site) {
		k := s.meet()
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

// A client that vanishes is noticed: at once where a connection of the network
// stands for it, else when it has not polled for 15 seconds.
func TestVanishOnEveryWay(t *testing.T) {
	everywhere(t, withDiary, func(s *site) {
		k := s.meet()
		synctest.Wait()
		d := s.hub.Conns()[0].Value.(*diary)
		d.read()
		after, _, _ := s.lost()
		begin, want := time.Now(), s.lostEntry()
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
	everywhere(t, options, func(s *site) {
		k := s.meet()
		if !s.polls() {
			for range 5 {
				s.after(14*time.Second, 16*time.Second, "ping", func() { k.expect(ping) })
			}
			if got := s.hub.Stats(); got.Pings != 5 || got.Messages != 0 {
				s.Errorf("Stats = %+v, want 5 pings and no messages", got)
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

// An event stream carries text only.
func TestHandshakeRefusedOverHTTP(t *testing.T) {
	inBubble(t, hub.Options{}, func(s *site) {
		k := s.talk(transport.ServerSentEvents, signalr.JSON{})
		k.raw([]byte(`{"protocol":"messagepack","version":1}` + "\x1e"))
		k.expect(`{"error":"Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format."}`, "end")
		synctest.Wait()
		if got := s.hub.Stats(); got.Connections != 0 || got.Closes[hub.Refused] != 1 {
			s.Errorf("Stats = %+v, want one refused", got)
		}
	})
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
