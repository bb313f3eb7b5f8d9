package auth

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"rte/internal/event"
)

// How long a resolver's answer holds.
const (
	defaultTTL = time.Minute // if the answer does not say
	maxTTL     = time.Hour
)

// resolved is who the resolver says somebody is. It never changes.
type resolved struct {
	user    event.GUID // zero: sub is it
	org     event.GUID // zero: none
	role    Role
	demoted bool
	queues  Set
	lists   Set
	users   Set
	begins  *beginnings // set by the resolver before anybody has it
}

// begin says since when this answer's rights are: since the answer before, where
// that gave them, too, else from now on. Whoever forgets an answer makes its
// rights younger, never older.
func (r *resolved) begin(before *resolved, now time.Time) {
	r.begins = &beginnings{role: now}
	old := [sortEnd]*Set{{}, {}, {}}
	if before != nil {
		old = [sortEnd]*Set{Users: &before.users, Queues: &before.queues, Lists: &before.lists}
		if before.role == r.role {
			r.begins.role = before.begins.role
		}
	}
	for s, set := range [sortEnd]*Set{Users: &r.users, Queues: &r.queues, Lists: &r.lists} {
		b := &begun{all: now}
		if before != nil {
			b.all = before.begins.sets[s].all
		}
		for _, id := range set.ids {
			at := now
			if old[s].Has(id) {
				at = before.begins.sets[s].at(id)
			}
			if at.Equal(b.all) {
				continue
			}
			if b.of == nil {
				b.of = map[event.GUID]time.Time{}
			}
			b.of[id] = at
		}
		r.begins.sets[s] = b
	}
}

// parseResolved reads a resolver's answer.
func parseResolved(text []byte) (*resolved, time.Duration, error) {
	var a struct {
		UserID         string   `json:"userId"`
		OrganizationID string   `json:"organizationId"`
		Role           string   `json:"role"`
		Queues         []string `json:"queues"`
		Lists          []string `json:"lists"`
		Users          []string `json:"users"`
		TTL            *float64 `json:"ttl"` // seconds
	}
	if json.Unmarshal(text, &a) != nil || !strings.HasPrefix(strings.TrimSpace(string(text)), "{") {
		return nil, 0, errors.New("the answer is no JSON object with members of the right types")
	}
	r := &resolved{queues: idsOf(a.Queues), lists: idsOf(a.Lists), users: idsOf(a.Users)}
	var err error
	if a.UserID != "" {
		if r.user, err = event.ParseGUID(a.UserID); err != nil {
			return nil, 0, errors.New("the answer's userId is not a Guid")
		}
	}
	if a.OrganizationID != "" {
		if r.org, err = event.ParseGUID(a.OrganizationID); err != nil {
			return nil, 0, errors.New("the answer's organizationId is not a Guid")
		}
	}
	if a.Role != "" {
		known := false
		if r.role, known = ParseRole(a.Role); !known || r.role.operates() {
			r.role, r.demoted = User, true
		}
	}
	ttl := defaultTTL
	if a.TTL != nil {
		ttl = time.Duration(min(max(*a.TTL, 0), maxTTL.Seconds()) * float64(time.Second))
	}
	return r, ttl, nil
}

// idsOf makes a set; what is no Guid gives no right.
func idsOf(texts []string) Set {
	ids := make([]event.GUID, 0, len(texts))
	for _, text := range texts {
		if id, err := event.ParseGUID(text); err == nil && !id.IsZero() {
			ids = append(ids, id)
		}
	}
	return NewSet(ids...)
}

// fill makes a principal of what the resolver says. What the claims say of
// organization, role and ids does not count then, so that nobody has to ask
// which of two is right.
func (r *resolved) fill(p *Principal) *Error {
	if !r.user.IsZero() {
		p.User, p.Subject = r.user, ""
	}
	p.Org, p.Role, p.Demoted = r.org, r.role, r.demoted
	p.Queues, p.Lists, p.Users, p.begins = r.queues, r.lists, r.users, r.begins
	switch {
	case p.User.IsZero():
		return &Error{ReasonSubject, "the resolver's answer has no userId, and the token's user is not a Guid"}
	case p.Org.IsZero():
		return &Error{ReasonOrganization, "the resolver's answer has no organizationId"}
	}
	return nil
}

// bytes is about what an answer takes in memory.
func (r *resolved) bytes() int {
	if r == nil {
		return 0
	}
	n := 320 + 16*(r.queues.Len()+r.lists.Len()+r.users.Len())
	for _, b := range r.begins.sets {
		n += 64 * len(b.of)
	}
	return n
}

// questionOf leaves out of the claims what differs from one token of a user to
// the next. Everything else is part of the question: the resolver may go by
// any claim, and two tenants may have a user of the same id.
func questionOf(claims string) (q question) {
	h := sha256.New()
	var size [8]byte
	add := func(s string) {
		binary.BigEndian.PutUint64(size[:], uint64(len(s)))
		h.Write(size[:])
		h.Write([]byte(s))
	}
	eachMember(claims, func(name, value string) bool {
		switch name {
		case "exp", "nbf", "iat", "jti":
		default:
			add(name)
			add(value)
		}
		return true
	})
	h.Sum(q[:0])
	return q
}

// A memory holds answers, those used last, bounded in bytes. Its owner locks.
type memory struct {
	bytes, limit int
	entries      map[question]*list.Element
	byUse        *list.List // of *remembered, the one used last in front
}

type remembered struct {
	q     question
	found *resolved
	err   error // instead
	until time.Time
}

// rememberedBytes is about what an entry takes beside the answer.
const rememberedBytes = 240

func newMemory(limit int) memory {
	return memory{limit: limit, entries: map[question]*list.Element{}, byUse: list.New()}
}

// get finds an answer whose time is not over, or with late any but a refusal.
func (m *memory) get(q question, now time.Time, late bool) (found *resolved, ok bool, err error) {
	e := m.entries[q]
	if e == nil {
		return nil, false, nil
	}
	r := e.Value.(*remembered)
	holds := now.Before(r.until) || late && r.err == nil
	if !holds {
		return nil, false, nil
	}
	m.byUse.MoveToFront(e)
	return r.found, true, r.err
}

// last is the answer that was given last, however long ago; nil if it is
// forgotten or was a refusal.
func (m *memory) last(q question) *resolved {
	if e := m.entries[q]; e != nil {
		return e.Value.(*remembered).found
	}
	return nil
}

func (m *memory) put(q question, found *resolved, err error, until time.Time) {
	if e := m.entries[q]; e != nil {
		m.drop(e)
	}
	m.entries[q] = m.byUse.PushFront(&remembered{q, found, err, until})
	m.bytes += rememberedBytes + found.bytes()
	for m.bytes > m.limit && m.byUse.Len() > 1 {
		m.drop(m.byUse.Back())
	}
}

func (m *memory) drop(e *list.Element) {
	r := m.byUse.Remove(e).(*remembered)
	delete(m.entries, r.q)
	m.bytes -= rememberedBytes + r.found.bytes()
}
