package registry

import (
	"context"
	"fmt"

	"rte/internal/bus"
	"rte/internal/event"
)

// A CallList is what the platform has said of a call list. It never changes.
type CallList struct {
	Name         string       `json:"name,omitempty"`
	AutoAllocate bool         `json:"isAutoAllocate"`
	Agents       []event.GUID `json:"agents"`
}

// MaxAgents is how many agents a list may have.
const MaxAgents = 10_000

// SetList replaces a call list. When it returns that holds on this node, and on
// the others within moments. Errors wrap [ErrTooLarge] or
// [event.ErrUnavailable].
func (r *Registry) SetList(ctx context.Context, org, list event.GUID, l CallList) error {
	if len(l.Agents) > MaxAgents {
		return fmt.Errorf("%w: %d agents, at most %d are possible", ErrTooLarge, len(l.Agents), MaxAgents)
	}
	return r.lists.change(ctx, key(org, list), func(CallList, bool) (CallList, bool, error) { return l, false, nil })
}

// List is a call list of an organization; false if the platform has not said
// anything of it.
func (r *Registry) List(org, list event.GUID) (CallList, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.callLists[org][list]
	return l, ok
}

// A ListChange says what holds of a call list now.
type ListChange struct {
	Organization, ID event.GUID
	CallList
	Gone bool // nothing is said of it any more
}

// WatchLists gives take every call list, and returns then; after that every
// change, one at a time, until stop is called. take must not wait, nor call the
// registry.
func (r *Registry) WatchLists(take func(ListChange)) (stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for org, lists := range r.callLists {
		for id, l := range lists {
			take(ListChange{Organization: org, ID: id, CallList: l})
		}
	}
	w := &take
	r.listWatches[w] = struct{}{}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.listWatches, w)
	}
}

func (r *Registry) takeList(e bus.Entry[CallList]) {
	var org, list event.GUID
	if _, err := idsOf(e.Key, &org, &list); err != nil {
		r.strange("lists", e.Key)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for w := range r.listWatches {
		(*w)(ListChange{org, list, e.Value, e.Deleted})
	}
	if e.Deleted {
		delete(r.callLists[org], list)
		return
	}
	if r.callLists[org] == nil {
		r.callLists[org] = map[event.GUID]CallList{}
	}
	r.callLists[org][list] = e.Value
}
