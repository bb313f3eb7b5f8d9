package derive

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"rte/internal/event"
)

// traits are what a callback counts as in its list, one bit for each counter.
type traits uint8

const (
	isOpen traits = 1 << iota
	isAssigned
	isFree
	isHiding   // its NotBefore is ahead
	isRevealed // … within the hour
	isOver     // its DueDate is past
	isOverSoon // … or will be within the hour
	isExpiring // its ExpiryDate is within 24 hours
)

const traitCount = 8

// counters are what a CallbackListStatus says. It is comparable.
type counters struct {
	of              [traitCount]int32 // by the bits of traits
	active, serving int32
	auto            bool
}

// A callList is the counters of one list.
type callList struct {
	org       *organization
	id        event.GUID
	slot      int
	callbacks int
	is        counters

	registered bool
	agents     []event.GUID // in order

	sent    bool // is there a status that clients have?
	last    counters
	sends   detected // by the producer
	would   counters // what there was to send last, while the producer sends
	cause   string   // cursor of what changed the counters last
	waiting bool     // for its review
}

// A user is one who serves callbacks, or is an agent of a list.
type user struct {
	serving bool
	lists   []*callList // in the order of their ids
}

// count finds out what a callback counts as now, and when that will change.
//
// A callback is open until an attempt closes it or it expires. An open one is
// assigned, or hiding, or free for allocation (domain report, 5.3). A moment
// is past when it has come.
func (r *Rules) count(c *callback, cause string) {
	now := r.now
	var is traits
	if now < c.expiry && !r.ended(c) {
		is = isOpen
		switch {
		case !c.assigned.IsZero():
			is |= isAssigned
		case c.notBefore == never || c.notBefore <= now:
			is |= isFree
		default:
			is |= isHiding
			if c.notBefore <= now+hour {
				is |= isRevealed
			}
		}
		if c.dueDate <= now {
			is |= isOver
		} else if c.dueDate <= now+hour {
			is |= isOverSoon
		}
		if c.expiry <= now+day {
			is |= isExpiring
		}
	}
	if is != c.counted {
		c.list.add(c.counted, -1)
		c.list.add(is, 1)
		c.counted = is
		r.touch(c.list, cause)
	}
	c.next = c.nextMoment(r)
	if c.next == never {
		r.due.remove(c)
	} else {
		r.due.set(c)
	}
}

// ended tells whether an attempt has closed a callback.
func (r *Rules) ended(c *callback) bool { return c.attempt.Valid && r.terminal[c.attempt.Value] }

// nextMoment is when a callback's traits may change next.
func (c *callback) nextMoment(r *Rules) moment {
	next := c.forgetAt(r)
	if c.counted == 0 {
		return next
	}
	for _, m := range [...]moment{c.dueDate - hour, c.dueDate, c.expiry - day, c.expiry, c.notBefore - hour, c.notBefore} {
		if m > r.now && m < next {
			next = m
		}
	}
	if next > never-day-1 {
		return never
	}
	return next
}

// forgetAt is when a closed callback is forgotten; never while it is open.
func (c *callback) forgetAt(r *Rules) moment {
	if c.counted != 0 && r.now < c.expiry {
		return never
	}
	closed := c.came
	if !r.ended(c) {
		closed = max(closed, c.expiry)
	}
	return closed + span(r.options.KeepClosed)
}

// add counts what has the traits up or down.
func (l *callList) add(t traits, by int32) {
	for i := range l.is.of {
		if t&(1<<i) != 0 {
			l.is.of[i] += by
		}
	}
}

// list finds a list, and takes one up that is new; nil if there are too many.
func (r *Rules) list(o *organization, id event.GUID) *callList {
	l := o.lists[id]
	if l == nil {
		if r.inLists >= r.options.MaxEntities {
			r.stats.Refused++
			return nil
		}
		l = &callList{org: o, id: id, slot: r.slot(id)}
		o.lists[id] = l
		r.inLists++
	}
	return l
}

// touch has a list's counters looked at when it is its turn.
func (r *Rules) touch(l *callList, cause string) {
	l.cause = cause
	if !l.waiting {
		l.waiting = true
		r.lists[l.slot] = append(r.lists[l.slot], l)
	}
}

// touchEmpty has a list looked at that may be forgotten.
func (r *Rules) touchEmpty(l *callList) {
	if l.callbacks == 0 {
		r.touch(l, l.cause)
	}
}

// reviewLists sends the status of the lists whose turn it is, where a counter
// has changed.
func (r *Rules) reviewLists(slot int, at moment, out *Output) {
	turn := r.lists[slot]
	if len(turn) == 0 {
		return
	}
	slices.SortFunc(turn, func(a, b *callList) int {
		if a.org != b.org {
			return compareGUID(a.org.id, b.org.id)
		}
		return compareGUID(a.id, b.id)
	})
	for i, l := range turn {
		l.waiting = false
		r.review(l, at, out)
		turn[i] = nil
	}
	r.lists[slot] = turn[:0]
}

func (r *Rules) review(l *callList, at moment, out *Output) {
	if (!l.sent || l.is != l.last) && r.mine(l) {
		l.sent, l.last = true, l.is
		out.Events = append(out.Events, r.status(l, at))
		r.stats.ListStatuses++
	}
	if l.callbacks == 0 && !l.registered && !l.sends.on {
		delete(l.org.lists, l.id)
		r.inLists--
	}
}

// mine tells whether a changed list's status is RTE's to send.
func (r *Rules) mine(l *callList) bool {
	if r.options.ListStatus == Detect && l.sends.on {
		if l.is == l.would {
			return false
		}
		l.would = l.is
	}
	return !l.sends.skips(r.options.ListStatus)
}

// status is the event that says a list's counters.
func (r *Rules) status(l *callList, at moment) event.Event {
	n := &l.is.of
	data := text(event.CallbackListStatus{
		CallListID: l.id, OrganizationID: l.org.id, IsAutoAllocate: l.is.auto,
		TotalOpenRequests: n[0], TotalAssigned: n[1], TotalFreeForAllocation: n[2], TotalHidingNotBefore: n[3],
		NextHourRevealedNotBefore: n[4], TotalOverDueDate: n[5], NextHourOverDueDate: n[6], ExpiresIn24h: n[7],
		TotalActiveAgents: l.is.active, TotalServingAgents: l.is.serving,
		TotalAutoAllocateAgents: l.is.serving, TotalServingAutoAllocateAgents: l.is.automatic(),
	})
	return event.Event{
		Topic: event.Topic{Org: l.org.id, Pair: event.Pair{Kind: r.kinds.listStatus, Entity: l.id}},
		Data:  data,
		ID:    own("CallbackListStatus", l.id.AppendText(nil), strconv.AppendInt(nil, int64(at), 10)),
		Time:  r.now.time().Truncate(time.Millisecond),
		Cause: l.cause,
	}
}

// automatic are the agents that the list may hand callbacks to by itself.
func (c *counters) automatic() int32 {
	if c.auto {
		return c.serving
	}
	return 0
}

// listStatus takes a status that was published: one of RTE's own is what
// clients have, one of a producer's means that it sends them itself.
func (r *Rules) listStatus(o *organization, e *event.Event) {
	l := r.list(o, e.Entity)
	if l == nil {
		return
	}
	if !e.Own() {
		l.sends.seen()
		l.would, l.sent = l.is, false
		if r.options.ListStatus == Derived {
			r.touch(l, l.cause) // RTE's own is what shall be the newest
		}
		return
	}
	var s event.CallbackListStatus
	if l.sent || json.Unmarshal(e.Data, &s) != nil {
		return // this owner has sent it, and may have sent another since
	}
	l.sent = true
	l.last = counters{active: s.TotalActiveAgents, serving: s.TotalServingAgents, auto: s.IsAutoAllocate, of: [traitCount]int32{
		s.TotalOpenRequests, s.TotalAssigned, s.TotalFreeForAllocation, s.TotalHidingNotBefore,
		s.NextHourRevealedNotBefore, s.TotalOverDueDate, s.NextHourOverDueDate, s.ExpiresIn24h,
	}}
	r.touch(l, l.cause)
}
