package derive_test

import (
	"fmt"
	"testing"
	"time"

	"rte/internal/derive"
	"rte/internal/event"
)

// TestManyForgottenTogether: the callbacks of a whole list may expire at one
// midnight, and are to be forgotten together. That goes in pieces, since each is
// a question to the store, and none is forgotten early or counted meanwhile.
func TestManyForgottenTogether(t *testing.T) {
	t.Parallel()
	const many, atOnce = 1000, 256
	cat := event.NewCatalog()
	typ, _ := cat.Lookup("CallbackChanged")
	r := derive.New(cat, derive.Options{})
	var out derive.Output
	r.Tick(dayStart, &out)
	for n := range many {
		r.Event(&event.Event{
			Topic:    event.Topic{Org: org, Pair: event.Pair{Kind: typ.Kind, Entity: id('l', 1)}},
			Data:     fmt.Appendf(nil, `{"callBackId":%q,"expiryDate":"2026-11-25T12:00:00Z"}`, id('c', n)),
			Sequence: uint64(n + 1), Cursor: "c", Time: dayStart, Stored: dayStart,
		}, &out)
	}
	r.Tick(dayStart.Add(36*time.Hour-time.Second), &out)
	if s := r.Stats(); s.Callbacks != many || s.OpenCallbacks != 0 {
		t.Fatalf("a second before they are forgotten there are %+v", s)
	}
	forgotten, ticks := 0, 0
	for at := dayStart.Add(36 * time.Hour); r.Stats().Callbacks > 0 && ticks < 100; at = at.Add(time.Second) {
		out.Reset()
		r.Tick(at, &out)
		ticks++
		if n := len(out.Callbacks); n > atOnce {
			t.Fatalf("one tick forgets %d", n)
		}
		for _, k := range out.Callbacks {
			if k.Record != nil {
				t.Errorf("%v is kept anew", k.ID)
			}
			forgotten++
		}
	}
	if forgotten != many {
		t.Errorf("%d were forgotten in %d ticks, want %d", forgotten, ticks, many)
	}
}
