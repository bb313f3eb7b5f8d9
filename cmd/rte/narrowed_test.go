package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rte/signalr"
	"rte/signalr/client"
)

// act is what an operator says.
func act(t *testing.T, admin, path, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+admin+"/admin/v1/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, resp.Status)
	}
}

// A wire is a client and what was pushed to it.
type wire struct {
	*client.Client
	pushed chan string // cursors
}

func connect(t *testing.T, public, token string) (*wire, error) {
	t.Helper()
	w := &wire{pushed: make(chan string, 100)}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var err error
	w.Client, err = client.Dial(ctx, "http://"+public+"/rte", map[string]func([]signalr.Value){"MessageReceived": func(args []signalr.Value) {
		var p struct{ Cursor string }
		if err := signalr.Decode(args[0], &p); err != nil {
			t.Error(err)
		}
		w.pushed <- p.Cursor
	}}, client.Options{Token: func(context.Context) (string, error) { return token, nil }})
	if err == nil {
		t.Cleanup(func() { w.Close() }) //nolint:errcheck // it never fails
	}
	return w, err
}

// subscribe says what becomes of a subscription to an entity's event.
func (w *wire) subscribe(t *testing.T, entity, name, after string) string {
	t.Helper()
	item := map[string]any{"EntityId": entity, "EventName": name}
	if after != "" {
		item["After"] = after
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	answer, err := w.Invoke(ctx, "Subscribe", []any{item})
	if err != nil {
		t.Fatal(err)
	}
	var results []struct {
		Subscribed bool
		Message    string
	}
	if err := signalr.Decode(answer, &results); err != nil || len(results) != 1 {
		t.Fatal(results, err)
	}
	if results[0].Subscribed {
		return "subscribed"
	}
	return results[0].Message
}

// TestKilledAfterNarrowed takes a queue from a user, and kills the node with
// -9 as soon as it has said yes. It comes back: with the old token and cursor
// the answer is Unauthorized, and nothing is replayed. Then the same with the
// whole token.
func TestKilledAfterNarrowed(t *testing.T) {
	t.Parallel()
	public, admin, dir := freeAddr(t), freeAddr(t), t.TempDir()
	_, token, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--queue", queueText)
	_, service, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", queueText, "--org", orgText, "--role", "service")
	token = strings.TrimSpace(token)
	var p *program
	serve := func() {
		t.Helper()
		p = start(t, []string{"RTE_JWT_SECRET=" + testSecret}, "serve", "--listen", public, "--admin-listen", admin, "--data-dir", dir)
		ready(t, "http://"+admin)
	}
	kill := func() {
		t.Helper()
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		p.exit(20 * time.Second)
	}
	const name = "QueueCallInArrived"
	publish := func(entity, name string) {
		t.Helper()
		body := fmt.Sprintf(`{"organizationId":%q,"entityId":%q,"eventName":%q,"data":{}}`, orgText, entity, name)
		if a, err := newProducer(t, "http://"+public, service).PublishLines(t.Context(), [][]byte{[]byte(body)}); err != nil || a.Accepted != 1 {
			t.Fatal(a, err)
		}
	}

	serve()
	w, err := connect(t, public, token)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.subscribe(t, queueText, name, ""); got != "subscribed" {
		t.Fatal(got)
	}
	publish(queueText, name)
	cursor := <-w.pushed
	act(t, admin, "rights", fmt.Sprintf(`{"organizationId":%q,"userId":%q,"queues":[]}`, orgText, userText))
	publish(queueText, name)
	kill()

	serve()
	if w, err = connect(t, public, token); err != nil {
		t.Fatal(err)
	}
	if got := w.subscribe(t, queueText, name, cursor); got != "Unauthorized" {
		t.Errorf("with the old token and cursor: %s", got)
	}
	if got := w.subscribe(t, userText, "UserStatus", ""); got != "subscribed" {
		t.Errorf("another pair: %s", got)
	}
	publish(queueText, name)
	publish(userText, "UserStatus")
	<-w.pushed // of the user: what would have been replayed came before
	select {
	case <-w.pushed:
		t.Error("an event came of a queue that may not be heard")
	default:
	}
	act(t, admin, "revocations", fmt.Sprintf(`{"user":%q}`, userText))
	kill()

	serve()
	if _, err := connect(t, public, token); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with a token that was taken back: %v, want 401", err)
	}
}
