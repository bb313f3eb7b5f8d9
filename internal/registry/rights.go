package registry

import (
	"context"
	"fmt"

	"rte/internal/auth"
	"rte/internal/bus"
	"rte/internal/event"
)

// MaxIDs is how many ids the rights of a user may have, those that were taken
// back lately included.
const MaxIDs = 10_000

// A Change of a user's rights. What is nil stays as it is: as it was set before,
// or as the token has it.
type Change struct {
	// Reset gives everything back to the token, and then the rest is set.
	Reset                bool
	Role                 *auth.Role // User, GroupManager or Supervisor
	Queues, Lists, Users *[]event.GUID
}

// SetRights changes a user's rights. When it returns they hold on this node,
// and on the others within moments. Errors wrap [ErrTooLarge] or
// [event.ErrUnavailable].
func (r *Registry) SetRights(ctx context.Context, org, user event.GUID, c Change) error {
	return r.rights.change(ctx, key(org, user), func(was auth.Rights, ok bool) (auth.Rights, bool, error) {
		if c.Reset && !ok && c.empty() {
			return was, true, nil
		}
		now := r.o.Now().UTC()
		if c.Reset {
			was.Role, was.Queues, was.Lists, was.Users = was.Role.Unsay(now), was.Queues.Unsay(now), was.Lists.Unsay(now), was.Users.Unsay(now)
		}
		if c.Role != nil {
			was.Role = was.Role.Say(now, *c.Role)
		}
		n := 0
		for _, part := range []struct {
			ids *[]event.GUID
			of  *auth.Said[event.GUID]
		}{{c.Queues, &was.Queues}, {c.Lists, &was.Lists}, {c.Users, &was.Users}} {
			if part.ids != nil {
				*part.of = part.of.Say(now, *part.ids...)
			}
			for _, p := range part.of.Parts {
				n += len(p.IDs)
			}
		}
		if n > MaxIDs {
			return was, false, fmt.Errorf("%w: %d ids, at most %d are possible; a role may say the same", ErrTooLarge, n, MaxIDs)
		}
		return was, false, nil
	})
}

func (c *Change) empty() bool {
	return c.Role == nil && c.Queues == nil && c.Lists == nil && c.Users == nil
}

func (r *Registry) takeRights(e bus.Entry[auth.Rights]) {
	var org, user event.GUID
	if _, err := idsOf(e.Key, &org, &user); err != nil {
		r.strange("rights", e.Key)
		return
	}
	r.mu.Lock()
	rights := &e.Value
	if e.Deleted {
		rights = nil
		delete(r.users, e.Key)
	} else {
		r.users[e.Key] = struct{}{}
	}
	r.mu.Unlock()
	r.o.Directory.SetRights(org, user, rights)
	r.o.Reconsider(org, user)
}
