package session

import (
	"time"

	"rte/internal/auth"
	"rte/signalr"
	"rte/signalr/hub"
)

// What becomes of a session when its token ends, or another takes its place.

// Refreshed takes the principal of a new token (hub.Options.OnRefreshed), which
// is the same user's. What the new one may not hear any more is left.
func (h *Handler) Refreshed(c *hub.Conn) {
	s, ok := c.Value.(*session)
	p, is := c.User().(*auth.Principal)
	if !ok || !is {
		return // refused by Connected
	}
	h.become(c, s, func(*auth.Principal) *auth.Principal { return p })
	h.o.Logger.Info("client refreshed", "conn", c.ID(), "who", p)
}

// ExpiringNotice is how long before the end of their token clients are told
// (hub.Options.ExpiringNotice).
const ExpiringNotice = time.Minute

// Expiring tells a client that asked for notices that its connection will be
// closed because its token ends (hub.Options.OnExpiring).
func (h *Handler) Expiring(c *hub.Conn) {
	s, ok := c.Value.(*session)
	p, is := c.User().(*auth.Principal)
	if !ok || !is || !s.notices.Load() || s.warned.Swap(p) == p {
		return
	}
	c.Send(signalr.NewFrame(&signalr.Invocation{
		Target: "Notice",
		Arguments: []signalr.Value{signalr.Any(notice{
			Kind:   "tokenExpiring",
			At:     stampNow(),
			Reason: "the token ends at " + stamp(p.Expires) + ", and the connection with it; show a new one",
		})},
	}))
}

// late tells a client that asks for notices only now what it would have been
// told already.
func (h *Handler) late(c *hub.Conn) {
	p, ok := c.User().(*auth.Principal)
	if ok && h.o.CloseOnExpiry && time.Until(p.Expires) < ExpiringNotice {
		h.Expiring(c)
	}
}

// stamp is a moment as pushes carry it: UTC, milliseconds, Z.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
