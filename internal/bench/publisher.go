package bench

import (
	"context"
	"fmt"
	"time"

	"rte/producer"
)

// publishers share the pairs: a pair's events come from one of them, in order.
const publishers = 8

// A publisher sends numbered events of its pairs, a batch after the other. It
// waits for each batch's answer, so a node that is away stops it; then it goes
// on at its rate and does not catch up.
type publisher struct {
	run    *run
	client *producer.Client
	pairs  []int
	next   []uint64 // the number of each pair's next event
	turn   int      // index in pairs of the next event
	rate   float64  // events a second
}

// tick is how often a batch goes out at low rates.
const tick = 20 * time.Millisecond

// run publishes until ctx ends; what is under way then still gets its answer
// while the grace lasts.
func (p *publisher) publish(ctx, grace context.Context) error {
	timer := time.NewTicker(tick)
	defer timer.Stop()
	due := 0.0
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		now := time.Now()
		due += min(now.Sub(last).Seconds(), 1) * p.rate
		last = now
		if due < 1 {
			continue
		}
		n := min(int(due), p.run.o.BatchEvents)
		due = min(due-float64(n), p.rate)
		if err := p.batch(grace, n); err != nil {
			return err
		}
	}
}

// batch sends the next n events.
func (p *publisher) batch(ctx context.Context, n int) error {
	events := make([]producer.Event, 0, n)
	last := map[int]uint64{} // by pair
	for range n {
		at := p.turn % len(p.pairs)
		p.turn++
		pair := p.pairs[at]
		p.next[at]++
		m := mark{p.run.name, p.next[at], time.Since(p.run.began).Nanoseconds()}
		events = append(events, p.run.pairs[pair].event(p.run.o.Organization, m, pair, p.run.o.EventBytes))
		last[pair] = m.n
	}
	for pair, n := range last {
		p.run.note(Record{Kind: Sent, Pair: pair, N: n})
	}
	result, err := p.client.Publish(ctx, events...)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if len(result.Rejected) > 0 {
		r := result.Rejected[0]
		return fmt.Errorf("publish: the node refuses numbered events: %s %s", r.Path, r.Reason)
	}
	p.run.published.Add(uint64(n))
	for pair, n := range last {
		p.run.note(Record{Kind: Accepted, Pair: pair, N: n})
	}
	return nil
}
