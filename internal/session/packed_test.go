package session_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
	"rte/internal/session"
	"rte/signalr"
	"rte/signalr/client"
)

// packedVisit connects over MessagePack. The function it returns invokes a
// method with arguments given as JSON text and returns the result as JSON
// text, names as they came.
func packedVisit(t *testing.T, d *desk) func(method string, args ...string) string {
	t.Helper()
	d.mu.Lock()
	d.principal = user(t, event.GUID{1})
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	c, err := client.Dial(ctx, d.url, nil, client.Options{Protocol: signalr.MessagePack{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() }) //nolint:errcheck // it never fails
	return func(method string, args ...string) string {
		list := make([]any, len(args))
		for i, a := range args {
			list[i] = signalr.RawJSON([]byte(a))
		}
		value, err := c.Invoke(ctx, method, list...)
		if err != nil {
			return "error: " + err.Error()
		}
		b, err := value.AppendJSON(nil)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
}

func TestPackedResults(t *testing.T) {
	t.Parallel()
	items := list(item(userText, "UserStatus"), item("bad", "nope"), "null", item(otherText, "userSTATUS"), item("{"+strings.ToUpper(queueText)+"}", "QueueStatus"))
	declared := strings.NewReplacer("subscribed", "Subscribed", "message", "Message", "entityId", "EntityId", "eventName", "EventName")
	results := list(
		result(true, "", userText, "userstatus"), result(false, "Invalid EntityId", "bad", "nope"), result(false, "Invalid EntityId", "null", "null"),
		result(false, "Unauthorized", otherText, "userstatus"), result(true, "", queueText, "queuestatus"))
	for _, c := range []struct {
		name   string
		o      session.Options
		method string
		arg    []string
		want   string
	}{
		{"declared names", session.Options{}, "Subscribe", []string{items}, declared.Replace(results)},
		{"camel", session.Options{CamelMessagePack: true}, "Subscribe", []string{items}, results},
		{"an empty list", session.Options{}, "Subscribe", []string{"[]"}, "[]"},
		{"Unsubscribe", session.Options{}, "Unsubscribe", []string{list(item(userText, "UserStatus"), "null")},
			declared.Replace(list(result(false, "", userText, "userstatus"), result(false, "Invalid EntityId", "null", "null")))},
		{"all", session.Options{}, "UnsubscribeAll", nil, "true"},
		{"no list", session.Options{}, "Subscribe", []string{`"text"`}, badArguments},
		{"a number for an id", session.Options{}, "Subscribe", []string{`[{"EntityId":7,"EventName":"UserStatus"}]`}, badArguments},
		{"none", session.Options{}, "Subscribe", nil, badArguments},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if d := cmp.Diff(c.want, packedVisit(t, newDesk(t, c.o))(c.method, c.arg...)); d != "" {
				t.Errorf("result (-want +got):\n%s", d)
			}
		})
	}
}

// The names of available events are a list of text in either encoding.
func TestPackedAvailableSubscriptions(t *testing.T) {
	t.Parallel()
	d := newDesk(t, session.Options{})
	v := d.visit(user(t, event.GUID{1}))
	want := v.call("AvailableSubscriptions")
	if got := packedVisit(t, d)("AvailableSubscriptions"); got != want || len(got) < 100 {
		t.Errorf("AvailableSubscriptions = %s, want %s", got, want)
	}
}

func TestPackedActiveSubscriptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		camel bool
		want  string
	}{
		{false, `[{"EntityId":"` + userText + `","EventName":"userstatus"}]`},
		{true, `[{"entityId":"` + userText + `","eventName":"userstatus"}]`},
	} {
		call := packedVisit(t, newDesk(t, session.Options{CamelMessagePack: c.camel}))
		if got := call("GetActiveSubscriptions"); got != "[]" {
			t.Errorf("GetActiveSubscriptions = %s, want none yet", got)
		}
		call("Subscribe", list(item(userText, "UserStatus")))
		if d := cmp.Diff(c.want, call("GetActiveSubscriptions")); d != "" {
			t.Errorf("GetActiveSubscriptions (-want +got):\n%s", d)
		}
	}
}
