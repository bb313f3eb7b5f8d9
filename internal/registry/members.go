package registry

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"rte/internal/auth"
	"rte/internal/bus"
	"rte/internal/event"
)

// membersEvent says who is attached to a queue, in full.
const membersEvent = "QueueAttachedUsers"

// members is what is known of a queue by its events: every node learns it from
// the same events in the same order, and whichever is first keeps it.
type members struct {
	At    time.Time `json:"at"` // when the event was stored that was read last
	Users []member  `json:"users"`
}

type member struct {
	User  event.GUID `json:"user"`
	Since time.Time  `json:"since,omitzero"`
	Left  time.Time  `json:"left,omitzero"`
}

func (m members) byUser() map[event.GUID]auth.Membership {
	of := make(map[event.GUID]auth.Membership, len(m.Users))
	for _, u := range m.Users {
		of[u.User] = auth.Membership{Since: u.Since, Left: u.Left}
	}
	return of
}

// follow learns from events from then on.
func (r *Registry) follow(ctx context.Context, cat *event.Catalog, opened func(func())) error {
	t, ok := cat.Lookup(membersEvent)
	if !ok {
		return errors.New("the catalogue has no event " + membersEvent)
	}
	life, cancel := context.WithCancel(context.Background())
	stop, err := r.bus.States(ctx, t, func(e *event.Event) { r.learn(life, e) })
	if err != nil {
		cancel()
		return err
	}
	opened(func() {
		cancel()
		stop()
	})
	return nil
}

// learnPause is the time between two tries to keep what an event says.
const learnPause = time.Second

// learn keeps what an event says, however long the store is away: the queue's
// next event may be far.
func (r *Registry) learn(ctx context.Context, e *event.Event) {
	var payload struct {
		AttachedUsers json.RawMessage `json:"attachedUsers"`
	}
	var list event.QueueAttachedUsers
	if err := errors.Join(json.Unmarshal(e.Data, &payload), json.Unmarshal(e.Data, &list)); err != nil || payload.AttachedUsers == nil {
		r.o.Logger.Warn("members not learnt", "org", e.Org, "entity", e.Entity, "reason", "the event does not have them")
		return
	}
	attached := map[event.GUID]bool{}
	for _, u := range list.AttachedUsers {
		attached[u.UserID] = true
	}
	for {
		_, err := r.members.kv.Change(ctx, key(e.Org, e.Entity), func(was members, _ bool) (members, bool, error) {
			next, same := was.then(e.Stored.UTC(), attached, r.o.Now().Add(-r.o.Life))
			return next, same, nil
		})
		if err == nil || ctx.Err() != nil {
			return
		}
		r.o.Logger.Warn("members not kept", "org", e.Org, "entity", e.Entity, "err", err)
		if !errors.Is(err, event.ErrUnavailable) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(learnPause):
		}
	}
}

// then is what is known behind an event; same if that is not new. Who left
// before old is forgotten: no token of that time is good any more.
func (m members) then(at time.Time, attached map[event.GUID]bool, old time.Time) (next members, same bool) {
	if !m.At.Before(at) {
		return m, true // another node was quicker
	}
	same = true
	next.At = at
	left := maps.Clone(attached)
	for _, u := range m.Users {
		in := auth.Membership{Since: u.Since, Left: u.Left}.In()
		switch {
		case in && !attached[u.User]:
			u.Left, same = at, false
		case !in && attached[u.User]:
			u.Since, same = at, false
		}
		delete(left, u.User)
		if !attached[u.User] && u.Left.Before(old) {
			continue
		}
		next.Users = append(next.Users, u)
	}
	for user := range left {
		next.Users, same = append(next.Users, member{User: user, Since: at}), false
	}
	return next, same
}

func (r *Registry) takeMembers(e bus.Entry[members]) {
	var org, queue event.GUID
	if _, err := idsOf(e.Key, &org, &queue); err != nil {
		r.strange("members", e.Key)
		return
	}
	r.mu.Lock()
	before := r.queues[e.Key].byUser()
	if e.Deleted {
		delete(r.queues, e.Key)
	} else {
		r.queues[e.Key] = e.Value
	}
	r.mu.Unlock()
	after := e.Value.byUser()
	changed := map[event.GUID]auth.Membership{}
	for user := range before {
		if after[user] != before[user] {
			changed[user] = after[user]
		}
	}
	for user, m := range after {
		if m != before[user] {
			changed[user] = m
		}
	}
	for user, m := range changed {
		r.o.Directory.SetMember(org, queue, user, m)
		r.o.Reconsider(org, user)
	}
}
