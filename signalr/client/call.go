package client

import (
	"context"

	"rte/signalr"
)

// A call waits for what the hub answers. All of it is guarded by the
// connection's mu, but for wake.
type call struct {
	stream bool
	sent   bool // the hub knows of it
	items  []item
	bytes  int                 // in items
	late   bool                // items are not taken: the reader waits no more
	end    *signalr.Completion // behind the items; nil until it has come
	failed error               // behind the items instead: this side has given up
	wake   chan struct{}       // holds a token when something has come; never closed
}

// An item waits to be taken.
type item struct {
	value signalr.Value
	bytes int
}

// Invoke calls a hub method and waits for its result; nil if it has none. An
// argument that is an [Upload] is a stream to the method, not an argument.
//
// A refusal by the hub is a [*ServerError]; a connection that is lost meanwhile
// is [ErrLost]. When ctx ends first, the hub is told that the result is not
// wanted any more, which most hubs ignore.
func (c *Client) Invoke(ctx context.Context, target string, args ...any) (signalr.Value, error) {
	s, err := c.connection(ctx)
	if err != nil {
		return nil, err
	}
	id, k := s.open(false)
	defer s.forget(id, k)
	m, uploads := c.invocation(target, args)
	m.ID = id
	if err := s.ask(ctx, k, m); err != nil {
		return nil, err
	}
	defer s.upload(ctx, uploads)()
	_, end, err := s.next(ctx, k)
	switch {
	case err != nil:
		return nil, err
	case end.Error != "":
		return nil, &ServerError{Text: end.Error}
	}
	return end.Result, nil
}

// Send calls a hub method without waiting for an answer; not even an error
// comes back. Without an error the message has been given to the system, or
// with Options.StatefulReconnect to the replay buffer. With an [Upload] among
// the arguments it returns when that has ended, with its error.
func (c *Client) Send(ctx context.Context, target string, args ...any) error {
	s, err := c.connection(ctx)
	if err != nil {
		return err
	}
	m, uploads := c.invocation(target, args)
	if err := s.send(ctx, m); err != nil {
		return err
	}
	return s.uploadAll(ctx, uploads)
}

// invocation is the message of a call; uploads leave the arguments and become
// streams.
func (c *Client) invocation(target string, args []any) (m *signalr.Invocation, uploads []upload) {
	m = &signalr.Invocation{Target: target, Arguments: make([]signalr.Value, 0, len(args))}
	for _, a := range args {
		var run Upload
		switch a := a.(type) {
		case Upload:
			run = a
		case func(context.Context, func(any) error) error:
			run = a
		default:
			m.Arguments = append(m.Arguments, value(a))
			continue
		}
		u := upload{c.nextID(), run}
		uploads = append(uploads, u)
		m.StreamIDs = append(m.StreamIDs, u.id)
	}
	return m, uploads
}

func value(a any) signalr.Value {
	if v, ok := a.(signalr.Value); ok {
		return v
	}
	return signalr.Any(a)
}

// open registers a call.
func (s *conn) open(stream bool) (id string, k *call) {
	id = s.c.nextID()
	k = &call{stream: stream, wake: make(chan struct{}, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[id] = k
	return id, k
}

// ask sends the invocation of a call.
func (s *conn) ask(ctx context.Context, k *call, m *signalr.Invocation) error {
	if err := s.send(ctx, m); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k.sent = true
	return nil
}

// forget ends a call on this side. The hub is told if it is not over there.
func (s *conn) forget(id string, k *call) {
	s.mu.Lock()
	open := s.calls[id] != nil && k.sent
	delete(s.calls, id)
	s.ease()
	s.mu.Unlock()
	if open {
		s.sendLater(&signalr.CancelInvocation{ID: id})
	}
}

// next waits for the next item of a call, or for its end.
func (s *conn) next(ctx context.Context, k *call) (v signalr.Value, end *signalr.Completion, err error) {
	for {
		v, end, err := s.taken(k)
		if v != nil || end != nil || err != nil {
			return v, end, err
		}
		if err := s.await(ctx, k.wake); err != nil {
			// What came before the connection ended counts.
			if v, end, err := s.taken(k); ctx.Err() == nil && (v != nil || end != nil || err != nil) {
				return v, end, err
			}
			return nil, nil, err
		}
	}
}

// taken is what has come for a call, if something has.
func (s *conn) taken(k *call) (v signalr.Value, end *signalr.Completion, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(k.items) == 0 {
		return nil, k.end, k.failed
	}
	first := k.items[0]
	k.items[0] = item{}
	if k.items = k.items[1:]; len(k.items) == 0 {
		k.items = nil // the array behind it, too
	}
	k.bytes -= first.bytes
	if k.bytes <= holdBytes/2 {
		k.late = false
		s.ease()
	}
	return first.value, nil, nil
}

// waiting counts those who wait for a channel. Who has been told waits no
// more, though it may not know yet.
type waiting map[<-chan struct{}]int

// await waits for something that only the reader can bring.
func (s *conn) await(ctx context.Context, c <-chan struct{}) error {
	s.mu.Lock()
	s.waiting[c]++
	s.ease()
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.waiting[c]--; s.waiting[c] <= 0 {
			delete(s.waiting, c)
		}
	}()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.life.Done():
		return s.lost()
	}
}

// completed ends a call of this side's; the answer to one that nobody waits
// for any more is dropped.
func (s *conn) completed(m *signalr.Completion) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.calls[m.ID]; k != nil {
		delete(s.calls, m.ID)
		k.end = m
		s.tell(k)
	}
}

// tell wakes who waits for a call. The caller holds mu.
func (s *conn) tell(k *call) {
	delete(s.waiting, k.wake)
	select {
	case k.wake <- struct{}{}:
	default:
	}
}
