package session

import (
	"context"

	"rte/internal/event"
	"rte/signalr"
	"rte/signalr/hub"
)

// subscribe checks each item (EntityId, then EventName, then permission),
// joins the good ones and answers one result for each, in order. The answer
// reaches the client before the first event of a new pair. Items that are
// subscribed already are answered like new ones and heard once.
func (h *Handler) subscribe(_ context.Context, call *hub.Call) (signalr.Value, error) {
	requests, err := h.read(call)
	if err != nil {
		return nil, err
	}
	s := of(call)
	results := make([]result, len(requests))
	pairs := make([]event.Pair, 0, len(requests))
	for i, r := range requests {
		if r.problem == "" && !s.principal.May(r.kind, r.pair.Entity) {
			r.problem = unauthorized
		}
		if r.problem == "" && !s.member.Reserve(r.pair, h.o.MaxSubscriptions) {
			r.problem = tooMany
		}
		if r.problem == "" {
			pairs = append(pairs, r.pair)
		}
		results[i] = result{subscribed: r.problem == "", message: r.problem, entity: r.entity, name: r.name}
	}
	answer := resultList{results, h.o.CamelMessagePack}
	s.member.Subscribe(pairs, func() { call.Complete(answer) })
	return answer, nil
}

// unsubscribe leaves the pairs. One that was never subscribed is answered
// like one that was (I36).
func (h *Handler) unsubscribe(_ context.Context, call *hub.Call) (signalr.Value, error) {
	requests, err := h.read(call)
	if err != nil {
		return nil, err
	}
	results := make([]result, len(requests))
	pairs := make([]event.Pair, 0, len(requests))
	for i, r := range requests {
		if r.problem == "" {
			pairs = append(pairs, r.pair)
		}
		results[i] = result{message: r.problem, entity: r.entity, name: r.name}
	}
	of(call).member.Unsubscribe(pairs)
	return resultList{results, h.o.CamelMessagePack}, nil
}

// explain says for each item why this connection does or does not hear it.
// It tells nothing that Subscribe would not: ids that do not exist and ids
// that are forbidden look the same.
func (h *Handler) explain(_ context.Context, call *hub.Call) (signalr.Value, error) {
	requests, err := h.read(call)
	if err != nil {
		return nil, err
	}
	s := of(call)
	list := make(explanations, len(requests))
	for i, r := range requests {
		e := explanation{EntityID: r.entity, EventName: r.name}
		switch {
		case r.problem != "":
			e.Reason = r.problem
		case !s.principal.May(r.kind, r.pair.Entity):
			e.Reason = unauthorized + ": " + string(r.kind.Class) + " events of this entity are not open to role " + s.principal.Role.String()
		case s.member.Has(r.pair):
			e.Allowed, e.Subscribed, e.Reason = true, true, "subscribed: its events are pushed to this connection"
		default:
			e.Allowed, e.Reason = true, "allowed, but not subscribed on this connection"
		}
		list[i] = e
	}
	return signalr.Any(list), nil
}
