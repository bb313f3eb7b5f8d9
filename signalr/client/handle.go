package client

import (
	"context"
	"strings"

	"rte/signalr"
)

// A Handler answers a call of the hub (a client result). A nil result is
// [signalr.Null]; the text of an error is sent to the hub. ctx ends with the
// connection that asked.
type Handler func(ctx context.Context, args []signalr.Value) (signalr.Value, error)

// A target is a name that the hub calls.
type target struct {
	on     []func(args []signalr.Value)
	handle Handler
}

// On adds a handler for what the hub sends under a target, in any case.
// Handlers run one after another, in the order of the messages, also over
// several connections: a slow one delays the rest, and one that waits for
// Invoke waits for itself.
func (c *Client) On(name string, fn func(args []signalr.Value)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.target(name)
	t.on = append(t.on, fn)
}

// Handle sets the handler that answers the hub's calls of a target, in any
// case; nil takes it away. It runs beside the messages that follow, and behind
// those of On for the same target, so it may use the client; Options.MaxHandlers
// run at a time. What the hub merely sends it is given, too. A call that no
// handler answers fails at the hub as with released clients.
func (c *Client) Handle(name string, fn Handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.target(name).handle = fn
}

// target is made when it is first named. The caller holds mu.
func (c *Client) target(name string) *target {
	key := strings.ToLower(name)
	t := c.handlers[key]
	if t == nil {
		t = &target{}
		c.handlers[key] = t
	}
	return t
}
