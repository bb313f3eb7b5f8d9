package hub_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"rte/signalr"
	"rte/signalr/hub"
)

func TestAudiences(t *testing.T) {
	everywhere(t, func() hub.Options { return hub.Options{} }, func(s *site) {
		var conns []*hub.Conn
		users := strings.Fields("Ann ann Bob")
		way, protocol := s.way, s.protocol
		s = newSite(s.T, hub.Options{
			UserID: func(*hub.Conn) string { return users[len(conns)] },
			OnConnected: func(_ context.Context, c *hub.Conn) error {
				conns = append(conns, c)
				return nil
			},
			Methods: map[string]hub.Method{"Echo": echo},
		})
		s.way, s.protocol = way, protocol
		var wires []*talker
		for range users {
			w := s.meet()
			w.send(call("0", "Echo", `"in"`)) // OnConnected has run
			w.expect(result("0", `"in"`))
			wires = append(wires, w)
		}
		a, b, c := conns[0], conns[1], conns[2]
		a.Join("g")
		a.Join("g")
		b.Join("g")
		b.Join("G")
		c.Leave("g") // not a member
		c.Leave("nobody's")
		h := s.hub
		tests := []struct {
			name string
			to   hub.Audience
			want string
		}{
			{"all", h.All(), "abc"},
			{"others", h.All().Except(a.ID()), "bc"},
			{"except twice", h.All().Except(a.ID()).Except(b.ID(), "unknown"), "c"},
			{"group", h.Group("g"), "ab"},
			{"group in another case", h.Group("G"), "b"},
			{"group except", h.Group("g").Except(a.ID()), "b"},
			{"no group", h.Group("x"), ""},
			{"user", h.User("Ann"), "a"},
			{"user in another case", h.User("ann"), "b"},
			{"no user", h.User(""), ""},
			{"only", h.Only(a.ID(), c.ID(), c.ID(), "unknown"), "ac"},
			{"only nobody", h.Only(), ""},
			{"zero", hub.Audience{}, ""},
		}
		hear := func() (got string) {
			for i, w := range wires {
				w.send(call("9", "Echo", `"over"`))
				for r := w.receive(); r != result("9", `"over"`); r = w.receive() {
					if r != pushed("x") {
						s.Errorf("%c received %s", 'a'+i, r)
					}
					got += string(rune('a' + i))
				}
			}
			return got
		}
		for _, test := range tests {
			test.to.Send(push("x"))
			if got := hear(); got != test.want {
				s.Errorf("%s: received by %q, want %q", test.name, got, test.want)
			}
		}
		// What has left or ended is no member, whatever it tries.
		a.Leave("g")
		b.Close("gone", "", false)
		wires[1].expect(`{"type":7}`, "end")
		wires = slices.Delete(wires, 1, 2)
		synctest.Wait()
		b.Join("g")
		for _, to := range []hub.Audience{h.Group("g"), h.Group("G"), h.User("ann"), h.Only(b.ID())} {
			to.Send(push("x"))
		}
		if got := hear(); got != "" {
			s.Errorf("received behind the end by %q", got)
		}
		if n := s.hub.Names(); n != 4 { // two users, two ids
			s.Errorf("%d names are remembered, want 4", n)
		}
		users = append(users, "Ann")
		d := s.meet() // the index of ids knows newcomers
		d.send(call("0", "Echo", `"in"`))
		d.expect(result("0", `"in"`))
		h.Only(conns[3].ID()).Send(push("x"))
		h.User("Ann").Send(signalr.NewFrame(&signalr.Invocation{Target: "Both"}))
		d.expect(pushed("x"), `{"type":1,"target":"Both","arguments":[]}`)
		wires[0].expect(`{"type":1,"target":"Both","arguments":[]}`)
	})
}
