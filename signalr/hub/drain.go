package hub

import (
	"slices"

	"rte/signalr/transport"
)

// Writable goes on draining (transport.Receiver).
func (c *Conn) Writable() { c.goAhead() }

// goAhead says that what the outbox waits for may have come.
func (c *Conn) goAhead() {
	c.out.mu.Lock()
	wake := c.out.advance()
	c.out.mu.Unlock()
	if wake {
		c.server.flush.add(c)
	}
}

// advance is a go-ahead. It reports whether the flusher must be told. The
// caller holds mu.
func (o *outbox) advance() (wake bool) {
	wake = o.waiting
	o.waiting, o.ahead = false, o.busy && !wake
	return wake
}

// wait leaves the outbox until there is a go-ahead; false means that one has
// come already.
func (o *outbox) wait() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ahead {
		o.ahead = false
		return false
	}
	o.waiting = true
	return true
}

// turns is how many batches of one connection are written before others get
// their turn.
const turns = 4

// A step is what a worker does with an outbox.
type step uint8

const (
	write  step = iota // what it has taken
	rest               // nothing: there is nothing left
	wait               // nothing, until there is a go-ahead
	finish             // close the transport: nothing will be queued any more
)

// drain writes what is pending until nothing is left, the transport is full,
// or it is others' turn. msgs is the worker's own, given back for its memory.
func (c *Conn) drain(msgs [][]byte) [][]byte {
	for range turns {
		var tc *transport.Conn
		var next step
		msgs, tc, next = c.take(msgs[:0])
		switch next {
		case rest:
			return msgs
		case finish:
			tc.Close(c.out.failed)
			return msgs
		case write:
			if c.hand(tc, msgs) {
				continue
			}
		}
		if c.out.wait() {
			return msgs
		}
	}
	c.server.flush.add(c)
	return msgs
}

// hand gives messages to the transport. It reports whether that takes more.
func (c *Conn) hand(tc *transport.Conn, msgs [][]byte) (ready bool) {
	size := 0
	for _, m := range msgs {
		size += len(m)
	}
	binary := false
	if p := c.protocol.Load(); p != nil {
		binary = (*p).Binary()
	}
	ready = tc.Send(msgs, binary)
	clear(msgs)
	c.server.bytes.Add(uint64(size))
	c.sent.Store(c.server.now.Load())
	return ready
}

// take moves messages to msgs, up to batchBytes, for the transport they are
// meant for. With nothing left the connection is no longer busy.
func (c *Conn) take(msgs [][]byte) (_ [][]byte, tc *transport.Conn, next step) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	tc = c.Transport()
	if o.suspended && !o.ended {
		return msgs, tc, wait
	}
	if o.head != nil {
		msgs = append(msgs, o.head)
		o.head = nil
	}
	msgs, left := c.takePending(msgs)
	if !left && o.last != nil {
		msgs = append(msgs, o.last)
		o.last = nil
	}
	switch {
	case len(msgs) > 0:
		return msgs, tc, write
	case left:
		o.full = true
		return msgs, tc, wait
	case o.ended && !o.done:
		o.done = true
		return msgs, tc, finish
	}
	o.busy, o.ahead = false, false
	return msgs, tc, rest
}

// takePending moves frames to msgs: on a connection with stateful reconnect
// first those that must be sent again, and then only what it may remember. It
// reports whether some are left. The caller holds mu.
func (c *Conn) takePending(msgs [][]byte) (_ [][]byte, left bool) {
	o := &c.out
	if len(o.pending) == 0 && o.replay == nil {
		return msgs, false
	}
	if o.unheard && o.replay != nil {
		return msgs, len(o.pending) > 0
	}
	p := *c.protocol.Load()
	size, n := 0, 0
	if o.replay != nil {
		before := len(msgs)
		msgs, size = o.replay.again(msgs, p, batchBytes)
		c.server.replayed.Add(uint64(len(msgs) - before))
	}
	taken := 0
	for _, f := range o.pending {
		b, err := f.Bytes(p) // encoded when it was queued
		if err != nil || size > 0 && size+len(b) > batchBytes {
			break
		}
		if o.replay != nil && !o.replay.add(f, len(b), c.server.o.ReplayBytes) {
			break
		}
		size += len(b)
		taken += len(b)
		msgs = append(msgs, b)
		n++
	}
	o.bytes -= taken
	o.taken += n
	if o.bytes <= c.server.o.QueueBytes/2 {
		o.makeRoom()
		o.states = nil
	}
	switch {
	case n < len(o.pending):
		o.pending = slices.Delete(o.pending, 0, n)
		return msgs, true
	case cap(o.pending) > 16:
		o.pending = nil // an idle connection holds little
	default:
		clear(o.pending)
		o.pending = o.pending[:0]
	}
	return msgs, false
}
