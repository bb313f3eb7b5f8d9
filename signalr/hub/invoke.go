package hub

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"rte/signalr"
)

// ErrConnecting means that a client was invoked before OnConnected had
// returned; the text is the released server's.
//
//lint:ignore ST1005 the wording is given
var ErrConnecting = errors.New("Client results inside OnConnectedAsync Hub methods are not allowed.") //nolint:staticcheck,revive // as above

// Invoke runs a method of the client and waits for its result, which is
// [signalr.Null] if it has none. A failure of the client's is an [*Error] with
// its text. A connection that ends, or has ended, is [ErrEnded], a client whose
// OnConnected has not returned is [ErrConnecting], and otherwise the error is
// that of ctx: a client need not answer. What the client sends meanwhile is
// received, but calls of its own run only behind the one that waits, and of
// those at most 256, of 256 KiB together, are taken.
func (c *Conn) Invoke(ctx context.Context, target string, args ...signalr.Value) (signalr.Value, error) {
	in := &c.in
	in.mu.Lock()
	early, life := in.stage < connected, in.ctx
	in.mu.Unlock()
	switch {
	case c.ending():
		return nil, ErrEnded
	case early:
		return nil, ErrConnecting
	}
	x, protocol := c.extras(), *c.protocol.Load()
	result := make(chan *signalr.Completion, 1)
	x.mu.Lock()
	x.lastID++
	id := "hub" + strconv.FormatUint(x.lastID, 10) // not like the streams of released clients
	if x.results == nil {
		x.results = map[string]chan *signalr.Completion{}
	}
	x.results[id] = result
	x.mu.Unlock()
	defer func() {
		x.mu.Lock()
		delete(x.results, id)
		x.mu.Unlock()
	}()

	f := signalr.NewFrame(&signalr.Invocation{ID: id, Target: target, Arguments: args})
	if _, err := f.Bytes(protocol); err != nil {
		return nil, err
	}
	c.waits(x, 1)
	defer c.waits(x, -1)
	c.Send(f)
	if c.ending() {
		return nil, ErrEnded
	}
	select {
	case m := <-result:
		switch {
		case m.Error != "":
			return nil, &Error{m.Error}
		case m.Result == nil:
			return signalr.Null, nil
		}
		return m.Result, nil
	case <-life.Done():
		return nil, ErrEnded
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the client's result: %w", ctx.Err())
	}
}

// waits counts who waits for the client: it lets more of what the client sends
// come in.
func (c *Conn) waits(x *extras, n int) {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	x.waiting += n
	if !c.in.over {
		c.adjustLocked()
	}
}

// answered hands a client's answer to who waits for it.
func (c *Conn) answered(m *signalr.Completion) {
	x := c.more.Load()
	if x == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if result := x.results[m.ID]; result != nil {
		delete(x.results, m.ID) // a second answer finds nobody
		result <- m
	}
}
