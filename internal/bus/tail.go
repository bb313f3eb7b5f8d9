package bus

import (
	"context"
	"time"

	"rte/internal/event"
)

// Partitions is the number of partitions of the store. Every organization
// lives in one.
const Partitions = partitions

// PartitionFor is the partition in which an organization lives.
func PartitionFor(org event.GUID) int { return partitionOf(org, partitions) }

// A Tail is where to begin to read one of a partition's streams.
type Tail struct {
	Partition int
	Lane      Lane

	// After is the sequence number behind which to begin, of the event lane. One
	// that the stream has not reached means that it was made anew: all of it is
	// read. The state lane always begins with the newest of each pair.
	After uint64

	// Kinds are the events to be read; none: all of the lane.
	Kinds []event.Kind
}

// tailCheck is how often a tail is compared with the stream's leader, for what
// the live lane has lost without a trace.
const tailCheck = time.Second

// Tail gives sink every event of a partition's stream, of all organizations,
// in the order of the store: what is there, then what is stored from then on,
// until ctx ends, the bus is closed, or sink returns an error, which is then
// returned. caught is called, by the same goroutine, once all that was there has
// been given. It is for the partition's owner, who would need a flow for every
// organization else.
//
// What is new is taken from the live lane. Numbers of a stream have no gap, so
// whatever that leaves out shows at once and is read from the store, and what
// was lost at the end within a second or two. States that were replaced before
// they could be read are gone. A sink may take its time: what waits for it is
// bounded, and beyond is read from the store. While the store is away Tail waits.
func (b *Bus) Tail(ctx context.Context, t Tail, sink event.Sink, caught func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(b.life, func() { cancel(errClosed) })()
	s := b.streams[t.Lane][t.Partition]
	r := &tailReader{bus: b, stream: s, sink: sink, at: t.After, identity: s.identity.Load()}
	if t.Lane == StateLane {
		r.at = 0
	}
	if len(t.Kinds) > 0 {
		r.wanted = make([]bool, len(b.catalog.Events))
		for _, k := range t.Kinds {
			r.wanted[k] = true
		}
	}
	// Before anything is read, so that nothing lies between.
	tap, err := b.openTap(s, r.wanted)
	if err != nil {
		return err
	}
	defer tap.close()
	if err := r.begin(ctx, caught); err != nil {
		return ended(ctx, err)
	}
	return ended(ctx, r.follow(ctx, tap))
}

// ended is why something ended: the context's cause before the error that came
// of it.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// A tailReader reads a stream in the order of its numbers.
type tailReader struct {
	bus    *Bus
	stream *stream
	wanted []bool // by kind; nil: all
	sink   event.Sink

	at       uint64 // everything up to this number has been given
	identity uint32 // of the stream that it is a number of
	less     int    // looks in a row at which the stream had not come as far
}

// begin gives what is there.
func (r *tailReader) begin(ctx context.Context, caught func()) error {
	now, err := r.bus.lookPatiently(ctx, r.stream)
	if err != nil {
		return err
	}
	if now.last < r.at {
		r.at = 0
	}
	if err := r.read(ctx, now.last); err != nil {
		return err
	}
	caught()
	return nil
}

// follow gives what is new.
func (r *tailReader) follow(ctx context.Context, tap *tap) error {
	tick := time.NewTicker(tailCheck)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case one := <-tap.inside:
			err = r.heard(ctx, one)
		case m := <-tap.live:
			if one, ok := r.bus.readTapped(r.stream, m); ok {
				err = r.heard(ctx, one)
			}
		case <-tick.C:
			err = r.check(ctx, tap)
		}
		if err != nil {
			return err
		}
	}
}

// heard takes one message of the live lane.
func (r *tailReader) heard(ctx context.Context, one stored) error {
	switch {
	case one.sequence <= r.at:
		return nil // it was read from the store
	case one.sequence > r.at+1:
		return r.read(ctx, one.sequence)
	}
	r.at = one.sequence
	return r.give(ctx, one.event)
}

// give hands one event on. nil is one that nobody wants.
func (r *tailReader) give(ctx context.Context, e *event.Event) error {
	if e == nil || r.wanted != nil && !r.wanted[e.Kind] {
		return nil
	}
	return r.sink(ctx, e)
}

// read gives what the store has up to a number.
func (r *tailReader) read(ctx context.Context, upTo uint64) error {
	next := reading{filter: ">", from: r.at + 1, upTo: upTo}
	for whole := r.at >= upTo; !whole; {
		var list []stored
		var err error
		if list, next.from, whole, err = r.bus.ordered(ctx, r.bus.getter, r.stream, next); err != nil {
			return err
		}
		for _, one := range list {
			r.at = max(r.at, one.sequence)
			if err := r.give(ctx, one.event); err != nil {
				return err
			}
		}
	}
	r.at = max(r.at, upTo)
	return nil
}

// check compares with the stream's leader. A stream that was wiped is read from
// its beginning, one that has lost its newest messages from its end on.
func (r *tailReader) check(ctx context.Context, tap *tap) error {
	now, err := r.bus.lookPatiently(ctx, r.stream)
	if err != nil {
		return err
	}
	if id := identity(r.stream.name, now.created); id != r.identity {
		if id != r.stream.identity.Load() {
			return nil // the lookout has to notice first: cursors have it
		}
		r.identity, r.at = id, 0
	}
	if now.last >= r.at {
		r.less = 0
	} else if r.less++; r.less >= lessMany || r.less >= lessAlone && r.stream.alone() {
		r.at, r.less = now.last, 0
	}
	if !tap.empty() {
		return nil // it comes
	}
	return r.read(ctx, now.last)
}
