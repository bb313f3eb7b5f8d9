package hub_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// Further behaviour that does not depend on the way; stream_test, upload_test,
// invoke_test, groups_test and call_test have the rest of it.

// An OnConnected that fails: what it sent comes, then a Close that keeps the
// client away, and OnDisconnected runs once.
func TestRefusedEverywhere(t *testing.T) {
	options := func() hub.Options {
		o := withDiary()
		connected := o.OnConnected
		o.OnConnected = func(ctx context.Context, c *hub.Conn) error {
			c.Send(push("hello"))
			connected(ctx, c) //nolint:errcheck // it has none
			return errSecret
		}
		return o
	}
	everywhere(t, options, func(s *site) {
		w := s.meet()
		w.expect(pushed("hello"), `{"type":7,"error":"Connection closed with an error."}`, "end")
		<-time.After(time.Minute)
		if st := s.hub.Stats(); st.Connections != 0 || st.Closes[hub.Refused] != 1 {
			s.Errorf("Stats = %+v, want one refused", st)
		}
	})
}

// The largest message passes, one byte more closes. In MessagePack a text of
// that size has a head of 3 bytes where JSON has two quotes.
func TestMessageSizesEverywhere(t *testing.T) {
	const most = 1000
	options := func() hub.Options {
		return hub.Options{MaxMessageBytes: most, Methods: map[string]hub.Method{"Echo": echo}}
	}
	everywhere(t, options, func(s *site) {
		w := s.meet()
		size := func(n int) int {
			m, err := signalr.JSON{}.Parse([]byte(call("1", "Echo", `"`+strings.Repeat("x", n)+`"`)))
			if err != nil {
				t.Fatal(err)
			}
			b, err := s.protocol.Append(nil, m)
			if err != nil {
				t.Fatal(err)
			}
			return len(b)
		}
		n := most - size(most) + most
		text := `"` + strings.Repeat("x", n) + `"`
		if size(n) != most {
			t.Fatalf("a text of %d bytes makes a message of %d, want %d", n, size(n), most)
		}
		w.send(call("1", "Echo", text), call("2", "Echo", text))
		w.expect(result("1", text), result("2", text))
		w.send(call("3", "Echo", `"x`+text[1:]))
		w.expect(`{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`, "end")
	})
}

// Calls run beside each other where that is wanted.
func TestParallelCallsEverywhere(t *testing.T) {
	options := func() hub.Options {
		g := &gauge{}
		return hub.Options{Parallel: 3, ClientTimeout: 24 * time.Hour, KeepAlive: 24 * time.Hour, Methods: map[string]hub.Method{"Hour": g.method}}
	}
	everywhere(t, options, func(s *site) {
		w := s.meet()
		begin := time.Now()
		for i := range 6 {
			w.send(call(fmt.Sprint(i), "Hour"))
		}
		for range 6 {
			if record := w.receive(); !strings.HasSuffix(record, `"result":null}`) {
				s.Fatalf("received %s", record)
			}
		}
		if took := time.Since(begin); took != 2*time.Hour {
			s.Errorf("6 hours took %v, three at a time", took)
		}
	})
}

// A client that does not take what is sent is closed with a name, and is the
// only one that is; others get everything.
func TestSlowClientEverywhere(t *testing.T) {
	options := func() hub.Options {
		return hub.Options{QueueBytes: 100 << 10, Methods: map[string]hub.Method{"Echo": echo}, CloseTexts: map[hub.CloseReason]string{hub.Slow: "slow"}}
	}
	everywhere(t, options, func(s *site) {
		s.meet() // takes nothing from here on
		other := s.meet()
		big := strings.Repeat("x", 10<<10)
		for i := range 60 {
			s.hub.All().Send(push(fmt.Sprint(i, big)))
			other.expect(pushed(fmt.Sprint(i, big)))
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if st := s.hub.Stats(); st.Closes[hub.Slow] != 1 {
			s.Errorf("Stats = %+v, want one that was too slow", st)
		}
	})
}

// Who the client is and what it asked for reaches methods on every way.
func TestWhoIsWhoEverywhere(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.transport.String()+"/"+way.protocol.Name(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := hub.New(hub.Options{Methods: map[string]hub.Method{"Who": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
					return signalr.Any([]any{c.Conn.User(), c.Conn.ProtocolName(), c.Conn.Transport().Transport().String()}), nil
				}}})
				s := serve(t, h, transport.NewHandler(h.Accept, transport.Options{
					Authenticate: func(*http.Request) (any, error) { return "ann", nil },
				}))
				w := s.talk(way.transport, way.protocol).shaking()
				w.send(call("1", "Who"))
				want := result("1", fmt.Sprintf(`["ann",%q,%q]`, way.protocol.Name(), way.transport))
				if diff := cmp.Diff(want, w.receive()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}
