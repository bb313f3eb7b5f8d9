package sim

import (
	"math"
	"slices"
	"time"

	"rte/internal/event"
)

// A stage is how far a queue call has come, for the counters.
type stage int

const (
	queued    stage = iota // nobody's telephone rings
	allocated              // rings at an agent
	connected              // an agent has answered
)

// A call is one call on its way through its sequence.
type call struct {
	c *Centre

	id             event.GUID
	leg            string
	caller, target string
	rest           []step // what is still to come

	agent  *agent   // it rings at, talks to or is dialled by; nil while queued
	queue  *queue   // nil for calls to and from agents
	passed []*agent // have let it ring

	stage   stage
	arrived time.Duration // in the queue
}

// newCall makes a call from somebody outside.
func (c *Centre) newCall(s sequence) *call {
	c.calls++
	return &call{
		c: c, id: c.guid("call "+c.run, c.calls), leg: c.leg(c.calls),
		caller: c.customerNumber(), rest: s.steps,
	}
}

// demand is how many calls come for the queue now, relative to the others:
// each has its busy and its quiet minutes.
func (c *Centre) demand(q *queue) float64 {
	const period = 11 * time.Minute
	turn := float64(c.now) * c.speed / float64(period) * 2 * math.Pi
	return q.share * (1 + 0.8*math.Sin(turn+q.phase))
}

// someoneIdle draws an agent who is there and has nothing in hand, to take or
// make a call of his own; nil if there is none.
func (c *Centre) someoneIdle() *agent {
	idle := 0
	var found *agent
	for _, a := range c.agents {
		if a.call != nil || a.wrapUp != 0 || a.availability != event.AvailabilityAvailable {
			continue
		}
		// Each of the n seen so far stays with a chance of 1 in n.
		if idle++; c.rand.IntN(idle) == 0 {
			found = a
		}
	}
	return found
}

// allocate offers waiting calls to free agents, the oldest call first.
func (c *Centre) allocate() {
	for i := 0; i < len(c.waiting); {
		k := c.waiting[i]
		a := k.queue.pick(k.passed)
		if a == nil {
			i++
			continue
		}
		c.waiting = slices.Delete(c.waiting, i, i+1)
		k.agent, k.stage, a.call = a, allocated, k
		c.touch(a)
		c.stir(k.queue)
		c.advance(k)
	}
}

// pick is the free agent who is to be asked next: by priority, then by how
// long he has been idle. nil if none is free.
func (q *queue) pick(not []*agent) *agent {
	var best *seat
	for _, s := range q.seats {
		if !s.active || !s.agent.free() || slices.Contains(not, s.agent) {
			continue
		}
		if best == nil || s.priority < best.priority ||
			s.priority == best.priority && s.agent.idleSince < best.agent.idleSince {
			best = s
		}
	}
	if best == nil {
		return nil
	}
	return best.agent
}

// stopWaiting takes the call out of the allocator's list; false if it was
// not there.
func (c *Centre) stopWaiting(k *call) bool {
	i := slices.Index(c.waiting, k)
	if i < 0 {
		return false
	}
	c.waiting = slices.Delete(c.waiting, i, i+1)
	return true
}

// release parts the call from its agent.
func (c *Centre) release(k *call) {
	a := k.agent
	a.call, a.talking, a.idleSince = nil, false, c.now
	k.agent = nil
	c.touch(a)
	if k.queue != nil {
		c.stir(k.queue)
	}
}

// endQueueCall ends a call that has arrived in a queue.
func (c *Centre) endQueueCall(k *call, reason string) {
	c.emit(k.queue.id, k.ended(reason))
	k.queue.calls = slices.DeleteFunc(k.queue.calls, func(o *call) bool { return o == k })
	c.stir(k.queue)
	if k.agent != nil {
		c.release(k)
	}
}

// wrapUp keeps the agent from the next call for a while; some are ready
// before the time is over.
func (c *Centre) wrapUp(a *agent) {
	end := c.between(10*time.Second, 30*time.Second)
	a.wrapUp = c.now + end
	if c.chance(0.3) {
		end = time.Duration((0.2 + 0.6*c.rand.Float64()) * float64(end))
	}
	c.after(end, func() {
		a.wrapUp, a.idleSince = 0, c.now
		c.touch(a)
	})
}

// talk draws how long two people talk.
func (c *Centre) talk() time.Duration { return c.about(12*time.Second, time.Minute, 6*time.Minute) }

// side draws who hangs up, seen from the platform.
func (c *Centre) side() string {
	if c.chance(0.65) {
		return event.DisconnectReasonRemote
	}
	return event.DisconnectReasonLocal
}
