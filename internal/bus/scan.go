package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rte/internal/event"
)

// Reading all of an organization, for those who want to go on where they were.

// A Position is a place in all that is stored of an organization: one in each of
// its two streams. It is comparable.
type Position struct{ States, Events Cursor }

// String is the position's text: those of the cursors with a dot between them,
// URL-safe, at most 49 characters.
func (p Position) String() string { return p.States.String() + "." + p.Events.String() }

// Errors of positions.
var (
	// ErrPosition: the text is none.
	ErrPosition = errors.New("that is no position in the events, nor a cursor")
	// ErrGone: what came behind the position cannot be had any more. The store
	// is another one, or has forgotten some of it.
	ErrGone = errors.New("what came behind that position is not kept any more")
	// ErrRewound: the store has not come as far as the position. A leader that
	// was deposed says so for a moment; a store that has lost its newest events
	// goes on saying it until it has as many others.
	ErrRewound = errors.New("the store has not come as far as that position")
)

// Position reads a position's text, or the text of a cursor, which is a place in
// one stream only: the other is then read from its beginning. "" is the beginning
// of both: the newest value of every state, and all other events that are kept.
// Errors are [ErrPosition] or [ErrGone], or wrap [event.ErrUnavailable].
func (b *Bus) Position(ctx context.Context, org event.GUID, text string) (Position, error) {
	p, err := b.beginning(ctx, org)
	if err != nil || text == "" {
		return p, err
	}
	first, second, both := strings.Cut(text, ".")
	states, err := ParseCursor(first)
	if err != nil {
		return p, ErrPosition
	}
	if !both {
		if states.Lane == EventLane {
			p.Events = states
		} else {
			p.States = states
		}
		return p, b.known(p, org)
	}
	events, err := ParseCursor(second)
	if err != nil || states.Lane != StateLane || events.Lane != EventLane {
		return p, ErrPosition
	}
	p = Position{states, events}
	return p, b.known(p, org)
}

// known tells whether a position is one of the present streams.
func (b *Bus) known(p Position, org event.GUID) error {
	for _, c := range [...]Cursor{p.States, p.Events} {
		if s := b.streams[c.Lane][partitionOf(org, partitions)]; c.Store != s.identity.Load() || c.Partition != s.partition {
			return ErrGone
		}
	}
	return nil
}

// beginning is the position before all that is kept.
func (b *Bus) beginning(ctx context.Context, org event.GUID) (Position, error) {
	// States are never forgotten, only replaced.
	return b.position(ctx, org, func(l Lane, is look) uint64 {
		if l == StateLane {
			return 0
		}
		return max(1, is.first) - 1
	})
}

// End is the position behind all that is stored when it is called. It tries for
// five seconds, or until ctx ends; errors wrap [event.ErrUnavailable].
func (b *Bus) End(ctx context.Context, org event.GUID) (Position, error) {
	return b.position(ctx, org, func(_ Lane, is look) uint64 { return is.last })
}

func (b *Bus) position(ctx context.Context, org event.GUID, at func(Lane, look) uint64) (Position, error) {
	ctx, cancel := context.WithTimeout(ctx, getWait)
	defer cancel()
	defer context.AfterFunc(b.life, cancel)()
	var lanes [2]Cursor
	for lane := range lanes {
		s := b.streams[lane][partitionOf(org, partitions)]
		is, err := b.lookPatiently(ctx, s)
		if err != nil {
			return Position{}, fmt.Errorf("find a position: %w", err)
		}
		lanes[lane] = Cursor{Store: s.identity.Load(), Lane: s.lane, Partition: s.partition, Sequence: at(s.lane, is)}
	}
	return Position{States: lanes[StateLane], Events: lanes[EventLane]}, nil
}

// Scan is what the store has of an organization in one of its streams behind a
// place: oldest first, as much as comes at once. The events' cursors are places
// to go on behind, and so is next: up to there everything has been given. all
// tells that this was everything that was stored when Scan was called; if not,
// it is to be called again.
//
// A state that was replaced is not there any more, only its newest value is. If
// other events behind the place have been forgotten the error is [ErrGone]; so
// it is if the store is another one. It tries for five seconds, or until ctx
// ends; errors then wrap [event.ErrUnavailable], and so does [ErrRewound]. Some 50 calls of this and of
// Read go on at a time.
func (b *Bus) Scan(ctx context.Context, org event.GUID, after Cursor) (events []*event.Event, next Cursor, all bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, getWait)
	defer cancel()
	defer context.AfterFunc(b.life, cancel)()
	select {
	case b.reading <- struct{}{}:
		defer func() { <-b.reading }()
	case <-ctx.Done():
		return nil, after, false, fmt.Errorf("scan events: %w: %w", event.ErrUnavailable, context.Cause(ctx))
	}
	s := b.streams[after.Lane][partitionOf(org, partitions)]
	is, err := b.lookPatiently(ctx, s)
	if err != nil {
		return nil, after, false, fmt.Errorf("scan events: %w", err)
	}
	switch {
	case after.Store != s.identity.Load() || after.Store != identity(s.name, is.created): // it is noticed once a second
		return nil, after, false, ErrGone
	case is.last < after.Sequence:
		return nil, after, false, fmt.Errorf("scan events: %w: %w", ErrRewound, event.ErrUnavailable)
	case is.last == after.Sequence:
		return nil, after, true, nil
	}
	list, from, all, err := b.ordered(ctx, b.readGetter, s, reading{org: org, filter: s.orgFilter(org), from: after.Sequence + 1, upTo: is.last})
	if err == nil && s.lane == EventLane {
		is.first, err = b.firstKept(ctx, s) // only now: what is forgotten while it is read would be missing, too
	}
	switch {
	case err != nil:
		return nil, after, false, fmt.Errorf("scan events: %w", err)
	case s.lane == EventLane && is.first > after.Sequence+1:
		return nil, after, false, ErrGone
	}
	events = make([]*event.Event, len(list))
	for i, one := range list {
		events[i] = one.event
	}
	next = after
	if next.Sequence = from - 1; all {
		next.Sequence = max(next.Sequence, is.last)
	}
	return events, next, all, nil
}

// firstKept is the sequence of the oldest message that a stream keeps.
func (b *Bus) firstKept(ctx context.Context, s *stream) (uint64, error) {
	is, err := b.lookPatiently(ctx, s)
	return is.first, err
}
