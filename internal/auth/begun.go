package auth

import (
	"time"

	"rte/internal/event"
)

// Rights have a beginning where somebody gave them at a moment: the platform,
// by what it posts or by a queue's members, or the resolver. What a token
// claims has none. A replay must not reach behind it.

// A begun says when ids came to be visible. nil: all of them always were.
type begun struct {
	all time.Time                // of every id that is not in of; zero is no beginning
	of  map[event.GUID]time.Time // never changed once a principal has it
}

func (b *begun) at(id event.GUID) time.Time {
	if b == nil {
		return time.Time{}
	}
	if t, ok := b.of[id]; ok {
		return t
	}
	return b.all
}

// beginnings are those of a principal's rights. nil: none has one.
type beginnings struct {
	role time.Time // of what the role opens
	sets [sortEnd]*begun
}

func (b *beginnings) ofRole() time.Time {
	if b == nil {
		return time.Time{}
	}
	return b.role
}

func (b *beginnings) of(s Sort) *begun {
	if b == nil {
		return nil
	}
	return b.sets[s]
}

// Since is when the right to hear the event of the entity began: the zero time
// if it has no beginning. Of several rights to the same the oldest counts. It
// means something only where [Principal.May] is true.
func (p *Principal) Since(t *event.Type, entity event.GUID) time.Time {
	if p.begins == nil || t == nil || int(p.Role) >= len(reaches) || entity == p.User && t.Hearers&event.Self != 0 {
		return time.Time{}
	}
	r := reaches[p.Role]
	if p.rules != nil && p.rules.OpenAvailability && t.Name == openEvent && r.relations != 0 {
		return time.Time{}
	}
	role := p.begins.ofRole()
	if r.everything {
		return role
	}
	enough := t.Hearers & r.relations
	var first earliest
	if enough&event.Supervisor != 0 && p.belongs(t, entity) {
		first.add(role)
	}
	for _, way := range [...]struct {
		plain, managed event.Hearers
		set            *Set
		sort           Sort
	}{
		{event.Users, event.ManagedUsers, &p.Users, Users},
		{event.Queues, 0, &p.Queues, Queues},
		{event.Lists, event.ManagedLists, &p.Lists, Lists},
	} {
		if enough&(way.plain|way.managed) == 0 || !way.set.Has(entity) {
			continue
		}
		at := p.begins.of(way.sort).at(entity)
		if enough&way.plain != 0 {
			first.add(at)
		}
		if enough&way.managed != 0 {
			first.add(later(at, role))
		}
	}
	return first.at
}

// earliest is the least of the times that are added.
type earliest struct {
	at  time.Time
	any bool
}

func (e *earliest) add(t time.Time) {
	if !e.any || t.Before(e.at) {
		e.at, e.any = t, true
	}
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
