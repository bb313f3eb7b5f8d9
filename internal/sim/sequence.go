package sim

import (
	"time"

	"rte/internal/event"
)

// A sequence is one of the numbered life cycles of a call (domain report,
// 4.1), written as the steps it takes. A further one is a further row, at
// most with a step or two more.
type sequence struct {
	number int
	name   string
	weight int  // how often, relative to the others
	kind   kind // where the call goes
	steps  []step
}

// A step does what happens next in a call and says how long the call then
// stays as it is.
type step func(c *Centre, k *call) time.Duration

// A kind says who a call is for or from.
type kind int

const (
	toQueue  kind = iota // a customer calls a queue
	toAgent              // somebody calls an agent directly
	outgoing             // an agent calls out
)

// sequences are the ones that are built, with the report's numbers.
func sequences() []sequence {
	return []sequence{
		{1, "answered", 58, toQueue, []step{enter, arrive, wait, ring, connect, hangUp}},
		{2, "abandoned waiting", 7, toQueue, []step{enter, arrive, linger, giveUp}},
		{5, "no answer, then another agent", 8, toQueue, []step{enter, arrive, wait, ringOut, cancel, wait, ring, connect, hangUp}},
		{11, "direct call answered", 12, toAgent, []step{userEnter, userArrive, userRing, userConnect, userHangUp}},
		{16, "outgoing answered", 15, outgoing, []step{dial, dialConnect, dialHangUp}},
	}
}

// untilAllocated is what a step returns whose end the allocator decides.
const untilAllocated time.Duration = -1

// nextCall begins a call and plans the next one.
func (c *Centre) nextCall() {
	c.after(c.pause(), c.nextCall)
	total := 0
	for _, s := range c.script {
		total += s.weight
	}
	n := c.rand.IntN(total)
	for _, s := range c.script {
		if n -= s.weight; n < 0 {
			c.begins(s)
			return
		}
	}
}

// pause draws the time to the next call: calls know nothing of one another,
// so the pauses are spread exponentially.
func (c *Centre) pause() time.Duration {
	return c.scale(time.Duration(c.rand.ExpFloat64() * float64(c.perCall)))
}

// begins starts a call of the sequence. A call that nobody could make or
// take now is not made.
func (c *Centre) begins(s sequence) {
	k := c.newCall(s)
	switch s.kind {
	case toQueue:
		k.queue = c.byShare(c.demand)
		k.target = k.queue.number
		if s.number == 5 && len(k.queue.seats) < 2 {
			return // there is no other agent
		}
	case toAgent, outgoing:
		k.agent = c.someoneIdle()
		if k.agent == nil {
			return
		}
		k.agent.call = k
		k.target = k.agent.number
		if s.kind == outgoing {
			k.caller, k.target = k.agent.number, k.caller
		}
	}
	c.advance(k)
}

// advance takes a call as far as it goes without waiting.
func (c *Centre) advance(k *call) {
	for len(k.rest) > 0 {
		do := k.rest[0]
		k.rest = k.rest[1:]
		switch d := do(c, k); d {
		case 0:
		case untilAllocated:
			return
		default:
			c.after(d, func() { c.advance(k) })
			return
		}
	}
}

// The steps of calls to a queue.

func enter(c *Centre, k *call) time.Duration {
	c.emit(k.queue.id, k.entered())
	return c.between(time.Second, 4*time.Second)
}

func arrive(c *Centre, k *call) time.Duration {
	k.arrived = c.now
	k.queue.calls = append(k.queue.calls, k)
	c.stir(k.queue)
	c.emit(k.queue.id, event.QueueCallInArrived(k.entered()))
	return 0
}

// wait leaves the call to the allocator. A customer who has not even heard it
// ring loses patience in the end, and number 2 it is.
func wait(c *Centre, k *call) time.Duration {
	c.waiting = append(c.waiting, k)
	if len(k.passed) == 0 {
		c.after(c.between(time.Minute, 4*time.Minute), func() {
			if len(k.passed) == 0 && c.stopWaiting(k) {
				k.rest = []step{giveUp}
				c.advance(k)
			}
		})
	}
	return untilAllocated
}

// linger is the wait of somebody who will hang up before an agent is asked.
func linger(c *Centre, _ *call) time.Duration {
	return c.about(4*time.Second, 20*time.Second, 90*time.Second)
}

func giveUp(c *Centre, k *call) time.Duration {
	c.endQueueCall(k, event.DisconnectReasonRemote)
	return 0
}

// ring rings at an agent who will answer.
func ring(c *Centre, k *call) time.Duration {
	c.emit(k.queue.id, k.allocated())
	return c.between(2*time.Second, 9*time.Second)
}

// ringOut rings at an agent who will not.
func ringOut(c *Centre, k *call) time.Duration {
	ring(c, k)
	return c.between(12*time.Second, 20*time.Second)
}

// cancel takes the call away from the agent it rang at.
func cancel(c *Centre, k *call) time.Duration {
	c.emit(k.queue.id, k.cancelled())
	k.passed = append(k.passed, k.agent)
	c.release(k)
	k.stage = queued
	return 0
}

func connect(c *Centre, k *call) time.Duration {
	k.stage, k.agent.talking = connected, true
	c.touch(k.agent)
	c.emit(k.queue.id, k.connected())
	return c.talk()
}

// hangUp ends the talk; the agent wraps up.
func hangUp(c *Centre, k *call) time.Duration {
	a := k.agent
	c.endQueueCall(k, c.side())
	c.wrapUp(a)
	return 0
}

// The steps of calls to an agent.

func userEnter(c *Centre, k *call) time.Duration {
	c.touch(k.agent)
	c.emit(k.agent.id, k.userEntered())
	return 0
}

func userArrive(c *Centre, k *call) time.Duration {
	c.emit(k.agent.id, k.user())
	return 0
}

func userRing(c *Centre, k *call) time.Duration {
	c.emit(k.agent.id, k.userAllocated())
	return c.between(2*time.Second, 9*time.Second)
}

func userConnect(c *Centre, k *call) time.Duration {
	k.agent.talking = true
	c.touch(k.agent)
	c.emit(k.agent.id, k.userConnected())
	return c.talk()
}

func userHangUp(c *Centre, k *call) time.Duration {
	c.emit(k.agent.id, k.userEnded(c.side()))
	c.release(k)
	return 0
}

// The steps of an outgoing call.

func dial(c *Centre, k *call) time.Duration {
	c.touch(k.agent)
	c.emit(k.agent.id, event.UserCallOutGoing(k.user()))
	return c.between(3*time.Second, 12*time.Second)
}

func dialConnect(c *Centre, k *call) time.Duration {
	k.agent.talking = true
	c.touch(k.agent)
	c.emit(k.agent.id, event.UserCallOutConnected(k.user()))
	return c.talk()
}

func dialHangUp(c *Centre, k *call) time.Duration {
	c.emit(k.agent.id, k.dialEnded(c.side()))
	c.release(k)
	return 0
}
