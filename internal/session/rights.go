package session

import (
	"slices"
	"strings"
	"sync"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/fanout"
	"rte/signalr"
	"rte/signalr/hub"
)

// Reasons of this room for a connection's end (contract, Close reasons). The
// client is told the name, and not to come back.
const (
	Revoked hub.CloseReason = "revoked" // the platform has taken the token back
	Admin   hub.CloseReason = "admin"   // an operator has ended the connection
)

// A person is a user of an organization; the same Guid in another is another.
type person struct{ org, user event.GUID }

// A register knows the sessions by person, so that a changed right reaches
// them. Safe for concurrent use.
type register struct {
	mu     sync.Mutex
	people map[person][]seat // in no order; each session knows its place
}

func (r *register) enter(p person, c *hub.Conn, s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.place = len(r.people[p])
	r.people[p] = append(r.people[p], seat{c, s})
}

// leave takes a session out; the last one takes its place.
func (r *register) leave(p person, s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seats := r.people[p]
	end := len(seats) - 1
	if end == 0 {
		delete(r.people, p)
		return
	}
	moved := seats[end]
	seats[s.place], moved.s.place = moved, s.place
	seats[end] = seat{}
	r.people[p] = seats[:end]
}

// A seat is a connection with its session.
type seat struct {
	conn *hub.Conn
	s    *session
}

// seats are those of the people that match.
func (r *register) seats(match func(person) bool) (list []seat) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, seats := range r.people {
		if match(p) {
			list = append(list, seats...)
		}
	}
	return list
}

// of are the seats of one person.
func (r *register) of(p person) []seat {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.people[p])
}

// Reconsider makes the principals of a user's connections anew, because what
// the platform says of them has changed; the zero user stands for the whole
// organization. Subscriptions that are not allowed any more end before it
// returns, all others go on without a gap. Safe for concurrent use.
func (h *Handler) Reconsider(org, user event.GUID) {
	seats := h.register.of(person{org, user})
	if user.IsZero() {
		seats = h.register.seats(func(p person) bool { return p.org == org })
	}
	for _, at := range seats {
		h.become(at.conn, at.s, (*auth.Principal).Again)
	}
}

// become gives a session the principal that again makes of its own, and ends
// the subscriptions that this one may not have.
func (h *Handler) become(c *hub.Conn, s *session, again func(*auth.Principal) *auth.Principal) {
	s.changing.Lock()
	defer s.changing.Unlock()
	if s.left {
		return
	}
	p := again(s.principal.Load())
	// Before the pairs are looked at: a Subscribe under way joins either before
	// that, or sees behind its join that it must look again.
	s.principal.Store(p)
	s.changes.Add(1)
	h.drop(c, s, p, s.member.Pairs())
}

// drop ends those of the pairs that the principal may not hear, and tells the
// client if it has asked for notices.
func (h *Handler) drop(c *hub.Conn, s *session, p *auth.Principal, pairs []event.Pair) {
	fallen := slices.DeleteFunc(pairs, func(pair event.Pair) bool { return p.May(h.cat.Type(pair.Kind), pair.Entity) })
	if len(fallen) == 0 {
		return
	}
	s.member.Unsubscribe(fallen)
	// A client that is slow shall not hear it later, either.
	gone := make(map[event.Pair]struct{}, len(fallen))
	for _, pair := range fallen {
		gone[pair] = struct{}{}
	}
	c.Unqueue(func(f *signalr.Frame) bool {
		pair, ok := fanout.PairOf(f)
		_, is := gone[pair]
		return ok && is
	})
	h.fallen.Add(uint64(len(fallen)))
	h.o.Logger.Info("subscriptions ended", "conn", c.ID(), "who", p, "reason", "rights", "pairs", len(fallen))
	if !s.notices.Load() {
		return
	}
	at := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	for _, pair := range fallen {
		c.Send(signalr.NewFrame(&signalr.Invocation{Target: "Notice", Arguments: []signalr.Value{signalr.Any(notice{
			Kind: "subscriptionRemoved", At: at,
			Subscription: &removed{pair.Entity.String(), h.nameOf(h.cat.Type(pair.Kind))},
			Reason:       "the right to hear it was taken away",
		})}}))
	}
}

// Fallen is how many subscriptions have ended with their right since the
// start.
func (h *Handler) Fallen() uint64 { return h.fallen.Load() }

// Revoke ends the connections whose tokens have been taken back, of those that
// are meant. It returns how many there were. Safe for concurrent use.
func (h *Handler) Revoke(meant auth.Selection) (n int) {
	for _, at := range h.register.seats(func(p person) bool {
		return (meant.User.IsZero() || meant.User == p.user) && (meant.Org.IsZero() || meant.Org == p.org)
	}) {
		if p := at.s.principal.Load(); meant.Matches(p) && p.Revoked() && at.s.end() {
			h.o.Logger.Info("connection ended", "conn", at.conn.ID(), "who", p, "reason", string(Revoked))
			at.conn.Dismiss(Revoked, string(Revoked))
			n++
		}
	}
	return n
}

// Close ends a connection for an operator. It reports whether there was one of
// that id on this node. Safe for concurrent use.
func (h *Handler) Close(id string) bool {
	for _, at := range h.register.seats(func(person) bool { return true }) {
		if at.conn.ID() == id && at.s.end() {
			h.o.Logger.Info("connection ended", "conn", id, "who", at.s.principal.Load(), "reason", string(Admin))
			at.conn.Dismiss(Admin, string(Admin))
			return true
		}
	}
	return false
}

// end reports whether nobody has ended the session before.
func (s *session) end() bool { return !s.ended.Swap(true) }

// A Filter says which connections are meant; what is zero does not count.
type Filter struct {
	User, Org event.GUID
	Entity    event.GUID // with a subscription to something of it
}

// A Connection is what an operator is told of one.
type Connection struct {
	ID            string
	User, Org     event.GUID
	Role          auth.Role
	Transport     string
	Protocol      string
	Connected     time.Time
	Expires       time.Time // of its token
	Subscriptions int
}

// Connections are this node's that are meant, by id. Safe for concurrent use.
func (h *Handler) Connections(f Filter) []Connection {
	var list []Connection
	for _, at := range h.register.seats(func(p person) bool {
		return (f.User.IsZero() || f.User == p.user) && (f.Org.IsZero() || f.Org == p.org)
	}) {
		if c, ok := h.look(at, f.Entity); ok {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b Connection) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// look says what there is to a connection; not ok if it has ended, or has no
// subscription to the entity, where that is asked for.
func (h *Handler) look(at seat, entity event.GUID) (c Connection, ok bool) {
	at.s.changing.Lock() // so that it does not leave meanwhile
	defer at.s.changing.Unlock()
	if at.s.left || at.s.ended.Load() {
		return c, false
	}
	if !entity.IsZero() && !slices.ContainsFunc(at.s.member.Pairs(), func(p event.Pair) bool { return p.Entity == entity }) {
		return c, false
	}
	p := at.s.principal.Load()
	return Connection{
		ID: at.conn.ID(), User: p.User, Org: p.Org, Role: p.Role, Expires: p.Expires,
		Transport: at.conn.Transport().Transport().String(), Protocol: at.conn.ProtocolName(),
		Connected: at.s.connected, Subscriptions: at.s.member.Len(),
	}, true
}
