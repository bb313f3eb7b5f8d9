package derive

import (
	"slices"

	"rte/internal/event"
)

// SetList says who is active on a list, and whether it hands callbacks out by
// itself; it replaces what was said before. A list is counted without it.
func (r *Rules) SetList(org, id event.GUID, autoAllocate bool, agents []event.GUID) {
	o := r.organization(org)
	l := r.list(o, id)
	if l == nil {
		return
	}
	before := l.is
	for _, a := range l.agents {
		u := o.users[a]
		u.lists = slices.DeleteFunc(u.lists, func(of *callList) bool { return of == l })
		r.dropUser(o, a)
	}
	l.agents = slices.Clone(agents)
	slices.SortFunc(l.agents, compareGUID)
	l.agents = slices.Compact(l.agents)
	l.registered = true
	l.is.auto, l.is.active, l.is.serving = autoAllocate, int32(len(l.agents)), 0
	for _, a := range l.agents {
		u := o.users[a]
		if u == nil {
			u = &user{}
			o.users[a] = u
			r.users++
		}
		u.lists = append(u.lists, l)
		if u.serving {
			l.is.serving++
		}
	}
	if l.is != before || !l.sent {
		r.touch(l, "")
	}
}

// UnsetList takes back what SetList said.
func (r *Rules) UnsetList(org, id event.GUID) {
	o := r.orgs[org]
	if o == nil || o.lists[id] == nil {
		return
	}
	r.SetList(org, id, false, nil)
	o.lists[id].registered = false
	r.touchEmpty(o.lists[id])
}

// userStatus keeps who serves callbacks. One that does not say leaves it as it
// was.
func (r *Rules) userStatus(o *organization, e *event.Event) {
	said := string(member(e.Data, "servingCallback"))
	serving := said == "true"
	u := o.users[e.Entity]
	switch {
	case said != "true" && said != "false", u == nil && !serving, u != nil && u.serving == serving:
		return
	case u == nil && r.users >= r.options.MaxEntities:
		r.stats.Refused++
		return
	case u == nil:
		u = &user{}
		o.users[e.Entity] = u
		r.users++
	}
	u.serving = serving
	for _, l := range u.lists {
		if serving {
			l.is.serving++
		} else {
			l.is.serving--
		}
		r.touch(l, e.Cursor)
	}
	r.dropUser(o, e.Entity)
}

// dropUser forgets a user of whom there is nothing to know.
func (r *Rules) dropUser(o *organization, id event.GUID) {
	if u := o.users[id]; u != nil && !u.serving && len(u.lists) == 0 {
		delete(o.users, id)
		r.users--
	}
}
