package session

import (
	"encoding/json"
	"fmt"
	"strings"

	"rte/internal/event"
	"rte/signalr/hub"
)

// The validation texts of the product's page, exactly.
const (
	invalidEntity = "Invalid EntityId"
	invalidEvent  = "Invalid event name"
	unauthorized  = "Unauthorized"
)

// tooMany is a further text: the connection has as many subscriptions as
// Options.MaxSubscriptions allows, or its user, organization or node has as
// many as fanout.Options.Most does.
const tooMany = "Too many subscriptions"

// An item is one {EntityId, EventName} as a client sends it; members that it
// does not know are ignored.
type item struct {
	EntityID  *string `json:"entityId"`
	EventName *string `json:"eventName"`
	After     cursor  `json:"after"`
	Snapshot  *bool   `json:"snapshot"`
}

// A cursor is the place from which a client wants to go on.
type cursor struct {
	given bool // the item has one, be it empty or null
	text  string
}

// UnmarshalJSON takes any value: what is no text is no cursor of ours, which is
// no error (contract: the client is told that nothing was recovered).
func (c *cursor) UnmarshalJSON(b []byte) error {
	c.given = true
	if string(b) == "null" || json.Unmarshal(b, &c.text) == nil {
		return nil
	}
	c.text = "?"
	return nil
}

// A request is an item as far as it could be understood.
type request struct {
	entity, name *string // to echo: normalised where valid, else as sent
	problem      string  // the first check that failed, or ""
	pair         event.Pair
	kind         *event.Type // nil while problem is not ""
	after        cursor
	snapshot     *bool
}

// resumes tells whether the client wants to know where it has joined.
func (r *request) resumes() bool { return r.after.given || r.snapshot != nil }

// read takes the one argument of Subscribe and its kin. Elements may be null:
// the page's C# sample sends [{…}, null] (I32). Wrong JSON types fail the
// call, as the released server's binding does.
func (h *Handler) read(call *hub.Call) ([]request, error) {
	var items []*item
	if err := call.Bind(&items); err != nil {
		return nil, err
	}
	if items == nil { // null instead of a list
		return nil, hub.BadArguments()
	}
	if len(items) > h.o.MaxItems {
		h.tooMany.Add(1)
		return nil, &hub.Error{Text: fmt.Sprintf("Too many items: %d in one call, at most %d are allowed. Use several calls.", len(items), h.o.MaxItems)}
	}
	requests := make([]request, len(items))
	for i, it := range items {
		requests[i] = h.check(it)
	}
	return requests, nil
}

// check makes the page's first two checks, in its order: is EntityId a Guid,
// is EventName a known name.
func (h *Handler) check(it *item) request {
	if it == nil {
		return request{problem: invalidEntity}
	}
	r := request{entity: it.EntityID, after: it.After, snapshot: it.Snapshot}
	if it.EventName != nil {
		name := *it.EventName
		t, ok := h.cat.Lookup(name)
		switch {
		case ok:
			r.kind, r.pair.Kind = t, t.Kind
			name = h.nameOf(t)
		case !h.o.CatalogNames:
			name = strings.ToLower(name)
		}
		r.name = &name
	}
	if r.kind == nil {
		r.problem = invalidEvent
	}
	id, ok := guid(it.EntityID)
	if !ok {
		r.problem = invalidEntity
		return r
	}
	text := id.String()
	r.entity, r.pair.Entity = &text, id
	return r
}

func guid(text *string) (event.GUID, bool) {
	if text == nil {
		return event.GUID{}, false
	}
	id, err := event.ParseGUID(*text)
	return id, err == nil
}
