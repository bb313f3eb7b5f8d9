package session_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/session"
)

func item(entity, name string) string {
	return fmt.Sprintf(`{"EntityId":%q,"EventName":%q}`, entity, name)
}

func result(subscribed bool, message, entity, name string) string {
	if message == "" {
		message = "null"
	} else {
		message = `"` + message + `"`
	}
	quote := func(s string) string {
		if s == "null" {
			return s
		}
		return `"` + s + `"`
	}
	return fmt.Sprintf(`{"subscribed":%v,"message":%s,"entityId":%s,"eventName":%s}`, subscribed, message, quote(entity), quote(name))
}

func list(items ...string) string { return "[" + strings.Join(items, ",") + "]" }

const badArguments = "error: Failed to invoke 'Subscribe' due to an error on the server."

func TestSubscribe(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.Options{})
	v := d.visit(user(t, event.GUID{1}))
	for _, c := range []struct{ name, arg, want string }{
		{
			"the page's sample: one id as user and as queue",
			list(item(userText, "UserCallIncoming"), item(userText, "QueueCallInUserAllocated")),
			list(result(true, "", userText, "usercallincoming"), result(false, "Unauthorized", userText, "queuecallinuserallocated")),
		},
		{"empty list", "[]", "[]"},
		{"the C# sample's null (I32)", list(`{"entityId":"`+userText+`","eventName":"UserCallIncoming"}`, "null"),
			list(result(true, "", userText, "usercallincoming"), result(false, "Invalid EntityId", "null", "null"))},
		{"repeats are answered each", list(item(userText, "UserStatus"), item(userText, "userstatus")),
			list(result(true, "", userText, "userstatus"), result(true, "", userText, "userstatus"))},
		{"Guid forms are normalised", list(item("{"+strings.ToUpper(userText)+"}", "UserStatus"), item(strings.ReplaceAll(userText, "-", ""), "UserStatus")),
			list(result(true, "", userText, "userstatus"), result(true, "", userText, "userstatus"))},
		{"bad id, echoed as sent", list(item(`not "a" Guid`, "UserStatus")), list(`{"subscribed":false,"message":"Invalid EntityId","entityId":"not \"a\" Guid","eventName":"userstatus"}`)},
		{"bad name", list(item(userText, "NoSuchEvent")), list(result(false, "Invalid event name", userText, "nosuchevent"))},
		{"an older name of the family", list(item(userText, "UserSetting")), list(result(false, "Invalid event name", userText, "usersetting"))},
		{"the id is checked before the name", list(item("x", "NoSuchEvent")), list(result(false, "Invalid EntityId", "x", "nosuchevent"))},
		{"the name is checked before the right", list(item(otherText, "NoSuchEvent")), list(result(false, "Invalid event name", otherText, "nosuchevent"))},
		{"forbidden and unknown ids look the same", list(item(otherText, "UserStatus"), item("00000000-0000-0000-0000-000000000000", "UserStatus")),
			list(result(false, "Unauthorized", otherText, "userstatus"), result(false, "Unauthorized", "00000000-0000-0000-0000-000000000000", "userstatus"))},
		{"a queue of the token", list(item(queueText, "QUEUESTATUS")), list(result(true, "", queueText, "queuestatus"))},
		{"missing members", "[{}]", list(result(false, "Invalid EntityId", "null", "null"))},
		{"missing name", list(`{"EntityId":"` + userText + `"}`), list(result(false, "Invalid event name", userText, "null"))},
		{"null members", `[{"entityId":null,"eventName":null}]`, list(result(false, "Invalid EntityId", "null", "null"))},
		{"further members are ignored", list(`{"x":{"y":[1]},"ENTITYID":"` + userText + `","eventname":"UserStatus"}`), list(result(true, "", userText, "userstatus"))},
		{"not a list", item(userText, "UserStatus"), badArguments},
		{"null list", "null", badArguments},
		{"list of texts", `["UserStatus"]`, badArguments},
		{"number for an id", `[{"EntityId":7,"EventName":"UserStatus"}]`, badArguments},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d := cmp.Diff(c.want, v.call("Subscribe", c.arg)); d != "" {
				t.Errorf("result (-want +got):\n%s", d)
			}
		})
	}
	if got := v.call("Subscribe"); got != badArguments {
		t.Errorf("without argument: %s", got)
	}
	if got := v.call("Subscribe", "[]", "[]"); got != badArguments {
		t.Errorf("with two arguments: %s", got)
	}
	if got, want := v.call("subSCRIBE", "[]"), "[]"; got != want {
		t.Errorf("in other case: %s", got)
	}
}

func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.Options{})
	org := event.GUID{1}
	v := d.visit(user(t, org))
	v.call("Subscribe", list(item(userText, "UserAvailability"), item(userText, "UserStatus")))
	got := v.call("Unsubscribe", list(item(userText, "UserAvailability"), item(otherText, "UserAvailability"), "null", item(userText, "nope")))
	want := list(
		result(false, "", userText, "useravailability"),
		result(false, "", otherText, "useravailability"), // never subscribed, and not even allowed: idempotent (I36)
		result(false, "Invalid EntityId", "null", "null"),
		result(false, "Invalid event name", userText, "nope"),
	)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("result (-want +got):\n%s", d)
	}
	d.publish(org, "UserAvailability", userText, `{"gone":1}`)
	d.publish(org, "UserStatus", userText, `{"still":1}`)
	if got := v.next(); !strings.Contains(got, `"still"`) {
		t.Errorf("first push %s, want the one that is still subscribed", got)
	}
}

func TestUnsubscribeAll(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.Options{})
	org := event.GUID{1}
	v := d.visit(user(t, org))
	for _, arg := range [][]string{nil, {list(item(userText, "UserStatus"))}, {"null"}, {"[]", `"more"`}} {
		v.call("Subscribe", list(item(userText, "UserStatus"), item(queueText, "QueueStatus")))
		if got := v.call("UnsubscribeAll", arg...); got != "true" {
			t.Errorf("UnsubscribeAll(%v) = %s, want true", arg, got)
		}
		if got := v.call("GetActiveSubscriptions"); got != "[]" {
			t.Errorf("UnsubscribeAll(%v) left %s: it takes all, not only its argument", arg, got)
		}
	}
	d.publish(org, "UserStatus", userText, `{"gone":1}`)
	v.call("Subscribe", list(item(queueText, "QueueStatus")))
	d.publish(org, "QueueStatus", queueText, `{"here":1}`)
	if got := v.next(); !strings.Contains(got, `"here"`) {
		t.Errorf("first push %s, want that of the new subscription", got)
	}
}

func TestAvailableSubscriptions(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.Options{})
	v := d.visit(user(t, event.GUID{1}))
	want := `["` + strings.Join(d.cat.Names(), `","`) + `"]`
	for _, arg := range [][]string{nil, {list(item(userText, "UserStatus"))}} {
		if d := cmp.Diff(want, v.call("AvailableSubscriptions", arg...)); d != "" {
			t.Errorf("AvailableSubscriptions(%v) (-want +got):\n%s", arg, d)
		}
	}
}

func TestActiveSubscriptionsAndExplain(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.Options{})
	v := d.visit(user(t, event.GUID{1}))
	v.call("Subscribe", list(item(userText, "UserCallIncoming")))
	if got, want := v.call("GetActiveSubscriptions"), `[{"entityId":"`+userText+`","eventName":"usercallincoming"}]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got := v.call("Explain", list(item(userText, "UserCallInComing"), item(userText, "UserStatus"), item(otherText, "UserStatus"), "null"))
	want := `[{"entityId":"` + userText + `","eventName":"usercallincoming","allowed":true,"subscribed":true,"reason":"subscribed: its events are pushed to this connection"},` +
		`{"entityId":"` + userText + `","eventName":"userstatus","allowed":true,"subscribed":false,"reason":"allowed, but not subscribed on this connection"},` +
		`{"entityId":"` + otherText + `","eventName":"userstatus","allowed":false,"subscribed":false,"reason":"Unauthorized: presence events of this entity are not open to role user"},` +
		`{"entityId":null,"eventName":null,"allowed":false,"subscribed":false,"reason":"Invalid EntityId"}]`
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Explain (-want +got):\n%s", d)
	}
}

func TestPushOnceAndInOrder(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.Options{})
	org := event.GUID{1}
	v := d.visit(user(t, org))
	// Subscribed three times, heard once.
	v.call("Subscribe", list(item(userText, "UserCallIncoming"), item(userText, "UserCallInComing")))
	v.call("Subscribe", list(item(userText, "USERCALLINCOMING")))
	for n := range 100 {
		d.publish(org, "UserCallInComing", userText, fmt.Sprintf(`{"n":%d}`, n))
	}
	for n := range 100 {
		want := fmt.Sprintf(`{"subscription":{"entityId":%q,"eventName":"usercallincoming"},"data":{"n":%d}}`, userText, n)
		if got := v.next(); got != want {
			t.Fatalf("push %d: got %s, want %s", n, got, want)
		}
	}
}

func TestTwoOrganizationsSameIDs(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.Options{})
	orgs := []event.GUID{{1}, {2}}
	var visitors []*visitor
	for _, org := range orgs {
		v := d.visit(&auth.Principal{User: guid(t, userText), Org: org, Role: auth.Supervisor})
		v.call("Subscribe", list(item(queueText, "QueueStatus")))
		visitors = append(visitors, v)
	}
	for n := range 50 {
		for i, org := range orgs {
			d.publish(org, "QueueStatus", queueText, fmt.Sprintf(`{"org":%d,"n":%d}`, i, n))
		}
	}
	for i, v := range visitors {
		for n := range 50 {
			if got, want := v.next(), fmt.Sprintf(`{"org":%d,"n":%d}}`, i, n); !strings.HasSuffix(got, want) {
				t.Fatalf("organization %d: push %s, want …%s", i, got, want)
			}
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.Options{MaxItems: 3, MaxSubscriptions: 2})
	v := d.visit(&auth.Principal{User: guid(t, userText), Org: event.GUID{1}, Role: auth.Supervisor})
	four := list("null", "null", "null", "null")
	want := "error: An unexpected error occurred invoking 'Subscribe' on the server. HubException: Too many items: 4 in one call, at most 3 are allowed. Use several calls."
	if got := v.call("Subscribe", four); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got := v.call("Subscribe", list(item(queueText, "QueueStatus"), item(queueText, "QueueCallInArrived"), item(queueText, "QueueCallInComing")))
	want = list(result(true, "", queueText, "queuestatus"), result(true, "", queueText, "queuecallinarrived"), result(false, "Too many subscriptions", queueText, "queuecallincoming"))
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("over the limit (-want +got):\n%s", d)
	}
	// What is subscribed already needs no room.
	if got, want := v.call("Subscribe", list(item(queueText, "QueueStatus"))), list(result(true, "", queueText, "queuestatus")); got != want {
		t.Errorf("again: got %s, want %s", got, want)
	}
}

func TestCatalogNames(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.Options{CatalogNames: true})
	org := event.GUID{1}
	v := d.visit(user(t, org))
	if got, want := v.call("Subscribe", list(item(userText, "usercallincoming"), item(userText, "NoSuch"))),
		list(result(true, "", userText, "UserCallInComing"), result(false, "Invalid event name", userText, "NoSuch")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	d.publish(org, "UserCallInComing", userText, `{}`)
	if got, want := v.next(), `{"subscription":{"entityId":"`+userText+`","eventName":"UserCallInComing"},"data":{}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNotices(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.Options{})
	org := event.GUID{1}
	curious, plain := d.visit(user(t, org)), d.visit(user(t, org))
	if got := curious.call("EnableNotices", "true"); got != "null" {
		t.Errorf("EnableNotices = %s, want null", got)
	}
	plain.call("Subscribe", list(item(userText, "UserStatus")))
	d.handler.Draining()
	if got := curious.next(); !strings.HasPrefix(got, `{"kind":"draining","at":"20`) {
		t.Errorf("notice %s, want one of kind draining", got)
	}
	d.publish(org, "UserStatus", userText, `{}`)
	if got := plain.next(); strings.Contains(got, "draining") {
		t.Errorf("a client that did not ask was told %s", got)
	}
}
