package derive_test

import (
	"fmt"
	"testing"

	"rte/internal/derive"
	"rte/internal/event"
)

// TestBoundsHold: whatever comes, no more is remembered than the options say,
// and what was refused or forgotten is counted.
func TestBoundsHold(t *testing.T) {
	t.Parallel()
	const most = 50
	cat := event.NewCatalog()
	r := derive.New(cat, derive.Options{MaxCallbacks: most, MaxEntities: most, MaxCalls: most})
	var out derive.Output
	for n := range 10 * most {
		for name, data := range map[string]string{
			"CallbackChanged":    fmt.Sprintf(`{"callBackId":%q,"expiryDate":"2026-11-26T00:00:00Z"}`, id('c', n)),
			"UserStatus":         `{"servingCallback":true}`,
			"CallbackListStatus": `{}`,
			"QueueCallInArrived": fmt.Sprintf(`{"callId":%q}`, id('k', n)),
		} {
			typ, _ := cat.Lookup(name)
			r.Event(&event.Event{
				Topic: event.Topic{Org: id('o', n%3), Pair: event.Pair{Kind: typ.Kind, Entity: id('e', n)}}, Data: []byte(data), Time: dayStart,
			}, &out)
		}
		r.SetList(id('o', n%3), id('r', n), true, []event.GUID{id('u', n)})
		r.Tick(dayStart, &out)
		s := r.Stats()
		for what, held := range map[string]int{"callbacks": s.Callbacks, "lists": s.Lists, "users": s.Users, "queues": s.Queues, "calls": s.WaitingCalls} {
			if held > most {
				t.Fatalf("%d %s are remembered, want at most %d", held, what, most)
			}
		}
	}
	if s := r.Stats(); s.Refused == 0 || s.Callbacks == 0 {
		t.Errorf("got %+v, want some refused and some remembered", s)
	}
}
