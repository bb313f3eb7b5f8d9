package client

import (
	"slices"

	"rte/signalr"
)

// A replay is what stateful reconnect remembers of both directions
// (HubProtocol.md, "Ack" and "Sequence"; where the text and the released
// programs differ, the programs). It has no lock, clock or link.
//
// The messages of each direction are numbered from 1, for the life of the
// connection; only those of [counted] are. The numbers are not on the wire:
// both sides count.
type replay struct {
	max int // of bytes, in bytes

	// What was sent and is not acknowledged.
	sent  [][]byte // the oldest first
	bytes int      // in sent
	last  int64    // number of the newest message sent

	// What was received.
	next int64 // number of the next message that comes
	seen int64 // the highest number that came
	owed bool  // something has come since the last Ack
}

func newReplay(max int) *replay { return &replay{max: max, next: 1} }

// counted says whether a message has a number: those that ask, answer and
// carry items do, those that keep the connection going do not.
func counted(m signalr.Message) bool {
	switch m.(type) {
	case *signalr.Invocation, *signalr.StreamItem, *signalr.Completion, *signalr.CancelInvocation:
		return true
	}
	return false
}

// full says that senders have to wait for an Ack.
func (r *replay) full() bool { return r.bytes >= r.max }

// add keeps a message that is sent, and gives it its number.
func (r *replay) add(b []byte) {
	r.last++
	r.sent = append(r.sent, b)
	r.bytes += len(b)
}

// acked forgets the messages that the other side has, up to a number.
func (r *replay) acked(id int64) {
	before := r.last - int64(len(r.sent)) // number of the newest message forgotten
	if id <= before {
		return
	}
	n := min(id-before, int64(len(r.sent)))
	for i, b := range r.sent[:n] {
		r.bytes -= len(b)
		r.sent[i] = nil
	}
	if r.sent = r.sent[n:]; len(r.sent) == 0 {
		r.sent = nil // the array behind it, too
	}
}

// again is what a new link begins with: the number of the first message that
// follows, and the messages to be sent once more.
func (r *replay) again() (first int64, sent [][]byte) {
	return r.last - int64(len(r.sent)) + 1, slices.Clone(r.sent)
}

// begin takes the number of the other side's next message. It is false if
// messages before it are missing, or if there is no such number. Released
// clients compare with next, which is too strict: when a link is lost in the
// midst of what is sent once more, next is still behind what has been seen, and
// acknowledged.
func (r *replay) begin(first int64) bool {
	if first > r.seen+1 || first < 1 {
		return false
	}
	r.next = first
	return true
}

// came counts a message and says whether it is new. One that is not must be
// acknowledged all the same: the other side has not heard that it came.
func (r *replay) came() bool {
	id := r.next
	r.next++
	r.owed = true
	if id <= r.seen {
		return false
	}
	r.seen = id
	return true
}

// ack is the number to acknowledge, if there is something to acknowledge.
func (r *replay) ack() (id int64, owed bool) {
	owed, r.owed = r.owed, false
	return r.seen, owed
}
