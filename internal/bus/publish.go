package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rte/internal/event"
)

// Publish stores events: in order within each pair, different pairs in
// parallel, one publish in flight per pair. It returns when every event is
// stored or refused. errs[i] belongs to events[i]; errs is nil when all went
// in. Every stored event gets its Cursor and, if it had none, its Time: the
// clock's when it was first sent, in UTC and whole milliseconds, the same for
// every receiver.
//
// An event whose ID was stored within the dedupe window counts as stored: it
// gets the stored one's Cursor and Time (the time of this call if that one can
// no longer be read, as when State has replaced it). When one event is refused, the later ones of its
// pair in the same call are refused too.
//
// An error that wraps [event.ErrUnavailable] means that the store gave no
// good answer until ctx ended, or for 10 seconds, or that there has been no
// connection to it for longer than that: the same events may be offered again. Such an event may be stored all the same, its answer lost;
// only one with an ID is then certain not to be stored twice. With the store
// inside, one without is not sent again by Publish either.
//
// Order is promised within a call and between calls that follow one another,
// not between concurrent ones. Publish is safe for concurrent use; Data must
// not be changed afterwards.
func (b *Bus) Publish(ctx context.Context, events []*event.Event) (errs []error) {
	if len(events) == 0 {
		return nil
	}
	c := &call{events: events, items: make([]item, len(events)), done: make(chan struct{}), left: len(events)}
	for i, e := range events {
		c.items[i] = b.newItem(c, i, e)
	}
	b.lanes.run(ctx, c)
	b.timeDuplicates(ctx, c)
	return c.errs
}

// newItem prepares one event for its lane. The item works on a copy: the
// caller may have its event back before the store has answered.
func (b *Bus) newItem(c *call, i int, e *event.Event) item {
	it := item{call: c, index: i}
	if e == nil || int(e.Kind) >= len(b.catalog.Events) {
		it.err = errors.New("no such event in the catalogue")
		return it
	}
	it.event = *e
	it.stream = b.streamOf(e.Topic)
	it.subject = it.stream.subject(e.Topic, b.catalog.Type(e.Kind).Key)
	// Each id is remembered for the dedupe window (some 140 bytes). Inside the
	// process no answer is lost on the way, so an event that its producer gave
	// none needs none either; a stream of them would take 200 MB.
	if e.ID != "" || b.shared {
		it.messageID = messageID(e.Org, e.ID)
	}
	return it
}

// timeDuplicates gives events that were stored before, by another call, the
// time they were stored with.
func (b *Bus) timeDuplicates(ctx context.Context, c *call) {
	for _, it := range c.duplicates {
		r, err := b.get(ctx, it.stream, it.event.Topic, it.sequence)
		if err != nil {
			return // the rest would wait as long
		}
		if r.event != nil {
			c.events[it.index].Time = r.event.Time
		}
	}
}

// A call is one Publish under way. Guarded by lanes.mu until it is done or
// abandoned, but for the items' fixed part.
type call struct {
	events []*event.Event
	items  []item
	done   chan struct{} // closed when left is 0

	left       int
	errs       []error
	duplicates []*item // stored before, with a time not known here
	abandoned  bool    // Publish returns; nobody may touch events any more
}

func (c *call) refuse(i int, err error) {
	if c.errs == nil {
		c.errs = make([]error, len(c.events))
	}
	c.errs[i] = err
}

// finish marks one item as answered.
func (c *call) finish() {
	if c.left--; c.left == 0 {
		close(c.done)
	}
}

// run sends the call's items through their lanes and waits for the answers.
func (l *lanes) run(ctx context.Context, c *call) {
	var err error
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", event.ErrUnavailable, context.Cause(ctx))
	} else {
		err = l.enter(c)
	}
	if err != nil {
		for i := range c.items {
			c.refuse(i, err)
		}
		return
	}
	defer l.calls.Done()
	l.wait(ctx, c)
	if l.folder.gone() {
		for i := range c.items {
			c.refuse(i, errGone)
		}
	}
}

// wait returns when the call is done or abandoned.
func (l *lanes) wait(ctx context.Context, c *call) {
	started := time.Now()
	ticker := time.NewTicker(l.tick)
	defer ticker.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-ctx.Done():
			l.abandon(c, fmt.Errorf("%w: %w", event.ErrUnavailable, context.Cause(ctx)))
			return
		case <-l.abort:
			l.abandon(c, errClosed)
			return
		case <-ticker.C:
			if time.Since(started) > l.giveUp {
				l.abandon(c, errNoAnswer)
				return
			}
			l.again(c)
		}
	}
}

var (
	errClosed   = fmt.Errorf("%w: the bus is closed", event.ErrUnavailable)
	errNoAnswer = fmt.Errorf("%w: no answer", event.ErrUnavailable)
	errNoStore  = fmt.Errorf("%w: no connection for a while", event.ErrUnavailable)
)
