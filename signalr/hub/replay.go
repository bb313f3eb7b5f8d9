package hub

import (
	"slices"
	"sync/atomic"

	"rte/signalr"
	"rte/signalr/transport"
)

// Stateful reconnect (HubProtocol.md, "Ack" and "Sequence"). The messages that
// ask for something or answer (types 1 to 5) are counted in each direction,
// from 1 on; the counts outlive the sockets. Each side tells the other, at most
// once a second, how far it has come (Ack). On a new socket each first says with
// which message it goes on (Sequence), then sends again what was not
// acknowledged. About the value of Sequence the text and the released programs
// differ; this does what the programs do (docs/protocol.md, trap 1).

// A replay is what has been sent and may have to be sent again. It is nothing
// but a number and shared frames, so another node that knows both, from a
// journal, can make the same one. The caller sees to locking.
type replay struct {
	next    int64            // what the next message is counted as
	frames  []*signalr.Frame // sent and not acknowledged; the last is next-1
	sizes   []int            // of frames, in bytes as sent
	bytes   int              // of all frames
	written int              // of frames, those sent on the socket there is
	acked   int64            // highest that the client has acknowledged
}

// first is what the first message that would be sent again is counted as, or
// the next one if there is none: the value of Sequence.
func (r *replay) first() int64 { return r.next - int64(len(r.frames)) }

// add counts a frame of n bytes that is about to be written. It reports false if
// more than limit bytes would have to be remembered; one frame alone may be
// larger.
func (r *replay) add(f *signalr.Frame, n, limit int) bool {
	if r.bytes > 0 && r.bytes+n > limit {
		return false
	}
	r.frames, r.sizes = append(r.frames, f), append(r.sizes, n)
	r.next++
	r.bytes += n
	r.written++
	return true
}

// ack takes an acknowledgement.
func (r *replay) ack(id int64) {
	r.acked = max(r.acked, min(id, r.next-1))
	r.forget()
}

// forget forgets what the client has acknowledged. What has not been written on
// the socket there is must stay: from Sequence on the client counts what comes,
// be it old or new to it.
func (r *replay) forget() {
	n := min(int(max(0, r.acked-r.first()+1)), r.written)
	for _, size := range r.sizes[:n] {
		r.bytes -= size
	}
	r.frames, r.sizes = slices.Delete(r.frames, 0, n), slices.Delete(r.sizes, 0, n)
	if len(r.frames) == 0 {
		r.frames, r.sizes = nil, nil // an idle connection holds little
	}
	r.written -= n
}

// rewind is for a new socket: nothing has been written on it.
func (r *replay) rewind() { r.written = 0 }

// again moves frames that must be sent once more to msgs, about limit bytes.
func (r *replay) again(msgs [][]byte, p signalr.Protocol, limit int) (_ [][]byte, size int) {
	for r.written < len(r.frames) && size < limit {
		b, err := r.frames[r.written].Bytes(p)
		if err != nil {
			break // cannot be: it was sent before
		}
		msgs = append(msgs, b)
		size += len(b)
		r.written++
	}
	r.forget()
	return msgs, size
}

// unwritten are the frames that are still to be sent again, and their bytes.
func (r *replay) unwritten() (frames []*signalr.Frame, bytes int) {
	for _, size := range r.sizes[r.written:] {
		bytes += size
	}
	return r.frames[r.written:], bytes
}

// counts are those of what the client sends. What is neither atomic nor guarded
// belongs to the feeder.
type counts struct {
	next     int64        // what the next message is counted as
	awaiting bool         // on a new socket only Sequence counts at first
	heard    atomic.Bool  // the client has spoken since the handshake, or had its time for that
	latest   atomic.Int64 // highest that was taken
	acked    int64        // highest that the client was told of; guarded by outbox.mu
}

// take counts a message. It reports whether the message is new; what comes
// again, and what comes before Sequence, is not.
func (n *counts) take(m signalr.Message) (fresh bool, err error) {
	if s, ok := m.(*signalr.Sequence); ok {
		// Not n.next: the client may have learned from an Ack how far it had
		// come, and been cut before all of that had come again.
		if s.ID > n.latest.Load()+1 {
			return false, errSequence
		}
		n.next, n.awaiting = s.ID, false
		return false, nil
	}
	if n.awaiting {
		return false, nil
	}
	switch m.(type) {
	case *signalr.Invocation, *signalr.StreamItem, *signalr.Completion, *signalr.CancelInvocation:
	default:
		return true, nil
	}
	id := n.next
	n.next++
	if id <= n.latest.Load() {
		return false, nil
	}
	n.latest.Store(id)
	return true, nil
}

// retain makes the connection outlive its socket, if client and server have
// agreed on that and speak a version that knows how. It belongs to the
// handshake; welcome does the rest.
func (c *Conn) retain(version int) {
	tc := c.Transport()
	if tc.Resumable() && version >= statefulVersion {
		c.counts = &counts{next: 1}
		tc.Retain()
	}
}

// Suspended keeps what waits for the client (transport.Resumer).
func (c *Conn) Suspended() (wanted bool) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	o.suspended = !o.ended
	return o.suspended
}

// Resumed goes on with a client that has come back (transport.Resumer).
func (c *Conn) Resumed(tc *transport.Conn) {
	c.reader = signalr.Reader{} // half a message of the old socket is nothing
	c.counts.awaiting = true
	c.received.Store(c.server.now.Load())
	c.server.resumptions.Add(1)

	o, in := &c.out, &c.in
	o.mu.Lock()
	in.mu.Lock()
	c.transport.Store(tc)
	if in.holds > 0 {
		tc.Hold()
	}
	in.mu.Unlock()
	o.suspended, o.unheard = false, false
	c.counts.acked = 0 // what it was told may not have arrived
	var wake bool
	if o.ended {
		defer tc.Abort() // it ended while there was no socket
	} else {
		// A Sequence can always be encoded.
		o.head, _ = (*c.protocol.Load()).Append(nil, &signalr.Sequence{ID: o.replay.first()})
		o.replay.rewind()
		o.full = false
		wake = o.start()
		wake = o.advance() || wake
	}
	o.mu.Unlock()
	if wake {
		c.server.flush.add(c)
	}
	c.Refreshed() // it has shown its token again
}

// hear lets go of what waits for the client's first message. JavaScript clients
// begin to count some time after they have seen the handshake's answer, and send
// a ping at once when they do. What came earlier, such as behind the answer in
// one frame, they would not have counted.
func (c *Conn) hear() {
	if c.counts.heard.Load() || c.counts.heard.Swap(true) {
		return
	}
	o := &c.out
	o.mu.Lock()
	o.unheard = false
	wake := false
	if o.full {
		o.full, wake = false, o.advance()
	}
	o.mu.Unlock()
	if wake {
		c.server.flush.add(c)
	}
}

// acked takes the client's Ack.
func (c *Conn) acked(id int64) {
	o := &c.out
	o.mu.Lock()
	wake := false
	if o.replay != nil {
		o.replay.ack(id)
		if o.full {
			o.full, wake = false, o.advance()
		}
	}
	o.mu.Unlock()
	if wake {
		c.server.flush.add(c)
	}
}

// acknowledge tells the client how far its messages have come, if there is
// anything new. It is called once a second.
func (c *Conn) acknowledge() {
	n := c.counts
	if n == nil {
		return
	}
	if c.server.now.Load()-c.received.Load() > 1 {
		c.hear() // other clients say nothing until they have something to say
	}
	o := &c.out
	o.mu.Lock()
	wake := false
	if latest := n.latest.Load(); latest > n.acked && !o.ended {
		// An Ack can always be encoded.
		b, _ := (*c.protocol.Load()).Append(nil, &signalr.Ack{ID: latest})
		n.acked = latest
		wake = o.urge(b)
	}
	o.mu.Unlock()
	if wake {
		c.server.flush.add(c)
	}
}

// away reports whether the connection has no socket.
func (c *Conn) away() bool {
	if c.counts == nil {
		return false
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.suspended
}
