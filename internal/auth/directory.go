package auth

import (
	"maps"
	"slices"
	"sync"

	"rte/internal/event"
)

// A Sort is what an entity of the directory is.
type Sort uint8

// The sorts of entities.
const (
	Users Sort = iota
	Queues
	Lists

	sortEnd
)

// sortTexts are the sorts as the directory's JSON names them.
var sortTexts = [...]string{Users: "users", Queues: "queues", Lists: "lists"}

// String is the sort as the directory's JSON names it.
func (s Sort) String() string {
	if s < sortEnd {
		return sortTexts[s]
	}
	return "unknown"
}

// sortOf is the sort of an event's entities.
func sortOf(t *event.Type) (Sort, bool) {
	switch t.Group {
	case "User":
		return Users, true
	case "Queue":
		return Queues, true
	case "CallList":
		return Lists, true
	}
	return 0, false
}

// An Entry is one entity of an organization.
type Entry struct {
	ID   event.GUID
	Name string // "" if the platform gave none
}

// A Directory is what the platform has told about its organizations: who and
// what belongs to them, by which names, and which rights differ from those in
// tokens. It is in memory only; what is to survive is its owner's to keep.
//
// The zero value and nil are an empty directory; nothing can be set in nil.
// Safe for concurrent use.
type Directory struct {
	mu    sync.RWMutex
	orgs  map[event.GUID]*orgDirectory
	homes map[event.GUID][]event.GUID // user → organizations that list it
}

type orgDirectory struct {
	names  [sortEnd]map[event.GUID]string
	rights map[event.GUID]*grant // by user
	// queues are what the queues' events say, by user and queue; the inner
	// maps never change.
	queues map[event.GUID]map[event.GUID]Membership
}

// Set replaces all entries of one sort of an organization. An empty list is as
// if there had never been one.
func (d *Directory) Set(org event.GUID, s Sort, entries []Entry) {
	names := make(map[event.GUID]string, len(entries))
	for _, e := range entries {
		names[e.ID] = e.Name
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.org(org)
	if s == Users {
		d.move(org, o.names[Users], names)
	}
	if o.names[s] = names; len(names) == 0 {
		o.names[s] = nil
	}
}

// org is an organization's part, made if it is not there. mu is held.
func (d *Directory) org(id event.GUID) *orgDirectory {
	o := d.orgs[id]
	if o == nil {
		if d.orgs == nil {
			d.orgs = map[event.GUID]*orgDirectory{}
		}
		o = &orgDirectory{rights: map[event.GUID]*grant{}, queues: map[event.GUID]map[event.GUID]Membership{}}
		d.orgs[id] = o
	}
	return o
}

// move keeps homes in step with an organization's users. mu is held.
func (d *Directory) move(org event.GUID, before, after map[event.GUID]string) {
	if d.homes == nil {
		d.homes = map[event.GUID][]event.GUID{}
	}
	for user := range before {
		if _, stays := after[user]; stays {
			continue
		}
		left := slices.DeleteFunc(d.homes[user], func(o event.GUID) bool { return o == org })
		if d.homes[user] = left; len(left) == 0 {
			delete(d.homes, user)
		}
	}
	for user := range after {
		if _, was := before[user]; !was {
			d.homes[user] = append(d.homes[user], org)
		}
	}
}

// SetRights gives a user rights in the place of its token's; nil is as if
// nothing had ever been said. They count for principals made from then on; who
// is connected keeps what it has until somebody makes its principal anew.
func (d *Directory) SetRights(org, user event.GUID, r *Rights) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r == nil {
		delete(d.org(org).rights, user)
		return
	}
	d.org(org).rights[user] = newGrant(r)
}

// SetMember says what is known of a user and a queue by the queue's events; the
// zero Membership is nothing. Like rights it counts for principals made from
// then on. Rights to queues that the platform has set stand above it.
func (d *Directory) SetMember(org, queue, user event.GUID, m Membership) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.org(org)
	queues := maps.Clone(o.queues[user])
	switch {
	case m != Membership{} && queues == nil:
		queues = map[event.GUID]Membership{queue: m}
	case m != Membership{}:
		queues[queue] = m
	default:
		delete(queues, queue)
	}
	if o.queues[user] = queues; len(queues) == 0 {
		delete(o.queues, user)
	}
}

// OrganizationOf is the organization that lists the user; false if none does,
// or more than one: then only the token can say which is meant.
func (d *Directory) OrganizationOf(user event.GUID) (event.GUID, bool) {
	if d == nil {
		return event.GUID{}, false
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if homes := d.homes[user]; len(homes) == 1 {
		return homes[0], true
	}
	return event.GUID{}, false
}

// Has tells whether the organization has the entity. known is false where the
// platform has posted no entries of this sort: then nobody can say.
func (d *Directory) Has(org event.GUID, s Sort, id event.GUID) (has, known bool) {
	names := d.names(org, s)
	_, has = names[id]
	return has, names != nil
}

// Name is an entity's name, "" if it has none or is not known.
func (d *Directory) Name(org event.GUID, s Sort, id event.GUID) string { return d.names(org, s)[id] }

// Entries are all of one sort, by id.
func (d *Directory) Entries(org event.GUID, s Sort) []Entry {
	names := d.names(org, s)
	list := make([]Entry, 0, len(names))
	for id, name := range names {
		list = append(list, Entry{id, name})
	}
	slices.SortFunc(list, func(a, b Entry) int { return compare(a.ID, b.ID) })
	return list
}

// names are the entries of one sort. The map never changes: Set makes another.
func (d *Directory) names(org event.GUID, s Sort) map[event.GUID]string {
	if d == nil || s >= sortEnd {
		return nil
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if o := d.orgs[org]; o != nil {
		return o.names[s]
	}
	return nil
}
