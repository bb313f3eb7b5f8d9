package sim

import (
	"time"

	"rte/internal/event"
)

// How often QueueStatus is sent: not stated by the product's page; these are
// the domain report's figures (5.2).
const (
	statusPause = time.Second     // least time between two of one queue
	statusWait  = 5 * time.Second // most time while someone waits
)

// touch notes that the agent's status may have changed.
func (c *Centre) touch(a *agent) {
	if !a.touched {
		a.touched = true
		c.touched = append(c.touched, a)
	}
}

// stir notes that the queue's counters may have changed.
func (c *Centre) stir(q *queue) {
	if !q.stirred {
		q.stirred = true
		c.stirred = append(c.stirred, q)
	}
}

// flush announces what a task has changed: first the agents, then the queues
// whose counters follow from them (order of the domain report, 4.4).
func (c *Centre) flush() {
	for _, a := range c.touched {
		a.touched = false
		if c.statusOf(a) == a.sent {
			continue
		}
		c.sendStatus(a)
		for _, s := range a.seats {
			c.stir(s.queue)
		}
	}
	c.touched = c.touched[:0]
	for _, q := range c.stirred {
		q.stirred = false
		c.sendCounters(q)
	}
	c.stirred = c.stirred[:0]
}

// sendCounters sends the queue's status if a counter has changed: now, or as
// soon as the pause after the last one is over.
func (c *Centre) sendCounters(q *queue) {
	now := c.counters(q)
	now.MaxWaitTime = q.sent.MaxWaitTime // grows by itself: no change
	if now == q.sent {
		return
	}
	if wait := q.sentAt + statusPause - c.now; wait > 0 {
		if !q.planned {
			q.planned = true
			c.after(wait, func() {
				q.planned = false
				c.stir(q)
			})
		}
		return
	}
	c.sendQueueStatus(q)
}

func (c *Centre) sendQueueStatus(q *queue) {
	q.sent, q.sentAt = c.counters(q), c.now
	c.emit(q.id, q.sent)
	if q.sent.NbrOfNotServedRequesters > 0 {
		c.after(statusWait, func() {
			if c.now-q.sentAt >= statusWait {
				c.sendQueueStatus(q)
			}
		})
	}
}

func (c *Centre) sendStatus(a *agent) {
	a.sent = c.statusOf(a)
	c.emit(a.id, a.sent)
}

func (c *Centre) sendAvailability(a *agent) {
	end := event.OpenEnd
	if a.until != noEnd {
		end = event.DateTimeOf(c.wall(a.until))
	}
	c.emit(a.id, event.UserAvailability{
		Availability: a.availability, EndTime: end, EventSource: a.source, Note: a.note,
		OrganizationID: c.org, ProfileID: c.guid("profile "+a.availability, 0),
		StartTime: event.DateTimeOf(c.wall(a.from)), UserID: a.id, UserName: a.name,
	})
}

func (c *Centre) sendAttached(q *queue) {
	list := make([]event.QueueAttachedUser, len(q.seats))
	for i, s := range q.seats {
		list[i] = event.QueueAttachedUser{Active: s.active, Priority: s.priority, UserID: s.agent.id}
	}
	c.emit(q.id, event.QueueAttachedUsers{AttachedUsers: list, OrganizationID: c.org, QueueID: q.id})
}

// statusOf is the agent's UserStatus (domain report, 5.1).
func (c *Centre) statusOf(a *agent) event.UserStatus {
	s := event.UserStatus{
		Available: a.availability == event.AvailabilityAvailable, CanBeAllocatedTo: a.free(), OrganizationID: c.org,
		Schedule: a.availability != event.AvailabilityOffWork, ServiceTerminals: int32(a.lines()), Serving: a.serving,
		ServingCallback: a.callbacks, Talking: a.talking, UserID: a.id,
	}
	if a.wrapUp != 0 {
		s.WrapUpEnd = event.Some(event.DateTimeOf(c.wall(a.wrapUp)))
	}
	for _, at := range a.seats {
		if at.active {
			s.ActiveQueues++
		}
	}
	return s
}

// counters is the queue's QueueStatus (domain report, 5.2).
func (c *Centre) counters(q *queue) event.QueueStatus {
	s := event.QueueStatus{OpenStatus: q.open, OrganizationID: c.org, QueueID: q.id, QueueName: q.name}
	for _, at := range q.seats {
		if !at.active {
			continue
		}
		s.NbrOfProviders++
		a := at.agent
		if !a.serving {
			continue
		}
		s.NbrOfAgentsCheckedInQueue++
		switch {
		case a.availability != event.AvailabilityAvailable:
			s.NbrOfAgentsLongTermAway++
		case a.free():
			s.NbrOfAgentsImmediatelyFree++
		default:
			s.NbrOfAgentsShortTermAway++
			if a.wrapUp != 0 {
				s.NbrOfAgentsOnWrapUp++
			}
		}
	}
	s.NbrOfServingAgentsEstimate = s.NbrOfAgentsCheckedInQueue - s.NbrOfAgentsLongTermAway
	if s.NbrOfAgentsCheckedInQueue == 0 {
		s.OpenStatus = event.OpenStatusNoActiveHandler
	}
	for _, k := range q.calls {
		s.NbrOfRequesters++
		switch k.stage {
		case queued:
			s.NbrOfQueuingRequesters++
		case allocated:
			s.NbrOfAllocated++
		case connected:
			s.NbrOfConnected++
			continue
		}
		s.NbrOfNotServedRequesters++
		// Begun seconds: someone who waits has never waited for nothing.
		s.MaxWaitTime = max(s.MaxWaitTime, int64((c.now-k.arrived)/time.Second)+1)
	}
	return s
}

// firstRound is how long the first repetition of all states takes; it begins
// a statusPause after the start. Whoever comes in the first seconds, which a
// page that was opened at once does, soon sees everything.
const firstRound = time.Second

// announceAll sends every state, agents first because the queues' counters
// speak of them, and begins the round that sends each again: there the queues
// come first, they are what is looked at.
func (c *Centre) announceAll() {
	var agents, round []func()
	for _, a := range c.agents {
		c.sendAvailability(a)
		c.sendStatus(a)
		agents = append(agents, func() { c.sendAvailability(a) }, func() { c.sendStatus(a) })
	}
	for _, q := range c.queues {
		c.sendAttached(q)
		c.sendQueueStatus(q)
		round = append(round, func() { c.sendAttached(q) }, func() {
			// What was sent just now needs no repetition, nor may it have one.
			if c.now-q.sentAt >= statusPause {
				c.sendQueueStatus(q)
			}
		})
	}
	round = append(round, agents...)
	if c.announce <= 0 {
		return
	}
	n := time.Duration(len(round))
	pause := max(min(c.announce, firstRound)/n, time.Microsecond)
	next := 0
	var again func()
	again = func() {
		round[next]()
		if next++; next == len(round) {
			next, pause = 0, max(c.announce/n, time.Microsecond)
		}
		c.after(pause, again)
	}
	c.after(min(c.announce, statusPause), again)
}
