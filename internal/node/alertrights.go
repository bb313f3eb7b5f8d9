package node

import (
	"context"
	"encoding/json"
	"time"

	"rte/internal/auth"
	"rte/internal/derive"
	"rte/internal/event"
)

// An alert outlives the connection and the token that made it, and says what a
// field of an entity is. So whether its user may hear of the entity is asked
// each time before it fires: by the newest token that the user has shown to any
// node, and by what the platform says (auth.Warrant).

// basisOf is the form in which a warrant is kept (derive.Alert.Basis).
func basisOf(w auth.Warrant) json.RawMessage {
	text, err := json.Marshal(w)
	if err != nil {
		panic("node: a warrant cannot be written: " + err.Error())
	}
	return text
}

// warrantOf reads it. One that cannot be read is a warrant of nothing: then only
// what the platform says counts.
func warrantOf(a *derive.Alert) (w auth.Warrant) {
	_ = json.Unmarshal(a.Basis, &w)
	return w
}

// mayFire tells whether an alert's user may hear of the entity now
// (derive.Options.Allowed).
func (n *Node) mayFire(a *derive.Alert) bool {
	t, ok := n.cat.Lookup(a.EventName)
	return ok && n.verifier.Holds(a.Organization, a.User, t, a.EntityID, warrantOf(a))
}

// witness takes a token that a user shows for what its alerts stand on from now
// on, if it is newer than that and says something else. It does not wait.
func (n *Node) witness(p *auth.Principal) {
	c := n.consequences
	if c == nil || p.User.IsZero() {
		return
	}
	for _, a := range c.alertsOf(p.Org, p.User) {
		t, ok := n.cat.Lookup(a.EventName)
		if !ok {
			continue
		}
		w := p.Warrant(t, a.EntityID, time.Now())
		if n.supersedes(&a, t, w) {
			c.later(func(ctx context.Context) { n.rest(ctx, a.Organization, a.ID, t, w) })
		}
	}
}

// supersedes tells whether an alert has to stand on another warrant.
func (n *Node) supersedes(a *derive.Alert, t *event.Type, w auth.Warrant) bool {
	is := warrantOf(a)
	same := is.Role == w.Role && is.Named == w.Named
	return !w.Issued.Before(is.Issued) && (!same || !n.verifier.Holds(a.Organization, a.User, t, a.EntityID, is))
}

// rest keeps what an alert stands on, unless it is gone or stands on something
// newer by now.
func (n *Node) rest(ctx context.Context, org, id event.GUID, t *event.Type, w auth.Warrant) {
	_, err := n.consequences.shelf.alerts.Change(ctx, shelfKey(org, id), func(a derive.Alert, ok bool) (derive.Alert, bool, error) {
		if a.Organization, a.ID = org, id; !ok || !n.supersedes(&a, t, w) {
			return a, true, nil
		}
		a.Basis = basisOf(w)
		return a, false, nil
	})
	if err != nil && ctx.Err() == nil {
		n.log.Warn("an alert goes on by an older token", "org", org, "err", err)
	}
}
