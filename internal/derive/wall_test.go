package derive_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/derive"
	"rte/internal/event"
)

// TestTenantWall: three organizations whose queues, lists, users, callbacks,
// calls and alerts have the same ids. What follows for each, and what is kept of
// it, is to the byte what follows where the others are not.
func TestTenantWall(t *testing.T) {
	t.Parallel()
	r := seeded(t)
	cat := event.NewCatalog()
	type input struct {
		org event.GUID // zero: all, a tick
		do  func(*derive.Rules, *derive.Output)
	}
	var inputs []input
	orgs := []event.GUID{id('o', 1), id('o', 2), id('o', 3)}
	now, sequence := dayStart, uint64(0)
	for _, o := range orgs {
		c, err := derive.ParseCondition(cat, fmt.Appendf(nil, `{"entityId":%q,"eventName":"QueueStatus","field":"MaxWaitTime","operator":">","value":5}`, id('q', 0)))
		if err != nil {
			t.Fatal(err)
		}
		a := derive.Alert{ID: id('a', 1), Organization: o, User: id('u', 1), Condition: *c}
		inputs = append(inputs, input{o, func(r *derive.Rules, out *derive.Output) {
			if err := r.SetAlert(&a, derive.AlertState{}, nil, out); err != nil {
				t.Error(err)
			}
		}})
	}
	for range 4000 {
		o := orgs[r.IntN(len(orgs))]
		if r.IntN(4) == 0 {
			now = now.Add(time.Second)
			inputs = append(inputs, input{do: func(at time.Time) func(*derive.Rules, *derive.Output) {
				return func(r *derive.Rules, out *derive.Output) { r.Tick(at, out) }
			}(now)})
			continue
		}
		if r.IntN(100) == 0 {
			list, agents := id('l', r.IntN(2)), []event.GUID{id('u', r.IntN(3)), id('u', r.IntN(3))}
			inputs = append(inputs, input{o, func(r *derive.Rules, _ *derive.Output) { r.SetList(o, list, true, agents) }})
			continue
		}
		n := r.IntN(6)
		name := []string{"CallbackChanged", "UserStatus", "QueueStatus", "QueueCallInArrived", "QueueCallInUserConnected", "QueueCallInDisconnected"}[n]
		entity := []event.GUID{id('l', r.IntN(2)), id('u', r.IntN(3)), id('q', 0), id('q', r.IntN(2)), id('q', r.IntN(2)), id('q', r.IntN(2))}[n]
		data := []string{
			fmt.Sprintf(`{"callBackId":%q,"assignedUserId":%q,"dueDate":%q}`, id('c', r.IntN(8)), id('u', r.IntN(3)), now.Add(time.Minute).Format(time.RFC3339)),
			fmt.Sprintf(`{"servingCallback":%t}`, r.IntN(2) == 0),
			fmt.Sprintf(`{"maxWaitTime":%d}`, r.IntN(12)),
			fmt.Sprintf(`{"callId":%q}`, id('k', r.IntN(8))), fmt.Sprintf(`{"callId":%q}`, id('k', r.IntN(8))), fmt.Sprintf(`{"callId":%q}`, id('k', r.IntN(8))),
		}[n]
		typ, _ := cat.Lookup(name)
		sequence++
		e := &event.Event{
			Topic: event.Topic{Org: o, Pair: event.Pair{Kind: typ.Kind, Entity: entity}}, Data: []byte(data),
			Time: now, Stored: now, Sequence: sequence, Cursor: fmt.Sprint(sequence),
		}
		inputs = append(inputs, input{o, func(r *derive.Rules, out *derive.Output) { r.Event(e, out) }})
	}
	// run gives the inputs of one organization, or of all, and returns what came of
	// each.
	run := func(only event.GUID) map[event.GUID][]string {
		rules, came := derive.New(cat, derive.Options{}), map[event.GUID][]string{}
		var out derive.Output
		for _, in := range inputs {
			if !only.IsZero() && !in.org.IsZero() && in.org != only {
				continue
			}
			out.Reset()
			in.do(rules, &out)
			note := func(o event.GUID, what any) {
				came[o] = append(came[o], fmt.Sprintf("%+v", what))
				if !in.org.IsZero() && o != in.org {
					t.Fatalf("an input of %v gave %+v", in.org, what)
				}
			}
			for _, e := range out.Events {
				note(e.Org, e.Topic)
				note(e.Org, e.ID+" "+e.Cause+" "+e.Time.String()+" "+string(e.Data))
			}
			for _, k := range out.Callbacks {
				note(k.Organization, k)
			}
			for _, f := range out.Figures {
				note(f.OrganizationID, f)
			}
			for _, s := range out.Alerts {
				note(s.Organization, s)
			}
		}
		return came
	}
	together := run(event.GUID{})
	for _, o := range orgs {
		alone := run(o)
		if d := cmp.Diff(alone[o], together[o]); d != "" {
			t.Errorf("of %v (-alone +among others):\n%.2000s", o, d)
		}
		if len(alone) != 1 || len(alone[o]) < 500 {
			t.Errorf("alone %v gave %d lines, of %d organizations", o, len(alone[o]), len(alone))
		}
	}
}
