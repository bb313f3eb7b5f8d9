package hub_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr/hub"
)

// goodbyes reads what each client hears and returns when.
func (s *site) goodbyes(wires []*talker) []time.Duration {
	s.Helper()
	begin := time.Now()
	told := make(chan time.Duration, len(wires))
	for _, w := range wires {
		go func() {
			w.expect(`{"type":7,"allowReconnect":true}`)
			told <- time.Since(begin)
			w.closed(ws.StatusNormalClosure)
		}()
	}
	var all []time.Duration
	for range wires {
		all = append(all, <-told)
	}
	synctest.Wait()
	return all
}

// The pace is the hub's and the same for all: one transport shows it, and
// TestDrainOnEveryWay that it reaches the others.
func TestDrainIsPaced(t *testing.T) {
	const clients, over = 200, 10 * time.Second
	inBubble(t, hub.Options{}, func(s *site) {
		var wires []*talker
		for range clients {
			wires = append(wires, s.meet())
		}
		done := make(chan time.Duration, 1)
		go func() {
			begin := time.Now()
			s.hub.Drain(s.Context(), over)
			done <- time.Since(begin)
		}()
		when := s.goodbyes(wires)
		if took := <-done; took > over {
			s.Errorf("Drain took %v, want at most %v", took, over)
		}
		buckets := map[int]int{}
		for _, d := range when {
			buckets[int(d/(over/10))]++
		}
		// 200 clients need no longer than a second at the least pace.
		if when[len(when)-1] < 900*time.Millisecond || buckets[0] > clients {
			s.Errorf("told at %v", when)
		}
		if st := s.hub.Stats(); st.Closes[hub.Draining] != clients || st.Connections != 0 {
			s.Errorf("Stats = %+v, want %d draining", st, clients)
		}
	})
}

// With more clients than the least pace can tell in time, they are told
// evenly.
func TestDrainKeepsItsTime(t *testing.T) {
	const clients, over = 400, time.Second
	inBubble(t, hub.Options{}, func(s *site) {
		var wires []*talker
		for range clients {
			wires = append(wires, s.meet())
		}
		go s.hub.Drain(s.Context(), over)
		quarters := [5]int{}
		for _, d := range s.goodbyes(wires) {
			quarters[min(int(d*4/over), 4)]++
		}
		for i, n := range quarters[:4] {
			if n < clients/4-10 || n > clients/4+10 {
				s.Errorf("quarter %d: %d clients told, want about %d (%v)", i, n, clients/4, quarters)
			}
		}
	})
}

func TestDrainAtOnce(t *testing.T) {
	for _, canceled := range []bool{false, true} {
		everywhereNamed(t, fmt.Sprint(canceled), func() hub.Options { return hub.Options{} }, func(s *site) {
			var wires []*talker
			for range 50 {
				wires = append(wires, s.meet())
			}
			ctx, cancel := context.WithCancel(s.Context())
			over := time.Duration(0)
			if canceled {
				cancel()
				over = time.Hour
			}
			defer cancel()
			go s.hub.Drain(ctx, over)
			for _, d := range s.goodbyes(wires) {
				if d != 0 {
					s.Errorf("told after %v, want at once", d)
				}
			}
		})
	}
}

// Those who come while it goes on are told, too; those who have gone are not
// waited for.
func TestDrainTellsNewcomers(t *testing.T) {
	everywhere(t, func() hub.Options { return hub.Options{} }, func(s *site) {
		first, gone := s.meet(), s.meet()
		ctx, cancel := context.WithCancel(s.Context())
		defer cancel()
		for range 100 {
			s.meet()
		}
		done := make(chan struct{})
		go func() {
			s.hub.Drain(ctx, time.Second)
			close(done)
		}()
		<-time.After(100 * time.Millisecond)
		gone.vanish()
		late, unshaken := s.meet(), s.arrive()
		first.expect(`{"type":7,"allowReconnect":true}`)
		late.expect(`{"type":7,"allowReconnect":true}`)
		unshaken.closed(ws.StatusNormalClosure)
		<-done
		s.hub.Drain(ctx, time.Hour) // nobody is left
	})
}
