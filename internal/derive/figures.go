package derive

import (
	"slices"
	"time"

	"rte/internal/event"
)

// Figures are a queue's day, as they are kept: what its calls have come to
// since the local midnight of its organization. A call counts in the day in
// which it was offered, so that
//
//	Offered = Answered + Abandoned + Ended + Overflowed + calls in Waiting since midnight
//
// holds at any time. The zero value is a queue without calls. Times are whole
// milliseconds.
type Figures struct {
	OrganizationID event.GUID `json:"organizationId"`
	QueueID        event.GUID `json:"queueId"`
	QueueName      string     `json:"queueName,omitempty"`
	Day            string     `json:"day"` // like 2026-11-25, in the organization's zone

	Offered       int `json:"offered"`       // accepted by the queue for allocation
	Answered      int `json:"answered"`      // connected to an agent
	AnsweredSoon  int `json:"answeredSoon"`  // … within the threshold
	Abandoned     int `json:"abandoned"`     // the caller left before
	AbandonedSoon int `json:"abandonedSoon"` // … within the threshold
	Ended         int `json:"ended"`         // the platform ended them before
	Overflowed    int `json:"overflowed"`    // sent on, or taken up by another queue

	AnswerTime  int64 `json:"answerTime"`  // of all answered calls together
	LongestWait int64 `json:"longestWait"` // of a call that waits no more

	Waiting  []WaitingCall `json:"waiting,omitempty"` // in the order in which they came
	Sequence uint64        `json:"sequence"`          // of the newest event that is in all this
}

// A WaitingCall is a call that a queue has not done with.
type WaitingCall struct {
	CallID event.GUID `json:"callId"`
	Since  time.Time  `json:"since"`
}

// A queue is the figures of one, at work.
type queue struct {
	org     *organization
	id      event.GUID
	slot    int
	floor   uint64 // what the owner before has counted already
	is      Figures
	day     int64 // of is, in days since 1970
	calls   map[event.GUID]*call
	waiting bool // for its turn to be kept
}

// A call waits in a queue. A call waits in one queue at a time.
type call struct {
	id    event.GUID
	queue *queue
	since time.Time
	day   int64
	at    int // place in the agenda
}

func (c *call) due() moment { return momentOf(c.since) + day }
func (c *call) place() *int { return &c.at }
func (c *call) before(d *call) bool {
	if !c.since.Equal(d.since) {
		return c.since.Before(d.since)
	}
	return compareGUID(c.id, d.id) < 0
}

// queueCall counts what happens to a call.
func (r *Rules) queueCall(o *organization, e *event.Event, role role) {
	var id event.GUID
	var name, reason string
	members(e.Data, func(member, value, _ []byte) {
		switch string(member) {
		case "callId":
			id = guid(value)
		case "queueName":
			name = unquote(value)
		case "reason":
			reason = unquote(value)
		}
	})
	if id.IsZero() {
		return
	}
	c := o.calls[id]
	if role == arrivedRole {
		r.arrived(o, e, c, id, name)
		return
	}
	// A call's end names the queue that rang an agent for it last, which need
	// not be the one in which it waits (page, QueueCallInDisconnected).
	if c == nil || role != disconnectedRole && c.queue.id != e.Entity || c.queue.counted(e) {
		return
	}
	q := c.queue
	waited := max(e.Time.Sub(c.since), 0).Milliseconds()
	soon := waited <= r.options.threshold(o.id, q.id).Milliseconds()
	if q.day == c.day {
		q.is.LongestWait = max(q.is.LongestWait, waited)
		switch {
		case role == connectedRole:
			q.is.Answered++
			q.is.AnswerTime += waited
			q.is.AnsweredSoon += one(soon)
		case role == overflowRole:
			q.is.Overflowed++
		case reason == event.DisconnectReasonLocal:
			q.is.Ended++
		default:
			q.is.Abandoned++
			q.is.AbandonedSoon += one(soon)
		}
	}
	r.release(c)
	r.changed(q, e)
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// arrived has a call wait in a queue. c is the same call if it waits already.
func (r *Rules) arrived(o *organization, e *event.Event, c *call, id event.GUID, name string) {
	q := o.queues[e.Entity]
	if q == nil {
		if q = r.newQueue(o, e.Entity); q == nil {
			return
		}
	}
	if q.counted(e) {
		return
	}
	if c != nil {
		if c.queue == q {
			return
		}
		if from := c.queue; from.day == c.day {
			from.is.Overflowed++
			from.is.LongestWait = max(from.is.LongestWait, max(e.Time.Sub(c.since), 0).Milliseconds())
		}
		r.changed(c.queue, e)
		r.release(c)
	}
	today := dayOf(e.Time, r.options.zone(o.id))
	if today > q.day {
		q.begin(today)
	}
	if name != "" {
		q.is.QueueName = name
	}
	if today == q.day {
		q.is.Offered++
	}
	r.wait(q, &call{id: id, queue: q, since: e.Time.UTC(), day: today})
	r.changed(q, e)
}

// begin is the first moment of a day.
func (q *queue) begin(today int64) {
	q.day = today
	q.is = Figures{QueueName: q.is.QueueName, Sequence: q.is.Sequence}
}

func (r *Rules) newQueue(o *organization, id event.GUID) *queue {
	if r.inQueue >= r.options.MaxEntities {
		r.stats.Refused++
		return nil
	}
	q := &queue{org: o, id: id, slot: r.slot(id), calls: map[event.GUID]*call{}, day: -1 << 40}
	o.queues[id] = q
	r.inQueue++
	return q
}

// counted tells whether the owner before has counted an event.
func (q *queue) counted(e *event.Event) bool { return e.Sequence != 0 && e.Sequence <= q.floor }

// wait remembers a call, and forgets the oldest of all over the bound.
func (r *Rules) wait(q *queue, c *call) {
	q.calls[c.id], q.org.calls[c.id] = c, c
	r.calls.set(c)
	for len(r.calls) > r.options.MaxCalls {
		r.stats.Forgotten++
		r.release(r.calls[0])
	}
}

func (r *Rules) release(c *call) {
	delete(c.queue.calls, c.id)
	delete(c.queue.org.calls, c.id)
	r.calls.remove(c)
}

// changed has a queue's figures kept when it is its turn.
func (r *Rules) changed(q *queue, e *event.Event) {
	q.is.Sequence = max(q.is.Sequence, e.Sequence)
	if !q.waiting {
		q.waiting = true
		r.queues[q.slot] = append(r.queues[q.slot], q)
	}
}

// reviewQueues gives out the figures of the queues whose turn it is, where they
// have changed. A call that nothing was heard of for a day is given up.
func (r *Rules) reviewQueues(slot int, out *Output) {
	for c, ok := r.calls.next(r.now); ok; c, ok = r.calls.next(r.now) {
		r.stats.Forgotten++
		r.release(c)
	}
	turn := r.queues[slot]
	slices.SortFunc(turn, func(a, b *queue) int {
		if a.org != b.org {
			return compareGUID(a.org.id, b.org.id)
		}
		return compareGUID(a.id, b.id)
	})
	for i, q := range turn {
		q.waiting = false
		out.Figures = append(out.Figures, q.record())
		turn[i] = nil
	}
	r.queues[slot] = turn[:0]
}

func (q *queue) record() Figures {
	f := q.is
	f.OrganizationID, f.QueueID = q.org.id, q.id
	f.Day = time.Unix(q.day*24*60*60, 0).UTC().Format(time.DateOnly)
	for _, c := range q.calls {
		f.Waiting = append(f.Waiting, WaitingCall{c.id, c.since})
	}
	slices.SortFunc(f.Waiting, func(a, b WaitingCall) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return compareGUID(a.CallID, b.CallID)
	})
	return f
}

// Figures are a queue's figures now; false for one that had no call.
func (r *Rules) Figures(org, id event.GUID) (Figures, bool) {
	o := r.orgs[org]
	if o == nil || o.queues[id] == nil {
		return Figures{}, false
	}
	return o.queues[id].record(), true
}

// dayOf is the day of a moment in a zone, in days since 1970.
func dayOf(t time.Time, zone *time.Location) int64 {
	y, m, d := t.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60)
}
