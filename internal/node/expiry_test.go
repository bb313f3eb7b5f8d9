package node_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
	"rte/signalr"
	"rte/signalr/client"
)

// ended waits for the end of a client's connection and returns why.
func (v *visitor) ended() string {
	v.t.Helper()
	select {
	case <-v.Done():
	case <-time.After(20 * time.Second):
		v.t.Fatal("the connection did not end within 20 s")
	}
	return fmt.Sprint(v.Err())
}

// With --close-on-expiry a connection ends with its token; whoever asked for
// notices was told. Without, it goes on.
func TestCloseOnExpiry(t *testing.T) {
	t.Parallel()
	short := func() string {
		return sign(t, func(c *auth.Claims) { c.Expires = time.Now().Add(3 * time.Second) })
	}
	for _, transport := range []client.Transport{client.WebSockets, client.LongPolling} {
		w := start(t, func(c *node.Config) { c.CloseOnExpiry, c.JWTLeeway = true, 0 })
		notices := make(chan notice, 10)
		v := w.visitNoticing(short(), client.Options{Transport: transport}, notices)
		long := w.visit(sign(t, nil))
		if _, err := v.Invoke(t.Context(), "EnableNotices", true); err != nil {
			t.Fatal(err)
		}
		if n := <-notices; n.Kind != "tokenExpiring" || n.At == "" || !strings.Contains(n.Reason, "the token ends at ") {
			t.Errorf("the notice is %+v", n)
		}
		if why := v.ended(); !strings.Contains(why, "expired") {
			t.Errorf("it ended with %s", why)
		}
		if len(notices) > 0 {
			t.Errorf("and there was another notice: %+v", <-notices)
		}
		w.until(`rte_closes_total{reason="expired"} 1`)
		if _, err := long.Invoke(t.Context(), "GetActiveSubscriptions"); err != nil {
			t.Errorf("another's connection: %v", err)
		}
	}
	w := start(t, func(c *node.Config) { c.JWTLeeway = 0 })
	token := short()
	v := w.visit(token)
	for w.request(http.MethodPost, "/negotiate?negotiateVersion=1", token, false) != "401" {
		time.Sleep(100 * time.Millisecond) // between two questions: is it over?
	}
	if _, err := v.Invoke(t.Context(), "GetActiveSubscriptions"); err != nil {
		t.Errorf("the connection did not outlive its token: %v", err)
	}
}

type notice struct {
	Kind, At, Reason, Since string
	Subscription            struct{ EntityID, EventName string }
}

func (w *world) visitNoticing(token string, o client.Options, notices chan<- notice) *visitor {
	w.t.Helper()
	o.Token = tokenOf(token)
	c, err := client.Dial(w.t.Context(), w.HubURL(), map[string]func([]signalr.Value){"Notice": func(args []signalr.Value) {
		var n notice
		if err := signalr.Decode(args[0], &n); err != nil {
			w.t.Errorf("notice: %v", err)
		}
		notices <- n
	}}, o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() }) //nolint:errcheck // it never fails
	return &visitor{Client: c, t: w.t}
}

// A client that reconnects by itself is back behind the end of its age.
func TestMaxConnectionAge(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.MaxConnectionAge = 2 * time.Second })
	if why := w.visit(sign(t, nil)).ended(); !strings.Contains(why, "maxage") {
		t.Errorf("it ended with %s", why)
	}
	w.until(`rte_closes_total{reason="maxage"} 1`)
}

// A polling client whose token is known, so that it can be refreshed: the
// connection's token is what released clients keep to themselves.
type poller struct {
	*world
	query string
	token string
}

func (p *poller) ask(method, path, body string) (status int, answer string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.HubURL()+path+p.query, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// say sends messages and returns what comes next.
func (p *poller) say(messages ...string) string {
	p.t.Helper()
	if status, answer := p.ask(http.MethodPost, "", strings.Join(messages, "\x1e")+"\x1e"); status != http.StatusOK {
		p.t.Fatalf("%s: %d %s", messages, status, answer)
	}
	_, answer := p.ask(http.MethodGet, "", "")
	return answer
}

func (w *world) poller(token string) (p *poller, lifetime *int) {
	w.t.Helper()
	p = &poller{w, "?negotiateVersion=1", token}
	_, answer := p.ask(http.MethodPost, "/negotiate", "")
	var n struct {
		ConnectionToken      string
		TokenLifetimeSeconds *int
	}
	if err := json.Unmarshal([]byte(answer), &n); err != nil || n.ConnectionToken == "" {
		w.t.Fatalf("negotiation: %s, %v", answer, err)
	}
	p.query = "?id=" + n.ConnectionToken
	p.ask(http.MethodGet, "", "")
	if answer := p.say(`{"protocol":"json","version":1}`); answer != "{}\x1e" {
		w.t.Fatalf("handshake: %q", answer)
	}
	return p, n.TokenLifetimeSeconds
}

// A token that is refreshed counts from then on: what it does not cover falls,
// what it covers more can be had, and the connection lives as long as it does.
func TestTokenRefresh(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.TokenRefresh, c.CloseOnExpiry, c.JWTLeeway = true, true, 0 })
	other := event.GUID{0x77}.String()
	with := func(life time.Duration, queue string) string {
		return sign(t, func(c *auth.Claims) {
			c.Queues, c.Expires = []event.GUID{guid(t, queue)}, time.Now().Add(life)
		})
	}
	p, lifetime := w.poller(with(4*time.Second, queueText))
	if lifetime == nil || *lifetime > 4 {
		t.Errorf("tokenLifetimeSeconds is %v, want at most 4", lifetime)
	}
	call := func(id, queue string) string {
		return fmt.Sprintf(`{"type":1,"invocationId":%q,"target":"Subscribe","arguments":[[{"entityId":%q,"eventName":"QueueStatus"}]]}`, id, queue)
	}
	if got := p.say(call("1", queueText)); !strings.Contains(got, `"subscribed":true`) {
		t.Fatal(got)
	}
	if got := p.say(call("2", other)); !strings.Contains(got, `"message":"Unauthorized"`) {
		t.Fatal(got)
	}
	p.token = with(time.Hour, other)
	if status, answer := p.ask(http.MethodPost, "/refresh", ""); status != http.StatusOK || !strings.HasPrefix(answer, `{"tokenLifetimeSeconds":3`) {
		t.Fatalf("refresh: %d %s", status, answer)
	}
	if got := p.say(call("3", other)); !strings.Contains(got, `"subscribed":true`) {
		t.Errorf("a queue of the new token: %s", got)
	}
	if got := p.say(call("4", queueText)); !strings.Contains(got, `"message":"Unauthorized"`) {
		t.Errorf("a queue of the old token only: %s", got)
	}
	if n := w.figure("rte_subscriptions"); n != 1 {
		t.Errorf("%v subscriptions, want that of the new token only", n)
	}
	w.publish(orgA, "QueueStatus", queueText, `{"nbr":1}`)
	w.publish(orgA, "QueueStatus", other, `{"nbr":2}`)
	if _, got := p.ask(http.MethodGet, "", ""); !strings.Contains(got, other) || strings.Contains(got, queueText) {
		t.Errorf("heard %s", got)
	}
	p.token = sign(t, func(c *auth.Claims) { c.User = event.GUID{0x99} })
	if status, answer := p.ask(http.MethodPost, "/refresh", ""); status != http.StatusForbidden {
		t.Errorf("another user's token: %d %s", status, answer)
	}
	p.token = with(-time.Second, other)
	if status, answer := p.ask(http.MethodPost, "/refresh", ""); status != http.StatusUnauthorized || answer != `{"error":"invalid_token"}` {
		t.Errorf("a token that has expired: %d %s", status, answer)
	}
	p.token = with(time.Second, other)
	if status, answer := p.ask(http.MethodPost, "/refresh", ""); status != http.StatusOK {
		t.Fatalf("refresh: %d %s", status, answer)
	}
	answer := ""
	for !strings.Contains(answer, `"type":7`) {
		status, text := p.ask(http.MethodGet, "", "")
		if answer = text; status != http.StatusOK {
			t.Fatalf("no Close came: %d %s", status, text)
		}
	}
	if !strings.Contains(answer, `{"type":7,"error":"expired","allowReconnect":true}`) {
		t.Errorf("the end is %s", answer)
	}
}

func TestTokenRefreshIsOff(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	p, lifetime := w.poller(sign(t, nil))
	if lifetime != nil {
		t.Errorf("tokenLifetimeSeconds = %d", *lifetime)
	}
	if status, answer := p.ask(http.MethodPost, "/refresh", ""); status != http.StatusNotFound || answer != `{"error":"refresh_disabled"}` {
		t.Errorf("refresh: %d %s", status, answer)
	}
}
