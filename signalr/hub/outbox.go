package hub

import (
	"context"
	"slices"
	"sync"

	"rte/signalr"
)

// An outbox is what waits for the client. It is busy while something is to be
// done: then it is on the flusher's list, or a worker drains it, or it waits
// for a go-ahead (the transport has room again, the client has acknowledged, or
// has come back).
type outbox struct {
	mu        sync.Mutex
	head      []byte // whole messages that go first and are not counted; perhaps shared
	pending   []*signalr.Frame
	bytes     int         // of pending
	states    map[any]int // see renew; nil unless the client is slow
	taken     int         // of pending, since states was made
	busy      bool
	waiting   bool          // busy, for a go-ahead
	ahead     bool          // a go-ahead has come before anybody waited for it
	suspended bool          // the transport has lost its socket; the client may come back
	full      bool          // pending waits for acknowledgements, or for the client to speak
	unheard   bool          // the client has not spoken since the handshake: nothing is counted yet
	room      chan struct{} // not nil while a stream waits; closed when half the bound is free
	last      []byte        // sent behind pending, then the transport is closed
	ended     bool          // last is decided: nothing more may be queued
	dropped   bool          // what waits is not sent any more when it ends
	failed    bool          // the transport should say that the application failed
	done      bool          // the transport has been closed, or has ended
	why       CloseReason   // "" while open
	replay    *replay       // nil without stateful reconnect
}

// Send queues a frame. It never blocks. Frames of one caller arrive in its
// order, but for states ([signalr.NewStateFrame]): when half of
// Options.QueueBytes waits, one takes the place of the newest older value of its
// own, unless an answer to a call waits behind that.
// When more than Options.QueueBytes would wait, the connection is closed as
// [Slow]; a connection that ends takes nothing more, which is no
// error: the client is told by the Close, or has gone.
func (c *Conn) Send(f *signalr.Frame) {
	p := c.protocol.Load()
	if p == nil {
		return
	}
	b, err := f.Bytes(*p)
	if err != nil {
		c.server.o.Logger.Error("message cannot be encoded", "conn", c.ID(), "err", err)
		c.end(Aborted, c.closeText(Aborted, ""), true)
		return
	}
	if c.queue(f, len(b)) {
		c.server.messages.Add(1)
	}
}

// queue puts a frame of n bytes behind what waits. It reports whether the frame
// was taken.
func (c *Conn) queue(f *signalr.Frame, n int) bool {
	o := &c.out
	o.mu.Lock()
	if o.ended {
		o.mu.Unlock()
		return false
	}
	if o.bytes+n > c.server.o.QueueBytes/2 && f.IsState() && o.renew(f, n, *c.protocol.Load(), c.server.o.QueueBytes) {
		o.mu.Unlock()
		c.server.renewed.Add(1)
		return true
	}
	if o.bytes+n > c.server.o.QueueBytes {
		o.mu.Unlock()
		c.end(Slow, c.closeText(Slow, ""), true)
		return false
	}
	wake := o.put(f, n)
	o.mu.Unlock()
	if wake {
		c.server.flush.add(c)
	}
	return true
}

// put queues a frame of n bytes. It reports whether the flusher must be told.
// The caller holds mu.
func (o *outbox) put(f *signalr.Frame, n int) (wake bool) {
	o.pending = append(o.pending, f)
	o.bytes += n
	if o.states != nil {
		o.note(len(o.pending) - 1)
	}
	return o.start()
}

// start makes the outbox busy. It reports whether it was not. The caller holds
// mu.
func (o *outbox) start() (wake bool) {
	wake = !o.busy
	o.busy = true
	return wake
}

// urge sends a whole message, which may be shared, before all that waits; it is
// not counted. It reports whether the flusher must be told. The caller holds mu.
func (o *outbox) urge(b []byte) (wake bool) {
	if o.head == nil {
		o.head = b
	} else {
		o.head = append(slices.Clip(o.head), b...)
	}
	wake = o.start()
	if o.full { // that does not hold for this
		o.full, wake = false, o.advance()
	}
	return wake
}

// Unqueue takes back the frames that wait and that drop picks; what the
// transport has taken is on its way. It returns how many there were. drop is
// called under a lock and must not call back.
func (c *Conn) Unqueue(drop func(*signalr.Frame) bool) int {
	p := c.protocol.Load()
	if p == nil {
		return 0
	}
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	before := len(o.pending)
	o.pending = slices.DeleteFunc(o.pending, func(f *signalr.Frame) bool {
		gone := drop(f)
		if gone {
			b, _ := f.Bytes(*p) // encoded when it was queued
			o.bytes -= len(b)
		}
		return gone
	})
	o.states = nil // their places have changed
	if o.bytes <= c.server.o.QueueBytes/2 {
		o.makeRoom()
	}
	return before - len(o.pending)
}

// makeRoom tells streams that wait to look again. The caller holds mu.
func (o *outbox) makeRoom() {
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// Offer is Send for one who can wait: it queues the frame when half of
// Options.QueueBytes is free, so that no client is too slow for it. An error is
// [ErrEnded], or that of ctx; nothing is queued then. A frame that can never be
// queued ends the connection, as with Send.
func (c *Conn) Offer(ctx context.Context, f *signalr.Frame) error {
	p := c.protocol.Load()
	if p == nil {
		return ErrEnded
	}
	if b, err := f.Bytes(*p); err != nil || len(b) > c.server.o.QueueBytes {
		c.Send(f)
		return ErrEnded
	}
	return c.offer(ctx, f, func() {})
}

// Room is how many bytes can be sent before half of Options.QueueBytes waits; 0
// if there is no room, or nothing is taken any more.
func (c *Conn) Room() int {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return 0
	}
	return max(0, c.server.o.QueueBytes/2-o.bytes)
}

// Close ends the connection for a reason of the application's: the client is
// told text ("" for no error) and whether to come back, behind what is
// already queued.
func (c *Conn) Close(why CloseReason, text string, allowReconnect bool) {
	c.end(why, text, allowReconnect)
}

// Dismiss ends the connection like Close without leave to come back, for who may
// hear nothing more: what waits is dropped. What the transport has taken before
// still arrives.
func (c *Conn) Dismiss(why CloseReason, text string) {
	c.out.mu.Lock()
	c.out.dropped = true
	c.out.mu.Unlock()
	c.end(why, text, false)
}

// end queues the Close message and, behind it, the end of the transport. Only
// the first reason counts. What waits for a client that is too slow is
// dropped: it will ask again from where it was.
func (c *Conn) end(why CloseReason, text string, allowReconnect bool) {
	o := &c.out
	o.mu.Lock()
	var last []byte
	failed := false
	if p := c.protocol.Load(); p != nil {
		// A Close can always be encoded.
		last, _ = (*p).Append(nil, &signalr.Close{Error: text, AllowReconnect: allowReconnect})
		failed = why == Refused
	}
	wake := o.end(why, last, failed)
	o.mu.Unlock()
	if wake {
		c.server.flush.add(c)
	}
}

// end decides how the outbox ends. It reports whether the flusher must be
// told. The caller holds mu.
func (o *outbox) end(why CloseReason, last []byte, failed bool) (wake bool) {
	if o.ended {
		return false
	}
	o.ended, o.last, o.why, o.failed = true, last, why, failed
	if o.replay != nil { // nothing is counted any more, so nothing waits for the client
		again, n := o.replay.unwritten()
		o.pending, o.bytes = slices.Concat(again, o.pending), o.bytes+n
	}
	o.states = nil
	held := o.suspended || o.full
	o.replay, o.full = nil, false
	if why == Slow || o.suspended || o.dropped {
		o.pending, o.bytes = nil, 0
	}
	o.makeRoom()
	wake = o.start()
	if held {
		wake = o.advance() || wake
	}
	return wake
}

// ending reports whether the connection has ended or been told to.
func (c *Conn) ending() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.ended
}
