package hub

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"rte/signalr"
)

// A Call is one invocation of a method.
type Call struct {
	Conn       *Conn
	Invocation *signalr.Invocation

	answered bool
}

// Bind decodes the arguments into the variables; there must be as many, and
// of fitting types. Member names match ignoring case. The error is meant to
// be returned by the method: the client is told as the released server does.
func (c *Call) Bind(into ...any) error {
	args := c.Invocation.Arguments
	if len(args) != len(into) {
		return &errArguments{fmt.Sprintf("Invocation provides %d argument(s) but target expects %d.", len(args), len(into))}
	}
	for i := range into {
		if signalr.Decode(args[i], into[i]) != nil {
			return BadArguments()
		}
	}
	return nil
}

// BadArguments is the error of arguments of the wrong types, for methods that
// read them by themselves.
func BadArguments() error {
	return &errArguments{"Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."}
}

// Complete answers the call now, so that what the method sends afterwards
// arrives behind the answer; the method's own result is then ignored. A call
// that wants no answer gets none.
func (c *Call) Complete(result signalr.Value) {
	c.answer(&signalr.Completion{Result: result})
}

func (c *Call) answer(m *signalr.Completion) {
	if c.answered || c.Invocation.ID == "" {
		return
	}
	c.answered = true
	m.ID = c.Invocation.ID
	c.Conn.Send(signalr.NewFrame(m))
}

// invocation is a task of the inbox: it runs the method and answers.
func (c *Conn) invocation(m *signalr.Invocation) func(context.Context) {
	return func(ctx context.Context) {
		if why := c.Reason(); why != "" && why != Goodbye {
			return // refused, revoked, drained: nothing more is done for it
		}
		call := &Call{Conn: c, Invocation: m}
		s := c.server
		method := s.methods[m.Target]
		if method == nil {
			method = s.methods[strings.ToLower(m.Target)]
		}
		switch {
		case method == nil:
			call.answer(&signalr.Completion{Error: fmt.Sprintf("Failed to invoke '%s' due to an error on the server. HubException: Method does not exist.", m.Target)})
			return
		case m.Stream:
			call.answer(&signalr.Completion{Error: fmt.Sprintf("The client attempted to invoke the non-streaming '%s' method with a streaming invocation.", m.Target)})
			return
		case len(m.StreamIDs) > 0:
			err := &Error{fmt.Sprintf("Client sent %d stream(s), Hub method expects 0.", len(m.StreamIDs))}
			call.answer(&signalr.Completion{Error: s.errorText(m.Target, err)})
			return
		}
		result, err := c.run(ctx, method, call)
		if err != nil {
			call.answer(&signalr.Completion{Error: s.errorText(m.Target, err)})
			return
		}
		if result == nil {
			result = signalr.Null
		}
		call.answer(&signalr.Completion{Result: result})
	}
}

// run calls a method; a panic is its failure, not the server's.
func (c *Conn) run(ctx context.Context, method Method, call *Call) (result signalr.Value, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.server.o.Logger.Error("method panicked", "conn", c.ID(), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("method panicked: %v", p)
		}
	}()
	return method(ctx, call)
}

// connected is the first task of the inbox.
func (c *Conn) connected(ctx context.Context) {
	on := c.server.o.OnConnected
	if on == nil {
		return
	}
	_, err := c.run(ctx, func(ctx context.Context, _ *Call) (signalr.Value, error) { return nil, on(ctx, c) }, nil)
	if err != nil {
		c.server.o.Logger.Debug("connection refused", "conn", c.ID(), "err", err)
		c.end(Refused, c.closeText(Refused, err.Error()), false)
	}
}

// enqueue adds a task and sees to it that somebody runs it.
func (c *Conn) enqueue(task func(context.Context)) {
	in := &c.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.over {
		return
	}
	in.queue = append(in.queue, task)
	if len(in.queue) > inboxLimit && !in.held {
		in.held = true
		c.transport.Hold()
	}
	c.startLocked()
}

// startLocked runs the queue on a goroutine of its own, so that the feeder's
// stack stays small.
func (c *Conn) startLocked() {
	in := &c.in
	if in.running {
		return
	}
	in.running = true
	if in.cancel == nil {
		in.ctx, in.cancel = context.WithCancel(context.Background())
	}
	c.server.running.Go(c.work)
}

// work runs tasks in order until none is left.
func (c *Conn) work() {
	in := &c.in
	for {
		in.mu.Lock()
		if len(in.queue) == 0 {
			in.queue, in.running = nil, false
			in.mu.Unlock()
			return
		}
		task := in.queue[0]
		in.queue[0] = nil
		in.queue = in.queue[1:]
		in.begun = true
		if in.held && len(in.queue) <= inboxLimit/2 {
			in.held = false
			c.received.Store(c.server.now.Load()) // what it sent meanwhile could not be heard
			c.transport.Resume()
		}
		ctx := in.ctx
		in.mu.Unlock()
		task(ctx)
	}
}

func (c *Conn) isHeld() bool {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	return c.in.held
}

// Closed ends everything (transport.Receiver): what waits to run is dropped,
// what runs is told by its context, then OnDisconnected.
func (c *Conn) Closed(err error) {
	o := &c.out
	o.mu.Lock()
	if o.why == "" {
		o.why = Lost
		if err == nil {
			o.why = Goodbye
		}
	}
	why := o.why
	o.ended, o.done = true, true
	o.head, o.pending, o.bytes, o.last = nil, nil, 0, nil
	o.mu.Unlock()
	if why == Goodbye {
		err = nil
	}
	c.server.forget(c, why)

	in := &c.in
	in.mu.Lock()
	defer in.mu.Unlock()
	in.queue, in.over, in.held = nil, true, false
	if in.cancel != nil {
		in.cancel()
	}
	// Without OnConnected there is no OnDisconnected either.
	if on := c.server.o.OnDisconnected; on != nil && in.begun {
		in.queue = append(in.queue, func(ctx context.Context) {
			c.run(ctx, func(context.Context, *Call) (signalr.Value, error) { //nolint:errcheck // it has none
				on(c, err)
				return nil, nil
			}, nil)
		})
		c.startLocked()
	}
}

// Reason is why the connection ended; "" while it is open.
func (c *Conn) Reason() CloseReason {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.why
}
