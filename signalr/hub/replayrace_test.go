package hub_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// An Ack that comes while the messages of an old socket are still being sent
// again says what the client has had, not how far it has counted on the new
// one: all of them must follow, or what is new is taken for something old.
func TestAckDuringReplay(t *testing.T) {
	resuming(t, echoes, func(s *site) {
		w, query := s.stateful()
		w.send(ping)
		const old = 20
		big := strings.Repeat("x", 20<<10) // more than the network and a batch take
		for i := range old {
			s.hub.All().Send(push(fmt.Sprint(i, big)))
		}
		for i := range old {
			w.expect(pushed(fmt.Sprint(i, big)))
		}
		w.cut()
		w = s.back(query, 1)
		synctest.Wait() // nothing fits any more
		w.send(ack(old))
		s.hub.All().Send(push("new"))
		synctest.Wait()
		w.expect(sequence(1))
		for i := range old {
			w.expect(pushed(fmt.Sprint(i, big)))
		}
		w.expect(pushed("new"))
		w.send(ack(old + 1))
		w.cut()
		w = s.back(query, 1)
		w.expect(sequence(old + 2))
	})
}

// The client may know from an Ack what the hub has had, though the hub had not
// yet got all of it again when the socket was lost.
func TestSequenceBehindAnInterruptedReplay(t *testing.T) {
	resuming(t, echoes, func(s *site) {
		w, query := s.stateful()
		for i := 1; i <= 5; i++ {
			w.send(call("", "Echo", `"a"`))
		}
		synctest.Wait()
		w.cut()
		w = s.back(query, 1)
		w.send(call("", "Echo", `"a"`)) // 1 of 5, again
		w.expect(sequence(1), ack(5))
		w.cut()
		w = s.back(query, 6)
		w.send(call("6", "Echo", `"b"`))
		w.expect(sequence(1), result("6", `"b"`))
		if st := s.hub.Stats(); st.Invocations != 6 || st.Closes[hub.Protocol] != 0 {
			s.Errorf("Stats = %+v, want 6 invocations and no close", st)
		}
	})
}

// Tokens can be shown while calls are not read any more: the newest counts, and
// no more than one notice of them waits.
func TestTokensShownWhileACallRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const tokens = 100
		gate := make(chan struct{})
		shown := 0
		var noted []any
		h := hub.New(hub.Options{
			Methods:     map[string]hub.Method{"Block": func(context.Context, *hub.Call) (signalr.Value, error) { <-gate; return nil, nil }},
			OnRefreshed: func(c *hub.Conn) { noted = append(noted, c.User()) },
		})
		s := serve(t, h, transport.NewHandler(h.Accept, transport.Options{
			StatefulReconnect: true, Refresh: true,
			Authenticate: func(*http.Request) (any, error) { shown++; return shown, nil },
			Confirm:      func(*http.Request, any) error { return nil },
		}))
		w, query := s.stateful()
		w.send(call("1", "Block"))
		synctest.Wait()
		for range tokens {
			resp, err := s.server.Client().Post(s.server.URL+"/hub/refresh"+query, "", nil)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("refresh: %v, %v", resp, err)
			}
			resp.Body.Close()
		}
		close(gate)
		w.expect(result("1", "null"))
		synctest.Wait()
		if len(noted) != 1 || noted[0] != shown {
			t.Errorf("OnRefreshed saw %v, want the newest, %d, once", noted, shown)
		}
	})
}
