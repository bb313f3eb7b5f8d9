package signalr

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// A Frame is one message on its way to any number of connections. It is
// encoded at most once for each protocol, when the first connection asks, and
// the bytes are shared: nobody may change them. Safe for concurrent use.
type Frame struct {
	message Message
	key     any // see NewStateFrame
	bytes   [slots]atomic.Pointer[[]byte]
	mu      sync.Mutex // one encoder at a time
}

// NewFrame makes a frame of a message; the message must not change any more.
func NewFrame(m Message) *Frame { return &Frame{message: m} }

// NewStateFrame makes a frame that takes the place of an older one with an
// equal key, where that still waits for a client that is slow: of a state only
// the newest value counts. key must be comparable.
func NewStateFrame(m Message, key any) *Frame { return &Frame{message: m, key: key} }

// Key is what tells the frames of one state from others; nil if it is none.
func (f *Frame) Key() any { return f.key }

// IsState tells whether the frame was made by [NewStateFrame].
func (f *Frame) IsState() bool { return f.key != nil }

// Message is what the frame was made of.
func (f *Frame) Message() Message { return f.message }

// Bytes is the message with its framing, in the encoding of p.
func (f *Frame) Bytes(p Protocol) ([]byte, error) {
	slot := &f.bytes[p.slot()]
	if b := slot.Load(); b != nil {
		return *b, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := slot.Load(); b != nil {
		return *b, nil
	}
	b, err := p.Append(nil, f.message)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", f.message, err)
	}
	slot.Store(&b)
	return b, nil
}
