package journal

import (
	"context"
	"time"

	"rte/internal/event"
)

// A Store is where events come from: the bus.
type Store interface {
	// Follow gives an organization's events to sink, whole: first the newest
	// value of each state and every other event stored within the last window,
	// then all that is stored from then on. Each pair's come in order, none
	// twice, none left out, one call at a time. It returns when all that was
	// there has been given.
	Follow(ctx context.Context, org event.GUID, window time.Duration, sink event.Sink) (Flow, error)
	// Place reads a cursor of a topic; ok is false if it is none, or of
	// another store, stream or partition.
	Place(t event.Topic, cursor string) (sequence uint64, ok bool)
	// CursorAt is the cursor of a place.
	CursorAt(t event.Topic, sequence uint64) string
	// Read is what the store has of a topic behind after and up to upTo,
	// oldest first, at most most events. whole tells whether nothing behind
	// after has been forgotten of the stream, more whether most cut it short.
	Read(ctx context.Context, t event.Topic, after, upTo uint64, most int) (events []*event.Event, whole, more bool, err error)
}

// A Flow is an organization's events on their way.
type Flow interface {
	// Floor is the number up to which every event has been given, of the
	// states' stream or of the others'.
	Floor(state bool) uint64
	// Oldest is the number behind which every event of the others' stream
	// has been given.
	Oldest() uint64
	// Stop ends the flow and waits for the last call of its sink.
	Stop()
}
