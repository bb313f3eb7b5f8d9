package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"rte/producer"
)

// A feed publishes the events of a crowd's pairs. Those of one pair come from
// one goroutine, in order.
type feed struct {
	crowd  *crowd
	client *producer.Client
}

func (c *crowd) feed() (*feed, error) {
	p, err := producer.New(c.o.PublishURL, producer.Options{
		Token:      func(context.Context) (string, error) { return c.o.Token, nil },
		HTTPClient: c.http,
		FirstPause: 20 * time.Millisecond, LongPause: time.Second, Patience: c.o.Settle,
	})
	if err != nil {
		return nil, err
	}
	return &feed{c, p}, nil
}

// events makes the next n events of a pair, which are due at a time.
func (f *feed) events(list []producer.Event, pair, n int, at time.Duration) []producer.Event {
	c := f.crowd
	for range n {
		c.sent[pair]++
		s := stamp{c.name, pair, c.sent[pair], at.Nanoseconds()}
		list = append(list, c.pairs[pair].stamped(c.o.Organization, s, c.o.EventBytes))
		c.expected.Add(c.hearing[pair])
	}
	return list
}

// post publishes events.
func (f *feed) post(ctx context.Context, list []producer.Event) error {
	result, err := f.client.Publish(ctx, list...)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if len(result.Rejected) > 0 {
		r := result.Rejected[0]
		return fmt.Errorf("publish: the node refuses events: %s %s", r.Path, r.Reason)
	}
	f.crowd.published.Add(uint64(len(list)))
	return nil
}

// publishers runs a function for each publisher with its pairs.
func (f *feed) publishers(do func(number int, pairs []int) error) error {
	n := f.crowd.o.Publishers
	failed := make([]error, n)
	var running sync.WaitGroup
	for i := range n {
		var pairs []int
		for p := i; p < len(f.crowd.pairs); p += n {
			pairs = append(pairs, p)
		}
		running.Go(func() { failed[i] = do(i, pairs) })
	}
	running.Wait()
	return errors.Join(failed...)
}

// paced publishes at the rate for the duration. An event's delay counts from
// when it was due, so a node that takes longer than that is seen.
func (f *feed) paced(ctx context.Context) error {
	c := f.crowd
	return f.publishers(func(number int, pairs []int) error {
		share := c.o.Rate * float64(len(pairs)) / float64(len(c.pairs)) / float64(c.o.Burst)
		pause := time.Duration(float64(time.Second) / share)
		start := time.Since(c.began) + time.Duration(number)*pause/time.Duration(c.o.Publishers)
		timer := time.NewTimer(0)
		defer timer.Stop()
		for turn := 0; ; {
			due := start + time.Duration(turn)*pause
			if due-start >= c.o.Duration {
				return nil
			}
			timer.Reset(due - time.Since(c.began))
			select {
			case <-timer.C:
			case <-ctx.Done():
				return ctx.Err()
			}
			var list []producer.Event
			for now := time.Since(c.began); due <= now && len(list)+c.o.Burst <= max(c.o.BatchEvents, c.o.Burst) && due-start < c.o.Duration; {
				list = f.events(list, pairs[turn%len(pairs)], c.o.Burst, due)
				turn++
				due = start + time.Duration(turn)*pause
			}
			if err := f.post(ctx, list); err != nil {
				return err
			}
		}
	})
}

// saturated publishes as fast as what was published has arrived, but for a
// window.
func (f *feed) saturated(ctx context.Context) error {
	c := f.crowd
	window := uint64(c.o.Window) * uint64(c.o.Connections)
	turn := 0
	for end := time.Since(c.began) + c.o.Duration; time.Since(c.began) < end; {
		if expected := c.expected.Load(); expected > window {
			if !c.await(ctx, expected-window, c.o.Settle) {
				return errors.Join(ctx.Err(), errors.New("events did not arrive"))
			}
		}
		var list []producer.Event
		for room := c.heard.Load() + window; len(list)+c.o.Burst <= max(c.o.BatchEvents, c.o.Burst); turn++ {
			pair := turn % len(c.pairs)
			if len(list) > 0 && c.expected.Load()+uint64(c.o.Burst)*c.hearing[pair] > room {
				break
			}
			list = f.events(list, pair, c.o.Burst, time.Since(c.began))
		}
		if err := f.post(ctx, list); err != nil {
			return err
		}
	}
	return nil
}

// flood publishes batches as fast as they are answered.
func (f *feed) flood(ctx context.Context) error {
	c := f.crowd
	end := time.Since(c.began) + c.o.Duration
	return f.publishers(func(_ int, pairs []int) error {
		for turn := 0; time.Since(c.began) < end; {
			var list []producer.Event
			for range c.o.BatchEvents {
				list = f.events(list, pairs[turn%len(pairs)], 1, time.Since(c.began))
				turn++
			}
			if err := f.post(ctx, list); err != nil {
				return err
			}
		}
		return nil
	})
}

// once publishes n events of each pair.
func (f *feed) once(ctx context.Context, n int) error {
	c := f.crowd
	return f.publishers(func(_ int, pairs []int) error {
		var list []producer.Event
		for range n {
			for _, p := range pairs {
				if list = f.events(list, p, 1, time.Since(c.began)); len(list) < c.o.BatchEvents {
					continue
				}
				if err := f.post(ctx, list); err != nil {
					return err
				}
				list = nil
			}
		}
		if len(list) == 0 {
			return nil
		}
		return f.post(ctx, list)
	})
}
