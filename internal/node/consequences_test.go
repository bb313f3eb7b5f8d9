package node_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
)

const (
	listText     = "11eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
	otherText    = "22eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
	callbackText = "33eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
	callText     = "44eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
)

// member is one member of a push's data, as text.
func (p push) member(t *testing.T, name string) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(p.Data, &all); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(all[name])
}

// agent is a token of the sample user that may see the list, too.
func agent(t *testing.T) string {
	return sign(t, func(c *auth.Claims) { c.Lists = []event.GUID{guid(t, listText)} })
}

// call does a request with a token.
func (w *world) call(token, method, path, body string) (status int, answer string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.URL()+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return w.do(r)
}

func callback(assigned string) string {
	return fmt.Sprintf(`{"CallBackId":%q,"CallListId":%q,"AssignedUserId":%s,"eventType":7}`, callbackText, listText, assigned)
}

// TestCopiesOfCallbacks: the assignee hears of its callback, with the cause; the
// one it is taken from hears, too, also after a restart.
func TestCopiesOfCallbacks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keep := func(c *node.Config) { c.DataDir, c.LookEvery = dir, time.Second }
	w := start(t, keep)
	v := w.visit(agent(t))
	v.subscribe(listText+":CallbackChanged", userText+":UserCallbackChanged", listText+":CallbackListStatus")
	w.publish(orgA, "CallbackChanged", listText, callback(`"`+userText+`"`))
	cause, copied, counted := v.next(), v.next(), v.next()
	if copied.Subscription.EventName != "usercallbackchanged" || copied.Cause != cause.Cursor || cause.Cause != "" {
		t.Errorf("got %+v, then %+v; want a copy caused by the first", cause, copied)
	}
	if got := copied.member(t, "targetUser"); got != userText {
		t.Errorf("the copy is for %s, want %s", got, userText)
	}
	if got := copied.member(t, "eventType"); got != "<nil>" {
		t.Errorf("the copy says it is event %s", got)
	}
	if got := counted.member(t, "totalAssigned") + counted.member(t, "totalOpenRequests"); counted.Subscription.EventName != "callbackliststatus" || got != "11" || counted.Cause != cause.Cursor {
		t.Errorf("got %+v, want one open and assigned request, caused by the first event", counted)
	}
	w.stop()

	w = start(t, keep)
	v = w.visit(agent(t))
	v.subscribe(userText + ":UserCallbackChanged")
	w.publish(orgA, "CallbackChanged", listText, callback("null"))
	if got := v.next(); got.member(t, "targetUser") != userText || got.Cause == "" || got.Cause == cause.Cursor {
		t.Errorf("got %+v, want that the former assignee hears of the change", got)
	}
}

// TestAlerts: a user's condition fires once until it is armed again, over
// restarts, and nobody else sees or deletes it.
func TestAlerts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keep := func(c *node.Config) { c.DataDir = dir }
	w := start(t, keep)
	status, text := w.call(agent(t), http.MethodPost, "/api/v1/alerts",
		fmt.Sprintf(`{"entityId":%q,"eventName":"queuestatus","field":"nbrofqueuingrequesters","operator":">","value":"5"}`, queueText))
	var made struct{ AlertID string }
	if err := json.Unmarshal([]byte(text), &made); err != nil || status != http.StatusCreated {
		t.Fatalf("POST: %d %s", status, text)
	}
	want := []map[string]any{{
		"alertId": made.AlertID, "entityId": queueText, "eventName": "QueueStatus", "field": "NbrOfQueuingRequesters", "operator": ">", "value": 5.0,
	}}
	list := func(token string) (all []map[string]any) {
		status, text := w.call(token, http.MethodGet, "/api/v1/alerts", "")
		if err := json.Unmarshal([]byte(text), &all); err != nil || status != http.StatusOK {
			t.Fatalf("GET: %d %s", status, text)
		}
		for _, a := range all {
			if _, err := time.Parse(time.RFC3339, fmt.Sprint(a["created"])); err != nil {
				t.Errorf("created: %v", err)
			}
			delete(a, "created")
		}
		return all
	}
	if d := cmp.Diff(want, list(agent(t))); d != "" {
		t.Errorf("alerts (-want +got):\n%s", d)
	}
	queue := func(n int) {
		w.publish(orgA, "QueueStatus", queueText, fmt.Sprintf(`{"NbrOfQueuingRequesters":%d,"QueueName":"Sales"}`, n))
	}
	hears := func(v *visitor, value string) {
		alert, queue := v.next(), v.next()
		if alert.member(t, "value") != value || alert.member(t, "conditionName") != "NbrOfQueuingRequesters" || alert.member(t, "conditionValue") != "5" ||
			alert.member(t, "alertId") != made.AlertID || alert.Cause == "" || queue.member(t, "queueName") != "Sales" || queue.member(t, "queueId") != queueText {
			t.Errorf("got %+v and %+v, want the alert for %s", alert, queue, value)
		}
	}
	v := w.visit(agent(t))
	v.subscribe(userText+":UserAlert", userText+":UserQueueAlert")
	w.until("rte_rules_alerts 1")
	queue(6)
	hears(v, "6")
	queue(7)
	w.stop()

	w = start(t, keep)
	w.until("rte_rules_owned 1") // before, only the newest value counts
	if d := cmp.Diff(want, list(agent(t))); d != "" {
		t.Errorf("alerts after a restart (-want +got):\n%s", d)
	}
	v = w.visit(agent(t))
	v.subscribe(userText+":UserAlert", userText+":UserQueueAlert")
	queue(8) // it has fired
	queue(5) // armed again
	queue(9)
	hears(v, "9")

	other := sign(t, func(c *auth.Claims) { c.User = guid(t, otherText) })
	if all := list(other); len(all) != 0 {
		t.Errorf("another user sees %v", all)
	}
	for _, del := range []struct {
		token string
		want  int
	}{{other, http.StatusNotFound}, {agent(t), http.StatusNoContent}, {agent(t), http.StatusNotFound}} {
		if status, text := w.call(del.token, http.MethodDelete, "/api/v1/alerts/"+made.AlertID, ""); status != del.want {
			t.Errorf("DELETE: %d %s, want %d", status, text, del.want)
		}
	}
	if all := list(agent(t)); len(all) != 0 {
		t.Errorf("deleted alert is there: %v", all)
	}
}

// TestAlertsNeedTheRight: an alert says nothing while its user may not hear of
// the entity, by what the platform says or by a newer token, and its user sees
// that. What became true meanwhile, and is so still, is told when the right is
// back.
func TestAlertsNeedTheRight(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.LookEvery = time.Second })
	w.until("rte_rules_owned 1")
	good := fmt.Sprintf(`{"entityId":%q,"eventName":"QueueStatus","field":"MaxWaitTime","operator":">","value":5}`, queueText)
	if status, text := w.call(agent(t), http.MethodPost, "/api/v1/alerts", good); status != http.StatusCreated {
		t.Fatalf("POST: %d %s", status, text)
	}
	w.until("rte_rules_alerts 1")
	v := w.visit(agent(t))
	v.subscribe(userText + ":UserAlert")
	waits := func(n int) { w.publish(orgA, "QueueStatus", queueText, fmt.Sprintf(`{"MaxWaitTime":%d}`, n)) }
	hears := func(want string) {
		t.Helper()
		if got := v.next().member(t, "value"); got != want {
			t.Errorf("got the alert for %s, want that for %s", got, want)
		}
	}
	suspended := func(token string) bool {
		_, text := w.call(token, http.MethodGet, "/api/v1/alerts", "")
		var all []struct{ Suspended bool }
		if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 1 {
			t.Fatalf("GET: %s", text)
		}
		return all[0].Suspended
	}
	waits(6)
	hears("6")
	waits(0)

	rights := fmt.Sprintf(`{"organizationId":%q,"userId":%q,`, orgA, userText)
	w.said("rights", rights+`"queues":[]}`)
	if !suspended(agent(t)) {
		t.Error("the right is gone, and the alert is not suspended")
	}
	waits(7)
	waits(0)
	waits(8) // and stays so
	w.said("rights", rights+`"reset":true}`)
	if suspended(agent(t)) {
		t.Error("the right is back, and the alert is suspended")
	}
	hears("8") // without another value
	waits(0)

	// A token without the queue, that is not older.
	narrow := sign(t, func(c *auth.Claims) { c.Queues = nil })
	w.visit(narrow)
	w.eventually("the alert is suspended", func() bool { return suspended(narrow) })
	waits(9)
	old := sign(t, func(c *auth.Claims) { c.IssuedAt = time.Now().Add(-time.Minute) })
	w.visit(old)
	if !suspended(narrow) {
		t.Error("an older token has given the right back")
	}
	w.visit(agent(t))
	w.eventually("the alert is not suspended", func() bool { return !suspended(old) })
	hears("9")
	waits(0)
	waits(10)
	hears("10")
}

// TestListsByThePlatform: who is active on a list is counted once the platform
// has posted the list, on any node.
func TestListsByThePlatform(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.LookEvery = time.Second })
	v := w.visit(agent(t))
	v.subscribe(listText + ":CallbackListStatus")
	w.publish(orgA, "UserStatus", userText, `{"Serving":true,"ServingCallback":true}`)
	w.said("lists", fmt.Sprintf(`{"organizationId":%q,"callListId":%q,"isAutoAllocate":true,"agents":[%q,%q]}`, orgA, listText, userText, otherText))
	for { // the user's status may be counted a second later
		got := v.next()
		active, serving := got.member(t, "totalActiveAgents"), got.member(t, "totalServingAgents")
		if active != "2" {
			t.Fatalf("got %s, want two active agents", got.Data)
		}
		if serving == "1" {
			return
		}
	}
}

func TestAlertsRefused(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	good := fmt.Sprintf(`{"entityId":%q,"eventName":"QueueStatus","field":"MaxWaitTime","operator":">","value":5}`, queueText)
	for _, c := range []struct {
		name, token, body string
		status            int
		words             string
	}{
		{"no token", "", good, http.StatusUnauthorized, ""},
		{"another's queue", agent(t), strings.Replace(good, queueText, otherText, 1), http.StatusForbidden, "Unauthorized"},
		{"no such field", agent(t), strings.Replace(good, "MaxWaitTime", "Weather", 1), http.StatusBadRequest, "field: QueueStatus has MaxWaitTime, "},
		{"no JSON", agent(t), "{", http.StatusBadRequest, "entityId, eventName, field, operator, value"},
		{"too large", agent(t), strings.Repeat(" ", 9<<10) + good, http.StatusRequestEntityTooLarge, "at most 8192 bytes"},
		{"a role that hears nothing", sign(t, func(c *auth.Claims) { c.Role = auth.Platform }), good, http.StatusForbidden, "hears nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, text := w.call(c.token, http.MethodPost, "/api/v1/alerts", c.body)
			if status != c.status || !strings.Contains(text, c.words) {
				t.Errorf("got %d %s, want %d with %q", status, text, c.status, c.words)
			}
		})
	}
	for range 100 {
		if status, text := w.call(agent(t), http.MethodPost, "/api/v1/alerts", good); status != http.StatusCreated {
			t.Fatalf("POST: %d %s", status, text)
		}
	}
	if status, text := w.call(agent(t), http.MethodPost, "/api/v1/alerts", good); status != http.StatusConflict || !strings.Contains(text, "at most 100 alerts") {
		t.Errorf("one more: %d %s, want 409", status, text)
	}
}

// TestDayFigures: calls are counted, for those who may hear the queue, and over
// a restart.
func TestDayFigures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keep := func(c *node.Config) { c.DataDir, c.LookEvery = dir, time.Second }
	w := start(t, keep)
	now := time.Now().UTC()
	call := func(name string, after time.Duration) {
		status, text := w.post(service(t, orgA), "application/json", fmt.Sprintf(
			`{"organizationId":%q,"entityId":%q,"eventName":%q,"time":%q,"data":{"CallId":%q,"QueueName":"Sales"}}`,
			orgA, queueText, name, now.Add(after).Format(time.RFC3339Nano), callText))
		if status != http.StatusOK || !strings.HasPrefix(text, `{"accepted":1,`) {
			t.Fatalf("publish: %d %s", status, text)
		}
	}
	figures := func(offered, answered float64) {
		t.Helper()
		var last string
		deadline := time.Now().Add(10 * time.Second)
		for time.Now().Before(deadline) {
			var all []map[string]any
			status, text := w.call(agent(t), http.MethodGet, "/api/v1/figures?queue="+queueText, "")
			if err := json.Unmarshal([]byte(text), &all); err != nil || status != http.StatusOK || len(all) != 1 {
				t.Fatalf("GET: %d %s", status, text)
			}
			if all[0]["offered"] == offered && all[0]["answered"] == answered {
				return
			}
			last = text
			<-time.After(20 * time.Millisecond)
		}
		t.Fatalf("figures came to %s, want %v offered and %v answered", last, offered, answered)
	}
	figures(0, 0)
	call("QueueCallInArrived", 0)
	figures(1, 0)
	w.stop()
	w = start(t, keep)
	figures(1, 0)
	call("QueueCallInUserConnected", 2*time.Second)
	figures(1, 1)
	if status, text := w.call(agent(t), http.MethodGet, "/api/v1/figures?queue="+otherText, ""); status != http.StatusForbidden {
		t.Errorf("another's queue: %d %s, want 403", status, text)
	}
	stranger := sign(t, func(c *auth.Claims) { c.Queues = nil })
	if status, text := w.call(stranger, http.MethodGet, "/api/v1/figures", ""); status != http.StatusOK || strings.TrimSpace(text) != "[]" {
		t.Errorf("who may hear no queue sees %d %s", status, text)
	}
}
