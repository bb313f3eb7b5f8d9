package session

import (
	"context"
	"time"

	"rte/internal/derive"
	"rte/signalr"
	"rte/signalr/hub"
)

// A notice tells a client something about its connection, not about the
// contact centre. Only clients that have asked get any, so that older ones
// see nothing new.
type notice struct {
	Kind         string   `json:"kind"`
	At           string   `json:"at"` // UTC, milliseconds, Z
	Subscription *removed `json:"subscription,omitempty"`
	Since        string   `json:"since,omitempty"` // when a state's source was heard last
	Reason       string   `json:"reason,omitempty"`
}

// removed is the pair that a notice is about, as Subscribe answered it.
type removed struct {
	EntityID  string `json:"entityId"`
	EventName string `json:"eventName"`
}

// stampNow is the present moment as notices carry it.
func stampNow() string { return stamp(time.Now()) }

// enableNotices switches notices on or off for this connection.
func (h *Handler) enableNotices(_ context.Context, call *hub.Call) (signalr.Value, error) {
	var on bool
	if err := call.Bind(&on); err != nil {
		return nil, err
	}
	of(call).notices.Store(on)
	of(call).member.Notices(on)
	if on {
		h.late(call.Conn)
	}
	return signalr.Null, nil
}

// Stale makes the notice that a pair is stale, or is so no more
// (fanout.Options.Stale).
func (h *Handler) Stale(s derive.Staleness) *signalr.Frame {
	n := notice{
		Kind: "fresh", At: stampNow(), Since: stamp(s.Heard),
		Subscription: &removed{s.Topic.Entity.String(), h.nameOf(h.cat.Type(s.Topic.Kind))},
		Reason:       "its source says it again",
	}
	if s.Stale {
		n.Kind, n.Reason = "stale", "its source is silent; it was to say it again within "+s.Promised.String()
	}
	return signalr.NewFrame(&signalr.Invocation{Target: "Notice", Arguments: []signalr.Value{signalr.Any(n)}})
}

// Draining tells the clients that asked for notices that this node is about
// to go. The Close that follows lets them reconnect.
func (h *Handler) Draining() {
	f := signalr.NewFrame(&signalr.Invocation{
		Target: "Notice",
		Arguments: []signalr.Value{signalr.Any(notice{
			Kind:   "draining",
			At:     time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
			Reason: "the node is going down; reconnect to another",
		})},
	})
	for _, at := range h.register.seats(func(person) bool { return true }) {
		if at.s.notices.Load() {
			at.conn.Send(f)
		}
	}
}
