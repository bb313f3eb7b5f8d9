package client

import (
	"context"
	"iter"
	"time"

	"rte/signalr"
)

// Stream calls a hub method that answers with items. Each loop over the
// result is a call of its own, made when it begins:
//
//	for item, err := range c.Stream(ctx, "Count", 10) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// An error is the last that a loop is given: a [*ServerError] of the hub's,
// [ErrLost] when the connection is lost, that of ctx, or [ErrOverrun]. Leaving
// the loop early, and the end of ctx, cancel the stream at the hub. An item is
// never nil. An argument that is an [Upload] is a stream to the method.
//
// Items that the loop has not taken wait. While some are waiting nothing more
// is read from the connection, so that the hub sends no faster than the loop
// takes. That cannot last: the program may wait for something else from the
// hub, which may be what the loop waits for, and servers give up a connection
// that is not read for ten seconds. So in these cases more is read, and wait up
// to Options.MaxStreamBytes; beyond, the stream ends with ErrOverrun.
func (c *Client) Stream(ctx context.Context, target string, args ...any) iter.Seq2[signalr.Value, error] {
	return func(yield func(signalr.Value, error) bool) {
		if err := c.stream(ctx, target, args, yield); err != nil {
			yield(nil, err)
		}
	}
}

// stream gives items to yield. Its error is to be given, too.
func (c *Client) stream(ctx context.Context, target string, args []any, yield func(signalr.Value, error) bool) error {
	s, err := c.connection(ctx)
	if err != nil {
		return err
	}
	id, k := s.open(true)
	defer s.forget(id, k)
	m, uploads := c.invocation(target, args)
	m.ID, m.Stream = id, true
	if err := s.ask(ctx, k, m); err != nil {
		return err
	}
	defer s.upload(ctx, uploads)()
	for {
		v, end, err := s.next(ctx, k)
		switch {
		case err != nil:
			return err
		case v == nil && end.Error != "":
			return &ServerError{Text: end.Error}
		case v == nil || !yield(v, nil):
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

const (
	// holdBytes is how much of a stream may wait before the reader does.
	holdBytes = 64 << 10
	// holdTime is for how long it does, while nothing is taken; released
	// servers abort a connection that takes nothing for 10 s.
	holdTime = 5 * time.Second
	// itemBytes is what an item costs beside its message.
	itemBytes = 64
)

// item takes an item of a stream of this side's; it waits while too many do.
func (s *conn) item(m *signalr.StreamItem, n int) {
	v := m.Item
	if v == nil {
		v = signalr.Null
	}
	n += itemBytes
	for {
		held, done := s.put(m.ID, v, n)
		if done {
			return
		}
		s.hold(true)
		patience := time.NewTimer(holdTime)
		select {
		case <-held:
		case <-s.life.Done():
		case <-patience.C:
			s.hurry(m.ID)
		}
		patience.Stop()
		s.hold(false)
	}
}

// hurry lets the reader go on, whatever waits of a stream, until its loop
// takes items again.
func (s *conn) hurry(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.calls[id]; k != nil {
		k.late = true
	}
}

// put hands an item to its stream, or gives up on the stream. If it does
// neither, held tells when to try again.
func (s *conn) put(id string, v signalr.Value, n int) (held <-chan struct{}, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.calls[id]
	switch {
	case k == nil || !k.stream || k.failed != nil || s.life.Err() != nil:
		return nil, true
	case k.bytes <= holdBytes, (len(s.waiting) > 0 || k.late) && k.bytes+n <= s.c.o.MaxStreamBytes:
		k.items = append(k.items, item{v, n})
		k.bytes += n
		s.tell(k)
		return nil, true
	case len(s.waiting) > 0, k.late:
		k.failed = ErrOverrun // forget cancels it
		s.tell(k)
		return nil, true
	}
	s.held = make(chan struct{})
	return s.held, false
}

// ease lets a reader that is held look again. The caller holds mu.
func (s *conn) ease() {
	if s.held != nil {
		close(s.held)
		s.held = nil
	}
}
