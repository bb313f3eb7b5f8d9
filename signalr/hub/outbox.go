package hub

import (
	"slices"
	"sync"

	"rte/signalr"
)

// An outbox is what waits for the client.
type outbox struct {
	mu      sync.Mutex
	head    []byte // the handshake's answer, sent before pending
	pending []*signalr.Frame
	bytes   int           // of pending
	busy    bool          // on the flusher's list, being drained, or waiting for the transport
	room    chan struct{} // not nil while a stream waits; closed when half the bound is free
	last    []byte        // sent behind pending, then the transport is closed
	ended   bool          // last is decided: nothing more may be queued
	failed  bool          // the transport should say that the application failed
	done    bool          // the transport has been closed, or has ended
	why     CloseReason   // "" while open
}

// Send queues a frame. It never blocks. Frames of one caller arrive in its
// order. When more than Options.QueueBytes would wait, the connection is
// closed as [Slow]; a connection that ends takes nothing more, which is no
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
	if c.queue(f, len(b), false) {
		c.server.messages.Add(1)
	}
}

// queue puts a frame of n bytes behind what waits; ifIdle only when nothing
// does. It reports whether the frame was taken.
func (c *Conn) queue(f *signalr.Frame, n int, ifIdle bool) bool {
	o := &c.out
	o.mu.Lock()
	if o.ended || ifIdle && o.busy {
		o.mu.Unlock()
		return false
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
	wake = !o.busy
	o.busy = true
	return wake
}

// makeRoom tells streams that wait to look again. The caller holds mu.
func (o *outbox) makeRoom() {
	if o.room != nil {
		close(o.room)
		o.room = nil
	}
}

// Close ends the connection for a reason of the application's: the client is
// told text ("" for no error) and whether to come back, behind what is
// already queued.
func (c *Conn) Close(why CloseReason, text string, allowReconnect bool) {
	c.end(why, text, allowReconnect)
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
	if why == Slow {
		o.pending, o.bytes = nil, 0
	}
	o.makeRoom()
	wake = !o.busy
	o.busy = true
	return wake
}

// ending reports whether the connection has ended or been told to.
func (c *Conn) ending() bool {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.ended
}

// Writable goes on draining (transport.Receiver).
func (c *Conn) Writable() { c.server.flush.add(c) }

// turns is how many batches of one connection are written before others get
// their turn.
const turns = 4

// drain writes what is pending until nothing is left, the transport is full,
// or it is others' turn. msgs is the worker's own, given back for its memory.
func (c *Conn) drain(msgs [][]byte) [][]byte {
	for range turns {
		var finish bool
		if msgs, finish = c.take(msgs[:0]); finish {
			c.transport.Close(c.out.failed)
		}
		if len(msgs) == 0 {
			return msgs
		}
		size := 0
		for _, m := range msgs {
			size += len(m)
		}
		binary := false
		if p := c.protocol.Load(); p != nil {
			binary = (*p).Binary()
		}
		ready := c.transport.Send(msgs, binary)
		clear(msgs)
		c.server.bytes.Add(uint64(size))
		c.sent.Store(c.server.now.Load())
		if !ready {
			return msgs // still busy: Writable follows
		}
	}
	c.server.flush.add(c)
	return msgs
}

// take moves pending messages to msgs, up to batchBytes. With nothing left the
// connection is no longer busy, unless it is time to finish: to close the
// transport, after which nothing will be queued any more.
func (c *Conn) take(msgs [][]byte) (_ [][]byte, finish bool) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.head != nil {
		msgs = append(msgs, o.head)
		o.head = nil
	}
	size, n := 0, 0
	p := c.protocol.Load()
	for _, f := range o.pending {
		b, err := f.Bytes(*p) // encoded when it was queued
		if err != nil || n > 0 && size+len(b) > batchBytes {
			break
		}
		size += len(b)
		msgs = append(msgs, b)
		n++
	}
	o.bytes -= size
	if o.bytes <= c.server.o.QueueBytes/2 {
		o.makeRoom()
	}
	switch {
	case n < len(o.pending):
		o.pending = slices.Delete(o.pending, 0, n)
		return msgs, false
	case cap(o.pending) > 16:
		o.pending = nil // an idle connection holds little
	default:
		clear(o.pending)
		o.pending = o.pending[:0]
	}
	if o.last != nil {
		msgs = append(msgs, o.last)
		o.last = nil
	}
	if len(msgs) > 0 {
		return msgs, false
	}
	finish = o.ended && !o.done
	o.done = o.ended
	o.busy = finish
	return msgs, finish
}
