package main

import (
	"context"
	"errors"

	"rte/signalr"
	"rte/signalr/hub"
)

// ask invokes a method of the caller's, named by the first argument, with the
// rest, and answers with its result.
func (s *site) ask(ctx context.Context, c *hub.Call) (signalr.Value, error) {
	return s.asking(ctx, c, c.Conn, c.Invocation.Arguments)
}

// askOther does so with the client whose id comes first.
func (s *site) askOther(ctx context.Context, c *hub.Call) (signalr.Value, error) {
	args := c.Invocation.Arguments
	var id string
	if len(args) == 0 || signalr.Decode(args[0], &id) != nil {
		return nil, hub.BadArguments()
	}
	who, err := s.other(id)
	if err != nil {
		return nil, err
	}
	return s.asking(ctx, c, who, args[1:])
}

func (s *site) asking(ctx context.Context, c *hub.Call, who *hub.Conn, args []signalr.Value) (signalr.Value, error) {
	var target string
	if len(args) == 0 || signalr.Decode(args[0], &target) != nil {
		return nil, hub.BadArguments()
	}
	v, err := who.Invoke(ctx, target, args[1:]...)
	if err == nil {
		return v, nil
	}
	s.diary.write(entry{Site: s.path, ID: c.Conn.ID(), What: "Ask", Error: text(err)})
	if failure, ok := errors.AsType[*hub.Error](err); ok {
		return nil, &hub.Error{Text: "the client says: " + failure.Text}
	}
	return nil, err
}
