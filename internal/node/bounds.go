package node

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/limit"
	"rte/internal/ops"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// Where the limits are asked, and how those are answered who are over one.

// closeLimit is why a connection is closed that goes on making calls that are
// refused; its client stays away.
const closeLimit hub.CloseReason = "limit"

// closeTexts are the reasons that clients are told by their names.
func closeTexts() map[hub.CloseReason]string {
	texts := map[hub.CloseReason]string{}
	for _, why := range []hub.CloseReason{hub.Slow, hub.Draining, hub.Expired, hub.Aged} {
		texts[why] = string(why)
	}
	return texts
}

// whose is who a connection is counted for.
func whose(user any) limit.Who {
	p, ok := user.(*auth.Principal)
	if !ok {
		return limit.Who{}
	}
	return limit.Who{Org: p.Org, User: p.User}
}

// fullRetry is the Retry-After of a count that is full: somebody has to go
// first.
const fullRetry = 10 * time.Second

// refusal is the status for who is over a bound: 503 where it is the node's,
// which another node may have room for, 429 where it is the caller's own.
func refusal(s limit.Scope, after time.Duration) *transport.Refusal {
	if s == limit.Node {
		return &transport.Refusal{Status: http.StatusServiceUnavailable, RetryAfter: after}
	}
	return &transport.Refusal{Status: http.StatusTooManyRequests, RetryAfter: after}
}

// place lets a client that negotiates go on to connect
// (transport.Options.Place). Released clients show the text of an error in the
// answer to their users; of a status they show its name only. But 1.0 does not
// look for an error: who negotiates without a version, as it does, is answered
// with a status. So is who comes too soon, because that is over by itself, and
// proxies understand it.
func (n *Node) place(r *http.Request, user any) (transport.Redirect, error) {
	if err := n.admit(r, user); err != nil {
		return transport.Redirect{}, err
	}
	who := whose(user)
	if full := n.limits.connections.Full(who); full != limit.None {
		n.log.Info("client refused", "remote", r.RemoteAddr, "who", user, "reason", "too many connections", "scope", full.String())
		if !r.URL.Query().Has("negotiateVersion") {
			return transport.Redirect{}, refusal(full, fullRetry)
		}
		return transport.Redirect{}, errors.New(n.limits.fullText(full))
	}
	return transport.Redirect{}, n.hasten(r, user)
}

// hasten refuses who comes too soon behind others.
func (n *Node) hasten(r *http.Request, user any) error {
	over, wait := n.limits.accepts.Take(whose(user), 1)
	if over == limit.None {
		return nil
	}
	n.log.Debug("client refused", "remote", r.RemoteAddr, "who", user, "reason", "too many new connections", "scope", over.String())
	return refusal(over, wait)
}

// fullText tells a client what is full, and what to do.
func (l *limits) fullText(s limit.Scope) string {
	switch s {
	case limit.User:
		return fmt.Sprintf("Too many connections: this user has %d, and more are not allowed. Close one, or try again later.", l.most.User)
	case limit.Org:
		return fmt.Sprintf("Too many connections: this organization has %d, and more are not allowed. Try again later.", l.most.Org)
	}
	return "Too many connections: this server is full. Try again later."
}

// enter counts a new connection (transport.Options.Enter). Who has negotiated
// has come through place, where the rate was asked.
func (n *Node) enter(r *http.Request, user any, negotiated bool) (leave func(), err error) {
	if err := n.admit(r, user); err != nil {
		return nil, err
	}
	who := whose(user)
	if p, ok := user.(*auth.Principal); ok {
		n.witness(p)
	}
	if full := n.limits.connections.Take(who); full != limit.None {
		n.log.Info("client refused", "remote", r.RemoteAddr, "who", user, "reason", "too many connections", "scope", full.String())
		return nil, refusal(full, fullRetry)
	}
	leave = func() { n.limits.connections.Give(who) }
	if !negotiated {
		if err := n.hasten(r, user); err != nil {
			leave()
			return nil, err
		}
	}
	return leave, nil
}

// bounded adds to the hub's options what the limits ask.
func (n *Node) bounded(o hub.Options) hub.Options {
	o.MaxAge = n.cfg.MaxConnectionAge
	if n.limits.calls != nil {
		o.Admit = n.admitCall
	}
	if n.cfg.CloseOnExpiry {
		o.Expires = func(user any) time.Time {
			p, ok := user.(*auth.Principal)
			if !ok {
				return time.Time{}
			}
			return p.Expires
		}
		o.OnExpiring = n.session.Expiring
	}
	if n.cfg.TokenRefresh {
		o.OnRefreshed = n.refreshed
	}
	return o
}

// refreshed takes the principal of a new token (hub.Options.OnRefreshed).
func (n *Node) refreshed(c *hub.Conn) {
	n.session.Refreshed(c)
	if p, ok := c.User().(*auth.Principal); ok {
		n.witness(p)
	}
}

// guarded adds to the transport's options what the limits ask.
func (n *Node) guarded(o transport.Options) transport.Options {
	o.Place, o.Enter = n.place, n.enter
	o.Refresh, o.Lifetime = n.cfg.TokenRefresh, lifetime
	return o
}

// lifetime is for how long a client's token still holds
// (transport.Options.Lifetime).
func lifetime(user any) time.Duration {
	p, ok := user.(*auth.Principal)
	if !ok {
		return 0
	}
	return time.Until(p.Expires)
}

// admitCall refuses calls that come too fast (hub.Options.Admit). A client that
// goes on all the same is closed; that others of its organization call too much
// is not its fault.
func (n *Node) admitCall(c *hub.Conn, _ string) error {
	who := whose(c.User())
	who.Conn = c.ID()
	over, _ := n.limits.calls.Take(who, 1)
	if over == limit.None {
		return nil
	}
	if over == limit.Conn || over == limit.User {
		if strikes, _ := n.limits.strikes.Take(limit.Who{Conn: who.Conn}, 1); strikes != limit.None {
			n.log.Warn("client closed", "conn", who.Conn, "who", c.User(), "reason", "too many calls")
			c.Close(closeLimit, string(closeLimit), false)
		}
	}
	return &hub.Error{Text: n.limits.callText(over)}
}

// callText tells a client why a call was refused, and what to do.
func (l *limits) callText(s limit.Scope) string {
	const again = " Wait a second and call again; one call may have many items."
	switch s {
	case limit.Conn:
		return fmt.Sprintf("Too many calls: %g a second are allowed on one connection.", l.rates.CallRatePerConnection) + again
	case limit.User:
		return fmt.Sprintf("Too many calls: %g a second are allowed for one user.", l.rates.CallRatePerUser) + again
	case limit.Org:
		return "Too many calls of this organization." + again
	}
	return "Too many calls on this server." + again
}

// allow is what producers may hand in (ingest.Options.Allow); nil is anything.
func (l *limits) allow() func(org event.GUID, bytes int) (time.Duration, error) {
	if l.events == nil && l.bytes == nil {
		return nil
	}
	return func(org event.GUID, bytes int) (time.Duration, error) {
		who := limit.Who{Org: org}
		if over, wait := l.events.Take(who, 1); over != limit.None {
			return wait, tooFast("events", over, l.rates.PublishRatePerOrg, l.rates.PublishRate)
		}
		if over, wait := l.bytes.Take(who, float64(bytes)); over != limit.None {
			l.events.Return(who, 1)
			return wait, tooFast("bytes of events", over, float64(l.rates.PublishByteRatePerOrg), float64(l.rates.PublishByteRate))
		}
		return 0, nil
	}
}

func tooFast(what string, s limit.Scope, org, node float64) error {
	if s == limit.Org {
		return fmt.Errorf("too many %s: %g a second are allowed for one organization", what, org)
	}
	return fmt.Errorf("too many %s: %g a second are allowed on this node", what, node)
}

// limitFigures are what was refused, by limit and by whose bound it was: all of
// them from the start, so that a dashboard shows zeros instead of gaps.
func (n *Node) limitFigures(add func(ops.Figure)) {
	figure := func(what string, s limit.Scope, count uint64) {
		add(ops.Figure{
			Name: "limited_total", Help: "What was refused because of a limit, by limit and by whose bound it was.",
			Labels: []ops.Label{{Name: "limit", Value: what}, {Name: "scope", Value: s.String()}}, Value: float64(count),
		})
	}
	l := n.limits
	for _, g := range []struct {
		what   string
		counts limit.Refusals
		from   limit.Scope // the widest
		to     limit.Scope // the narrowest
	}{
		{"connections", l.connections.Stats().Refused, limit.Node, limit.User},
		{"accepts", l.accepts.Stats().Refused, limit.Node, limit.User},
		{"subscriptions", n.index.Stats().Refused, limit.Node, limit.Conn},
		{"calls", l.calls.Stats().Refused, limit.Node, limit.Conn},
		{"events", l.events.Stats().Refused, limit.Node, limit.Org},
		{"streams", l.streams.Stats().Refused, limit.Node, limit.Org},
		{"event_bytes", l.bytes.Stats().Refused, limit.Node, limit.Org},
	} {
		for s := g.from; s <= g.to; s++ {
			figure(g.what, s, g.counts[s])
		}
	}
	l.strikes.Stats() // forgets who has been quiet
	figure("items", limit.Conn, n.session.TooManyItems())
	figure("message_bytes", limit.Conn, n.hub.Stats().TooLarge)
}
