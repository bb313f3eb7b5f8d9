package derive_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"rte/internal/derive"
	"rte/internal/event"
)

// full are rules with something of everything.
func full(t testing.TB) *derive.Rules {
	cat := event.NewCatalog()
	r := derive.New(cat, derive.Options{})
	var out derive.Output
	r.Tick(dayStart, &out)
	sequence := uint64(0)
	give := func(name string, entity event.GUID, data string) {
		typ, _ := cat.Lookup(name)
		sequence++
		r.Event(&event.Event{
			Topic: event.Topic{Org: org, Pair: event.Pair{Kind: typ.Kind, Entity: entity}}, Data: []byte(data),
			Time: dayStart, Sequence: sequence, Cursor: "cursor",
		}, &out)
	}
	give("CallbackChanged", id('l', 1), `{"callBackId":"`+id('c', 1).String()+`","assignedUserId":"`+id('u', 1).String()+`","dueDate":"2026-11-25T10:00:00Z","lastAttemptTypeId":3}`)
	give("CallbackChanged", id('l', 2), `{"callBackId":"`+id('c', 2).String()+`","expiryDate":"2020-01-01","notBefore":"9999-12-31T23:59:59.9999999"}`)
	give("UserCallbackChanged", id('u', 1), `{"callBackId":"`+id('c', 1).String()+`"}`)
	give("UserStatus", id('u', 1), `{"servingCallback":true}`)
	give("CallbackListStatus", id('l', 2), `{}`)
	give("QueueCallInArrived", id('q', 1), `{"callId":"`+id('k', 1).String()+`","queueName":"Sales"}`)
	r.SetList(org, id('l', 1), true, []event.GUID{id('u', 1), id('u', 2)})
	c, err := derive.ParseCondition(cat, []byte(`{"entityId":"`+id('q', 1).String()+`","eventName":"QueueStatus","field":"MaxWaitTime","operator":">","value":5,"forSeconds":9}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.SetAlert(&derive.Alert{ID: id('a', 1), Organization: org, User: id('u', 1), Condition: *c}, derive.AlertState{}, nil, &out); err != nil {
		t.Fatal(err)
	}
	give("QueueStatus", id('q', 1), `{"maxWaitTime":9}`)
	return r
}

// FuzzSnapshot: a snapshot that is taken can be gone on from, and one taken
// from that is the same.
func FuzzSnapshot(f *testing.F) {
	good := full(f).Snapshot(nil)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add(good[:13])
	f.Add([]byte{})
	cat := event.NewCatalog()
	f.Fuzz(func(t *testing.T, b []byte) {
		r := derive.New(cat, derive.Options{MaxCallbacks: 100, MaxEntities: 100, MaxCalls: 100})
		if r.RestoreSnapshot(b) != nil {
			return
		}
		first := r.Snapshot(nil)
		again := derive.New(cat, derive.Options{MaxCallbacks: 100, MaxEntities: 100, MaxCalls: 100})
		if err := again.RestoreSnapshot(first); err != nil {
			t.Fatalf("own snapshot %q: %v", first, err)
		}
		var out derive.Output
		for range 3 {
			r.Tick(dayStart, &out)
			again.Tick(dayStart, &out)
			dayStart := dayStart.Add(25 * time.Hour)
			r.Tick(dayStart, &out)
		}
	})
}

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
		first := r.Snapshot(nil)
		again := derive.New(cat, derive.Options{})
		if err := again.RestoreSnapshot(first); err != nil {
			t.Fatalf("own snapshot: %v", err)
		}
		if second := again.Snapshot(nil); !bytes.Equal(first, second) {
			t.Fatalf("got\n%q, want\n%q", second, first)
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
