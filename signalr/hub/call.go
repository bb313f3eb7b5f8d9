package hub

import (
	"context"
	"fmt"
	"runtime/debug"

	"rte/signalr"
)

// A Call is one invocation of a method.
type Call struct {
	Conn       *Conn
	Invocation *signalr.Invocation
	// Uploads are the streams that the client sends, as many as
	// Options.Uploads says, in the order of the invocation's StreamIDs. They
	// end with the method.
	Uploads []*Upload

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
// that wants no answer gets none, and a stream ends when its function does.
func (c *Call) Complete(result signalr.Value) {
	c.answer(&signalr.Completion{Result: result})
}

// Prepare is Complete in two steps: the answer is encoded now, and sent when
// complete is called. So a method that must answer under a lock does the work
// before it.
func (c *Call) Prepare(result signalr.Value) (complete func()) {
	f := signalr.NewFrame(&signalr.Completion{ID: c.Invocation.ID, Result: result})
	if p := c.Conn.protocol.Load(); p != nil && c.Invocation.ID != "" {
		f.Bytes(*p) //nolint:errcheck // Send asks again, and tells
	}
	return func() {
		if !c.answered && c.Invocation.ID != "" {
			c.answered = true
			c.Conn.Send(f)
		}
	}
}

func (c *Call) answer(m *signalr.Completion) {
	if c.answered || c.Invocation.ID == "" {
		return
	}
	c.answered = true
	m.ID = c.Invocation.ID
	c.Conn.Send(signalr.NewFrame(m))
}

// invoke runs a method and answers.
func (c *Conn) invoke(ctx context.Context, method Method, call *Call, ended func()) {
	result, err := c.run(ctx, method, call)
	call.closeUploads()
	ended()
	if err != nil {
		call.answer(&signalr.Completion{Error: c.server.errorText(call.Invocation.Target, err)})
		return
	}
	if result == nil {
		result = signalr.Null
	}
	call.answer(&signalr.Completion{Result: result})
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
	o.head, o.pending, o.bytes, o.last, o.replay = nil, nil, 0, nil, nil
	o.makeRoom()
	o.mu.Unlock()
	if why == Goodbye {
		err = nil
	}
	c.server.forget(c, why)

	in := &c.in
	in.mu.Lock()
	defer in.mu.Unlock()
	in.queue, in.bytes, in.over, in.held, in.holds = nil, 0, true, false, 0
	if in.cancel != nil {
		in.cancel()
	}
	// Without OnConnected there is no OnDisconnected either.
	if on := c.server.o.OnDisconnected; on != nil && in.stage >= begun {
		in.queue = append(in.queue, task{run: func(ctx context.Context) {
			if x := c.more.Load(); x != nil {
				x.beside.Wait() // streams end, too, before OnDisconnected
			}
			c.run(ctx, func(context.Context, *Call) (signalr.Value, error) { //nolint:errcheck // it has none
				on(c, err)
				return nil, nil
			}, nil)
		}})
		c.startLocked()
	}
}

// Reason is why the connection ended; "" while it is open.
func (c *Conn) Reason() CloseReason {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.why
}
