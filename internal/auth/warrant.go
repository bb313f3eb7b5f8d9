package auth

import (
	"time"

	"rte/internal/event"
)

// A Warrant is what a user's right to hear of one entity stands on, apart from
// what the platform says: small, so that it can be kept with what a user leaves
// behind, such as an alert. Whether the right holds at some later moment,
// [Verifier.Holds] says.
type Warrant struct {
	Role  Role `json:"role,omitempty"`  // by the token, or the resolver
	Named bool `json:"named,omitempty"` // these list the entity
	// Issued is when the token was issued; of one that does not say, when it was
	// shown.
	Issued time.Time `json:"issued,omitzero"`
}

// Warrant is that of the principal's right to hear the event of the entity. now
// is the time.
func (p *Principal) Warrant(t *event.Type, entity event.GUID, now time.Time) Warrant {
	w := Warrant{Role: p.Role, Issued: p.IssuedAt}
	if w.Issued.IsZero() {
		w.Issued = now.UTC()
	}
	sets := [sortEnd]Set{Users: p.Users, Queues: p.Queues, Lists: p.Lists}
	if g := p.granted; g != nil {
		w.Role = g.role
		sets = [sortEnd]Set{Users: g.users, Queues: g.queues, Lists: g.lists}
	}
	if s, ok := sortOf(t); ok {
		w.Named = sets[s].Has(entity)
	}
	return w
}

// Holds tells whether a user may hear the event of the entity now: by the
// warrant, by what the platform says, and because no revocation is about the
// token that it came from.
func (v *Verifier) Holds(org, user event.GUID, t *event.Type, entity event.GUID, w Warrant) bool {
	p := &Principal{Org: org, User: user, Role: w.Role, IssuedAt: w.Issued, rules: &v.rules}
	if s, ok := sortOf(t); ok && w.Named {
		*[sortEnd]*Set{Users: &p.Users, Queues: &p.Queues, Lists: &p.Lists}[s] = NewSet(entity)
	}
	v.rules.Directory.apply(p)
	return p.May(t, entity) && !p.Revoked()
}
