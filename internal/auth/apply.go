package auth

import (
	"maps"
	"time"

	"rte/internal/event"
)

// granted is what a principal has by its token or the resolver, before the
// platform has its say: kept, to begin anew from when that changes.
type granted struct {
	role                 Role
	queues, lists, users Set
	begins               *beginnings
}

// A grant is one user's [Rights], ready to be applied.
type grant struct {
	rights Rights
	queues given
	lists  given
	users  given
}

// given is a [Said] of ids, ready to be applied.
type given struct {
	said     bool      // it stands in the place of the token's
	at       time.Time // not said: when the token began to count again
	set      Set
	begun    *begun
	unbroken Set
}

func newGrant(r *Rights) *grant {
	return &grant{*r, newGiven(&r.Queues), newGiven(&r.Lists), newGiven(&r.Users)}
}

func newGiven(s *Said[event.GUID]) given {
	g := given{said: s.Given, at: s.At, begun: &begun{of: map[event.GUID]time.Time{}}}
	var all, unbroken []event.GUID
	for _, p := range s.Parts {
		all = append(all, p.IDs...)
		if p.Unbroken {
			unbroken = append(unbroken, p.IDs...)
		}
		for _, id := range p.IDs {
			g.begun.of[id] = p.Since
		}
	}
	g.set, g.unbroken = NewSet(all...), NewSet(unbroken...)
	return g
}

// Membership is what is known of a user and a queue by the queue's events.
type Membership struct {
	Since time.Time // when it was last seen to come in; zero: never
	Left  time.Time // when it was last seen to leave; zero: never
}

// In tells whether the user is a member now.
func (m Membership) In() bool { return !m.Since.IsZero() && m.Since.After(m.Left) }

// apply gives a principal the rights that the platform has set for it.
func (d *Directory) apply(p *Principal) {
	if d == nil {
		return
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	o := d.orgs[p.Org]
	if o == nil {
		return
	}
	queues, g := o.queues[p.User], o.rights[p.User]
	if queues == nil && g == nil {
		return
	}
	p.granted = &granted{p.Role, p.Queues, p.Lists, p.Users, p.begins}
	begins := beginnings{}
	if p.begins != nil {
		begins = *p.begins
	}
	if queues != nil {
		p.Queues, begins.sets[Queues] = joined(queues, p.IssuedAt, p.Queues, begins.sets[Queues])
	}
	if g != nil {
		p.Role, begins.role = g.role(p.Role, begins.role)
		p.Queues, begins.sets[Queues] = g.queues.over(p.Queues, begins.sets[Queues])
		p.Lists, begins.sets[Lists] = g.lists.over(p.Lists, begins.sets[Lists])
		p.Users, begins.sets[Users] = g.users.over(p.Users, begins.sets[Users])
	}
	p.begins = &begins
}

// speaksOf tells whether the platform has said something of a user.
func (d *Directory) speaksOf(p *Principal) bool {
	if d == nil {
		return false
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	o := d.orgs[p.Org]
	return o != nil && (o.queues[p.User] != nil || o.rights[p.User] != nil)
}

// joined adds the queues that a user has been seen to come into, and takes
// away those that it was seen to leave. What a token lists counts against that
// only if the token is newer; it is in doubt since when, so since its issue.
func joined(queues map[event.GUID]Membership, issued time.Time, set Set, since *begun) (Set, *begun) {
	ids, of := []event.GUID{}, map[event.GUID]time.Time{}
	for _, id := range set.ids {
		m, known := queues[id]
		if !known {
			ids, of[id] = append(ids, id), since.at(id)
			continue
		}
		said := since.at(id)
		if said.IsZero() {
			said = issued
		}
		switch {
		case m.Left.IsZero():
			ids, of[id] = append(ids, id), since.at(id)
		case said.After(m.Left):
			ids, of[id] = append(ids, id), said
		}
	}
	for id, m := range queues {
		if !m.In() {
			continue
		}
		if at, has := of[id]; !has || m.Since.Before(at) {
			ids, of[id] = append(ids, id), m.Since
		}
	}
	return NewSet(ids...), &begun{of: of}
}

// role is a principal's role and since when.
func (g *grant) role(role Role, since time.Time) (Role, time.Time) {
	s := &g.rights.Role
	if len(s.Parts) != 1 || len(s.Parts[0].IDs) != 1 || s.Parts[0].IDs[0].operates() {
		return role, since
	}
	said := s.Parts[0]
	same := said.IDs[0] == role
	switch {
	case same && said.Unbroken:
		return role, since
	case s.Given:
		return said.IDs[0], said.Since
	case same:
		return role, later(since, said.Since)
	}
	return role, later(since, s.At)
}

// over puts what is given in the place of what was there.
func (g *given) over(set Set, since *begun) (Set, *begun) {
	if !g.said {
		if g.at.IsZero() {
			return set, since
		}
		of := map[event.GUID]time.Time{}
		for _, id := range set.ids {
			switch of[id] = since.at(id); {
			case g.unbroken.Has(id):
			case g.set.Has(id):
				of[id] = later(of[id], g.begun.at(id))
			default:
				of[id] = later(of[id], g.at)
			}
		}
		return set, &begun{of: of}
	}
	var of map[event.GUID]time.Time
	for _, id := range g.unbroken.ids {
		if !set.Has(id) {
			continue
		}
		if of == nil { // else all principals share one
			of = maps.Clone(g.begun.of)
		}
		of[id] = since.at(id)
	}
	if of == nil {
		return g.set, g.begun
	}
	return g.set, &begun{of: of}
}

// Again makes the principal anew by what the platform says now. Where it has
// nothing to say, and had not before, that is p itself.
func (p *Principal) Again() *Principal {
	if p.rules == nil || p.Role.operates() {
		return p
	}
	if p.granted == nil && !p.rules.Directory.speaksOf(p) {
		return p
	}
	q := *p
	if g := p.granted; g != nil {
		q.Role, q.Queues, q.Lists, q.Users, q.begins, q.granted = g.role, g.queues, g.lists, g.users, g.begins, nil
	}
	p.rules.Directory.apply(&q)
	if p.granted == nil && q.granted == nil { // what it said has been taken back meanwhile
		return p
	}
	return &q
}
