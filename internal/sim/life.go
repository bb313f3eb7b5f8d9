package sim

import (
	"time"

	"rte/internal/event"
)

// An away is one way of not being there.
type away struct {
	code        string
	note        string
	weight      int
	least, most time.Duration
	openEnded   bool // announced without an end
}

func aways() []away {
	return []away{
		{event.AvailabilityBusy, "Team meeting", 16, 4 * time.Minute, 12 * time.Minute, false},
		{event.AvailabilityBusy, "Training", 8, 6 * time.Minute, 20 * time.Minute, false},
		{event.AvailabilityBusy, "", 12, 2 * time.Minute, 8 * time.Minute, true},
		{event.AvailabilityDoNotDisturb, "Writing a quote", 12, 3 * time.Minute, 10 * time.Minute, false},
		{event.AvailabilityDoNotDisturb, "Customer visit", 8, 5 * time.Minute, 15 * time.Minute, false},
		{event.AvailabilityDoNotDisturb, "", 8, 2 * time.Minute, 6 * time.Minute, true},
		{event.AvailabilityOffWork, "Lunch", 20, 10 * time.Minute, 25 * time.Minute, false},
		{event.AvailabilityOffWork, "Coffee", 12, 3 * time.Minute, 8 * time.Minute, false},
		{event.AvailabilityOffWork, "Gone for today", 4, 15 * time.Minute, 30 * time.Minute, true},
	}
}

// settle gives the agent a state to begin with and plans his first change.
func (c *Centre) settle(a *agent) {
	a.idleSince = -c.between(0, 5*time.Minute)
	if c.chance(0.2) && a.canLeave() {
		c.leave(a)
		a.from = -c.between(0, 4*time.Minute)
		return
	}
	a.from = -c.between(time.Minute, 90*time.Minute)
	c.after(c.about(0, 15*time.Minute, 45*time.Minute), func() { c.change(a) })
}

// change is the next turn in the life of an agent who is at work: mostly a
// break; now and then he helps with callbacks or switches one queue off. One
// who has a call or its wrap-up in hand finishes that first.
func (c *Centre) change(a *agent) {
	if a.call != nil || a.wrapUp != 0 {
		a.due = true
		return
	}
	n := c.rand.IntN(10)
	switch {
	case n < 7 && a.canLeave():
		c.leave(a)
		c.sendAvailability(a)
		return
	case n < 9 && a.canLeave():
		c.serveCallbacks(a)
		return
	case c.switchOff(a):
		return
	}
	c.after(c.between(20*time.Second, time.Minute), func() { c.change(a) })
}

// changeDue lets those change who have waited for it and have become idle,
// before the allocator asks them again.
func (c *Centre) changeDue() {
	for _, a := range c.touched {
		if a.due && a.call == nil && a.wrapUp == 0 {
			a.due = false
			c.change(a)
		}
	}
}

// leave makes the agent unavailable and plans his return.
func (c *Centre) leave(a *agent) {
	w := c.drawAway()
	a.availability, a.note, a.source, a.from = w.code, w.note, "User", c.now
	length := c.between(w.least, w.most)
	a.until = c.now + length
	if w.openEnded {
		a.until = noEnd
	}
	early := !w.openEnded && c.chance(0.25)
	if early {
		length = time.Duration((0.4 + 0.5*c.rand.Float64()) * float64(length))
	}
	c.touch(a)
	c.after(length, func() {
		// A timed state ends by itself, an open one when the schedule or the
		// user ends it (domain report, 4.4).
		a.source = "Schedule"
		if early || w.openEnded && c.chance(0.5) {
			a.source = "User"
		}
		a.availability, a.note, a.from, a.until = event.AvailabilityAvailable, "", c.now, noEnd
		a.idleSince = c.now
		c.sendAvailability(a)
		c.touch(a)
		c.carryOn(a)
	})
}

func (c *Centre) drawAway() away {
	all := aways()
	total := 0
	for _, w := range all {
		total += w.weight
	}
	n := c.rand.IntN(total)
	for _, w := range all {
		if n -= w.weight; n < 0 {
			return w
		}
	}
	return all[0]
}

// serveCallbacks moves the agent from queue calls to callback cases for a
// while: one or the other, switched by hand (domain report, 5.1).
func (c *Centre) serveCallbacks(a *agent) {
	a.serving, a.callbacks = false, true
	c.touch(a)
	c.after(c.between(3*time.Minute, 8*time.Minute), func() {
		a.serving, a.callbacks, a.idleSince = true, false, c.now
		c.touch(a)
		c.carryOn(a)
	})
}

// switchOff makes the agent inactive in one of his queues for a while; false
// if none can spare him.
func (c *Centre) switchOff(a *agent) bool {
	s := a.seats[c.rand.IntN(len(a.seats))]
	if !s.canSpare() {
		return false
	}
	c.setActive(s, false)
	c.after(c.between(3*time.Minute, 10*time.Minute), func() {
		c.setActive(s, true)
		c.carryOn(a)
	})
	return true
}

func (c *Centre) setActive(s *seat, active bool) {
	s.active = active
	c.sendAttached(s.queue)
	c.touch(s.agent)
	c.stir(s.queue)
}

// carryOn plans the agent's next change.
func (c *Centre) carryOn(a *agent) {
	c.after(c.about(3*time.Minute, 22*time.Minute, 60*time.Minute), func() { c.change(a) })
}
