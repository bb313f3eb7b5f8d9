package fanout_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rte/internal/event"
	"rte/internal/fanout"
	"rte/internal/limit"
)

func pair(n int) event.Pair { return event.Pair{Entity: event.GUID{byte(n), byte(n >> 8)}} }

func enter(t testing.TB, x *fanout.Index, org, user byte) *fanout.Member {
	t.Helper()
	m, err := x.Join(context.Background(), event.GUID{org}, event.GUID{user}, &client{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// reserve asks for places and subscribes to what it got; it returns how many.
func reserve(t testing.TB, m *fanout.Member, most int, pairs ...int) int {
	t.Helper()
	var want, got []event.Pair
	for _, n := range pairs {
		want = append(want, pair(n))
	}
	for i, full := range m.Reserve(want, most) {
		if !full {
			got = append(got, want[i])
		}
	}
	subscribe(t, m, nil, got...)
	return len(got)
}

func TestRoomForSubscriptions(t *testing.T) {
	t.Parallel()
	x, _ := newIndex(t, fanout.Options{Most: limit.Most{Node: 12, Org: 8, User: 5}})
	a, again, b, other := enter(t, x, 1, 1), enter(t, x, 1, 1), enter(t, x, 1, 2), enter(t, x, 2, 1)
	check := func(what string, got, want, held int) {
		t.Helper()
		if n := x.Stats().Subscriptions; got != want || n != held {
			t.Errorf("%s: %d granted, %d held, want %d and %d", what, got, n, want, held)
		}
	}
	check("connection", reserve(t, a, 3, 1, 2, 3, 4), 3, 3)
	check("what is there needs no room", reserve(t, a, 3, 1, 2, 3), 3, 3)
	check("twice in one call is once", reserve(t, again, 3, 7, 7, 7), 3, 4)
	check("the user, on two connections", reserve(t, again, 0, 8, 9, 10), 1, 5)
	check("the organization", reserve(t, b, 0, 1, 2, 3, 4, 5), 3, 8)
	check("the node", reserve(t, other, 0, 1, 2, 3, 4, 5), 4, 12)
	if got, want := x.Stats().Refused, (limit.Refusals{limit.Conn: 1, limit.User: 2, limit.Org: 2, limit.Node: 1}); got != want {
		t.Errorf("refused %v, want %v", got, want)
	}
	a.Unsubscribe([]event.Pair{pair(1), pair(1), pair(99)})
	check("one that has gone makes room for one", reserve(t, again, 0, 20, 21), 1, 12)
	a.UnsubscribeAll()
	b.Leave()
	check("who goes makes room", reserve(t, again, 0, 30, 31, 32, 33), 2, 9) // the user has had three
	if other.Reserve([]event.Pair{pair(50)}, 0)[0] {
		t.Error("no room for the other organization")
	}
	other.Leave() // with a place that was never used
	a.Leave()
	again.Leave()
	if s := x.Stats(); s.Subscriptions != 0 || s.Members != 0 {
		t.Errorf("all gone, and there are still %+v", s)
	}
	late := enter(t, x, 1, 1)
	check("nothing is held any more", reserve(t, late, 0, 1, 2, 3, 4, 5, 6), 5, 5)
	late.Leave()
}

// Who joins without asking is counted all the same.
func TestJoinedWithoutAPlace(t *testing.T) {
	t.Parallel()
	x, _ := newIndex(t, fanout.Options{Most: limit.Most{User: 2}})
	m := enter(t, x, 1, 1)
	subscribe(t, m, nil, pair(1), pair(2), pair(3))
	if !m.Reserve([]event.Pair{pair(4)}, 0)[0] {
		t.Error("there is room behind three of two")
	}
	m.Unsubscribe([]event.Pair{pair(1), pair(2)})
	if full := m.Reserve([]event.Pair{pair(4), pair(5)}, 0); full[0] || !full[1] {
		t.Error("there is not room for just one")
	}
	subscribe(t, m, nil)
	if m.Reserve([]event.Pair{pair(5)}, 0)[0] {
		t.Error("a place that was not used is still taken")
	}
	m.Leave()
}

// The bounds hold whoever comes when, and nothing is held at the end.
func TestRoomIsExact(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	most := limit.Most{Node: 26, Org: 18, User: 12}
	x, _ := newIndex(t, fanout.Options{Most: most})
	var keep []*fanout.Member // the organizations stay
	for org := range byte(3) {
		keep = append(keep, enter(t, x, org+1, 0))
	}
	// What is counted here is never more than is held: it is given up before,
	// and added behind.
	var node atomic.Int64
	var all sync.WaitGroup
	for g := range 12 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(g)))
			for range 30 {
				// Enough for every bound, also if others should not be there.
				org, user := byte(rng.IntN(3)), byte(1+rng.IntN(3))
				members := []*fanout.Member{enter(t, x, org+1, user), enter(t, x, org+1, user), enter(t, x, org+1, user+1), enter(t, x, (org+1)%3+1, user)}
				for range 100 {
					m := members[rng.IntN(len(members))]
					before := m.Len()
					switch rng.IntN(30) {
					case 0:
						node.Add(-int64(before))
						m.UnsubscribeAll()
						continue
					case 1, 2, 3:
						p := pair(rng.IntN(40))
						if m.Has(p) {
							node.Add(-1)
						}
						m.Unsubscribe([]event.Pair{p, p})
						continue
					}
					reserve(t, m, 10, rng.IntN(40), rng.IntN(40), rng.IntN(40))
					if n := node.Add(int64(m.Len() - before)); n > int64(most.Node) {
						t.Errorf("%d subscriptions on the node, want at most %d", n, most.Node)
					}
					if n := m.Len(); n > 10 {
						t.Errorf("%d subscriptions of one connection, want at most 10", n)
					}
				}
				for _, m := range members {
					node.Add(-int64(m.Len()))
					m.Leave()
				}
			}
		})
	}
	all.Wait()
	for _, m := range keep {
		m.Leave()
	}
	s := x.Stats()
	if s.Subscriptions != 0 || s.Members != 0 {
		t.Errorf("all gone, and there are still %+v", s)
	}
	for scope := limit.Node; scope <= limit.Conn; scope++ {
		if s.Refused[scope] == 0 {
			t.Errorf("the bound of the %v was never reached: the test shows nothing", scope)
		}
	}
	m := enter(t, x, 1, 1)
	defer m.Leave()
	if n := reserve(t, m, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13); n != most.User {
		t.Errorf("%d places at the end, want %d", n, most.User)
	}
}

func BenchmarkReserve50AndLeave(b *testing.B) {
	x, _ := newIndex(b, fanout.Options{Most: limit.Most{Node: 1e9, Org: 1e9, User: 1e9}})
	keep, err := x.Join(b.Context(), event.GUID{1}, event.GUID{}, &sinkhole{})
	if err != nil {
		b.Fatal(err)
	}
	defer keep.Leave()
	pairs := make([]event.Pair, 50)
	for i := range pairs {
		pairs[i] = pair(i)
	}
	b.ReportAllocs()
	for b.Loop() {
		m, err := x.Join(b.Context(), event.GUID{1}, event.GUID{1}, &sinkhole{})
		if err != nil {
			b.Fatal(err)
		}
		m.Reserve(pairs, 10_000)
		subscribe(b, m, nil, pairs...)
		m.Leave()
	}
}
