package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"rte/signalr"
	"rte/signalr/hub"
)

// A visitor is what a connection has told: hub.Conn.Value.
type visitor struct {
	gate chan struct{} // holds a token when Open has been called

	mu    sync.Mutex
	notes []int
}

// methods are those of every site, but for streams.
func (s *site) methods() map[string]hub.Method {
	all := map[string]hub.Method{
		"Echo":    echo,
		"Thing":   boundThing,
		"Add":     add,
		"Nothing": func(_ context.Context, c *hub.Call) (signalr.Value, error) { return nil, c.Bind() },
		"Whoami":  whoami,
		"Headers": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
			return signalr.Any(c.Invocation.Headers), c.Bind()
		},

		"Fail":     failing(func(text string) error { return errors.New(text) }),
		"FailOpen": failing(func(text string) error { return &hub.Error{Text: text} }),
		"Panic":    failing(func(text string) error { panic(text) }),
		"Forbidden": func(context.Context, *hub.Call) (signalr.Value, error) {
			return nil, hub.ErrUnauthorized
		},

		"Delay":  delay,
		"Wait":   s.wait,
		"Await":  await,
		"Open":   open,
		"Note":   note,
		"Notes":  notes,
		"Pushes": pushes,
		"Early":  early,

		"Abort":      ending(func(c *hub.Conn, _ string) { c.Close(hub.Aborted, "", false) }),
		"CloseAllow": ending(func(c *hub.Conn, text string) { c.Close("asked", text, true) }),
		"CloseError": ending(func(c *hub.Conn, text string) { c.Close("asked", text, false) }),
		"Cut":        ending(func(c *hub.Conn, _ string) { c.Transport().Abort() }),

		"Concat": concat,
		"Weave":  weave,
		"Slow":   s.slow,

		"Ask":      s.ask,
		"AskOther": s.askOther,
	}
	for name, m := range s.audiences() {
		all[name] = m
	}
	return all
}

// connected greets the client: the greeting must come before any answer.
func (s *site) connected(_ context.Context, c *hub.Conn) error {
	c.Value = &visitor{gate: make(chan struct{}, 1)}
	s.diary.write(entry{Site: s.path, ID: c.ID(), What: "connected"})
	c.Send(message("Hello", signalr.Any(c.ID())))
	return nil
}

func (s *site) disconnected(c *hub.Conn, err error) {
	s.diary.write(entry{Site: s.path, ID: c.ID(), What: "disconnected", Reason: string(c.Reason()), Error: text(err)})
}

// message is a push to clients.
func message(target string, args ...signalr.Value) *signalr.Frame {
	return signalr.NewFrame(&signalr.Invocation{Target: target, Arguments: args})
}

// echo gives its argument back as it came.
func echo(_ context.Context, c *hub.Call) (signalr.Value, error) {
	args := c.Invocation.Arguments
	if len(args) != 1 {
		var one any
		return nil, c.Bind(&one) // which says so
	}
	return args[0], nil
}

// A thing has a member of every type that has a form of its own on the wire.
// In JSON its members are in camelCase, in MessagePack they have the names of
// the released server's classes.
type thing struct {
	Text    string         `json:"text" msgpack:"Text"`
	Count   int64          `json:"count" msgpack:"Count"`
	Ratio   float64        `json:"ratio" msgpack:"Ratio"`
	On      bool           `json:"on" msgpack:"On"`
	At      time.Time      `json:"at" msgpack:"At"`
	Bytes   []byte         `json:"bytes" msgpack:"Bytes"`
	Nothing *string        `json:"nothing" msgpack:"Nothing"`
	List    []int          `json:"list" msgpack:"List"`
	Names   map[string]int `json:"names" msgpack:"Names"` // keys are data: no casing
	Inner   *thing         `json:"inner" msgpack:"Inner"`
}

// boundThing reads a thing, ignoring the case of its members, and writes it.
func boundThing(_ context.Context, c *hub.Call) (signalr.Value, error) {
	var t thing
	if err := c.Bind(&t); err != nil {
		return nil, err
	}
	return signalr.Any(t), nil
}

func add(_ context.Context, c *hub.Call) (signalr.Value, error) {
	var a, b int
	if err := c.Bind(&a, &b); err != nil {
		return nil, err
	}
	return signalr.Any(a + b), nil
}

// whoami tells how the server sees the caller.
func whoami(_ context.Context, c *hub.Call) (signalr.Value, error) {
	t := c.Conn.Transport()
	user, _ := t.User().(holder)
	return signalr.Any(map[string]any{
		"id": t.ID(), "transport": t.Transport().String(), "protocol": c.Conn.ProtocolName(),
		"user": user.name, "query": map[string][]string(t.Query()),
	}), c.Bind()
}

// failing is a method that fails with its argument.
func failing(fail func(text string) error) hub.Method {
	return func(_ context.Context, c *hub.Call) (signalr.Value, error) {
		var text string
		if err := c.Bind(&text); err != nil {
			return nil, err
		}
		return nil, fail(text)
	}
}

// delay answers after some milliseconds, unless the connection ends.
func delay(ctx context.Context, c *hub.Call) (signalr.Value, error) {
	var ms int
	if err := c.Bind(&ms); err != nil {
		return nil, err
	}
	return signalr.Any(ms), pause(ctx, ms)
}

func pause(ctx context.Context, ms int) error {
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait runs until the connection ends.
func (s *site) wait(ctx context.Context, c *hub.Call) (signalr.Value, error) {
	<-ctx.Done()
	s.diary.write(entry{Site: s.path, ID: c.Conn.ID(), What: "Wait"})
	return nil, ctx.Err()
}

// await runs until the same connection has called Open, which it can only when
// calls run in parallel.
func await(ctx context.Context, c *hub.Call) (signalr.Value, error) {
	select {
	case <-c.Conn.Value.(*visitor).gate:
		return signalr.Any("opened"), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func open(_ context.Context, c *hub.Call) (signalr.Value, error) {
	select {
	case c.Conn.Value.(*visitor).gate <- struct{}{}:
	default: // it is open
	}
	return nil, nil
}

// note keeps a number: notes tells which have come, in their order.
func note(_ context.Context, c *hub.Call) (signalr.Value, error) {
	var n int
	if err := c.Bind(&n); err != nil {
		return nil, err
	}
	v := c.Conn.Value.(*visitor)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.notes = append(v.notes, n)
	return signalr.Any(n), nil
}

func notes(_ context.Context, c *hub.Call) (signalr.Value, error) {
	v := c.Conn.Value.(*visitor)
	v.mu.Lock()
	defer v.mu.Unlock()
	return signalr.Any(append([]int{}, v.notes...)), c.Bind()
}

// pushes sends numbered messages with some padding, all before its answer.
func pushes(_ context.Context, c *hub.Call) (signalr.Value, error) {
	var n int
	var padding string
	if err := c.Bind(&n, &padding); err != nil {
		return nil, err
	}
	for i := range n {
		c.Conn.Send(message("Message", signalr.Any(i), signalr.Any(padding)))
	}
	return signalr.Any(n), nil
}

// early answers before it has ended, and pushes on both sides of its answer.
func early(_ context.Context, c *hub.Call) (signalr.Value, error) {
	if err := c.Bind(); err != nil {
		return nil, err
	}
	c.Conn.Send(message("Message", signalr.Any("before")))
	c.Complete(signalr.Any("answer"))
	c.Conn.Send(message("Message", signalr.Any("behind")))
	return nil, nil
}

// ending is a method that ends the caller's connection.
func ending(end func(c *hub.Conn, text string)) hub.Method {
	return func(ctx context.Context, c *hub.Call) (signalr.Value, error) {
		var text string
		if err := c.Bind(&text); err != nil {
			return nil, err
		}
		end(c.Conn, text)
		<-ctx.Done() // the end comes before any answer
		return nil, ctx.Err()
	}
}

// other is a connection by its id.
func (s *site) other(id string) (*hub.Conn, error) {
	for _, c := range s.server.Conns() {
		if c.ID() == id {
			return c, nil
		}
	}
	return nil, &hub.Error{Text: "no such connection"}
}
