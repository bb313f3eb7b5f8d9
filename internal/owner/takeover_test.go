package owner_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/derive"
	"rte/internal/event"
	"rte/internal/owner"
)

// TestTakeOverOfAlerts: whoever takes over judges the alerts on the newest
// states, which it reads anyway: it asks the store for none of them. What has
// fired does not fire again; and the state of an alert that was deleted while
// nobody owned is forgotten.
func TestTakeOverOfAlerts(t *testing.T) {
	t.Parallel()
	const alerts = 1000
	synctest.Test(t, func(t *testing.T) {
		cat := event.NewCatalog()
		status, _ := cat.Lookup("QueueStatus")
		told, _ := cat.Lookup("UserAlert")
		m := &memory{cat: cat, grown: make(chan struct{}), kept: map[[3]event.GUID]derive.Callback{}, alertStates: map[event.GUID]derive.AlertState{}, left: -1}
		org := event.GUID{'o'}
		for n := range alerts {
			id, queue := event.GUID{'a', byte(n >> 8), byte(n)}, event.GUID{'q', byte(n >> 8), byte(n)}
			c, err := derive.ParseCondition(cat, []byte(`{"entityId":"`+queue.String()+`","eventName":"QueueStatus","field":"MaxWaitTime","operator":">","value":5}`))
			if err != nil {
				t.Fatal(err)
			}
			m.changes = append(m.changes, owner.Change{Alert: &derive.Alert{ID: id, Organization: org, User: event.GUID{'u'}, Condition: *c}})
			if n%2 == 0 {
				m.alertStates[id] = derive.AlertState{Organization: org, ID: id, Fired: true}
			}
			m.states = append(m.states, &event.Event{
				Topic: event.Topic{Org: org, Pair: event.Pair{Kind: status.Kind, Entity: queue}}, Data: []byte(`{"maxWaitTime":9}`), Sequence: uint64(n + 1), Cursor: "c",
			})
		}
		deleted := event.GUID{'d'}
		m.alertStates[deleted] = derive.AlertState{Organization: org, ID: deleted, Fired: true}
		ownFor(t, m, 3*time.Second)
		fired := 0
		for _, e := range m.log {
			if e.Kind == told.Kind {
				fired++
			}
		}
		if fired != alerts/2 {
			t.Errorf("%d alerts fired, want the %d that had not", fired, alerts/2)
		}
		if m.asked > 0 {
			t.Errorf("the store was asked %d times for a newest state", m.asked)
		}
		if _, is := m.alertStates[deleted]; is || len(m.alertStates) != alerts {
			t.Errorf("%d states are kept, that of the deleted alert: %t", len(m.alertStates), is)
		}
	})
}

// ownFor lets an owner run for a while of a bubble's time.
func ownFor(t *testing.T, m *memory, while time.Duration) *owner.Owner {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := owner.New(owner.Options{Catalog: m.cat, Store: m})
	var run sync.WaitGroup
	run.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	<-time.After(while)
	synctest.Wait()
	cancel()
	run.Wait()
	return w
}

// TestOneRefusedForGood: a copy that the store never takes, because it is too
// large, does not take those with it that follow for the same user.
func TestOneRefusedForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cat := event.NewCatalog()
		changed, _ := cat.Lookup("CallbackChanged")
		copied, _ := cat.Lookup("UserCallbackChanged")
		m := &memory{cat: cat, grown: make(chan struct{}), kept: map[[3]event.GUID]derive.Callback{}, left: -1}
		m.refuse = func(e *event.Event) bool { return bytes.Contains(e.Data, []byte("large")) }
		user := event.GUID{'u'}
		for n := range 10 {
			note := "small"
			if n%3 == 1 {
				note = "large"
			}
			m.append(&event.Event{
				Topic: event.Topic{Org: event.GUID{'o'}, Pair: event.Pair{Kind: changed.Kind, Entity: event.GUID{'l'}}},
				Data:  fmt.Appendf(nil, `{"callBackId":%q,"assignedUserId":%q,"note":%q}`, event.GUID{'c', byte(n)}, user, note), Time: time.Now(),
			})
		}
		w := ownFor(t, m, 3*time.Second)
		var got []string
		for _, e := range m.log {
			if e.Kind == copied.Kind {
				got = append(got, e.Cause)
			}
		}
		if d := cmp.Diff([]string{"1", "3", "4", "6", "7", "9", "10"}, got); d != "" {
			t.Errorf("causes of what the user was told (-want +got):\n%s", d)
		}
		if s := w.Stats(); s.Refused != 3 {
			t.Errorf("%d were refused, want 3", s.Refused)
		}
	})
}
