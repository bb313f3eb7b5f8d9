package fanout_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rte/internal/event"
	"rte/internal/fanout"
	"rte/internal/journal/journaltest"
	"rte/signalr"
)

//nolint:gochecknoglobals // flags of the test binary
var (
	modelRounds = flag.Int("fanout.rounds", 40, "random histories against the model")
	modelSeed   = flag.Uint64("fanout.seed", 0, "of the first history; 0 is a random one")
)

// TestResumeAgainstModel plays random histories: clients subscribe from now,
// from cursors and with snapshots, leave and come back; events are published,
// heard late, forgotten by the memory and by the store, which also fails at
// times. Whatever happens, a client that was told "recovered" has heard
// everything behind its cursor, once and in order.
func TestResumeAgainstModel(t *testing.T) {
	t.Parallel()
	seed := *modelSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	for i := range *modelRounds {
		synctest.Test(t, func(t *testing.T) { newHistory(t, seed+uint64(i)).play(300) })
		if t.Failed() {
			t.Fatalf("-fanout.seed=%d", seed+uint64(i))
		}
	}
}

// A history is one run of the model.
type history struct {
	t       *testing.T
	rnd     *rand.Rand
	store   *journaltest.Store
	index   *fanout.Index
	cat     *event.Catalog
	org     event.GUID
	pairs   []event.Pair
	stored  map[event.Pair][]uint64 // numbers of all events ever, by pair
	guests  []*guest
	held    bool
	broken  bool
	behinds sync.Map // guests that cannot be caught up
}

// A guest is a client: connected or not, with what it has heard.
type guest struct {
	h      *history
	member *fanout.Member
	subs   map[event.Pair]*sub
	memory map[event.Pair]string // cursors it would come back with

	mu   sync.Mutex
	room chan struct{} // not nil: Offer waits for it
	gone bool
}

// A sub is one subscription: everything behind from, and nothing else.
type sub struct {
	from  uint64
	heard []uint64
}

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{
		t: t, rnd: rand.New(rand.NewPCG(seed, 7)), cat: event.NewCatalog(), org: event.GUID{1},
		stored: map[event.Pair][]uint64{},
	}
	h.store = journaltest.New(h.cat)
	o := fanout.Options{
		Store: h.store, Window: 10 * time.Second, Linger: time.Duration(h.rnd.IntN(2)) * time.Minute,
		Behind: func(to fanout.Subscriber) { h.behinds.Store(to, true) },
	}
	if h.rnd.IntN(3) == 0 {
		o.Bytes = int64(2000 + h.rnd.IntN(20_000))
	}
	h.index = fanout.New(h.cat, o)
	for i := range 4 {
		h.pairs = append(h.pairs, event.Pair{Kind: kind(t, "QueueCallInArrived"), Entity: event.GUID{byte(i)}},
			event.Pair{Kind: kind(t, "QueueStatus"), Entity: event.GUID{byte(i)}})
	}
	for range 4 {
		h.guests = append(h.guests, &guest{h: h, memory: map[event.Pair]string{}})
	}
	return h
}

func (h *history) state(p event.Pair) bool { return h.cat.Type(p.Kind).Keeps() }

func (h *history) play(steps int) {
	for range steps {
		g := h.guests[h.rnd.IntN(len(h.guests))]
		switch h.rnd.IntN(14) {
		case 0, 1, 2, 3, 4:
			for range 1 + h.rnd.IntN(1+h.rnd.IntN(20)) {
				h.publish()
			}
		case 5, 6, 7:
			g.subscribe()
		case 8:
			g.unsubscribe()
		case 9:
			if h.rnd.IntN(3) == 0 {
				g.leave()
			}
		case 10:
			h.hold(h.rnd.IntN(2) == 0)
		case 11:
			time.Sleep(time.Duration(h.rnd.IntN(12)) * time.Second)
		case 12:
			if h.rnd.IntN(3) == 0 {
				h.store.Forget(time.Now().Add(-time.Duration(h.rnd.IntN(40)) * time.Second))
			}
		case 13:
			g.slow(h.rnd.IntN(2) == 0)
			h.fail(h.rnd.IntN(8) == 0)
		}
		if h.rnd.IntN(5) == 0 {
			h.check()
		}
	}
	h.check()
	for _, g := range h.guests {
		g.leave()
	}
	h.index.Close()
	if s := h.index.Stats(); s.JournalBytes != 0 || s.Members != 0 || s.Organizations != 0 {
		h.t.Errorf("left behind: %+v", s)
	}
}

func (h *history) publish() {
	p := h.pairs[h.rnd.IntN(len(h.pairs))]
	e := &event.Event{Topic: event.Topic{Org: h.org, Pair: p}}
	e.Data = fmt.Appendf(nil, `{"queueName":%q}`, strings.Repeat("x", h.rnd.IntN(1+h.rnd.IntN(20_000))))
	h.store.Publish(e)
	h.stored[p] = append(h.stored[p], e.Sequence)
}

func (h *history) hold(on bool) {
	if on {
		h.store.Hold()
	} else {
		h.store.Release()
	}
	h.held = on
}

func (h *history) fail(on bool) {
	h.broken = on
	if on {
		h.store.Fail(errors.New("away"))
	} else {
		h.store.Fail(nil)
	}
}

// check lets everything come to rest and compares.
func (h *history) check() {
	h.hold(false)
	h.fail(false)
	for _, g := range h.guests {
		g.slow(false)
	}
	time.Sleep(2 * time.Second) // a store that failed is asked again
	synctest.Wait()
	for _, g := range h.guests {
		if _, is := h.behinds.LoadAndDelete(g); is { // it is told, and closed
			g.leave()
			continue
		}
		g.check()
	}
}

func (g *guest) check() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for p, s := range g.subs {
		all := g.h.stored[p]
		first, _ := slices.BinarySearch(all, s.from+1)
		want := all[first:]
		if !g.h.state(p) {
			if !slices.Equal(s.heard, want) {
				g.h.t.Errorf("behind %d of %v: heard %v, want %v", s.from, p, s.heard, want)
			}
			continue
		}
		if !slices.IsSortedFunc(s.heard, func(a, b uint64) int {
			if a >= b {
				return 1
			}
			return -1
		}) {
			g.h.t.Errorf("state %v went back: %v", p, s.heard)
		}
		for _, n := range s.heard {
			if !slices.Contains(want, n) {
				g.h.t.Errorf("state %v behind %d: heard %d of %v", p, s.from, n, want)
			}
		}
		if len(want) > 0 && (len(s.heard) == 0 || s.heard[len(s.heard)-1] != want[len(want)-1]) {
			g.h.t.Errorf("state %v behind %d: heard %v, the newest is %d", p, s.from, s.heard, want[len(want)-1])
		}
	}
}

// connect makes the guest a member, if it is none.
func (g *guest) connect() bool {
	if g.member != nil {
		return true
	}
	m, err := g.h.index.Join(context.Background(), g.h.org, event.GUID{}, g)
	if err != nil {
		if !g.h.broken {
			g.h.t.Errorf("Join = %v", err)
		}
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.member, g.subs, g.gone = m, map[event.Pair]*sub{}, false
	return true
}

func (g *guest) leave() {
	if g.member == nil {
		return
	}
	g.slow(false)
	g.mu.Lock()
	g.gone = true
	g.mu.Unlock()
	g.member.Leave()
	synctest.Wait() // nobody is in Offer any more
	g.member, g.subs = nil, nil
	g.h.behinds.Delete(g)
}

func (g *guest) unsubscribe() {
	if g.member == nil {
		return
	}
	p := g.h.pairs[g.h.rnd.IntN(len(g.h.pairs))]
	g.member.Unsubscribe([]event.Pair{p})
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.subs, p)
}

// subscribe joins some pairs, each from now, from a cursor, or with a snapshot.
func (g *guest) subscribe() {
	h := g.h
	if !g.connect() {
		return
	}
	var joins []fanout.Join
	froms := map[event.Pair]uint64{}
	for _, p := range h.pairs {
		if h.rnd.IntN(3) > 0 || g.subs[p] != nil {
			continue
		}
		j := fanout.Join{Pair: p, Told: true}
		switch h.rnd.IntN(5) {
		case 0, 1:
			g.mu.Lock()
			j.After = g.memory[p]
			g.mu.Unlock()
			froms[p], _ = h.store.Place(event.Topic{Org: h.org, Pair: p}, j.After)
		case 2:
			j.After = "nonsense"
		case 3:
			j.Snapshot = true
		}
		joins = append(joins, j)
	}
	err := g.member.Subscribe(context.Background(), joins, nil, func(joined []fanout.Joined) {
		g.mu.Lock()
		defer g.mu.Unlock()
		for i, j := range joins {
			at, ok := h.store.Place(event.Topic{Org: h.org, Pair: j.Pair}, joined[i].Cursor)
			if !ok {
				h.t.Errorf("%q is no cursor", joined[i].Cursor)
			}
			from := at // from now on
			switch {
			case h.state(j.Pair) && (j.After != "" || j.Snapshot):
				from = froms[j.Pair]
			case j.After != "" && joined[i].Recovered:
				from = froms[j.Pair]
			}
			if !joined[i].Recovered && (j.After == "" || h.state(j.Pair)) {
				h.t.Errorf("%+v was not recovered", j)
			}
			if j.After == "nonsense" && joined[i].Recovered && !h.state(j.Pair) {
				h.t.Error("recovered from nonsense")
			}
			g.subs[j.Pair] = &sub{from: from}
			if g.memory[j.Pair] == "" || !joined[i].Recovered {
				g.memory[j.Pair] = joined[i].Cursor
			}
		}
	})
	if err != nil && !h.broken {
		h.t.Errorf("Subscribe = %v", err)
	}
}

// slow lets Offer wait, or not any more.
func (g *guest) slow(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case on && g.room == nil:
		g.room = make(chan struct{})
	case !on && g.room != nil:
		close(g.room)
		g.room = nil
	}
}

// Send takes a push (fanout.Subscriber).
func (g *guest) Send(f *signalr.Frame) {
	b, err := f.Bytes(signalr.JSON{})
	if err != nil {
		g.h.t.Error(err)
		return
	}
	var m struct {
		Arguments []struct {
			Subscription struct{ EntityID, EventName string }
			Cursor       string
		}
	}
	if err := json.Unmarshal(b[:len(b)-1], &m); err != nil {
		g.h.t.Error(err)
		return
	}
	a := m.Arguments[0]
	typ, _ := g.h.cat.Lookup(a.Subscription.EventName)
	id, _ := event.ParseGUID(a.Subscription.EntityID)
	p := event.Pair{Kind: typ.Kind, Entity: id}
	n, _ := g.h.store.Place(event.Topic{Org: g.h.org, Pair: p}, a.Cursor)
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.subs[p]; s != nil {
		s.heard = append(s.heard, n)
		g.memory[p] = a.Cursor
	}
}

// Room is at random, 0 too (fanout.Subscriber).
func (g *guest) Room() int { return g.h.rnd.IntN(3) * g.h.rnd.IntN(1<<17) }

// Offer takes a push when there is room (fanout.Subscriber).
func (g *guest) Offer(ctx context.Context, f *signalr.Frame) error {
	g.mu.Lock()
	room, gone := g.room, g.gone
	g.mu.Unlock()
	if room != nil {
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if gone || ctx.Err() != nil {
		return errors.New("gone")
	}
	g.Send(f)
	return nil
}
