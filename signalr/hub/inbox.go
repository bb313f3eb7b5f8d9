package hub

import (
	"context"
	"errors"

	"rte/signalr"
)

// connect is the first task of the inbox.
func (c *Conn) connect(ctx context.Context) {
	defer c.release()
	o := &c.server.o
	_, err := c.run(ctx, func(ctx context.Context, _ *Call) (signalr.Value, error) {
		if o.UserID != nil {
			c.server.names.setUser(c, o.UserID(c))
		}
		if o.OnConnected != nil {
			return nil, o.OnConnected(ctx, c)
		}
		return nil, nil
	}, nil)
	if err != nil {
		o.Logger.Debug("connection refused", "conn", c.ID(), "err", err)
		c.end(Refused, c.closeText(Refused, err.Error()), errors.Is(err, ErrLater))
	}
}

// release starts what waited for OnConnected and runs beside the rest.
func (c *Conn) release() {
	in := &c.in
	in.mu.Lock()
	defer in.mu.Unlock()
	in.stage = connected
	var ordered []task
	for _, t := range in.queue {
		if t.beside {
			in.bytes -= t.bytes
			c.spawnLocked(t.run)
		} else {
			ordered = append(ordered, t)
		}
	}
	in.queue = ordered
	c.adjustLocked()
	c.startLocked()
}

// enqueue adds an ordered task, for a message of so many bytes, and sees to it
// that somebody runs it.
func (c *Conn) enqueue(bytes int, run func(context.Context)) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.enqueueLocked(task{run: run, bytes: bytes})
}

func (c *Conn) enqueueLocked(t task) {
	in := &c.in
	if in.over {
		return
	}
	in.queue = append(in.queue, t)
	in.bytes += t.bytes
	c.adjustLocked()
	c.startLocked()
}

// beside runs a task beside the ordered ones, but not before OnConnected has
// returned.
func (c *Conn) beside(bytes int, run func(context.Context)) {
	in := &c.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.stage < connected {
		c.enqueueLocked(task{run: run, bytes: bytes, beside: true})
		return
	}
	c.spawnLocked(run)
}

func (c *Conn) spawnLocked(run func(context.Context)) {
	if c.in.over {
		return
	}
	ctx, x := c.in.ctx, c.extras()
	x.beside.Add(1)
	c.server.running.Go(func() {
		defer x.beside.Done()
		run(ctx)
	})
}

// adjustLocked holds the transport while the queue is long.
func (c *Conn) adjustLocked() {
	in := &c.in
	calls, bytes := inboxLimit, inboxBytes
	if x := c.more.Load(); x != nil && x.waiting > 0 {
		calls, bytes = waiting*calls, waiting*bytes
	}
	switch {
	case !in.held && (len(in.queue) > calls || in.bytes > bytes):
		in.held = true
		c.holdLocked()
	case in.held && len(in.queue) <= calls/2 && in.bytes <= bytes/2:
		in.held = false
		c.resumeLocked()
	}
}

// holdLocked adds one to those who keep the transport from feeding.
func (c *Conn) holdLocked() {
	c.in.holds++
	if c.in.holds == 1 {
		c.Transport().Hold()
	}
}

// resumeLocked takes one away; behind the last the transport feeds again.
func (c *Conn) resumeLocked() {
	if c.in.over {
		return
	}
	c.in.holds--
	if c.in.holds == 0 {
		c.received.Store(c.server.now.Load()) // what it sent meanwhile could not be heard
		c.Transport().Resume()
	}
}

func (c *Conn) isHeld() bool {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.in.holds > 0
}

// startLocked runs the queue on goroutines of its own, so that the feeder's
// stack stays small: on as many as Options.Parallel says, but OnConnected and
// OnDisconnected run alone.
func (c *Conn) startLocked() {
	in := &c.in
	limit := 1
	if in.stage == connected && !in.over {
		limit = c.server.o.Parallel
	}
	for left := len(in.queue); left > 0 && in.running < limit; left-- {
		in.running++
		if in.cancel == nil {
			in.ctx, in.cancel = context.WithCancel(context.Background())
		}
		c.server.running.Go(c.work)
	}
}

// work runs tasks in order until none is left. What disconnects is left to the
// last worker.
func (c *Conn) work() {
	in := &c.in
	for {
		in.mu.Lock()
		if len(in.queue) == 0 || in.over && in.running > 1 {
			in.running--
			if len(in.queue) == 0 {
				in.queue = nil
			}
			in.mu.Unlock()
			return
		}
		next := in.queue[0]
		in.queue[0] = task{}
		in.queue = in.queue[1:]
		in.bytes -= next.bytes
		in.stage = max(in.stage, begun)
		c.adjustLocked()
		ctx := in.ctx
		in.mu.Unlock()
		next.run(ctx)
	}
}
