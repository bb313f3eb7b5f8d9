package signalr

import (
	"errors"
	"fmt"
)

// A Protocol is one encoding of the messages. The set is closed: frames keep
// one slot for each.
type Protocol interface {
	// Name is what the handshake calls it.
	Name() string
	// Binary tells whether its bytes need a transport that carries any byte.
	Binary() bool
	// Split finds the first record in buf. It returns the record without its
	// framing and the number of bytes it took; 0 means that buf holds no
	// whole record. scanned is how many bytes of buf an earlier call has
	// already looked at in vain.
	Split(buf []byte, scanned int) (record []byte, taken int, err error)
	// Parse reads one record. A message of a type it does not know is (nil,
	// nil): the protocol says to ignore it. The message keeps parts of
	// record.
	Parse(record []byte) (Message, error)
	// Append writes a message with its framing.
	Append(dst []byte, m Message) ([]byte, error)

	slot() int // in Frame
}

// slots is the number of protocols.
const slots = 2

// ErrTooLarge means that a message is longer than the receiver allows.
var ErrTooLarge = errors.New("signalr: message too large")

// A Reader cuts a stream of bytes into records, wherever the pieces that
// arrive begin and end. Its memory is bounded by the largest message allowed,
// and nothing is held between messages. Not safe for concurrent use.
type Reader struct {
	buf     []byte // a record that has begun
	scanned int    // bytes of buf that hold no end
}

// Feed takes the next piece and calls fn for each record that is complete.
// The record is valid only during the call. max is the largest record,
// framing included, in bytes; a longer one is [ErrTooLarge]. Feed stops at
// the first error, of its own or of fn.
func (r *Reader) Feed(p Protocol, max int, piece []byte, fn func(record []byte) error) error {
	for len(piece) > 0 {
		// Look at no more than the largest message, whatever comes.
		held := len(r.buf)
		window := piece[:min(len(piece), max-held)]
		if held > 0 {
			r.hold(window, max)
			window = r.buf
		}
		record, taken, err := p.Split(window, r.scanned)
		if err != nil {
			return fmt.Errorf("split messages: %w", err)
		}
		if taken == 0 {
			if len(window) == max {
				return ErrTooLarge
			}
			if held == 0 {
				r.hold(window, max)
			}
			r.scanned = len(r.buf)
			return nil
		}
		// What was held is the beginning of this record and nothing more.
		piece = piece[taken-held:]
		r.buf, r.scanned = nil, 0
		if err := fn(record); err != nil {
			return err
		}
	}
	return nil
}

// hold keeps more bytes of a record that has begun. It grows by half, so that
// a message in small pieces is not copied for each, and a silent client is not
// given the memory of a large one.
func (r *Reader) hold(p []byte, max int) {
	if need := len(r.buf) + len(p); need > cap(r.buf) {
		r.buf = append(make([]byte, 0, min(max, need+need/2+64)), r.buf...)
	}
	r.buf = append(r.buf, p...)
}

// Pending is the number of bytes of a record that has begun.
func (r *Reader) Pending() int { return len(r.buf) }
