package derive_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"rte/internal/derive"
	"rte/internal/event"
)

// FuzzRecord: what is read of a callback's record is written again.
func FuzzRecord(f *testing.F) {
	var out derive.Output
	cat := event.NewCatalog()
	typ, _ := cat.Lookup("CallbackChanged")
	for _, data := range []string{
		`{"callBackId":"` + id('c', 1).String() + `","assignedUserId":"` + id('u', 1).String() + `","dueDate":"2026-11-25T10:00:00Z","lastAttemptTypeId":3}`,
		`{"callBackId":"` + id('c', 1).String() + `","expiryDate":"2020-01-01","notBefore":"9999-12-31T23:59:59.9999999"}`,
	} {
		out.Reset()
		derive.New(cat, derive.Options{}).Event(&event.Event{
			Topic: event.Topic{Org: org, Pair: event.Pair{Kind: typ.Kind, Entity: id('l', 1)}}, Data: []byte(data),
			Time: dayStart, Sequence: 7, Cursor: "cursor",
		}, &out)
		f.Add(out.Callbacks[0].Record)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := derive.New(cat, derive.Options{})
		if r.RestoreCallback(derive.Callback{Organization: org, List: id('l', 1), ID: id('c', 1), Record: b}) != nil {
			if r.Stats().Callbacks != 0 {
				t.Fatal("a refused record left something behind")
			}
			return
		}
		first := r.Kept(org, id('c', 1))
		again := derive.New(cat, derive.Options{})
		if err := again.RestoreCallback(derive.Callback{Organization: org, List: id('l', 1), ID: id('c', 1), Record: first}); err != nil {
			t.Fatalf("own record %x: %v", first, err)
		}
		if second := again.Kept(org, id('c', 1)); !bytes.Equal(first, second) {
			t.Fatalf("got\n%x, want\n%x", second, first)
		}
	})
}

// FuzzCondition: a condition that is taken can be written, read again as the
// same, and judged.
func FuzzCondition(f *testing.F) {
	for _, text := range []string{
		`{"entityId":"6f000100-0000-0000-0000-000000000000","eventName":"QueueStatus","field":"MaxWaitTime","operator":">","value":5,"clearValue":"1","forSeconds":3}`,
		`{"entityId":"6f000100-0000-0000-0000-000000000000","eventName":"callbackliststatus","field":"isautoallocate","operator":"=","value":"true"}`,
		`{"entityId":"6f000100-0000-0000-0000-000000000000","eventName":"QueueStatus","field":"QueueName","operator":"!=","value":"a\u0000"}`,
		`{"value":null}`, `[]`, `{"forSeconds":1e3}`,
	} {
		f.Add([]byte(text), []byte(`{"maxWaitTime":7,"queueName":"b"}`))
	}
	cat := event.NewCatalog()
	f.Fuzz(func(t *testing.T, text, data []byte) {
		c, err := derive.ParseCondition(cat, text)
		if err != nil {
			return
		}
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := derive.ParseCondition(cat, written); err != nil {
			t.Fatalf("own condition %s: %v", written, err)
		}
		typ, _ := cat.Lookup(c.EventName)
		r := derive.New(cat, derive.Options{})
		var out derive.Output
		newest := &event.Event{Topic: event.Topic{Org: org, Pair: event.Pair{Kind: typ.Kind, Entity: c.EntityID}}, Data: data}
		if err := r.SetAlert(&derive.Alert{Organization: org, Condition: *c}, derive.AlertState{}, newest, &out); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzPayload: no payload breaks the rules, and of one that is JSON every copy
// is.
func FuzzPayload(f *testing.F) {
	for _, data := range []string{
		`{"callBackId":"63000100-0000-0000-0000-000000000000","assignedUserId":"63000100-0000-0000-0000-000000000000","callbackAttempts":[{"callbackAttemptTypeId":1}]}`,
		`{"a\"b":{"c":["}"]} , "eventType":1,"servingCallback":true}`, `{`, `{"a":1`, `{"a" 1}`, `[]`, `{"a":]}`,
	} {
		f.Add([]byte(data))
	}
	cat := event.NewCatalog()
	f.Fuzz(func(t *testing.T, data []byte) {
		r := derive.New(cat, derive.Options{})
		var out derive.Output
		for _, typ := range cat.Events {
			r.Event(&event.Event{
				Topic: event.Topic{Org: org, Pair: event.Pair{Kind: typ.Kind, Entity: id('l', 1)}}, Data: data,
				Time: dayStart, PreviousAssignedUser: id('u', 1),
			}, &out)
		}
		if len(out.Events) == 0 {
			t.Fatal("the previous assignee was not told")
		}
		for i := range out.Events {
			if json.Valid(data) && data[0] == '{' && !json.Valid(out.Events[i].Data) {
				t.Fatalf("payload %q gave the copy %q", data, out.Events[i].Data)
			}
		}
	})
}
