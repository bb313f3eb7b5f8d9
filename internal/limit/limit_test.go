package limit_test

import (
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"rte/internal/limit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func who(org, user byte) limit.Who { return limit.Who{Org: limit.ID{org}, User: limit.ID{user}} }

func TestCount(t *testing.T) {
	t.Parallel()
	c := limit.NewCount(limit.Most{Node: 5, Org: 3, User: 2})
	for i, step := range []struct {
		who  limit.Who
		want limit.Scope
	}{
		{who(1, 1), limit.None},
		{who(1, 1), limit.None},
		{who(1, 1), limit.User},
		{who(1, 2), limit.None},
		{who(1, 2), limit.Org},
		{who(1, 1), limit.User}, // the narrowest
		{who(2, 1), limit.None}, // the same Guid in another organization is another user
		{who(2, 0), limit.None},
		{who(0, 0), limit.Node},
		{who(2, 0), limit.Node},
	} {
		if full := c.Full(step.who); full != step.want {
			t.Errorf("step %d: Full = %v, want %v", i, full, step.want)
		}
		if full := c.Take(step.who); full != step.want {
			t.Errorf("step %d: Take = %v, want %v", i, full, step.want)
		}
	}
	want := limit.CountStats{Held: 5, Orgs: 2, Users: 4, Refused: limit.Refusals{limit.User: 4, limit.Org: 2, limit.Node: 4}}
	if diff := cmp.Diff(want, c.Stats()); diff != "" {
		t.Error(diff)
	}
	for _, w := range []limit.Who{who(1, 1), who(1, 1), who(1, 2), who(2, 1), who(2, 0)} {
		c.Give(w)
	}
	if s := c.Stats(); s.Held != 0 || s.Orgs != 0 || s.Users != 0 {
		t.Errorf("all given back, and there are still %+v", s)
	}
}

// Nobody is a user of no organization: only the node's bound is for it.
func TestNobodyIsBoundByTheNodeAlone(t *testing.T) {
	t.Parallel()
	c := limit.NewCount(limit.Most{Node: 3, Org: 1, User: 1})
	for i, want := range []limit.Scope{limit.None, limit.None, limit.None, limit.Node} {
		if got := c.Take(limit.Who{}); got != want {
			t.Errorf("take %d: %v, want %v", i, got, want)
		}
	}
	free := limit.NewCount(limit.Most{})
	for range 1000 {
		if got := free.Take(who(1, 1)); got != limit.None {
			t.Fatalf("without bounds: %v", got)
		}
	}
}

// At no moment more are held than the bounds say, whoever comes when, and at
// the end nothing is.
func TestCountIsExact(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	most := limit.Most{Node: 20, Org: 9, User: 4}
	c := limit.NewCount(most)
	var node atomic.Int64
	var orgs [3]atomic.Int64
	var users [3][4]atomic.Int64
	check := func(n *atomic.Int64, most int) {
		if held := n.Add(1); held > int64(most) {
			t.Errorf("%d are held, want at most %d", held, most)
		}
	}
	var all sync.WaitGroup
	var taken atomic.Int64
	for g := range 16 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(g)))
			type place struct{ org, user int }
			var held []place
			give := func() {
				i := rng.IntN(len(held))
				p := held[i]
				held[i] = held[len(held)-1]
				held = held[:len(held)-1]
				// What is counted here is given up first: it is never more than is held.
				node.Add(-1)
				orgs[p.org].Add(-1)
				users[p.org][p.user].Add(-1)
				c.Give(who(byte(p.org+1), byte(p.user+1)))
			}
			for range 2000 {
				p := place{rng.IntN(3), rng.IntN(4)}
				switch {
				case len(held) > 0 && rng.IntN(2) == 0:
					give()
				case c.Take(who(byte(p.org+1), byte(p.user+1))) == limit.None:
					taken.Add(1)
					check(&node, most.Node)
					check(&orgs[p.org], most.Org)
					check(&users[p.org][p.user], most.User)
					held = append(held, p)
				}
			}
			for len(held) > 0 {
				give()
			}
		})
	}
	all.Wait()
	s := c.Stats()
	if s.Held != 0 || s.Orgs != 0 || s.Users != 0 {
		t.Errorf("all given back, and there are still %+v", s)
	}
	for _, scope := range []limit.Scope{limit.Node, limit.Org, limit.User} {
		if s.Refused[scope] == 0 {
			t.Errorf("the bound of the %v was never reached: the test shows nothing", scope)
		}
	}
	if taken.Load() < 100 {
		t.Errorf("only %d were taken: the test shows nothing", taken.Load())
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := limit.NewRate(limit.Rates{Node: 8, Org: 4, User: 2}, 0)
		take := func(w limit.Who, n float64, over limit.Scope, wait time.Duration) {
			t.Helper()
			if got, after := r.Take(w, n); got != over || after.Round(time.Millisecond) != wait {
				t.Errorf("Take of %v: %v after %v, want %v after %v", n, got, after, over, wait)
			}
		}
		take(who(1, 1), 1, limit.None, 0)
		take(who(1, 1), 1, limit.None, 0)
		take(who(1, 1), 1, limit.User, 500*time.Millisecond)
		take(who(1, 2), 2, limit.None, 0)
		take(who(1, 3), 1, limit.Org, 250*time.Millisecond)
		take(who(2, 1), 2, limit.None, 0)
		take(who(2, 2), 2, limit.None, 0)
		take(who(3, 1), 1, limit.Node, 125*time.Millisecond)
		if got, want := r.Stats().Refused, (limit.Refusals{limit.User: 1, limit.Org: 1, limit.Node: 1}); got != want {
			t.Errorf("refused %v, want %v", got, want)
		}
		time.Sleep(500 * time.Millisecond)
		take(who(1, 1), 1, limit.None, 0)
		take(who(1, 1), 1, limit.User, 500*time.Millisecond)
		time.Sleep(time.Hour) // no more than a burst is kept
		take(who(1, 1), 2, limit.None, 0)
		take(who(1, 1), 1, limit.User, 500*time.Millisecond)
		r.Return(who(1, 1), 1)
		take(who(1, 1), 1, limit.None, 0)
		time.Sleep(time.Hour)
		take(who(1, 1), 5, limit.None, 0) // larger than a burst: let, and paid for
		take(who(1, 1), 1, limit.User, 2*time.Second)
	})
}

// A refusal takes nothing, in no scope; who comes back after the time it was
// told is let in.
func TestRateOfRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := limit.NewRate(limit.Rates{Node: 0.5, Conn: 100}, 0)
		w := limit.Who{Conn: "c"}
		for i := range 50 {
			if over, _ := r.Take(w, 1); over != limit.None {
				t.Fatalf("round %d: %v", i, over)
			}
			for range 200 { // these take nothing of the connection's hundred
				over, wait := r.Take(w, 1)
				if over != limit.Node || wait != 2*time.Second {
					t.Fatalf("round %d: %v for %v, want the node's two seconds", i, over, wait)
				}
			}
			time.Sleep(2 * time.Second)
		}
	})
}

// In any time t at most a burst and rate × t are had, whoever asks at once.
func TestRateIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const rate, seconds, askers = 40, 30, 8
		r := limit.NewRate(limit.Rates{Org: rate}, 0)
		var had atomic.Int64
		var all sync.WaitGroup
		for range askers {
			all.Go(func() {
				for range seconds * 100 {
					if over, _ := r.Take(who(1, 1), 1); over == limit.None {
						had.Add(1)
					}
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		all.Wait()
		if n := had.Load(); n < rate*seconds || n > rate*(seconds+1) {
			t.Errorf("%d were had in %d s, want %d to %d", n, seconds, rate*seconds, rate*(seconds+1))
		}
	})
}

// What is remembered of those who were there once is given back.
func TestRateForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := limit.NewRate(limit.Rates{User: 10, Conn: 10}, 0)
		for round := range 20 {
			for i := range 5000 {
				r.Take(limit.Who{Org: limit.ID{1}, User: limit.ID{byte(round), byte(i), byte(i >> 8)}, Conn: strings.Repeat("x", i%7+1)}, 1)
			}
			if known := r.Stats().Known; known > 5007 {
				t.Fatalf("round %d: %d buckets, want those of the round only", round, known)
			}
			time.Sleep(time.Second)
		}
		if known := r.Stats().Known; known != 0 {
			t.Errorf("%d buckets are left of those who are quiet", known)
		}
	})
}

// Nobody need ask Stats for it.
func TestRateForgetsByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := limit.NewRate(limit.Rates{User: 1000}, 0)
		for n := range 200_000 {
			r.Take(limit.Who{User: limit.ID{byte(n), byte(n >> 8), byte(n >> 16)}}, 1)
			if n%1000 == 0 {
				time.Sleep(time.Second)
			}
			if known := r.Remembered(); known > 2500 {
				t.Fatalf("%d buckets after %d users, of whom 1000 were there in the last second", known, n)
			}
		}
	})
}

func TestNoRate(t *testing.T) {
	t.Parallel()
	r := limit.NewRate(limit.Rates{}, time.Minute)
	if r != nil {
		t.Error("a rate that bounds nothing is not nil")
	}
	if over, wait := r.Take(who(1, 1), 1e9); over != limit.None || wait != 0 {
		t.Errorf("Take = %v, %v", over, wait)
	}
	r.Return(who(1, 1), 1)
	if s := r.Stats(); s != (limit.RateStats{}) {
		t.Errorf("Stats = %+v", s)
	}
}

func BenchmarkCount(b *testing.B) {
	c := limit.NewCount(limit.Most{Node: 1e6, Org: 1e6, User: 1e6})
	b.ReportAllocs()
	for b.Loop() {
		c.Take(who(1, 1))
		c.Give(who(1, 1))
	}
}

func BenchmarkRate(b *testing.B) {
	r := limit.NewRate(limit.Rates{Node: 1e9, Org: 1e9, User: 1e9, Conn: 1e9}, 0)
	w := who(1, 1)
	w.Conn = "0123456789abcdefghijkl"
	b.ReportAllocs()
	for b.Loop() {
		r.Take(w, 1)
	}
}
