package sim

import (
	"context"
	"slices"
	"time"
)

// The driver's figures.
const (
	tick       = 100 * time.Millisecond
	batchSize  = 500 // envelopes in one publish
	retryFirst = 100 * time.Millisecond
	retryMost  = 5 * time.Second

	// maxLag is the longest time that is made up for. After more, a sleeping
	// machine or a long outage, nothing happened meanwhile.
	maxLag = 30 * time.Second
)

// Run lets the centre live by the wall clock until ctx ends, whose error it
// returns. What happens is given to publish in order, at most 500 envelopes
// at a time; a batch that publish returns an error for is offered again, the
// same with the same ids, until it is taken. So publish must return an error
// only if trying again may help. Run owns the centre while it runs and starts
// no goroutine.
func (c *Centre) Run(ctx context.Context, publish func(context.Context, []Envelope) error) error {
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		now := time.Now()
		c.skip(now)
		for batch := range slices.Chunk(c.Step(now), batchSize) {
			if err := c.deliver(ctx, publish, batch); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

// deliver publishes one batch, however long it takes.
func (c *Centre) deliver(ctx context.Context, publish func(context.Context, []Envelope) error, batch []Envelope) error {
	var since time.Time
	for pause := retryFirst; ; pause = min(2*pause, retryMost) {
		err := publish(ctx, batch)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil {
			if !since.IsZero() {
				c.log.Info("simulated events are published again", "took", time.Since(since))
			}
			return nil
		}
		if since.IsZero() {
			since = time.Now()
			c.log.Warn("simulated events wait to be published", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// skip moves the whole centre on in time if now is too far from where it is.
func (c *Centre) skip(now time.Time) {
	if !c.started {
		return
	}
	lag := now.Round(0).Sub(c.start.Add(c.now))
	if lag < 0 || lag > maxLag {
		c.start = c.start.Add(lag)
	}
}
