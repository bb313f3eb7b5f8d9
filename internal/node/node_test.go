package node_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
	"rte/signalr/client"
)

// TestMainJob is the whole way: an event goes in over HTTP in PascalCase, is
// stored, routed and on the client's connection in camelCase.
func TestMainJob(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	v := w.visit(sign(t, nil))
	v.subscribe(userText + ":UserCallIncoming")
	before := time.Now().Add(-time.Second)
	w.publish(orgA, "UserCallInComing", userText, `{"CallerNumber":"+358401","UserId":"`+userText+`","Username":"a@example.com","EventType":10,"Extra":{"KeepThis":1.50}}`)
	p := v.next()
	if got, want := string(p.Data), `{"callerNumber":"+358401","userId":"`+userText+`","username":"a@example.com","eventType":10,"extra":{"KeepThis":1.50}}`; got != want {
		t.Errorf("data\n got %s\nwant %s", got, want)
	}
	if p.Subscription.EntityID != userText || p.Subscription.EventName != "usercallincoming" {
		t.Errorf("subscription %+v; want the pair that Subscribe answered", p.Subscription)
	}
	if len(p.Cursor) == 0 || len(p.Cursor) > 24 {
		t.Errorf("cursor %q; want 1 to 24 characters", p.Cursor)
	}
	at, err := time.Parse("2006-01-02T15:04:05.000Z", p.Time)
	if err != nil || at.Before(before) || at.After(time.Now().Add(time.Second)) {
		t.Errorf("time %q, %v; want now in UTC with milliseconds and Z", p.Time, err)
	}
}

func TestEnvelopeTime(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	a, b := w.visit(sign(t, nil)), w.visit(sign(t, nil))
	a.subscribe(userText + ":UserStatus")
	b.subscribe(userText + ":UserStatus")
	status, answer := w.post(service(t, orgA), "application/json", fmt.Sprintf(
		`{"organizationId":%q,"entityId":%q,"eventName":"UserStatus","time":"2026-11-22T10:00:00.1239+02:00","data":{}}`, orgA, userText))
	if status != http.StatusOK {
		t.Fatal(status, answer)
	}
	pa, pb := a.next(), b.next()
	if pa.Time != "2026-11-22T08:00:00.123Z" || pa.Time != pb.Time || pa.Cursor != pb.Cursor {
		t.Errorf("got %s %s and %s %s; want the envelope's time in UTC, the same for both", pa.Time, pa.Cursor, pb.Time, pb.Cursor)
	}
}

// TestOnceInOrder publishes from several producers, each its own pair, in
// batches; every client hears each event once and in the producer's order.
func TestOnceInOrder(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	const queues, clients, batches, size = 4, 5, 20, 25
	ids := make([]event.GUID, queues)
	var pairs []string
	for i := range ids {
		ids[i] = event.GUID{0xc, byte(i)}
		pairs = append(pairs, ids[i].String()+":QueueCallInArrived")
	}
	token := sign(t, func(c *auth.Claims) { c.Role = auth.Supervisor })
	var visitors []*visitor
	for range clients {
		v := w.visit(token)
		v.subscribe(pairs...)
		visitors = append(visitors, v)
	}
	producer := service(t, orgA)
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() {
			for b := range batches {
				var lines strings.Builder
				for n := range size {
					fmt.Fprintf(&lines, `{"organizationId":%q,"entityId":%q,"eventName":"QueueCallInArrived","data":{"queueName":"%d"}}`+"\n", orgA, id, b*size+n)
				}
				status, answer := w.post(producer, "application/x-ndjson", lines.String())
				if status != http.StatusOK || !strings.HasPrefix(answer, fmt.Sprintf(`{"accepted":%d,"rejected":[]`, size)) {
					t.Errorf("publish: %d %s", status, answer)
				}
			}
		})
	}
	all.Wait()
	for i, v := range visitors {
		next := map[string]int{}
		for range queues * batches * size {
			p := v.next()
			id := p.Subscription.EntityID
			if got, want := string(p.Data), fmt.Sprintf(`{"queueName":"%d"}`, next[id]); got != want {
				t.Fatalf("client %d, queue %s: got %s, want %s", i, id, got, want)
			}
			next[id]++
		}
		select {
		case p := <-v.pushes:
			t.Errorf("client %d heard one more: %+v", i, p)
		default:
		}
	}
}

func TestTwoOrganizationsSameIDs(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	orgs := []event.GUID{orgA, orgB}
	var visitors []*visitor
	for _, org := range orgs {
		v := w.visit(sign(t, func(c *auth.Claims) { c.Org = org }))
		v.subscribe(queueText + ":QueueStatus")
		visitors = append(visitors, v)
	}
	for n := range 30 {
		for i, org := range orgs {
			w.publish(org, "QueueStatus", queueText, fmt.Sprintf(`{"queueName":"%d of %d"}`, n, i))
		}
	}
	for i, v := range visitors {
		for n := range 30 {
			if got, want := string(v.next().Data), fmt.Sprintf(`{"queueName":"%d of %d"}`, n, i); got != want {
				t.Fatalf("organization %d heard %s, want %s", i, got, want)
			}
		}
	}
}

func TestUnsubscribedHearsNothing(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	v := w.visit(sign(t, nil))
	v.subscribe(userText+":UserStatus", queueText+":QueueStatus")
	if _, err := v.Invoke(t.Context(), "Unsubscribe", []map[string]string{{"EntityId": userText, "EventName": "UserStatus"}}); err != nil {
		t.Fatal(err)
	}
	w.publish(orgA, "UserStatus", userText, `{}`)
	w.publish(orgA, "UserAvailability", userText, `{}`) // never subscribed
	w.publish(orgA, "QueueStatus", queueText, `{"queueName":"last"}`)
	if got := string(v.next().Data); got != `{"queueName":"last"}` {
		t.Errorf("first push %s, want the only one that is subscribed", got)
	}
}

func TestPublisherRights(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	body := func(org event.GUID) string {
		return fmt.Sprintf(`{"organizationId":%q,"entityId":%q,"eventName":"QueueStatus","data":{}}`, org, queueText)
	}
	for _, c := range []struct {
		name  string
		token string
		org   event.GUID
		want  int
	}{
		{"service, own organization", service(t, orgA), orgA, http.StatusOK},
		{"service, another organization", service(t, orgA), orgB, http.StatusForbidden},
		{"platform, any organization", sign(t, func(c *auth.Claims) { c.Role, c.Org = auth.Platform, event.GUID{} }), orgB, http.StatusOK},
		{"user", sign(t, nil), orgA, http.StatusForbidden},
		{"supervisor", sign(t, func(c *auth.Claims) { c.Role = auth.Supervisor }), orgA, http.StatusForbidden},
		{"no token", "", orgA, http.StatusUnauthorized},
		{"garbage", "garbage", orgA, http.StatusUnauthorized},
	} {
		status, answer := w.post(c.token, "application/json", body(c.org))
		if status != c.want || status == http.StatusUnauthorized && answer != "" {
			t.Errorf("%s: got %d %q, want %d", c.name, status, answer, c.want)
		}
	}
}

// TestPublishTokenInHeaderOnly: a token in the query is for clients of the hub
// that can do no better.
func TestPublishTokenInHeaderOnly(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+"/api/v1/events?access_token="+service(t, orgA), strings.NewReader("[]"))
	if err != nil {
		t.Fatal(err)
	}
	if status, body := w.do(r); status != http.StatusUnauthorized || body != "" {
		t.Errorf("got %d %q, want 401 with an empty body", status, body)
	}
}

func TestPlatformMayNotConnect(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	token := sign(t, func(c *auth.Claims) { c.Role = auth.Platform })
	for _, skip := range []bool{false, true} {
		_, err := client.Dial(t.Context(), w.HubURL(), nil, client.Options{Token: tokenOf(token), SkipNegotiation: skip})
		refused, ok := errors.AsType[*client.StatusError](err)
		if !ok || refused.Status != http.StatusForbidden {
			t.Errorf("skip negotiation %v: got %v, want status 403", skip, err)
		}
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	var visitors []*visitor
	for range 20 {
		visitors = append(visitors, w.visit(sign(t, nil)))
	}
	visitors[0].subscribe(queueText + ":QueueStatus")
	w.publish(orgA, "QueueStatus", queueText, `{"queueName":"before"}`)
	w.until("rte_deliveries_total 1") // it is in the client's queue now
	if status, body := w.get(w.AdminURL() + "/readyz"); status != http.StatusOK {
		t.Errorf("readyz before: %d %s", status, body)
	}
	w.stop()
	if got := string(visitors[0].next().Data); got != `{"queueName":"before"}` {
		t.Errorf("queued before the drain: got %s", got)
	}
	for i, v := range visitors {
		<-v.Done()
		e, ok := errors.AsType[*client.ServerError](v.Err())
		if !ok || !e.Close || !e.AllowReconnect || e.Text != "draining" {
			t.Errorf("client %d ended with %v; want Close draining with reconnect allowed", i, v.Err())
		}
	}
	if _, err := client.Dial(t.Context(), w.HubURL(), nil, client.Options{Token: tokenOf(sign(t, nil))}); err == nil {
		t.Error("a stopped node took a client")
	}
}

// TestStoreSurvives stops a node and starts another on its folder.
func TestStoreSurvives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inDir := func(c *node.Config) { c.DataDir = dir }
	first := start(t, inDir)
	first.publish(orgA, "QueueStatus", queueText, `{"queueName":"kept"}`)
	first.stop()
	second := start(t, inDir)
	status, metrics := second.get(second.AdminURL() + "/metrics")
	if status != http.StatusOK || !strings.Contains(metrics, `rte_stream_messages{stream="rte_state_0"} 1`) {
		t.Errorf("metrics of the second node (status %d) do not show one message in the state stream:\n%s", status, metrics)
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // of a test
	cfg := defaults(t)
	cfg.Listen = l.Addr().String()
	n, err := node.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "--listen "+cfg.Listen) {
		t.Errorf("Start = %v; want an error that names the flag and the address", err)
	}
}
