package sim

import (
	"math"
	"time"

	"rte/internal/event"
)

// An agent is a user who takes calls.
type agent struct {
	// Static after New.
	id     event.GUID
	name   string
	number string // what rings at the agent
	seats  []*seat

	// Availability as last announced.
	availability string
	note, source string
	from         time.Duration // simulated; negative: before the beginning
	until        time.Duration // simulated; noEnd if open
	serving      bool          // takes queue calls
	callbacks    bool          // takes callback cases
	terminals    int           // active ones, while not off work

	// The call of the moment.
	call      *call         // ringing, dialled or talked in; nil when idle
	talking   bool          // in that call
	wrapUp    time.Duration // end of the wrap-up, simulated; 0 outside of one
	idleSince time.Duration
	due       bool // wants a change as soon as nothing is in hand

	touched bool             // in Centre.touched
	sent    event.UserStatus // as last announced
}

// noEnd marks a state without an end.
const noEnd time.Duration = math.MaxInt64

// free tells whether the allocator may offer a call now: CanBeAllocatedTo
// (domain report, 5.1).
func (a *agent) free() bool {
	return a.serving && a.availability == event.AvailabilityAvailable && a.lines() > 0 && a.call == nil && a.wrapUp == 0
}

// lines is ServiceTerminals: who is off work has logged the telephones out.
func (a *agent) lines() int {
	if a.availability == event.AvailabilityOffWork {
		return 0
	}
	return a.terminals
}

// A seat attaches an agent to a queue.
type seat struct {
	agent    *agent
	queue    *queue
	active   bool  // switched on in this queue
	priority int32 // 1 is asked first
}

// A queue is a service queue.
type queue struct {
	// Static after New.
	id     event.GUID
	name   string
	number string
	seats  []*seat
	share  float64 // of the calls, relative to the other queues
	phase  float64 // of its busy and quiet times, radians
	open   int32   // OpenStatus while anybody is checked in

	calls []*call // arrived and not ended, oldest first

	stirred bool          // in Centre.stirred
	planned bool          // a task will look at the counters
	sentAt  time.Duration // of the last QueueStatus
	sent    event.QueueStatus
}

// hire makes the agents and queues and seats the ones at the others.
func (c *Centre) hire(agents, queues int) {
	for i := range queues {
		q := &queue{
			id: c.guid("queue", uint64(i)), name: queueName(i), number: queueNumber(i),
			share: 1 / (1 + 0.35*float64(i)), phase: c.rand.Float64() * 2 * math.Pi, open: event.OpenStatusOpen,
		}
		if i%5 == 3 {
			q.open = event.OpenStatusOpenUncertain // a script on one of its routes may decide otherwise
		}
		c.queues = append(c.queues, q)
	}
	for i := range agents {
		a := &agent{
			id: c.guid("user", uint64(i)), name: c.userName(i), number: agentNumber(i),
			availability: event.AvailabilityAvailable, source: "Schedule", until: noEnd,
			serving: true, terminals: 1 + c.rand.IntN(2),
		}
		c.agents = append(c.agents, a)
		c.seat(a, c.needsMost())
		for range 1 + c.rand.IntN(2) {
			c.seat(a, c.byShare(func(q *queue) float64 { return q.share }))
		}
	}
	// No queue may be left to one agent alone who would have to answer what
	// he has just let ring.
	for _, q := range c.queues {
		for tries := 0; len(q.seats) < min(3, agents) && tries < 1000; tries++ {
			c.seat(c.agents[c.rand.IntN(agents)], q)
		}
	}
}

// seat attaches the agent to the queue, once.
func (c *Centre) seat(a *agent, q *queue) {
	for _, s := range a.seats {
		if s.queue == q {
			return
		}
	}
	s := &seat{agent: a, queue: q, active: true, priority: int32(min(len(a.seats)+1, 3))}
	a.seats = append(a.seats, s)
	q.seats = append(q.seats, s)
}

// needsMost is the queue with the fewest agents for its share of the calls.
func (c *Centre) needsMost() *queue {
	most := c.queues[0]
	for _, q := range c.queues[1:] {
		if float64(len(q.seats))/q.share < float64(len(most.seats))/most.share {
			most = q
		}
	}
	return most
}

// byShare draws a queue by weight.
func (c *Centre) byShare(weight func(*queue) float64) *queue {
	total := 0.0
	for _, q := range c.queues {
		total += weight(q)
	}
	at := c.rand.Float64() * total
	for _, q := range c.queues {
		if at -= weight(q); at < 0 {
			return q
		}
	}
	return c.queues[len(c.queues)-1]
}

// canSpare tells whether the queue of this seat can do without its agent:
// half of its agents, and two at least, remain to take calls.
func (s *seat) canSpare() bool {
	rest := 0
	for _, o := range s.queue.seats {
		if o != s && o.active && o.agent.serving && o.agent.availability == event.AvailabilityAvailable {
			rest++
		}
	}
	return rest >= max(2, len(s.queue.seats)/2)
}

// canLeave tells whether all queues can do without the agent.
func (a *agent) canLeave() bool {
	for _, s := range a.seats {
		if s.active && !s.canSpare() {
			return false
		}
	}
	return true
}
