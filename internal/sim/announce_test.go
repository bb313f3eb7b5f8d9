package sim_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/sim"
)

// TestAnnounce: the first step tells everything once; from any later moment
// on, everything is told within the announced time.
func TestAnnounce(t *testing.T) {
	t.Parallel()
	c := sim.New(sim.Options{Seed: 41, Agents: 30})
	want := map[string]int{"UserAvailability": 30, "UserStatus": 30, "QueueAttachedUsers": 5, "QueueStatus": 5}
	got := map[string]int{}
	for _, e := range c.Step(morning()) {
		got[e.EventName]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("first step (-want +got):\n%s", diff)
	}
	if again := c.Step(morning()); len(again) != 0 {
		t.Errorf("no time has passed, but %d envelopes came", len(again))
	}
	const window = 6 * time.Second // the round's 5 s; a fresh QueueStatus may stand for a round's by 1 s
	last := map[string]time.Time{}
	for at := time.Duration(0); at < 10*time.Minute; at += 100 * time.Millisecond {
		now := morning().Add(at)
		var fresh int
		for _, e := range c.Step(now) {
			if want[e.EventName] > 0 {
				last[e.EventName+e.EntityID.String()] = now
			}
			fresh++
		}
		if at < window {
			continue
		}
		if len(last) != 70 {
			t.Fatalf("after %v: %d states were told, want 70", at, len(last))
		}
		for state, when := range last {
			if now.Sub(when) > window {
				t.Fatalf("at %v: %s is %v old", at, state, now.Sub(when))
			}
		}
		if fresh > 40 {
			t.Errorf("at %v: %d envelopes in a tenth of a second: not spread", at, fresh)
		}
	}
	quiet := sim.New(sim.Options{Seed: 41, Agents: 30, CallsPerMinute: 0.001, Announce: -1})
	quiet.Step(morning())
	if es := quiet.Step(morning().Add(5 * time.Second)); len(es) > 5 {
		t.Errorf("announcing is off, but %d envelopes came in 5 s without calls", len(es))
	}
}
