package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A crowd is many clients that count what they hear. One load run has one.
type crowd struct {
	o       LoadOptions
	name    string
	began   time.Time
	pairs   []pair
	sent    []uint64 // the number of each pair's last event; its publisher's
	hearers []*hearer
	hearing []uint64 // clients that hear each pair
	probe   *probe
	http    *http.Client

	connected atomic.Int64
	lost      atomic.Int64 // connections that nobody wanted to end
	published atomic.Uint64
	heard     atomic.Uint64
	missing   atomic.Uint64
	doubled   atomic.Uint64
	foreign   atomic.Uint64
	expected  atomic.Uint64 // deliveries that the published events mean
	awaited   atomic.Uint64 // heard, at which arrived is told
	arrived   chan struct{}

	tallies [shards]tally // delays of deliveries
	setup   tally         // from before negotiation until subscribed

	phase atomic.Pointer[stage]
	mu    sync.Mutex
	why   error // of the first connection that was lost
}

// A stage is a phase for those who watch.
type stage struct {
	name  string
	began time.Time
	part  func() float64 // nil: not known
}

// shards keep clients from waiting for each other when they count.
const shards = 16

// A tally is delays that several goroutines add to.
type tally struct {
	mu sync.Mutex
	delays
}

func (t *tally) count(d time.Duration) {
	t.mu.Lock()
	t.add(d)
	t.mu.Unlock()
}

// take is what was counted since the last take.
func (t *tally) take(into *delays) {
	t.mu.Lock()
	defer t.mu.Unlock()
	into.merge(&t.delays)
	t.delays = delays{}
}

func newCrowd(o LoadOptions) *crowd {
	c := &crowd{
		o: o, began: time.Now(), pairs: newLoadPairs(o.Queues, o.State), sent: make([]uint64, o.Queues),
		probe: newProbe(o.AdminURL), http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: o.Connectors}}, arrived: make(chan struct{}, 1),
		name: strconv.FormatUint(rand.Uint64(), 36), //nolint:gosec // no secret
	}
	c.enter("connecting", nil)
	for i := range o.Connections {
		c.hearers = append(c.hearers, &hearer{crowd: c, number: i, first: i * o.Subscriptions % o.Queues, last: make([]uint64, o.Subscriptions)})
	}
	c.recount()
	return c
}

// newLoadPairs makes pairs of one event.
func newLoadPairs(n int, state bool) []pair {
	list := make([]pair, n)
	for i := range list {
		list[i] = newPair(state)
	}
	return list
}

func (c *crowd) enter(phase string, part func() float64) {
	c.phase.Store(&stage{phase, time.Now(), part})
}

// watch tells the progress until stop is called.
func (c *crowd) watch() (stop func()) {
	if c.o.Progress == nil {
		return func() {}
	}
	over := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		timer := time.NewTicker(time.Second)
		defer timer.Stop()
		for {
			select {
			case <-over:
				return
			case <-timer.C:
			}
			s, part := c.phase.Load(), -1.0
			if s.part != nil {
				part = min(1, s.part())
			}
			c.o.Progress(LoadProgress{
				Phase: s.name, Elapsed: time.Since(s.began), Part: part,
				Connected: int(c.connected.Load()), Published: c.published.Load(), Heard: c.heard.Load(),
			})
		}
	})
	return func() { close(over); running.Wait() }
}

// connect connects everybody and subscribes.
func (c *crowd) connect(ctx context.Context) error {
	c.enter("connecting", func() float64 { return float64(c.connected.Load()) / float64(len(c.hearers)) })
	return inTurn(ctx, c.o.Connectors, c.hearers, func(ctx context.Context, h *hearer) error { return h.start(ctx) })
}

// recount counts who hears each pair; stalled clients do not.
func (c *crowd) recount() {
	c.hearing = make([]uint64, len(c.pairs))
	for _, h := range c.hearers {
		if h.stalls.Load() {
			continue
		}
		for place := range h.last {
			c.hearing[h.pair(place)]++
		}
	}
}

// await waits until so many deliveries came since the beginning, or patience
// is over; it tells whether they came.
func (c *crowd) await(ctx context.Context, deliveries uint64, patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	c.awaited.Store(deliveries)
	for c.heard.Load() < deliveries {
		select {
		case <-c.arrived:
		case <-timer.C:
			return c.heard.Load() >= deliveries
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// came counts a delivery.
func (c *crowd) came(shard int, delay time.Duration) {
	c.tallies[shard%shards].count(delay)
	if c.heard.Add(1) == c.awaited.Load() {
		select {
		case c.arrived <- struct{}{}:
		default:
		}
	}
}

// delays takes the delays of all deliveries since it was called last.
func (c *crowd) delays() *delays {
	var all delays
	for i := range c.tallies {
		c.tallies[i].take(&all)
	}
	return &all
}

// fail notes that a connection was lost.
func (c *crowd) fail(err error) {
	c.lost.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why == nil {
		c.why = err
	}
}

// judge adds what must not be.
func (c *crowd) judge(r *Result) {
	expected := c.expected.Load()
	heard, missing, doubled := c.heard.Load(), c.missing.Load(), c.doubled.Load()
	never := uint64(0)
	if heard+missing < expected {
		never = expected - heard - missing
	}
	if !c.o.State {
		never += missing
	} else if missing > 0 {
		r.add("replaced", "states replaced by newer ones (allowed)", float64(missing), "")
	}
	for _, f := range []struct {
		n    uint64
		text string
	}{{never, "lost"}, {doubled, "doubled or out of order"}, {c.foreign.Load(), "of another run"}} {
		if f.n > 0 {
			r.Faults = append(r.Faults, fmt.Sprintf("%d of %d deliveries %s", f.n, expected, f.text))
		}
	}
	if n := c.lost.Load(); n > 0 {
		r.Faults = append(r.Faults, fmt.Sprintf("%d connections were lost, the first: %v", n, c.firstLoss()))
	}
}

// firstLoss is why the first connection was lost, nil if none was.
func (c *crowd) firstLoss() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}
