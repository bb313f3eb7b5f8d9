package session

import (
	"context"
	"errors"
	"slices"

	"rte/internal/event"
	"rte/internal/fanout"
	"rte/signalr"
	"rte/signalr/hub"
)

// subscribe checks each item (EntityId, then EventName, then permission),
// joins the good ones and answers one result for each, in order. The answer
// reaches the client before the first event of a new pair, and what a cursor
// has missed comes right behind it. Items that are subscribed already are
// answered like new ones and heard once; nothing of them is replayed.
func (h *Handler) subscribe(ctx context.Context, call *hub.Call) (signalr.Value, error) {
	requests, err := h.read(call)
	if err != nil {
		return nil, err
	}
	s := of(call)
	for {
		changes := s.changes.Load()
		answer, joins := h.judge(s, requests)
		complete := func(joined []fanout.Joined) {
			answer.place(requests, joined)
			call.Complete(answer)
		}
		if !slices.ContainsFunc(requests, request.resumes) { // nothing of the answer depends on the moment
			prepared := call.Prepare(answer)
			complete = func([]fanout.Joined) { prepared() }
		}
		err := s.member.Subscribe(ctx, joins, func() bool { return s.changes.Load() == changes }, complete)
		switch {
		case err == nil:
			return answer, nil
		case !errors.Is(err, fanout.ErrStale): // else its rights have changed meanwhile
			h.o.Logger.Warn("not subscribed", "conn", call.Conn.ID(), "who", s.principal.Load(), "reason", "the store cannot be read", "err", err)
			return nil, &hub.Error{Text: "What was missed cannot be read at present. Nothing was subscribed; try again."}
		}
	}
}

// judge says what becomes of the requests, and what is to be joined.
func (h *Handler) judge(s *session, requests []request) (resultList, []fanout.Join) {
	p := s.principal.Load()
	results := make([]result, len(requests))
	pairs := make([]event.Pair, 0, len(requests))
	for i := range requests {
		r := &requests[i]
		problem := r.problem
		if problem == "" && !p.May(r.kind, r.pair.Entity) {
			problem = unauthorized
		}
		if problem == "" {
			pairs = append(pairs, r.pair)
		}
		results[i] = result{subscribed: problem == "", message: problem, entity: r.entity, name: r.name}
	}
	joins := make([]fanout.Join, 0, len(pairs))
	full := s.member.Reserve(pairs, h.o.MaxSubscriptions)
	for i := range requests {
		if !results[i].subscribed {
			continue
		}
		r, no := &requests[i], full[0]
		if full = full[1:]; no {
			results[i].subscribed, results[i].message = false, tooMany
			continue
		}
		joins = append(joins, fanout.Join{
			Pair: r.pair, After: r.after.text, Snapshot: r.snapshot != nil && *r.snapshot, Told: r.resumes(), Since: p.Since(r.kind, r.pair.Entity),
		})
	}
	return resultList{results, h.o.CamelMessagePack}, joins
}

// place adds how the pairs were joined, for those that want to know.
func (l *resultList) place(requests []request, joined []fanout.Joined) {
	n := 0
	for i := range l.results {
		if !l.results[i].subscribed {
			continue
		}
		if requests[i].resumes() {
			l.results[i].joined = &joined[n]
		}
		n++
	}
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
	p := s.principal.Load()
	list := make(explanations, len(requests))
	for i, r := range requests {
		e := explanation{EntityID: r.entity.or(), EventName: r.name.or()}
		switch {
		case r.problem != "":
			e.Reason = r.problem
		case !p.May(r.kind, r.pair.Entity):
			e.Reason = unauthorized + ": " + string(r.kind.Class) + " events of this entity are not open to role " + p.Role.String()
		case s.member.Has(r.pair):
			e.Allowed, e.Subscribed, e.Reason = true, true, "subscribed: its events are pushed to this connection"
		default:
			e.Allowed, e.Reason = true, "allowed, but not subscribed on this connection"
		}
		list[i] = e
	}
	return signalr.Any(list), nil
}
