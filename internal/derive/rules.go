package derive

import (
	"bytes"
	"container/list"
	"hash/fnv"
	"time"

	"rte/internal/event"
)

// Rules is the state of the rules for one partition. Make it with New, give it
// what the owner before kept (the Restore methods), then the newest state
// events and the stored others, then ticks. It is not safe for concurrent use.
type Rules struct {
	options  Options
	cat      *event.Catalog
	kinds    kinds
	roles    []role
	terminal map[int32]bool

	now     moment // of the newest tick
	forgets int    // callbacks forgotten in this tick
	orgs    map[event.GUID]*organization
	due     agenda[*callback] // whose counters change with time alone
	waits   agenda[*alert]    // whose condition holds, for how long is to be seen

	open, closed *list.List    // of *callback, the one changed longest ago first
	calls        agenda[*call] // that wait, by when they came

	lists   [][]*callList // that may have changed, by the second at which they are looked at
	queues  [][]*queue    // likewise
	users   int
	inLists int
	inQueue int
	stats   Stats
}

// Stats are figures of the rules: what they hold now, and what they have done.
type Stats struct {
	Callbacks, OpenCallbacks, Lists, Users, Alerts, Queues, WaitingCalls int

	UserCallbacks, ListStatuses, AlertsFired uint64 // made so far
	Forgotten                                uint64 // open callbacks and waiting calls, over a bound
	Refused                                  uint64 // events about entities over the bound
}

// An organization is what is known of one.
type organization struct {
	id        event.GUID
	callbacks map[event.GUID]*callback
	lists     map[event.GUID]*callList
	users     map[event.GUID]*user
	queues    map[event.GUID]*queue
	calls     map[event.GUID]*call    // that wait
	watched   map[event.Pair][]*alert // in the order of their ids
	alerts    map[event.GUID]*alert

	sends    detected // UserCallbackChanged
	restored uint64   // newest record that said so
}

// A role is what an event is for the rules.
type role uint8

const (
	noRole role = iota
	callbackRole
	userCallbackRole
	listRole
	userRole
	arrivedRole
	connectedRole
	overflowRole
	disconnectedRole
)

// kinds are the events that are made here.
type kinds struct{ userCallback, listStatus, userAlert, queueAlert event.Kind }

// New makes rules that know nothing yet. The catalogue must have the events of
// the product's page.
func New(cat *event.Catalog, o Options) *Rules {
	r := &Rules{
		options: o.filled(), cat: cat, roles: make([]role, len(cat.Events)), terminal: map[int32]bool{}, now: unknown,
		orgs: map[event.GUID]*organization{}, open: list.New(), closed: list.New(),
	}
	for name, role := range map[string]role{
		"CallbackChanged": callbackRole, "UserCallbackChanged": userCallbackRole, "CallbackListStatus": listRole, "UserStatus": userRole,
		"QueueCallInArrived": arrivedRole, "QueueCallInUserConnected": connectedRole,
		"QueueCallInOverflow": overflowRole, "QueueCallInDisconnected": disconnectedRole,
	} {
		r.roles[kindOf(cat, name)] = role
	}
	r.kinds = kinds{kindOf(cat, "UserCallbackChanged"), kindOf(cat, "CallbackListStatus"), kindOf(cat, "UserAlert"), kindOf(cat, "UserQueueAlert")}
	for _, t := range o.TerminalAttempts {
		r.terminal[t] = true
	}
	seconds := int(r.options.Every / time.Second)
	r.lists, r.queues = make([][]*callList, seconds), make([][]*queue, seconds)
	return r
}

func kindOf(cat *event.Catalog, name string) event.Kind {
	t, ok := cat.Lookup(name)
	if !ok {
		panic("derive: the catalogue has no " + name)
	}
	return t.Kind
}

// Needs tells whether events of a kind change anything here: others need not
// be given, but for the state events that alerts may be about.
func (r *Rules) Needs(k event.Kind) bool { return r.roles[k] != noRole || r.cat.Type(k).Keeps() }

// Event takes one stored event and appends what follows from it. Of each pair
// they come in the order of the store; one that was given already changes
// nothing.
func (r *Rules) Event(e *event.Event, out *Output) {
	role := r.roles[e.Kind]
	o := r.orgs[e.Org]
	if o == nil {
		if role == noRole {
			return
		}
		o = r.organization(e.Org)
	}
	switch role {
	case callbackRole:
		r.callbackChanged(o, e, out)
	case userCallbackRole:
		r.userCallbackChanged(o, e)
	case listRole:
		r.listStatus(o, e)
	case userRole:
		r.userStatus(o, e)
	case arrivedRole, connectedRole, overflowRole, disconnectedRole:
		r.queueCall(o, e, role)
	}
	for _, a := range o.watched[e.Pair] {
		r.judge(a, e, out)
	}
}

func (r *Rules) organization(id event.GUID) *organization {
	o := r.orgs[id]
	if o == nil {
		o = &organization{
			id: id, callbacks: map[event.GUID]*callback{}, lists: map[event.GUID]*callList{}, users: map[event.GUID]*user{},
			queues: map[event.GUID]*queue{}, calls: map[event.GUID]*call{}, watched: map[event.Pair][]*alert{}, alerts: map[event.GUID]*alert{},
		}
		r.orgs[id] = o
	}
	return o
}

// Tick says what time it is, and appends what follows from that. Ticks should
// come once a second; after a longer pause what should have been done in it is
// done once. A moment before one that has been told is taken for that one.
func (r *Rules) Tick(now time.Time, out *Output) {
	is := max(momentOf(now), r.now)
	was := max(r.now, is-second)
	if r.now != unknown {
		was = r.now
	}
	r.now, r.forgets = is, 0
	for c, ok := r.due.next(is); ok; c, ok = r.due.next(is) {
		r.cross(c, out)
	}
	for a, ok := r.waits.next(is); ok; a, ok = r.waits.next(is) {
		r.fire(a, is, out)
	}
	every := moment(len(r.lists))
	from, to := floorDiv(was, second)+1, floorDiv(is, second)
	for s := max(from, to-every+1); s <= to; s++ {
		at := int(((s % every) + every) % every)
		r.reviewLists(at, s, out)
		r.reviewQueues(at, out)
	}
}

func floorDiv(a, b moment) moment {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// Stats are the figures of now.
func (r *Rules) Stats() Stats {
	s := r.stats
	s.OpenCallbacks, s.Callbacks = r.open.Len(), r.open.Len()+r.closed.Len()
	s.Lists, s.Users, s.Queues, s.WaitingCalls = r.inLists, r.users, r.inQueue, len(r.calls)
	for _, o := range r.orgs {
		s.Alerts += len(o.alerts)
	}
	return s
}

// slot is the second, of the span of a review, at which an entity has its
// turn. Guids are not random (domain report, 2.2), so they are hashed.
func (r *Rules) slot(id event.GUID) int {
	h := fnv.New64a()
	h.Write(id[:])
	return int(h.Sum64() % uint64(len(r.lists)))
}

// at is when an event came, for what is reckoned with ticks.
func (r *Rules) at(e *event.Event) moment {
	if r.now == unknown {
		return stamp(e)
	}
	return r.now
}

// own is the id of an event that follows from a cause, or from a second.
func own(name string, parts ...[]byte) string {
	id := append([]byte(event.OwnID), name...)
	for _, p := range parts {
		id = append(append(id, '/'), p...)
	}
	return string(id)
}

func compareGUID(a, b event.GUID) int { return bytes.Compare(a[:], b[:]) }

// detected is whether a producer makes an event itself.
type detected struct {
	on     bool
	missed uint8 // how often since its last one there should have been another
}

// patience is how many of a producer's own events may be missing before it is
// believed to have stopped.
const patience = 10

// skips tells whether RTE makes none because the producer does. It is asked
// each time there is one to be made.
func (d *detected) skips(s Source) bool {
	switch {
	case s != Detect:
		return s == Producer
	case !d.on:
		return false
	}
	d.missed++
	d.on = d.missed <= patience
	return d.on
}

// seen notes one of the producer's own.
func (d *detected) seen() { *d = detected{on: true} }
