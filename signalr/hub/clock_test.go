package hub_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr/hub"
)

const aged = `{"type":7,"error":"maxage","allowReconnect":true}`

// A connection does not become older than MaxAge, whatever goes on on it, over
// every way.
func TestMaxAge(t *testing.T) {
	options := func() hub.Options {
		return hub.Options{MaxAge: time.Hour, CloseTexts: map[hub.CloseReason]string{hub.Aged: "maxage"}, KeepAlive: 24 * time.Hour}
	}
	everywhere(t, options, func(s *site) {
		time.Sleep(90 * time.Minute) // not the server's age
		w := s.meet()
		s.after(45*time.Minute-2*time.Second, time.Hour+2*time.Second, "the Close", func() { w.expect(aged) })
		w.closed(ws.StatusNormalClosure)
		synctest.Wait()
		if n := s.hub.Stats().Closes[hub.Aged]; n != 1 {
			s.Errorf("%d closed as maxage, want 1", n)
		}
	})
}

// Those that came together do not go together.
func TestMaxAgeIsSpread(t *testing.T) {
	inBubble(t, hub.Options{MaxAge: 1000 * time.Second}, func(s *site) {
		const many = 200
		for range many {
			s.shake()
		}
		begin, last := time.Now(), many
		var ends []time.Duration
		for range 1010 {
			time.Sleep(time.Second)
			open := len(s.hub.Conns())
			for ; last > open; last-- {
				ends = append(ends, time.Since(begin))
			}
		}
		if len(ends) != many || ends[0] < 749*time.Second || ends[many-1] > 1002*time.Second {
			s.Fatalf("%d ended, between %v and %v, want all from 750 s to 1000 s", len(ends), ends[:1], ends[len(ends)-1:])
		}
		// Of the 250 seconds each tenth has some 20.
		for i := range 10 {
			from := time.Duration(749+25*i) * time.Second
			n := 0
			for _, e := range ends {
				if e >= from && e < from+26*time.Second {
					n++
				}
			}
			if n < 3 || n > 60 {
				s.Errorf("%d of %d ended within 25 s of %v: they are not spread", n, many, from)
			}
		}
	})
}

// OnExpiring runs once, a while before the end, and again for another token.
func TestExpiring(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var told []time.Duration
		ends := begin.Add(10 * time.Minute)
		s := newSite(t, hub.Options{
			Expires:        func(any) time.Time { return ends },
			OnExpiring:     func(c *hub.Conn) { told = append(told, time.Since(begin)); c.Send(push("soon")) },
			ExpiringNotice: 2 * time.Minute,
			KeepAlive:      time.Hour,
		})
		w := s.shake()
		s.after(7*time.Minute, 8*time.Minute+2*time.Second, "the first notice", func() { w.expect(pushed("soon")) })
		ends = begin.Add(20 * time.Minute)
		s.hub.Conns()[0].Refreshed()
		s.after(9*time.Minute, 10*time.Minute+4*time.Second, "the second", func() { w.expect(pushed("soon")) })
		ends = time.Now().Add(time.Minute) // less than the notice
		s.hub.Conns()[0].Refreshed()
		s.after(0, 2*time.Second, "the third", func() { w.expect(pushed("soon")) })
		w.expect(expired, "status 1000")
		if len(told) != 3 || !slices.IsSorted(told) {
			t.Errorf("told at %v, want three times", told)
		}
	})
}

// What Admit refuses is answered in its turn, known or not, and never runs.
func TestAdmit(t *testing.T) {
	options := func() hub.Options {
		return hub.Options{
			Methods: map[string]hub.Method{"Echo": echo, "Often": echo, "Close": echo},
			Admit: func(c *hub.Conn, target string) error {
				switch target {
				case "Often", "Unknown":
					return &hub.Error{Text: "Too many calls."}
				case "Secret":
					return errors.New("a detail")
				case "Close":
					c.Close("limit", "limit", false)
					return &hub.Error{Text: "Too many calls."}
				}
				return nil
			},
		}
	}
	everywhere(t, options, func(s *site) {
		w := s.meet()
		w.send(call("1", "Echo", `"a"`), call("2", "Often", `"b"`), call("3", "Unknown"), call("4", "Echo", `"c"`), call("5", "Secret", `"d"`))
		w.expect(
			result("1", `"a"`),
			failure("2", "An unexpected error occurred invoking 'Often' on the server. HubException: Too many calls."),
			failure("3", "An unexpected error occurred invoking 'Unknown' on the server. HubException: Too many calls."),
			result("4", `"c"`),
			failure("5", "An unexpected error occurred invoking 'Secret' on the server."),
		)
		w.send(call("6", "Close", `"e"`))
		w.expect(`{"type":7,"error":"limit"}`)
		w.closed(ws.StatusNormalClosure)
		synctest.Wait()
		if st := s.hub.Stats(); st.Closes["limit"] != 1 || st.Invocations != 6 {
			s.Errorf("Stats = %+v, want one closed by its limit", st)
		}
	})
}

func TestTooLargeIsCounted(t *testing.T) {
	inBubble(t, hub.Options{Methods: map[string]hub.Method{"Echo": echo}}, func(s *site) {
		w := s.shake()
		w.send(call("1", "Echo", `"`+strings.Repeat("x", 40_000)+`"`))
		w.expect(`{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`)
		if n := s.hub.Stats().TooLarge; n != 1 {
			s.Errorf("%d were too large, want 1", n)
		}
	})
}
