package fanout_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
	"rte/internal/fanout"
	"rte/internal/journal/journaltest"
	"rte/signalr"
)

// client remembers what it was sent.
type client struct {
	mu  sync.Mutex
	got []string
}

func (c *client) Send(f *signalr.Frame) {
	b, err := f.Bytes(signalr.JSON{})
	if err != nil {
		b = []byte(err.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, string(b))
}

// Offer is Send: there is always room.
func (c *client) Offer(ctx context.Context, f *signalr.Frame) error {
	c.Send(f)
	return ctx.Err()
}

// Room is that of a client that is not slow (fanout.Subscriber).
func (c *client) Room() int { return 1 << 20 }

func (c *client) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	got := c.got
	c.got = nil
	return got
}

// newIndex makes an index of an empty store.
func newIndex(t testing.TB, o fanout.Options) (*fanout.Index, *journaltest.Store) {
	t.Helper()
	store := journaltest.New(event.NewCatalog())
	o.Store = store
	x := fanout.New(event.NewCatalog(), o)
	t.Cleanup(x.Close)
	return x, store
}

// subscribe joins pairs from now on.
func subscribe(t testing.TB, m *fanout.Member, then func(), pairs ...event.Pair) {
	t.Helper()
	joins := make([]fanout.Join, len(pairs))
	for i, p := range pairs {
		joins[i].Pair = p
	}
	err := m.Subscribe(context.Background(), joins, nil, func([]fanout.Joined) {
		if then != nil {
			then()
		}
	})
	if err != nil {
		t.Error(err)
	}
}

func kind(t testing.TB, name string) event.Kind {
	t.Helper()
	e, ok := event.NewCatalog().Lookup(name)
	if !ok {
		t.Fatalf("no event %s", name)
	}
	return e.Kind
}

func join(t testing.TB, x *fanout.Index, org event.GUID, c *client) *fanout.Member {
	t.Helper()
	m, err := x.Join(context.Background(), org, event.GUID{}, c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPushOnTheWire(t *testing.T) {
	t.Parallel()
	e := &event.Event{
		Topic:  event.Topic{Org: event.GUID{1}, Pair: event.Pair{Kind: kind(t, "UserCallInComing"), Entity: event.GUID{0xa1, 15: 9}}},
		Data:   []byte(`{"callerNumber":"+358","note":"ä\u001e"}`),
		Time:   time.Date(2026, 11, 22, 9, 8, 7, 6_500_000, time.FixedZone("", 7200)),
		Cursor: "abc",
	}
	const sub = `{"type":1,"target":"MessageReceived","arguments":[{"subscription":{"entityId":"a1000000-0000-0000-0000-000000000009","eventName":"%s"},"data":{"callerNumber":"+358","note":"ä\u001e"}`
	for _, c := range []struct {
		name  string
		o     fanout.Options
		cause string
		want  string
	}{
		{"default", fanout.Options{}, "", fmt.Sprintf(sub, "usercallincoming") + `,"cursor":"abc","time":"2026-11-22T07:08:07.006Z"}]}` + "\x1e"},
		{"with a cause", fanout.Options{}, "abb", fmt.Sprintf(sub, "usercallincoming") + `,"cursor":"abc","time":"2026-11-22T07:08:07.006Z","cause":"abb"}]}` + "\x1e"},
		{"plain", fanout.Options{Plain: true}, "abb", fmt.Sprintf(sub, "usercallincoming") + "}]}\x1e"},
		{"catalogue names", fanout.Options{Plain: true, CatalogNames: true}, "", fmt.Sprintf(sub, "UserCallInComing") + "}]}\x1e"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x, l := newIndex(t, c.o)
			to := &client{}
			m := join(t, x, e.Org, to)
			defer m.Leave()
			subscribe(t, m, nil, e.Pair)
			e := *e
			e.Cause = c.cause
			l.Publish(&e)
			if d := cmp.Diff([]string{c.want}, to.take()); d != "" {
				t.Errorf("push (-want +got):\n%s", d)
			}
		})
	}
}

func TestFirstAndLastOfAnOrganization(t *testing.T) {
	t.Parallel()
	x, l := newIndex(t, fanout.Options{Linger: -1})
	org := event.GUID{1}
	flows := func(now, ever int) {
		t.Helper()
		if n, all := l.Flows(); n != now || all != ever {
			t.Errorf("%d flows of %d ever, want %d of %d", n, all, now, ever)
		}
	}
	a, b := join(t, x, org, &client{}), join(t, x, org, &client{})
	flows(1, 1)
	a.Leave()
	flows(1, 1)
	b.Leave()
	join(t, x, org, &client{}).Leave()
	x.Close()
	flows(0, 2)
	if s := x.Stats(); s.Organizations != 0 || s.Members != 0 || s.Topics != 0 || s.Subscriptions != 0 {
		t.Errorf("left behind: %+v", s)
	}
}

func TestJoinWithoutFlow(t *testing.T) {
	t.Parallel()
	x, l := newIndex(t, fanout.Options{})
	l.Fail(errors.New("the bus is away"))
	if _, err := x.Join(t.Context(), event.GUID{1}, event.GUID{}, &client{}); !errors.Is(err, fanout.ErrNoFlow) {
		t.Errorf("Join = %v, want ErrNoFlow", err)
	}
	l.Fail(nil)
	join(t, x, event.GUID{1}, &client{}).Leave() // and the failure does not stick
}

// TestTenantWall delivers an event of one organization through the lane of
// another, which only a bug could do.
func TestTenantWall(t *testing.T) {
	t.Parallel()
	x, l := newIndex(t, fanout.Options{})
	p := event.Pair{Kind: kind(t, "QueueStatus"), Entity: event.GUID{7}}
	to := &client{}
	m := join(t, x, event.GUID{1}, to)
	defer m.Leave()
	subscribe(t, m, nil, p)
	foreign := &event.Event{Topic: event.Topic{Org: event.GUID{2}, Pair: p}, Data: []byte("{}")}
	l.Stray(event.GUID{1}, foreign)
	if got := to.take(); len(got) != 0 {
		t.Errorf("heard %q of another organization", got)
	}
	if s := x.Stats(); s.Foreign != 1 || s.Deliveries != 0 {
		t.Errorf("stats %+v, want one foreign and no delivery", s)
	}
}

func TestCompletionBeforeEvents(t *testing.T) {
	t.Parallel()
	x, l := newIndex(t, fanout.Options{})
	p := event.Pair{Kind: kind(t, "QueueStatus"), Entity: event.GUID{7}}
	to := &client{}
	m := join(t, x, event.GUID{1}, to)
	defer m.Leave()
	var published sync.WaitGroup
	subscribe(t, m, func() {
		// An event that is stored while the client joins waits for the lock.
		published.Go(func() { l.Publish(&event.Event{Topic: event.Topic{Org: event.GUID{1}, Pair: p}, Data: []byte("{}")}) })
		to.Send(signalr.NewFrame(&signalr.Ping{}))
	}, p)
	published.Wait()
	got := to.take()
	if len(got) != 2 || got[0] != "{\"type\":6}\x1e" {
		t.Errorf("got %q; want the answer, then the event", got)
	}
}

// TestAgainstModel makes random calls and compares who hears what with a
// model of ten lines.
func TestAgainstModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	x, l := newIndex(t, fanout.Options{Plain: true})
	orgs := []event.GUID{{1}, {2}, {3}}
	pairs := make([]event.Pair, 12)
	for i := range pairs {
		pairs[i] = event.Pair{Kind: event.Kind(i % 3), Entity: event.GUID{byte(i / 3)}} // the same ids in every organization
	}
	type member struct {
		*fanout.Member
		org  event.GUID
		to   *client
		has  map[event.Pair]bool
		want []string
	}
	var members []*member
	some := func() []event.Pair {
		list := make([]event.Pair, rnd.IntN(5))
		for i := range list {
			list[i] = pairs[rnd.IntN(len(pairs))]
		}
		return list
	}
	for step := range 5000 {
		if len(members) == 0 || rnd.IntN(20) == 0 {
			m := &member{org: orgs[rnd.IntN(len(orgs))], to: &client{}, has: map[event.Pair]bool{}}
			m.Member = join(t, x, m.org, m.to)
			members = append(members, m)
		}
		i := rnd.IntN(len(members))
		m := members[i]
		switch rnd.IntN(10) {
		case 0, 1, 2:
			list := some()
			subscribe(t, m.Member, nil, list...)
			for _, p := range list {
				m.has[p] = true
			}
		case 3, 4:
			list := some()
			m.Unsubscribe(list)
			for _, p := range list {
				delete(m.has, p)
			}
		case 5:
			if rnd.IntN(4) == 0 {
				m.UnsubscribeAll()
				clear(m.has)
			}
		case 6:
			if rnd.IntN(6) == 0 {
				m.Leave()
				members = slices.Delete(members, i, i+1)
			}
		default:
			e := &event.Event{Topic: event.Topic{Org: orgs[rnd.IntN(len(orgs))], Pair: pairs[rnd.IntN(len(pairs))]}, Data: fmt.Appendf(nil, `{"n":%d}`, step)}
			for _, m := range members {
				if m.org == e.Org && m.has[e.Pair] {
					m.want = append(m.want, fmt.Sprint(step))
				}
			}
			l.Publish(e)
		}
		if m.Len() != len(m.has) && slices.Contains(members, m) {
			t.Fatalf("step %d: %d pairs, want %d", step, m.Len(), len(m.has))
		}
	}
	subscriptions := 0
	for i, m := range members {
		var got []string
		for _, text := range m.to.take() {
			var n int
			_, number, _ := strings.Cut(text, `{"n":`)
			if _, err := fmt.Sscanf(number, "%d}", &n); err != nil {
				t.Fatalf("read %q: %v", text, err)
			}
			got = append(got, fmt.Sprint(n))
		}
		if d := cmp.Diff(m.want, got); d != "" {
			t.Errorf("member %d (-want +got):\n%s", i, d)
		}
		pairsOf := m.Pairs()
		for _, p := range pairsOf {
			if !m.has[p] || !m.Has(p) {
				t.Errorf("member %d has %v, the model has not", i, p)
			}
		}
		subscriptions += len(pairsOf)
	}
	if s := x.Stats(); s.Subscriptions != subscriptions || s.Members != len(members) {
		t.Errorf("stats %+v; want %d subscriptions of %d members", s, subscriptions, len(members))
	}
	for _, m := range members {
		m.Leave()
	}
}

// TestConcurrent is for the race detector: joins, leaves and deliveries of one
// organization at once, each member's own events in order.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	x, l := newIndex(t, fanout.Options{})
	org := event.GUID{1}
	anchor := join(t, x, org, &client{})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			p := event.Pair{Kind: 1, Entity: event.GUID{byte(i)}}
			for range 50 {
				to := &client{}
				m, err := x.Join(t.Context(), org, event.GUID{}, to)
				if err != nil {
					t.Error(err)
					return
				}
				subscribe(t, m, nil, p, event.Pair{Kind: 2})
				for n := range 5 {
					l.Publish(&event.Event{Topic: event.Topic{Org: org, Pair: p}, Data: fmt.Appendf(nil, `{"n":%d}`, n)})
				}
				m.Leave()
				if got := len(to.take()); got != 5 {
					t.Errorf("heard %d events, want 5", got)
				}
			}
		})
	}
	all.Wait()
	anchor.Leave()
	if s := x.Stats(); s.Topics != 0 || s.Members != 0 {
		t.Errorf("left behind: %+v", s)
	}
}

type sinkhole struct{ n int }

func (s *sinkhole) Send(*signalr.Frame) { s.n++ }

func (s *sinkhole) Room() int { return 1 << 20 }

func (s *sinkhole) Offer(context.Context, *signalr.Frame) error { return nil }

func BenchmarkDeliver(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("subs=%d", n), func(b *testing.B) {
			x, l := newIndex(b, fanout.Options{})
			p := event.Pair{Kind: 1, Entity: event.GUID{7}}
			for range n {
				m, err := x.Join(b.Context(), event.GUID{1}, event.GUID{}, &sinkhole{})
				if err != nil {
					b.Fatal(err)
				}
				subscribe(b, m, nil, p)
			}
			e := &event.Event{Topic: event.Topic{Org: event.GUID{1}, Pair: p}, Data: make([]byte, 350)}
			b.ReportAllocs()
			for b.Loop() {
				next := *e
				l.Publish(&next)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/delivery")
		})
	}
}

func BenchmarkSubscribe50AndLeave(b *testing.B) {
	x, _ := newIndex(b, fanout.Options{})
	pairs := make([]event.Pair, 50)
	for i := range pairs {
		pairs[i] = event.Pair{Kind: 1, Entity: event.GUID{byte(i)}}
	}
	keep, err := x.Join(b.Context(), event.GUID{1}, event.GUID{}, &sinkhole{})
	if err != nil {
		b.Fatal(err)
	}
	defer keep.Leave()
	b.ReportAllocs()
	for b.Loop() {
		m, err := x.Join(b.Context(), event.GUID{1}, event.GUID{}, &sinkhole{})
		if err != nil {
			b.Fatal(err)
		}
		subscribe(b, m, nil, pairs...)
		m.Leave()
	}
}
