package hub

import (
	"context"
	"fmt"
	"sync/atomic"

	"rte/signalr"
)

// A Stream answers one streaming invocation with items: it gives each to send
// and returns when there are no more. It runs beside the connection's calls
// and other streams.
//
// send waits while more than half of Options.QueueBytes waits for the client.
// Its error means that the items are not wanted any more: the client has
// cancelled the stream or gone, and ctx has ended; or that the item cannot be
// sent. An error of the stream is told to the client as a method's is, behind
// the first item with the text for that; when the client has cancelled it is
// told of none.
type Stream func(ctx context.Context, call *Call, send func(signalr.Value) error) error

// stream runs a stream to its end.
func (c *Conn) stream(ctx context.Context, stream Stream, call *Call, ended func()) {
	if c.gone() {
		call.closeUploads()
		ended()
		return
	}
	call.answered = true // by this function only
	m := call.Invocation
	var begun atomic.Bool
	send := func(v signalr.Value) error {
		if v == nil {
			v = signalr.Null
		}
		err := c.offer(ctx, signalr.NewFrame(&signalr.StreamItem{ID: m.ID, Item: v}), func() { begun.Store(true) })
		if err != nil {
			return fmt.Errorf("send item: %w", err)
		}
		return nil
	}
	var err error
	if ctx.Err() == nil { // cancelled before it began
		_, err = c.run(ctx, func(ctx context.Context, call *Call) (signalr.Value, error) {
			return nil, stream(ctx, call, send)
		}, call)
	}
	call.closeUploads()
	last := &signalr.Completion{ID: m.ID}
	switch {
	case err == nil || ctx.Err() != nil:
	case begun.Load():
		last.Error = c.server.withDetail("An error occurred on the server while streaming results.", err)
	default:
		last.Error = c.server.errorText(m.Target, err)
	}
	// The id is free when the client can know that the stream has ended, not
	// earlier: what waits here still counts.
	if c.offer(c.life(), signalr.NewFrame(last), ended) != nil {
		ended()
	}
}

// offer queues a frame as soon as there is room: at most half of the bound
// waits, and the frame goes into the rest. queued is called before the client
// can have it.
func (c *Conn) offer(ctx context.Context, f *signalr.Frame, queued func()) error {
	b, err := f.Bytes(*c.protocol.Load())
	if err != nil {
		return err
	}
	n, bound := len(b), c.server.o.QueueBytes
	if n > bound {
		return fmt.Errorf("hub: a message of %d bytes is larger than the queue", n)
	}
	o := &c.out
	for {
		o.mu.Lock()
		if err := ctx.Err(); err != nil || o.ended {
			o.mu.Unlock()
			if err == nil {
				err = ErrEnded
			}
			return err
		}
		if o.bytes <= bound/2 && o.bytes+n <= bound {
			queued()
			wake := o.put(f, n)
			o.mu.Unlock()
			c.server.messages.Add(1)
			if wake {
				c.server.flush.add(c)
			}
			return nil
		}
		if o.room == nil {
			o.room = make(chan struct{})
		}
		room := o.room
		o.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
	}
}

// cancelStream ends the context of a stream; of what does not run it means
// nothing.
func (c *Conn) cancelStream(id string) {
	x := c.more.Load()
	if x == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if cancel := x.streams[id]; cancel != nil {
		cancel()
	}
}
