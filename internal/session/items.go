package session

import (
	"encoding/json"
	"fmt"
	"strings"

	"rte/internal/event"
	"rte/signalr"
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

// A text may be missing, or null.
type text struct {
	value string
	given bool
}

// UnmarshalJSON takes a JSON string or null.
func (t *text) UnmarshalJSON(b []byte) error {
	*t = text{}
	if string(b) == "null" {
		return nil
	}
	t.given = true
	return json.Unmarshal(b, &t.value)
}

// or is the text, null for none.
func (t text) or() *string {
	if !t.given {
		return nil
	}
	return &t.value
}

// An item is one {EntityId, EventName} as a client sends it; members that it
// does not know are ignored.
type item struct {
	entity, name text
	after        cursor
	snapshot     *bool
	null         bool // null stands in its place
}

// UnmarshalJSON reads an item in all the ways that there are.
func (it *item) UnmarshalJSON(b []byte) error {
	if *it = (item{}); string(b) == "null" {
		it.null = true
		return nil
	}
	var members struct {
		EntityID  text   `json:"entityId"`
		EventName text   `json:"eventName"`
		After     cursor `json:"after"`
		Snapshot  *bool  `json:"snapshot"`
	}
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	*it = item{entity: members.EntityID, name: members.EventName, after: members.After, snapshot: members.Snapshot}
	return nil
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
	entity, name text   // to echo: normalised where valid, else as sent
	problem      string // the first check that failed, or ""
	pair         event.Pair
	kind         *event.Type // nil while problem is not ""
	after        cursor
	snapshot     *bool
}

// resumes tells whether the client wants to know where it has joined.
func (r request) resumes() bool { return r.after.given || r.snapshot != nil }

// read takes the one argument of Subscribe and its kin. Elements may be null:
// the page's C# sample sends [{…}, null] (I32). Wrong JSON types fail the
// call, as the released server's binding does.
func (h *Handler) read(call *hub.Call) ([]request, error) {
	items, err := h.items(call)
	if err != nil {
		return nil, err
	}
	if len(items) > h.o.MaxItems {
		h.tooMany.Add(1)
		return nil, &hub.Error{Text: fmt.Sprintf("Too many items: %d in one call, at most %d are allowed. Use several calls.", len(items), h.o.MaxItems)}
	}
	requests := make([]request, len(items))
	for i := range items {
		requests[i] = h.check(&items[i])
	}
	return requests, nil
}

// items are the argument's, unchecked.
func (h *Handler) items(call *hub.Call) ([]item, error) {
	if args := call.Invocation.Arguments; len(args) == 1 {
		if raw, ok := args[0].(signalr.Raw); ok {
			if argument, err := raw.JSON(); err == nil {
				if items, ok := quickItems(argument, h.o.MaxItems); ok {
					return items, nil
				}
			}
		}
	}
	var items []item
	if err := call.Bind(&items); err != nil {
		return nil, err
	}
	if items == nil { // null instead of a list
		return nil, hub.BadArguments()
	}
	return items, nil
}

// check makes the page's first two checks, in its order: is EntityId a Guid,
// is EventName a known name.
func (h *Handler) check(it *item) request {
	if it.null {
		return request{problem: invalidEntity}
	}
	r := request{entity: it.entity, after: it.after, snapshot: it.snapshot}
	if it.name.given {
		r.name = it.name
		t, ok := h.cat.Lookup(it.name.value)
		switch {
		case ok:
			r.kind, r.pair.Kind = t, t.Kind
			r.name.value = h.nameOf(t)
		case !h.o.CatalogNames:
			r.name.value = strings.ToLower(it.name.value)
		}
	}
	if r.kind == nil {
		r.problem = invalidEvent
	}
	id, err := event.ParseGUID(it.entity.value)
	if !it.entity.given || err != nil {
		r.problem = invalidEntity
		return r
	}
	r.pair.Entity = id
	var buffer [36]byte
	if spelling := id.AppendText(buffer[:0]); string(spelling) != it.entity.value {
		r.entity.value = string(spelling)
	}
	return r
}
