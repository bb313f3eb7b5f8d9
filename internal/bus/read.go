package bus

import (
	"context"
	"errors"
	"fmt"

	"rte/internal/event"
)

// mostReading bounds the calls of Read under way; more wait.
const mostReading = 50

// Place reads a cursor's text for a topic: the sequence it stands for. ok is
// false if the text is malformed, or of another store (a wiped one), another
// lane or another partition.
func (b *Bus) Place(t event.Topic, cursor string) (sequence uint64, ok bool) {
	c, err := ParseCursor(cursor)
	if err != nil || int(t.Kind) >= len(b.catalog.Events) {
		return 0, false
	}
	s := b.streamOf(t)
	if c.Store != s.identity.Load() || c.Lane != s.lane || c.Partition != s.partition {
		return 0, false
	}
	return c.Sequence, true
}

// CursorAt is the text of a place in the topic's stream. The topic's kind must
// be one of the catalogue's.
func (b *Bus) CursorAt(t event.Topic, sequence uint64) string { return b.streamOf(t).cursor(sequence) }

// Read is what the store has of a topic behind one place and up to another,
// that one included: oldest first, at most most events. whole tells that
// nothing of it was forgotten for its age or the room it took: the store
// reaches back to after. State keeps the newest event only and is always
// whole. more tells that most cut it short.
//
// Some 50 calls go on at a time for the whole bus; more wait. It tries for ten
// seconds, or until ctx ends; errors wrap [event.ErrUnavailable].
func (b *Bus) Read(ctx context.Context, t event.Topic, after, upTo uint64, most int) (events []*event.Event, whole, more bool, err error) {
	if int(t.Kind) >= len(b.catalog.Events) {
		return nil, false, false, errors.New("read events: no such event in the catalogue")
	}
	if after >= upTo || most <= 0 {
		return nil, true, after < upTo, nil
	}
	ctx, cancel := context.WithTimeout(ctx, giveUp) // a leader may be lost, as for Publish
	defer cancel()
	defer context.AfterFunc(b.life, cancel)()
	select {
	case b.reading <- struct{}{}:
		defer func() { <-b.reading }()
	case <-ctx.Done():
		return nil, false, false, fmt.Errorf("read events: %w: %w", event.ErrUnavailable, context.Cause(ctx))
	}
	s := b.streamOf(t)
	events, more, err = b.readTopic(ctx, s, t, after, upTo, most)
	if err != nil {
		return nil, false, false, fmt.Errorf("read events: %w", err)
	}
	if s.lane == StateLane {
		return events, true, more, nil
	}
	// Only now: what is forgotten while it is read would be missing too.
	now, err := b.lookPatiently(ctx, s)
	if err != nil {
		return nil, false, false, fmt.Errorf("read events: %w", err)
	}
	return events, now.first <= after+1, more, nil
}

// readTopic reads up to a place, or until there are more than most.
func (b *Bus) readTopic(ctx context.Context, s *stream, t event.Topic, after, upTo uint64, most int) (events []*event.Event, more bool, err error) {
	r := reading{org: t.Org, filter: s.subject(t, b.catalog.Type(t.Kind).Key), from: after + 1, upTo: upTo, most: most + 1}
	for whole := false; !whole; {
		var list []stored
		if list, r.from, whole, err = b.ordered(ctx, b.readGetter, s, r); err != nil {
			return nil, false, err
		}
		for _, one := range list {
			switch {
			case one.sequence > upTo:
				return events, false, nil
			case len(events) == most:
				return events, true, nil
			}
			events = append(events, one.event)
		}
	}
	return events, false, nil
}
