package derive

import (
	"container/list"
	"encoding/json"
	"strings"

	"rte/internal/event"
)

// A callback is what is remembered of one: enough to count it, and to know
// whose it was.
type callback struct {
	id       event.GUID
	list     *callList
	sequence uint64 // of the event that said all this
	cursor   string
	came     moment // when that event came
	assigned event.GUID
	attempt  event.Null[int32]

	dueDate, expiry, notBefore moment

	counted traits // what it counts as in its list now
	next    moment // when that changes by itself, or when it is forgotten
	at      int    // place in the agenda
	order   *list.Element
	shut    bool // it is in Rules.closed
}

func (c *callback) due() moment { return c.next }
func (c *callback) place() *int { return &c.at }
func (c *callback) before(d *callback) bool {
	if c.next != d.next {
		return c.next < d.next
	}
	return compareGUID(c.id, d.id) < 0
}

// callbackChanged keeps a callback's newest value and tells the users it
// belongs and belonged to.
func (r *Rules) callbackChanged(o *organization, e *event.Event, out *Output) {
	said := callback{dueDate: never, expiry: never, notBefore: never}
	said.read(e.Data)
	known := o.callbacks[said.id]
	if known != nil && e.Sequence != 0 && e.Sequence <= known.sequence {
		return // an owner before this one has done it
	}
	previous := e.PreviousAssignedUser
	if previous.IsZero() && known != nil {
		previous = known.assigned
	}
	r.tell(o, e, said.assigned, previous, out)
	if !said.id.IsZero() {
		r.keep(o, e, &said, out)
	}
}

// read takes what counts out of a CallbackChanged. Members that are not there
// are null: every CallbackChanged has the whole callback (domain report, 3.2).
func (c *callback) read(data []byte) {
	var attempts []byte
	members(data, func(name, value, _ []byte) {
		switch string(name) {
		case "callBackId":
			c.id = guid(value)
		case "assignedUserId":
			c.assigned = guid(value)
		case "lastAttemptTypeId":
			c.attempt = number(value)
		case "callbackAttempts":
			attempts = value
		case "dueDate":
			c.dueDate = date(value)
		case "expiryDate":
			c.expiry = date(value)
		case "notBefore":
			c.notBefore = date(value)
		}
	})
	if !c.attempt.Valid {
		c.attempt = newestAttempt(attempts)
	}
}

// newestAttempt is the type of the newest of a callback's attempts: what
// LastAttemptTypeId repeats, where a producer leaves that out.
func newestAttempt(text []byte) (found event.Null[int32]) {
	if len(text) <= len("null") {
		return found
	}
	var attempts []event.CallbackAttempt
	if json.Unmarshal(text, &attempts) != nil {
		return found
	}
	newest := unknown
	for _, a := range attempts {
		made := unknown
		if t, err := a.Timestamp.Value.Time(); a.Timestamp.Valid && err == nil {
			made = momentOf(t)
		}
		if made >= newest {
			newest, found = made, a.CallbackAttemptTypeID
		}
	}
	return found
}

// tell makes the copies of a changed callback for whom it belongs to and whom
// it did, in this order (domain report, 4.3).
func (r *Rules) tell(o *organization, e *event.Event, assigned, previous event.GUID, out *Output) {
	if assigned.IsZero() && previous.IsZero() || o.sends.skips(r.options.UserCallbacks) {
		return
	}
	for i, u := range [...]event.GUID{assigned, previous} {
		if u.IsZero() || i == 1 && u == assigned {
			continue
		}
		out.Events = append(out.Events, event.Event{
			Topic:       event.Topic{Org: e.Org, Pair: event.Pair{Kind: r.kinds.userCallback, Entity: u}},
			Data:        forUser(e.Data, u),
			ID:          own("UserCallbackChanged", []byte(e.Cursor), u.AppendText(nil)),
			Time:        e.Time,
			Traceparent: e.Traceparent,
			Cause:       e.Cursor,
		})
		r.stats.UserCallbacks++
	}
}

// aboutItself are members that say what an event is, not what happened: those
// of the platform's own envelope (domain report, 1.3). A copy is another event.
const aboutItself = "|eventtype|eventname|eventid|id|timestamp|entitytype|entityid|rootentitytype|rootentityid|targetuser|"

// forUser is a CallbackChanged's payload as a UserCallbackChanged: the same
// but for TargetUser, and for what it says about itself.
func forUser(data []byte, u event.GUID) []byte {
	copied := make([]byte, 0, len(data)+len(`"targetUser":"",`)+36)
	copied = append(copied, '{')
	members(data, func(name, _, whole []byte) {
		if !strings.Contains(aboutItself, "|"+strings.ToLower(string(name))+"|") {
			copied = append(append(copied, whole...), ',')
		}
	})
	copied = append(copied, `"targetUser":"`...)
	return append(u.AppendText(copied), '"', '}')
}

// userCallbackChanged notes that a producer makes these events itself: one
// about a callback that is known. A sample about none does not count.
func (r *Rules) userCallbackChanged(o *organization, e *event.Event) {
	if !e.Own() && o.callbacks[guid(member(e.Data, "callBackId"))] != nil {
		o.sends.seen()
	}
}

// keep remembers a callback's newest value.
func (r *Rules) keep(o *organization, e *event.Event, said *callback, out *Output) {
	c := o.callbacks[said.id]
	if c != nil && c.list.id != e.Entity {
		out.Callbacks = append(out.Callbacks, c.forgotten(o))
		r.leave(c, e.Cursor)
		c = nil
	}
	if c == nil {
		l := r.list(o, e.Entity)
		if l == nil {
			return
		}
		c = &callback{id: said.id, list: l}
		l.callbacks++
		o.callbacks[c.id] = c
	}
	c.sequence, c.cursor, c.came = e.Sequence, e.Cursor, stamp(e)
	c.assigned, c.attempt, c.dueDate, c.expiry, c.notBefore = said.assigned, said.attempt, said.dueDate, said.expiry, said.notBefore
	r.count(c, e.Cursor)
	r.queueUp(c)
	out.Callbacks = append(out.Callbacks, c.record(o))
	for r.open.Len()+r.closed.Len() > r.options.MaxCallbacks {
		r.forgetOldest(out)
	}
}

// queueUp puts a callback behind all that changed before it.
func (r *Rules) queueUp(c *callback) {
	r.unqueue(c)
	c.shut = c.counted == 0
	if c.shut {
		c.order = r.closed.PushBack(c)
	} else {
		c.order = r.open.PushBack(c)
	}
}

func (r *Rules) unqueue(c *callback) {
	switch {
	case c.order == nil:
	case c.shut:
		r.closed.Remove(c.order)
	default:
		r.open.Remove(c.order)
	}
	c.order = nil
}

// forgetOldest makes room: a closed callback if there is one, else an open
// one, whose list then counts too few.
func (r *Rules) forgetOldest(out *Output) {
	oldest := r.closed.Front()
	if oldest == nil {
		oldest = r.open.Front()
		r.stats.Forgotten++
	}
	c := oldest.Value.(*callback)
	out.Callbacks = append(out.Callbacks, c.forgotten(c.list.org))
	r.leave(c, c.cursor)
}

// leave takes a callback out of everything.
func (r *Rules) leave(c *callback, cause string) {
	c.list.add(c.counted, -1)
	if c.counted != 0 {
		r.touch(c.list, cause)
	}
	c.list.callbacks--
	r.due.remove(c)
	r.unqueue(c)
	delete(c.list.org.callbacks, c.id)
	r.touchEmpty(c.list)
}

// forgetAtOnce is how many callbacks one tick forgets because they were closed
// long ago. All of a list may expire at one midnight, and to forget each is a
// question to the store.
const forgetAtOnce = 256

// cross moves a callback over the moment it waited for.
func (r *Rules) cross(c *callback, out *Output) {
	forget := c.forgetAt(r) <= r.now
	if forget && r.forgets < forgetAtOnce {
		r.forgets++
		out.Callbacks = append(out.Callbacks, c.forgotten(c.list.org))
		r.leave(c, c.cursor)
		return
	}
	r.count(c, c.cursor)
	if c.shut != (c.counted == 0) {
		r.queueUp(c)
	}
	if forget {
		c.next = r.now + second
		r.due.set(c)
	}
}
