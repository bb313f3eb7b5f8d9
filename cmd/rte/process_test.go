package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"rte/internal/bus"
	"rte/internal/event"
	"rte/producer"
)

// newProducer is a program that publishes with a token.
func newProducer(t *testing.T, url, token string) *producer.Client {
	t.Helper()
	p, err := producer.New(url, producer.Options{Token: func(context.Context) (string, error) { return strings.TrimSpace(token), nil }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestKilledAfterAccepted kills the node with -9 as soon as it has accepted
// an event, and finds the event in its folder.
func TestKilledAfterAccepted(t *testing.T) {
	t.Parallel()
	org, err := event.ParseGUID(orgText)
	if err != nil {
		t.Fatal(err)
	}
	entity, err := event.ParseGUID(queueText)
	if err != nil {
		t.Fatal(err)
	}
	cat := event.NewCatalog()
	dir := t.TempDir()
	_, token, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--role", "service")
	for round := range 5 {
		public, admin := freeAddr(t), freeAddr(t)
		p := start(t, []string{"RTE_JWT_SECRET=" + testSecret}, "serve", "--listen", public, "--admin-listen", admin, "--data-dir", dir)
		ready(t, "http://"+admin)
		want := map[string]string{}
		for _, name := range []string{"QueueStatus", "QueueCallInArrived"} {
			data := fmt.Sprintf(`{"queueName":"%s of round %d"}`, name, round)
			body := fmt.Sprintf(`{"organizationId":%q,"entityId":%q,"eventName":%q,"data":%s}`, orgText, queueText, name, data)
			a, err := newProducer(t, "http://"+public, token).PublishLines(t.Context(), [][]byte{[]byte(body)})
			if err != nil || a.Accepted != 1 {
				t.Fatal(a, err)
			}
			want[name] = data
		}
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		p.exit(20 * time.Second)
		b, err := bus.Open(t.Context(), cat, bus.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range want {
			typ, _ := cat.Lookup(name)
			e, err := b.Last(t.Context(), event.Topic{Org: org, Pair: event.Pair{Kind: typ.Kind, Entity: entity}})
			if err != nil || e == nil || string(e.Data) != data {
				t.Errorf("round %d: the store has %+v, %v; want %s", round, e, err, data)
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
		cancel()
	}
}

// TestListenWaits starts a listener before its node.
func TestListenWaits(t *testing.T) {
	t.Parallel()
	public := freeAddr(t)
	_, token, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--role", "service")
	listener := start(t, nil, "listen", "--url", "http://"+public+"/rte", "--token", strings.TrimSpace(token), "--count", "1", queueText+":QueueStatus")
	until(t, func() bool { return strings.Contains(listener.errs.String(), "connection refused; connecting again") })
	start(t, []string{"RTE_JWT_SECRET=" + testSecret}, "serve", "--listen", public, "--admin-listen", freeAddr(t), "--data-dir", t.TempDir())
	until(t, func() bool { return strings.Contains(listener.errs.String(), "subscribed to") })
	verb(t, "", "publish", "--url", "http://"+public, "--token", strings.TrimSpace(token), "--example", "QueueStatus", "--entity", queueText)
	if code := listener.exit(20 * time.Second); code != 0 {
		t.Errorf("the listener ended with %d", code)
	}
}

// TestTerm sends SIGTERM to a node with a listener: the listener is told to
// come back, and does, when a new node stands at the same address.
func TestTerm(t *testing.T) {
	t.Parallel()
	public, admin, dir := freeAddr(t), freeAddr(t), t.TempDir()
	env := []string{"RTE_JWT_SECRET=" + testSecret}
	serve := []string{"serve", "--listen", public, "--admin-listen", admin, "--data-dir", dir}
	_, token, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--role", "service")
	token = strings.TrimSpace(token)
	first := start(t, env, serve...)
	ready(t, "http://"+admin)
	listener := start(t, nil, "listen", "--url", "http://"+public+"/rte", "--token", token, "--count", "1", queueText+":QueueStatus")
	until(t, func() bool { return strings.Contains(listener.errs.String(), "subscribed to") })
	if err := first.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := first.exit(20 * time.Second); code != 0 {
		t.Errorf("the node ended with %d, want 0", code)
	}
	until(t, func() bool { return strings.Contains(listener.errs.String(), "draining; connecting again") })
	start(t, env, serve...)
	ready(t, "http://"+admin)
	until(t, func() bool { return strings.Count(listener.errs.String(), "subscribed to") == 2 })
	verb(t, "", "publish", "--url", "http://"+public, "--token", token, "--example", "QueueStatus", "--entity", queueText)
	if code := listener.exit(20 * time.Second); code != 0 {
		t.Errorf("the listener ended with %d", code)
	}
}

// TestListenResumes: what was published while the listener had no node is heard
// when the node is back, once; and another listener begins where it is told.
func TestListenResumes(t *testing.T) {
	t.Parallel()
	public, admin, dir := freeAddr(t), freeAddr(t), t.TempDir()
	serve := func() *program {
		p := start(t, []string{"RTE_JWT_SECRET=" + testSecret}, "serve", "--listen", public, "--admin-listen", admin, "--data-dir", dir)
		ready(t, "http://"+admin)
		return p
	}
	_, token, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--role", "service")
	token = strings.TrimSpace(token)
	publish := func(n int) {
		if code, _, errs := verb(t, "", "publish", "--url", "http://"+public, "--token", token, "--example", "QueueCallInArrived", "--entity", queueText, "--set", fmt.Sprint("queueName=number ", n)); code != 0 {
			t.Fatal(errs)
		}
	}
	node := serve()
	listener := start(t, nil, "listen", "--url", "http://"+public+"/rte", "--token", token, "--count", "4", queueText+":QueueCallInArrived")
	until(t, func() bool { return strings.Contains(listener.errs.String(), "subscribed to") })
	publish(1)
	line := func() string {
		t.Helper()
		text, err := listener.out.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(text)
	}
	lines := []string{line()}
	node.kill()
	until(t, func() bool { return strings.Contains(listener.errs.String(), "connecting again") })
	node = serve()
	for n := range 3 { // the listener may be back before, between or behind
		publish(2 + n)
	}
	for range 3 {
		lines = append(lines, line())
	}
	if code := listener.exit(20 * time.Second); code != 0 {
		t.Errorf("the listener ended with %d: %s", code, listener.errs.String())
	}
	var first struct{ Cursor string }
	for i, line := range lines {
		if !strings.Contains(line, fmt.Sprint("number ", i+1)) {
			t.Errorf("line %d: %s", i, line)
		}
	}
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil {
		t.Fatal(err)
	}
	code, again, errs := verb(t, "", "listen", "--url", "http://"+public+"/rte", "--token", token, "--count", "3", "--after", first.Cursor, queueText+":QueueCallInArrived")
	if want := strings.Join(lines[1:], "\n"); code != 0 || strings.TrimSpace(again) != want {
		t.Errorf("%d %s: behind the first came\n%s\nwant\n%s", code, errs, again, want)
	}
	node.kill()
}
