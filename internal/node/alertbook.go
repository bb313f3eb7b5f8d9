package node

import (
	"cmp"
	"slices"

	"rte/internal/bus"
	"rte/internal/derive"
	"rte/internal/event"
)

// An alertBook is everybody's alerts. It finds those of one user among any
// number: that is asked with each token that is shown. The zero value is empty.
type alertBook struct {
	byID   map[ownID]derive.Alert
	byUser map[ownID]map[event.GUID]struct{} // ids
}

// An ownID is an id of an organization's own.
type ownID struct{ org, id event.GUID }

// put keeps an alert.
func (b *alertBook) put(a derive.Alert) {
	key := ownID{a.Organization, a.ID}
	if was, ok := b.byID[key]; ok && was.User != a.User {
		b.remove(a.Organization, a.ID)
	}
	if b.byID == nil {
		b.byID, b.byUser = map[ownID]derive.Alert{}, map[ownID]map[event.GUID]struct{}{}
	}
	b.byID[key] = a
	user := ownID{a.Organization, a.User}
	if b.byUser[user] == nil {
		b.byUser[user] = map[event.GUID]struct{}{}
	}
	b.byUser[user][a.ID] = struct{}{}
}

// remove forgets an alert; one that is not there is no error.
func (b *alertBook) remove(org, id event.GUID) {
	a, ok := b.byID[ownID{org, id}]
	if !ok {
		return
	}
	delete(b.byID, ownID{org, id})
	user := ownID{org, a.User}
	delete(b.byUser[user], id)
	if len(b.byUser[user]) == 0 {
		delete(b.byUser, user)
	}
}

// of are a user's, the oldest first.
func (b *alertBook) of(org, user event.GUID) []derive.Alert {
	list := make([]derive.Alert, 0, len(b.byUser[ownID{org, user}]))
	for id := range b.byUser[ownID{org, user}] {
		list = append(list, b.byID[ownID{org, id}])
	}
	slices.SortFunc(list, func(a, b derive.Alert) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	return list
}

// told takes what the shelf says.
func (c *consequences) told(e bus.Entry[derive.Alert]) {
	org, id, ok := readKey(e.Key)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Deleted {
		c.alerts.remove(org, id)
		return
	}
	a := e.Value
	a.Organization, a.ID = org, id
	c.alerts.put(a)
}

// alertsOf are a user's alerts, the oldest first.
func (c *consequences) alertsOf(org, user event.GUID) []derive.Alert {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.alerts.of(org, user)
}

// alert is one alert.
func (c *consequences) alert(org, id event.GUID) (derive.Alert, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, ok := c.alerts.byID[ownID{org, id}]
	return a, ok
}

// alertCount is how many alerts are kept.
func (c *consequences) alertCount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.alerts.byID)
}
