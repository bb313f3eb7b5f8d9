package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/fanout"
	"rte/signalr"
	"rte/signalr/hub"
)

// Options of a [Handler]. The zero value is good.
type Options struct {
	MaxItems         int  // in one call of Subscribe, Unsubscribe or Explain; default 1,000
	MaxSubscriptions int  // of one connection; default 10,000
	CatalogNames     bool // event names in results as the catalogue spells them, not in lower case
	CamelMessagePack bool // members in MessagePack named as in JSON, not as the page spells them
	CloseOnExpiry    bool // connections end with their token (hub.Options.Expires), and clients that asked for notices are told before
	Logger           *slog.Logger
}

// A Handler offers the documented hub methods. Safe for concurrent use.
type Handler struct {
	cat   *event.Catalog
	index *fanout.Index
	o     Options
	names signalr.Value // the answer of AvailableSubscriptions

	register register
	fallen   atomic.Uint64 // subscriptions that ended with their right
	tooMany  atomic.Uint64 // calls with more than Options.MaxItems
}

// TooManyItems counts the calls with more than Options.MaxItems, since the
// start.
func (h *Handler) TooManyItems() uint64 { return h.tooMany.Load() }

// New makes a handler of clients that subscribe to the index.
func New(cat *event.Catalog, index *fanout.Index, o Options) *Handler {
	if o.MaxItems == 0 {
		o.MaxItems = 1000
	}
	if o.MaxSubscriptions == 0 {
		o.MaxSubscriptions = 10_000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Handler{cat: cat, index: index, o: o, names: signalr.Any(cat.Names()), register: register{people: map[person][]seat{}}}
}

// A session is one connected client. Its methods run one at a time.
type session struct {
	member    *fanout.Member
	connected time.Time
	notices   atomic.Bool // the client asked for notices
	place     int         // in the register, which guards it
	ended     atomic.Bool // somebody has told the connection to go, for good

	// principal may be another one after its rights have changed; user and
	// organization stay. changes counts that, so that whoever has decided by
	// what held before looks again (see become).
	principal atomic.Pointer[auth.Principal]
	changes   atomic.Uint32
	changing  sync.Mutex // whoever changes principal, or uses member from outside
	left      bool       // member has left; guarded by changing

	warned atomic.Pointer[auth.Principal] // of whose token's end the client has been told
}

func (s *session) person() person {
	p := s.principal.Load()
	return person{p.Org, p.User}
}

// Methods is what the hub offers (product page, "Interface").
func (h *Handler) Methods() map[string]hub.Method {
	return map[string]hub.Method{
		"Subscribe":              h.subscribe,
		"Unsubscribe":            h.unsubscribe,
		"UnsubscribeAll":         h.unsubscribeAll,
		"AvailableSubscriptions": h.availableSubscriptions,
		"GetActiveSubscriptions": h.activeSubscriptions,
		"Explain":                h.explain,
		"EnableNotices":          h.enableNotices,
	}
}

// errNoPrincipal cannot happen: the transport lets nobody in without one.
var errNoPrincipal = errors.New("session: connection without principal")

// Connected makes the session (hub.Options.OnConnected). The connection's
// user must be an *auth.Principal.
func (h *Handler) Connected(ctx context.Context, c *hub.Conn) error {
	p, ok := c.User().(*auth.Principal)
	if !ok {
		return errNoPrincipal
	}
	m, err := h.index.Join(ctx, p.Org, p.User, c)
	if err != nil { // the store is away, or the node goes
		h.o.Logger.Warn("client refused", "conn", c.ID(), "who", p, "reason", "no events", "err", err)
		return fmt.Errorf("%w: %w", hub.ErrLater, err)
	}
	s := &session{member: m, connected: time.Now()}
	s.principal.Store(p)
	c.Value = s
	h.register.enter(s.person(), c, s)
	// What has changed since the token was looked at has not reached it.
	h.become(c, s, (*auth.Principal).Again)
	if p.Revoked() && s.end() {
		c.Dismiss(Revoked, string(Revoked))
	}
	h.o.Logger.Debug("client connected", "conn", c.ID(), "who", p, "transport", c.Transport().Transport().String(), "protocol", c.ProtocolName())
	return nil
}

// Disconnected ends the session (hub.Options.OnDisconnected).
func (h *Handler) Disconnected(c *hub.Conn, err error) {
	s, ok := c.Value.(*session)
	if !ok {
		return // refused by Connected
	}
	h.register.leave(s.person(), s)
	s.changing.Lock()
	s.left = true
	s.member.Leave()
	s.changing.Unlock()
	h.o.Logger.Info("client disconnected", "conn", c.ID(), "who", s.principal.Load(), "reason", string(c.Reason()),
		"after", time.Since(s.connected).Round(time.Millisecond), "err", err)
}

func of(call *hub.Call) *session { return call.Conn.Value.(*session) }

// unsubscribeAll ends every subscription. The page's sample passes the list
// of subscriptions, other clients nothing: any argument is ignored (I31).
func (h *Handler) unsubscribeAll(_ context.Context, call *hub.Call) (signalr.Value, error) {
	of(call).member.UnsubscribeAll()
	return signalr.RawJSON([]byte("true")), nil
}

// availableSubscriptions answers all event names, to everybody alike; an
// argument is ignored (I31).
func (h *Handler) availableSubscriptions(context.Context, *hub.Call) (signalr.Value, error) {
	return h.names, nil
}

// activeSubscriptions answers what this connection hears now.
func (h *Handler) activeSubscriptions(_ context.Context, call *hub.Call) (signalr.Value, error) {
	pairs := of(call).member.Pairs()
	list := activeList{pairs: make([]active, len(pairs)), camel: h.o.CamelMessagePack}
	for i, p := range pairs {
		list.pairs[i] = active{p.Entity.String(), h.nameOf(h.cat.Type(p.Kind))}
	}
	return list, nil
}

// nameOf is an event's name in results and pushes.
func (h *Handler) nameOf(t *event.Type) string {
	if h.o.CatalogNames {
		return t.Name
	}
	return t.Key
}
