package bench

import (
	"context"
	"time"
)

// Connect measures a storm: clients that connect all at once, authenticate and
// subscribe. Defaults: 1,000 clients, 1 subscription each, on one queue.
func Connect(ctx context.Context, o LoadOptions) (*Result, error) {
	o, err := o.withDefaults(1000, max(1, o.Subscriptions), max(1, o.Subscriptions))
	if err != nil {
		return nil, err
	}
	return o.scenario(ctx, "connect", func(ctx context.Context, c *crowd, _ *feed, r *Result) error {
		_, err := c.gather(ctx, r)
		return err
	})
}

// Idle measures what clients cost that hear nothing: memory, and pings.
// Defaults: 1,000 clients, 1 subscription each; 10 s.
func Idle(ctx context.Context, o LoadOptions) (*Result, error) {
	o, err := o.withDefaults(1000, max(1, o.Subscriptions), max(1, o.Subscriptions))
	if err != nil {
		return nil, err
	}
	return o.scenario(ctx, "idle", func(ctx context.Context, c *crowd, _ *feed, r *Result) error {
		before, err := c.gather(ctx, r)
		if err != nil {
			return err
		}
		c.enter("idle", c.elapsed())
		select {
		case <-time.After(c.o.Duration):
		case <-ctx.Done():
			return ctx.Err()
		}
		after, err := c.probe.look(ctx)
		if err != nil {
			return err
		}
		r.addCost("Idle", "for each connection", after.since(before), uint64(c.o.Connections))
		return nil
	})
}

// Fanout measures events that everybody hears. Defaults: 1,000 clients on one
// queue, events at o.Rate, 10 s.
func Fanout(ctx context.Context, o LoadOptions) (*Result, error) {
	o, err := o.withDefaults(1000, 1, 1)
	if err != nil {
		return nil, err
	}
	return o.scenario(ctx, "fanout", deliver)
}

// Sparse measures events that few of many clients hear. Defaults: 1,000
// clients on 50 of 1,000 queues each.
func Sparse(ctx context.Context, o LoadOptions) (*Result, error) {
	o, err := o.withDefaults(1000, 50, max(o.Connections, o.Subscriptions, 1000))
	if err != nil {
		return nil, err
	}
	return o.scenario(ctx, "sparse", deliver)
}

// deliver measures deliveries; if some clients shall stall, once more while
// they do.
func deliver(ctx context.Context, c *crowd, f *feed, r *Result) error {
	stalled := c.hearers[len(c.hearers)-c.o.Stalled:]
	for _, h := range stalled {
		h.gate = newGate()
		defer close(h.gate.open)
	}
	if _, err := c.gather(ctx, r); err != nil {
		return err
	}
	publish := f.paced
	if c.o.Rate == 0 {
		publish = f.saturated
	}
	m, err := c.measure(ctx, "publishing", publish)
	if err != nil {
		return err
	}
	r.addDeliveries("", "", m)
	if len(stalled) == 0 {
		return nil
	}
	for _, h := range stalled {
		h.stalls.Store(true)
		h.ended.Store(true) // the server may well end it
		close(h.gate.shut)
	}
	c.recount()
	s, err := c.measure(ctx, "publishing, some stall", publish)
	if err != nil {
		return err
	}
	r.addDeliveries("stalled", " while some stall", s)
	return c.stalledEnd(ctx, r, m.after, s)
}

// endPatience is how long a node may take to say farewell to one who does not
// read.
const endPatience = 10 * time.Second

// stalledEnd adds what the stalled clients have cost, when the node has ended
// all that it means to.
func (c *crowd) stalledEnd(ctx context.Context, r *Result, before reading, s measured) error {
	if !s.known {
		return nil
	}
	const slow = `rte_closes_total{reason="slow"}`
	n, now := float64(c.o.Stalled), s.after
	for end := time.Now().Add(endPatience); now.values[slow]-before.values[slow] < n && time.Now().Before(end); {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
		var err error
		if now, err = c.probe.look(ctx); err != nil {
			return err
		}
	}
	r.add("stalledClosed", "stalled clients that were closed", now.values[slow]-before.values[slow], "")
	r.add("stalledMemoryBytes", "memory that each stalled client took at most", (s.peak-before.memory())/n, "bytes")
	return nil
}

// addDeliveries adds what a phase of publishing has shown.
func (r *Result) addDeliveries(key, when string, m measured) {
	title := func(s string) string { // keys are in camel case
		if key == "" {
			return s
		}
		return key + upperFirst(s)
	}
	r.add(title("eventsPerSecond"), "events"+when, rate(m.events, m.took), "/s")
	r.add(title("deliveriesPerSecond"), "deliveries"+when, rate(m.deliveries, m.took), "/s")
	r.addDelays(title("delay"), "from due until heard"+when, m.delays)
	r.addCost(upperFirst(title("delivery")), "per delivery"+when, m.cost, m.deliveries)
}

// Ingest measures how fast a node stores events that come in batches over
// HTTP. Each queue has one hearer. Defaults: 100 queues, 10 s.
func Ingest(ctx context.Context, o LoadOptions) (*Result, error) {
	orDefault(&o.Queues, o.Connections)
	o, err := o.withDefaults(100, 1, 100)
	if err != nil {
		return nil, err
	}
	return o.scenario(ctx, "ingest", func(ctx context.Context, c *crowd, f *feed, r *Result) error {
		if err := c.connect(ctx); err != nil {
			return err
		}
		m, err := c.measure(ctx, "publishing", f.flood)
		if err != nil {
			return err
		}
		r.add("eventsPerSecond", "events stored", rate(m.events, m.took), "/s")
		r.addDelays("delay", "from before the batch was sent until heard", m.delays)
		r.addCost("Event", "per event, with its delivery", m.cost, m.events)
		return nil
	})
}

// Resume measures how soon clients are current again that lost their
// connections and missed events. Defaults: 1,000 clients, 20 of 1,000 queues
// each, o.Missed events of each queue meanwhile.
func Resume(ctx context.Context, o LoadOptions) (*Result, error) {
	o, err := o.withDefaults(1000, 20, max(1000, o.Subscriptions))
	if err != nil {
		return nil, err
	}
	return o.scenario(ctx, "resume", resume)
}

func resume(ctx context.Context, c *crowd, f *feed, r *Result) error {
	for _, h := range c.hearers {
		h.keep()
	}
	if _, err := c.gather(ctx, r); err != nil {
		return err
	}
	if _, err := c.measure(ctx, "publishing", func(ctx context.Context) error { return f.once(ctx, 1) }); err != nil {
		return err
	}
	for _, h := range c.hearers {
		h.ended.Store(true)
	}
	if c.o.Restart != nil {
		c.enter("killing the node", nil)
		if err := c.o.Restart(ctx); err != nil {
			return err
		}
	} else {
		c.enter("losing all connections", nil)
	}
	closeAll(c.hearers)
	c.enter("publishing what they miss", nil)
	if err := f.once(ctx, c.o.Missed); err != nil {
		return err
	}
	var before delays
	c.setup.take(&before)
	began := time.Now()
	m, err := c.measure(ctx, "coming back", c.connect)
	if err != nil {
		return err
	}
	r.add("resumeSeconds", "until all were current", time.Since(began).Seconds(), "s")
	var d delays
	c.setup.take(&d)
	r.addDelays("resume", "from negotiation until subscribed", &d)
	r.add("resumeDeliveries", "events that they had missed", float64(m.deliveries), "")
	r.addCost("Resume", "to come back, for each client", m.cost, uint64(c.o.Connections))
	if m.known {
		r.add("resumeReads", "reads of the store", m.after.values["rte_journal_reads_total"]-m.before.values["rte_journal_reads_total"], "")
	}
	return nil
}
