package event

import (
	"context"
	"errors"
	"strings"
	"time"
)

// ErrUnavailable means that the store cannot take the event now; nothing was
// stored, and the same event may be offered again later.
var ErrUnavailable = errors.New("the event store is not available, try again")

// A Pair is what a client subscribes to: one kind of event of one entity.
// It is comparable and serves as a map key inside one organization.
type Pair struct {
	Kind   Kind
	Entity GUID
}

// A Topic is a pair inside an organization. The organization is part of the
// key, so that two tenants that use the same entity id never meet: it comes
// from the token on the hearing side and from the publish envelope on the
// other.
type Topic struct {
	Org GUID
	Pair
}

// An Event is one thing that happened, checked and on its way to subscribers.
// It is immutable once it has left ingest; Data is shared by everybody.
type Event struct {
	Topic

	// Data is the payload: a JSON object with camelCase members, as the hub
	// sends it.
	Data []byte

	// ID is the producer's own id, unique within the organization; "" if
	// the producer gave none.
	ID string

	// Time is the envelope's time, else the store's, in UTC. Clients see it
	// with milliseconds.
	Time time.Time

	// Stored is when the store took the event, by the store's clock; zero
	// until it is stored. Only figures use it.
	Stored time.Time

	// Cursor is the event's place in the store as opaque text of at most 24
	// characters; "" until it is stored.
	Cursor string

	// Sequence is the event's number in its stream, from 1; 0 until it is
	// stored. The events of an organization whose newest value counts are in one
	// stream and all others in a second, so of two events of a pair the later
	// has the larger number.
	Sequence uint64

	// PreviousAssignedUser is who a callback belonged to before the change
	// this event reports; the zero GUID if the producer did not say.
	PreviousAssignedUser GUID

	// Traceparent is the producer's W3C trace context, or "".
	Traceparent string

	// Cause is the cursor of the event that this one follows from; "" for a
	// producer's, and where nothing but time has passed.
	Cause string
}

// OwnID begins the id of every event that RTE itself makes of others; the
// doors refuse it, so it tells them from a producer's.
const OwnID = "rte/"

// Own tells whether RTE made the event.
func (e *Event) Own() bool { return strings.HasPrefix(e.ID, OwnID) }

// A Sink takes one event further on its way: every stage of the pipeline has
// this shape. It must not keep ctx.
type Sink func(ctx context.Context, e *Event) error
