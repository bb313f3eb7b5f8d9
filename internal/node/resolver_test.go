package node_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
)

// TestPrincipalFromResolver: a token of only sub and exp becomes what the
// platform says, at the hub and at /api/v1/me.
func TestPrincipalFromResolver(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, says(fmt.Sprintf(`{"organizationId":%q,"role":"groupmanager","queues":[%q],"ttl":60}`, orgB, queueText)))
	w := start(t, func(c *node.Config) { c.PrincipalURL, c.PrincipalToken = p.URL+"/who", "resolver's own" })
	token := handmade(`{"alg":"HS256"}`, fmt.Sprintf(`{"sub":%q,"exp":%d}`, userText, time.Now().Add(time.Hour).Unix()))
	v := w.visit(token)
	v.subscribe(queueText + ":QueueStatus")
	w.publish(orgA, "QueueStatus", queueText, `{"queueName":"another's"}`)
	w.publish(orgB, "QueueStatus", queueText, `{"queueName":"ours"}`)
	if got := string(v.next().Data); got != `{"queueName":"ours"}` {
		t.Errorf("heard %s", got)
	}
	_, answer, _ := w.askMe(token, "")
	if answer["organizationId"] != orgB.String() || answer["role"] != "groupmanager" {
		t.Errorf("/api/v1/me: %v", answer)
	}
	if n := p.times(); n != 1 {
		t.Errorf("%d questions, want 1", n)
	}
	if strings.Contains(w.log.String(), "resolver's own") {
		t.Error("the log has the resolver's token")
	}
}

// TestResolverDown: 503 with Retry-After wherever a token is shown, for those
// who are not known yet; who is connected or known goes on.
func TestResolverDown(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, says(fmt.Sprintf(`{"organizationId":%q,"queues":[%q],"ttl":3600}`, orgA, queueText)))
	w := start(t, func(c *node.Config) { c.PrincipalURL = p.URL })
	known := sign(t, nil)
	v := w.visit(known)
	v.subscribe(queueText + ":QueueStatus")
	for name, down := range map[string]http.HandlerFunc{
		"status 500": fails(http.StatusInternalServerError), "garbage": says("<html>"), "slow": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		p.say(down)
		stranger := sign(t, func(c *auth.Claims) { c.User = event.GUID{7} })
		began := time.Now()
		for _, way := range []string{"negotiate", "websocket", "/api/v1/me"} {
			status, retry := w.retryAfter(way, stranger)
			if status != http.StatusServiceUnavailable || retry < "1" || retry > "5" || len(retry) != 1 {
				t.Errorf("%s, %s: status %d, Retry-After %q", name, way, status, retry)
			}
			if status, _ := w.retryAfter(way, known); status != http.StatusOK && status != http.StatusSwitchingProtocols {
				t.Errorf("%s, %s, known: status %d", name, way, status)
			}
		}
		if took := time.Since(began); took > 12*time.Second {
			t.Errorf("%s: three answers took %v, want two seconds each at most", name, took)
		}
		// Producers have nothing to do with it.
		w.publish(orgA, "QueueStatus", queueText, `{"queueName":"goes on"}`)
		if got := string(v.next().Data); got != `{"queueName":"goes on"}` {
			t.Errorf("heard %s", got)
		}
	}
	p.say(fails(http.StatusNotFound))
	if status, retry := w.retryAfter("negotiate", sign(t, func(c *auth.Claims) { c.User = event.GUID{8} })); status != http.StatusUnauthorized || retry != "" {
		t.Errorf("unknown to the platform: status %d, Retry-After %q", status, retry)
	}
	_, metrics := w.get(w.AdminURL() + "/metrics")
	for _, want := range []string{
		`rte_unauthorized_total{reason="principal"} 1`, `rte_tokens_undecided_total{reason="principal"} 9`, `rte_resolver_failures_total 9`, `rte_unauthorized_total{reason="expired"} 0`,
	} {
		if !strings.Contains(metrics, "\n"+want+"\n") {
			t.Errorf("the metrics lack %q", want)
		}
	}
}

// retryAfter shows a token and returns the answer's status and Retry-After.
func (w *world) retryAfter(way, token string) (status int, retry string) {
	w.t.Helper()
	method, url := http.MethodPost, w.HubURL()+"/negotiate?negotiateVersion=1"
	switch way {
	case "websocket":
		method, url = http.MethodGet, w.HubURL()
	case "negotiate":
	default:
		method, url = http.MethodGet, w.URL()+way
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, url, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if way == "websocket" {
		upgrade(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Retry-After")
}

// upgrade makes a request one for a WebSocket.
func upgrade(r *http.Request) {
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
}
