package main

import (
	"context"
	"strings"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// plainDesk makes a site with the methods of the product page and none of
// RTE's additions: no cursors, no snapshots, no notices. What Raise is given
// goes to whoever has subscribed the pair.
func plainDesk(s *site, h *hub.Options, _ *transport.Options) {
	h.Streams, h.Uploads = nil, nil
	h.Methods = map[string]hub.Method{
		"Subscribe":   subscribing(true, (*hub.Conn).Join),
		"Unsubscribe": subscribing(false, (*hub.Conn).Leave),
		"UnsubscribeAll": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
			return signalr.Any(true), nil
		},
		"AvailableSubscriptions": func(context.Context, *hub.Call) (signalr.Value, error) {
			return signalr.Any([]string{"UserAvailability", "UserCallInComing"}), nil
		},
		"Raise": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
			var p desired
			var data any
			if err := c.Bind(&p, &data); err != nil {
				return nil, err
			}
			push := map[string]any{"subscription": p, "data": data}
			s.server.Group(p.group()).Send(message("MessageReceived", signalr.Any(push)))
			return nil, nil
		},
	}
}

// desired is a pair as clients name it.
type desired struct {
	EntityID  string `json:"entityId" msgpack:"EntityId"`
	EventName string `json:"eventName" msgpack:"EventName"`
}

func (p desired) group() string { return strings.ToLower(p.EntityID + " " + p.EventName) }

// outcome is what became of a pair.
type outcome struct {
	Subscribed bool    `json:"subscribed" msgpack:"Subscribed"`
	Message    *string `json:"message" msgpack:"Message"`
	EntityID   string  `json:"entityId" msgpack:"EntityId"`
	EventName  string  `json:"eventName" msgpack:"EventName"`
}

func subscribing(subscribed bool, act func(c *hub.Conn, group string)) hub.Method {
	return func(_ context.Context, c *hub.Call) (signalr.Value, error) {
		var pairs []desired
		if err := c.Bind(&pairs); err != nil {
			return nil, err
		}
		results := make([]outcome, len(pairs))
		for i, p := range pairs {
			act(c.Conn, p.group())
			results[i] = outcome{Subscribed: subscribed, EntityID: p.EntityID, EventName: strings.ToLower(p.EventName)}
		}
		return signalr.Any(results), nil
	}
}
