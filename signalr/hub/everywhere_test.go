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

// Behaviour that the other files show over one way only, or of many clients.

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
