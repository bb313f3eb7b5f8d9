package owner

import (
	"context"
	"errors"
	"slices"

	"rte/internal/derive"
	"rte/internal/event"
)

// settle stores and publishes what has come out, in the order that
// [derive.Output] asks for. It tries until ctx ends: nothing goes on before.
func (t *tenure) settle(ctx context.Context) error {
	out := &t.out
	for _, s := range newest(out.Alerts, func(s *derive.AlertState) event.GUID { return s.ID }) {
		if err := t.patiently(ctx, func() error { return t.o.Store.KeepAlertState(ctx, &s) }); err != nil {
			return err
		}
	}
	if err := t.publish(ctx, out.Events); err != nil {
		return err
	}
	for kept := range slices.Chunk(newest(out.Callbacks, callbackKey), batch) { // a try that fails begins again
		if err := t.patiently(ctx, func() error { return t.o.Store.Keep(ctx, kept) }); err != nil {
			return err
		}
	}
	for i := range out.Figures {
		if err := t.patiently(ctx, func() error { return t.o.Store.KeepFigures(ctx, &out.Figures[i]) }); err != nil {
			return err
		}
	}
	out.Reset()
	t.ready = t.caught
	return t.keepPlace(ctx)
}

// callbackKey tells records apart: one callback may have moved between lists.
func callbackKey(c *derive.Callback) [3]event.GUID {
	return [3]event.GUID{c.Organization, c.List, c.ID}
}

// newest are the last of each key, in their order.
func newest[T any, K comparable](all []T, key func(*T) K) []T {
	last := make(map[K]int, len(all))
	for i := range all {
		last[key(&all[i])] = i
	}
	var list []T
	for i := range all {
		if last[key(&all[i])] == i {
			list = append(list, all[i])
		}
	}
	return list
}

// publish stores events. One that the store has for good refused is left out: it
// would be refused again. With it the store refuses what comes behind it in its
// pair, and that is offered anew.
func (t *tenure) publish(ctx context.Context, events []event.Event) error {
	var send []*event.Event
	for _, e := range slices.Clone(events) { // the store keeps them, the output is used again
		published := false
		if !t.ready {
			if err := t.patiently(ctx, func() (err error) { published, err = t.published(ctx, &e); return err }); err != nil {
				return err
			}
		}
		if published {
			t.stats.Skipped++
			continue
		}
		send = append(send, &e)
	}
	for len(send) > 0 {
		var again []*event.Event
		left := map[event.Topic]bool{}
		for i, err := range t.o.Store.Publish(ctx, send) {
			switch {
			case err == nil:
			case errors.Is(err, event.ErrUnavailable), left[send[i].Topic]:
				again = append(again, send[i])
			default:
				left[send[i].Topic] = true
				t.stats.Refused++
				t.o.Logger.Error("what follows from an event was refused", "event", t.o.Catalog.Type(send[i].Kind).Name, "org", send[i].Org, "err", err)
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if send = again; len(send) > 0 && len(left) == 0 {
			t.stats.Retries++
			rest(ctx, pause)
		}
	}
	return nil
}

// published tells whether an owner before this one has published an event that
// follows from one read again. The store knows its id for --dedupe-window only;
// but a user's copies come in the order of their causes.
func (t *tenure) published(ctx context.Context, e *event.Event) (bool, error) {
	if t.o.Catalog.Type(e.Kind).Name != "UserCallbackChanged" {
		return false, nil
	}
	last, err := t.o.Store.Last(ctx, e.Topic)
	if err != nil || last == nil || !last.Own() {
		return false, err
	}
	has, ok1 := t.o.Store.Sequence(last.Cause)
	wants, ok2 := t.o.Store.Sequence(e.Cause)
	return ok1 && ok2 && has >= wants, nil
}

// keepPlace keeps up to where everything is done. It may fail: an older place
// only means more to be read.
func (t *tenure) keepPlace(ctx context.Context) error {
	now := t.o.Now()
	place := t.place
	for len(t.places) > 0 && now.Sub(t.places[0].at) >= settled {
		place = t.places[0].sequence
		t.places = t.places[1:]
	}
	if place <= t.place {
		return nil
	}
	err := t.o.Store.KeepPlace(ctx, place)
	if err == nil {
		t.place = place
	}
	if errors.Is(err, event.ErrUnavailable) {
		return nil
	}
	return err
}

// patiently does what needs the store until it is there, or ctx ends.
func (t *tenure) patiently(ctx context.Context, do func() error) error {
	for {
		err := do()
		if !errors.Is(err, event.ErrUnavailable) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		t.stats.Retries++
		rest(ctx, pause)
	}
}
