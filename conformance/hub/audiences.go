package main

import (
	"context"

	"rte/signalr"
	"rte/signalr/hub"
)

// audiences are the methods that send to others, and those that join and leave
// groups. What is sent is the last argument, as it came.
func (s *site) audiences() map[string]hub.Method {
	return map[string]hub.Method{
		"Join":  member((*hub.Conn).Join),
		"Leave": member((*hub.Conn).Leave),

		"SendToAll": s.sending(0, func(*hub.Conn, []string) hub.Audience { return s.server.All() }),
		"SendToOthers": s.sending(0, func(c *hub.Conn, _ []string) hub.Audience {
			return s.server.All().Except(c.ID())
		}),
		"SendToCaller": s.sending(0, func(c *hub.Conn, _ []string) hub.Audience { return s.server.Only(c.ID()) }),
		"SendToAllExcept": s.sending(1, func(_ *hub.Conn, names []string) hub.Audience {
			return s.server.All().Except(names...)
		}),
		"SendToClient": s.sending(1, func(_ *hub.Conn, names []string) hub.Audience { return s.server.Only(names[0]) }),
		"SendToGroup":  s.sending(1, func(_ *hub.Conn, names []string) hub.Audience { return s.server.Group(names[0]) }),
		"SendToOthersInGroup": s.sending(1, func(c *hub.Conn, names []string) hub.Audience {
			return s.server.Group(names[0]).Except(c.ID())
		}),
		"SendToUser": s.sending(1, func(_ *hub.Conn, names []string) hub.Audience { return s.server.User(names[0]) }),
	}
}

func member(act func(c *hub.Conn, group string)) hub.Method {
	return func(_ context.Context, c *hub.Call) (signalr.Value, error) {
		var group string
		if err := c.Bind(&group); err != nil {
			return nil, err
		}
		act(c.Conn, group)
		return nil, nil
	}
}

// sending is a method that sends its last argument to an audience that the
// names before it describe.
func (s *site) sending(names int, to func(c *hub.Conn, names []string) hub.Audience) hub.Method {
	return func(_ context.Context, c *hub.Call) (signalr.Value, error) {
		list := make([]string, names)
		var into []any
		for i := range list {
			into = append(into, &list[i])
		}
		var whatever any
		if err := c.Bind(append(into, &whatever)...); err != nil {
			return nil, err
		}
		to(c.Conn, list).Send(message("Message", c.Invocation.Arguments[names]))
		return nil, nil
	}
}
