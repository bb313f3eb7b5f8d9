package hub

import (
	"context"
	"io"
	"sync"

	"rte/signalr"
)

// uploadBuffer is how many items of an upload may wait for the method before
// the transport is told to stop reading (that of the released server).
const uploadBuffer = 10

// An Upload is a stream of items from the client to a method; see
// [Call.Uploads].
type Upload struct {
	conn *Conn
	gone <-chan struct{} // closed when the connection has ended
	more chan struct{}   // a token: something has come; closed behind the last

	mu    sync.Mutex
	items []signalr.Value
	held  bool  // too many items wait: it holds the transport
	err   error // what is behind the items; nil while more may come
}

// Next waits for the next item. Behind the last it is io.EOF, or an [*Error]
// with the client's text if the client's stream failed; [ErrEnded] when the
// connection has ended or the method has returned; otherwise the error of ctx.
// One caller at a time.
func (u *Upload) Next(ctx context.Context) (signalr.Value, error) {
	for {
		v, err := u.take()
		if v != nil || err != nil {
			return v, err
		}
		select {
		case <-u.more:
		case <-u.gone:
			return nil, ErrEnded
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take is the first item, if there is one.
func (u *Upload) take() (signalr.Value, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.items) == 0 {
		return nil, u.err
	}
	v := u.items[0]
	u.items[0] = nil
	u.items = u.items[1:]
	u.adjust()
	return v, nil
}

// push adds an item. It does not wait: what has been read is kept, and the
// transport reads no more while there are too many.
func (u *Upload) push(v signalr.Value) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err != nil {
		return
	}
	u.items = append(u.items, v)
	u.adjust()
	select {
	case u.more <- struct{}{}:
	default:
	}
}

// finish says what is behind the items.
func (u *Upload) finish(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err == nil {
		u.err = err
		close(u.more)
	}
}

// close throws away what the method has not taken.
func (u *Upload) close() {
	u.finish(ErrEnded)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.items, u.err = nil, ErrEnded
	u.adjust()
}

// adjust holds the transport while too many items wait. The caller holds mu.
func (u *Upload) adjust() {
	full := len(u.items) > uploadBuffer
	if full == u.held {
		return
	}
	u.held = full
	in := &u.conn.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if full {
		u.conn.holdLocked()
	} else {
		u.conn.resumeLocked()
	}
}

// uploaded takes an item; those of streams that nobody reads are ignored, as
// the released server does.
func (c *Conn) uploaded(m *signalr.StreamItem) {
	if u := c.upload(m.ID); u != nil {
		v := m.Item
		if v == nil {
			v = signalr.Null
		}
		u.push(v)
	}
}

func (c *Conn) upload(id string) *Upload {
	x := c.more.Load()
	if x == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.uploads[id]
}

// completed takes the end of an upload, or the client's answer to an
// invocation of ours; what answers neither is ignored.
func (c *Conn) completed(m *signalr.Completion) {
	u := c.upload(m.ID)
	if u == nil {
		c.answered(m)
		return
	}
	if m.Error != "" {
		u.finish(&Error{m.Error})
		return
	}
	u.finish(io.EOF)
}
