package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A measured is what a phase of publishing has shown.
type measured struct {
	cost

	events     uint64
	deliveries uint64
	delays     *delays
	before     reading
	after      reading
	peak       float64 // memory of the server, bytes
}

// measure publishes, waits until all has arrived, and looks before and after.
func (c *crowd) measure(ctx context.Context, phase string, publish func(context.Context) error) (m measured, err error) {
	c.enter(phase, c.elapsed())
	c.delays() // of what was before
	if m.before, err = c.probe.look(ctx); err != nil {
		return m, err
	}
	events, deliveries := c.published.Load(), c.heard.Load()
	watching, stop := context.WithCancel(ctx)
	peak := c.probe.peak(watching)
	err = publish(ctx)
	if err == nil {
		c.await(ctx, c.expected.Load(), c.o.Settle)
	}
	stop()
	m.peak = <-peak
	if err != nil {
		return m, err
	}
	if m.after, err = c.probe.look(ctx); err != nil {
		return m, err
	}
	m.cost, m.delays = m.after.since(m.before), c.delays()
	m.peak = max(m.peak, m.after.memory())
	m.events, m.deliveries = c.published.Load()-events, c.heard.Load()-deliveries
	return m, ctx.Err()
}

// elapsed is how much of a phase's duration is over.
func (c *crowd) elapsed() func() float64 {
	began := time.Now()
	return func() float64 { return time.Since(began).Seconds() / c.o.Duration.Seconds() }
}

// peak looks now and then at the memory, and tells the most when ctx ends.
func (p *probe) peak(ctx context.Context) <-chan float64 {
	told := make(chan float64, 1)
	go func() {
		most := 0.0
		timer := time.NewTicker(time.Second)
		defer timer.Stop()
		for {
			select {
			case <-timer.C:
				if r, err := p.look(ctx); err == nil {
					most = max(most, r.memory())
				}
			case <-ctx.Done():
				told <- most
				return
			}
		}
	}()
	return told
}

// calm is how long a server may take to come to rest behind a storm, before
// its memory is looked at.
const calm = 2 * time.Second

// rest waits a moment, and looks, if there is something to look at.
func (c *crowd) rest(ctx context.Context) (reading, error) {
	if c.probe.url == "" {
		return c.probe.look(ctx)
	}
	c.probe.collect(ctx)
	select {
	case <-time.After(calm):
	case <-ctx.Done():
		return reading{}, ctx.Err()
	}
	return c.probe.look(ctx)
}

// gather connects everybody and adds what that took.
func (c *crowd) gather(ctx context.Context, r *Result) (after reading, err error) {
	before, err := c.probe.look(ctx)
	if err != nil {
		return before, err
	}
	if err := c.connect(ctx); err != nil {
		return before, err
	}
	n := uint64(len(c.hearers))
	connected, err := c.probe.look(ctx)
	if err != nil {
		return before, err
	}
	s := connected.since(before)
	r.add("connectPerSecond", "connected and subscribed", rate(n, s.took), "/s")
	var d delays
	c.setup.take(&d)
	r.addDelays("connect", "from negotiation until subscribed", &d)
	r.addCost("Connect", "to connect and subscribe one client", s, n)
	if after, err = c.rest(ctx); err != nil {
		return after, err
	}
	if after.known {
		r.add("bytesPerConnection", "memory for each connection", (after.memory()-before.memory())/float64(n), "bytes")
	}
	return after, nil
}

// scenario runs what every scenario has around it.
func (o LoadOptions) scenario(ctx context.Context, name string, do func(context.Context, *crowd, *feed, *Result) error) (*Result, error) {
	c := newCrowd(o)
	defer c.http.CloseIdleConnections()
	f, err := c.feed()
	if err != nil {
		return nil, err
	}
	stop := c.watch()
	defer stop()
	defer closeAll(c.hearers)
	r := c.result(name)
	if err := do(ctx, c, f, r); err != nil {
		if lost := c.firstLoss(); lost != nil {
			err = errors.Join(err, fmt.Errorf("a connection was lost: %w", lost))
		}
		return nil, err
	}
	c.judge(r)
	return r, nil
}
