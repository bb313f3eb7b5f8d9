package node_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
	"rte/signalr/client"
)

func (w *world) connect(token string, o client.Options) (*client.Client, error) {
	w.t.Helper()
	o.Token = tokenOf(token)
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, w.HubURL(), nil, o)
	if err == nil {
		w.t.Cleanup(func() { c.Close() }) //nolint:errcheck // it never fails
	}
	return c, err
}

// ofUser is a token of a user of an organization.
func ofUser(t testing.TB, org, user byte) string {
	t.Helper()
	return sign(t, func(c *auth.Claims) { c.Org, c.User = event.GUID{org}, event.GUID{user} })
}

// figure is a metric's value.
func (w *world) figure(name string) float64 {
	w.t.Helper()
	_, body := w.get(w.AdminURL() + "/metrics")
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(body)
	if m == nil {
		w.t.Fatalf("no metric %s", name)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// limited checks what the metrics say of a limit's refusals.
func (w *world) limited(limit, scope string, want float64) {
	w.t.Helper()
	if got := w.figure(fmt.Sprintf(`rte_limited_total{limit=%q,scope=%q}`, limit, scope)); got != want {
		w.t.Errorf("%s of the %s: %v were refused, want %v", limit, scope, got, want)
	}
}

// request asks for a connection and returns the answer's status and Retry-After.
func (w *world) request(method, path, token string, upgrade bool) string {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.HubURL()+path, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if upgrade {
		for name, v := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="} {
			r.Header.Set(name, v)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	resp.Body.Close()
	return strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", resp.Header.Get("Retry-After")))
}

// Who is one too many is told so where it negotiates, and where it does not; who
// goes makes room.
func TestTooManyConnections(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) {
		c.MaxConnectionsPerUser, c.MaxConnectionsPerOrg, c.MaxConnections = 2, 3, 4
	})
	refused := func(token, text, status string) {
		t.Helper()
		if _, err := w.connect(token, client.Options{}); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("negotiation: %v, want %q", err, text)
		}
		for what, got := range map[string]string{
			"upgrade without negotiation": w.request(http.MethodGet, "", token, true),
			"negotiation at version 0":    w.request(http.MethodPost, "/negotiate", token, false),
		} {
			if got != status {
				t.Errorf("%s: %s, want %s", what, got, status)
			}
		}
	}
	first := w.visit(ofUser(t, 1, 1))
	w.visitWith(ofUser(t, 1, 1), client.Options{Transport: client.LongPolling})
	refused(ofUser(t, 1, 1), "Too many connections: this user has 2, and more are not allowed. Close one, or try again later.", "429 10")
	w.visitWith(ofUser(t, 1, 2), client.Options{Transport: client.ServerSentEvents})
	refused(ofUser(t, 1, 3), "Too many connections: this organization has 3, and more are not allowed. Try again later.", "429 10")
	w.visit(ofUser(t, 2, 1))
	refused(ofUser(t, 2, 2), "Too many connections: this server is full. Try again later.", "503 10")
	for _, scope := range []string{"user", "organization", "node"} {
		w.limited("connections", scope, 3)
	}
	first.Close() //nolint:errcheck // it never fails
	w.until("rte_connections 3")
	w.visit(ofUser(t, 1, 1))
}

// What the counts say is true whatever clients do: as many as may fit in at the
// end as at the beginning, and never one more.
func TestConnectionsAreCountedExactly(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	const most = 6
	w := start(t, func(c *node.Config) { c.MaxConnectionsPerUser = most })
	token := ofUser(t, 1, 1)
	var all sync.WaitGroup
	for g := range 10 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(g)))
			for range 12 {
				if rng.IntN(4) == 0 {
					w.request(http.MethodGet, "", token, true) // and no handshake follows
					continue
				}
				transports := []client.Transport{client.WebSockets, client.ServerSentEvents, client.LongPolling}
				c, err := w.connect(token, client.Options{Transport: transports[rng.IntN(3)], StatefulReconnect: rng.IntN(2) == 0})
				if err != nil {
					continue
				}
				if open := w.figure("rte_connections"); open > most {
					t.Errorf("%v connections of one user, want at most %d", open, most)
				}
				c.Close() //nolint:errcheck // it never fails
			}
		})
	}
	all.Wait()
	w.until("rte_connections 0")
	for range most {
		w.visit(token)
	}
	if _, err := w.connect(token, client.Options{}); err == nil {
		t.Error("one more than may came in")
	}
	if w.figure(`rte_limited_total{limit="connections",scope="user"}`) < 2 {
		t.Error("nobody was refused while all came: the test shows nothing")
	}
}

// New connections per second: asked where they begin, at negotiation or without
// it, and only once.
func TestAcceptRate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		change func(*node.Config)
		status string
		scope  string
	}{
		{func(c *node.Config) { c.AcceptRate = 0.001 }, "503", "node"},
		{func(c *node.Config) { c.AcceptRatePerOrg = 0.001 }, "429", "organization"},
		{func(c *node.Config) { c.AcceptRatePerUser = 0.001 }, "429", "user"},
	} {
		w := start(t, test.change)
		w.visit(ofUser(t, 1, 1)) // it negotiates, and connects
		for what, got := range map[string]string{
			"negotiation": w.request(http.MethodPost, "/negotiate?negotiateVersion=1", ofUser(t, 1, 1), false),
			"upgrade":     w.request(http.MethodGet, "", ofUser(t, 1, 1), true),
		} {
			status, after, _ := strings.Cut(got, " ")
			if n, err := strconv.Atoi(after); status != test.status || err != nil || n < 900 || n > 1000 {
				t.Errorf("%s: %s of the %s: %s, want %s after some 1000 s", test.scope, what, test.scope, got, test.status)
			}
		}
		w.limited("accepts", test.scope, 2)
		if test.scope != "node" {
			w.visit(ofUser(t, 2, 2)) // another's rate is another's
		}
	}
}

// A call too fast is refused in words and does not run; who goes on all the same
// is sent away. That others of its organization call too much is not its fault.
func TestCallRate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		change func(*node.Config)
		scope  string
		text   string
		closed bool
	}{
		{func(c *node.Config) { c.CallRatePerConnection = 0.001 }, "connection", "Too many calls: 0.001 a second are allowed on one connection.", true},
		{func(c *node.Config) { c.CallRatePerUser = 0.001 }, "user", "Too many calls: 0.001 a second are allowed for one user.", true},
		{func(c *node.Config) { c.CallRatePerOrg = 0.001 }, "organization", "Too many calls of this organization.", false},
		{func(c *node.Config) { c.CallRate = 0.001 }, "node", "Too many calls on this server.", false},
	} {
		w := start(t, test.change)
		v := w.visit(ofUser(t, 1, 1))
		if _, err := v.Invoke(t.Context(), "AvailableSubscriptions"); err != nil {
			t.Errorf("%s: the first call: %v", test.scope, err)
		}
		want := "An unexpected error occurred invoking 'GetActiveSubscriptions' on the server. HubException: " + test.text + " Wait a second and call again; one call may have many items."
		if _, err := v.Invoke(t.Context(), "GetActiveSubscriptions"); err == nil || err.Error() != want {
			t.Errorf("%s: the second call: %v, want %s", test.scope, err, want)
		}
		_, err := v.Invoke(t.Context(), "NoSuchMethod")
		w.limited("calls", test.scope, 2)
		if !test.closed {
			if err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%s: the third call: %v", test.scope, err)
			}
			continue
		}
		select {
		case <-v.Done():
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: it was not closed", test.scope)
		}
		if err := v.Err(); err == nil || !strings.Contains(err.Error(), "limit") {
			t.Errorf("%s: closed with %v", test.scope, err)
		}
		w.until(`rte_closes_total{reason="limit"} 1`)
	}
}

// Too many subscriptions, whosever bound it is, is a verdict on each item.
func TestTooManySubscriptions(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		change func(*node.Config)
		scope  string
	}{
		{func(c *node.Config) { c.MaxSubscriptions = 3 }, "connection"},
		{func(c *node.Config) { c.MaxSubscriptionsPerUser = 3 }, "user"},
		{func(c *node.Config) { c.MaxSubscriptionsPerOrg = 3 }, "organization"},
		{func(c *node.Config) { c.MaxSubscriptionsPerNode = 3 }, "node"},
	} {
		w := start(t, test.change)
		token := sign(t, func(c *auth.Claims) { c.Role = auth.Supervisor })
		v := w.visit(token)
		item := func(i int) map[string]string {
			return map[string]string{"EntityId": event.GUID{byte(i)}.String(), "EventName": "QueueStatus"}
		}
		verdicts := func(v *visitor, items ...int) string {
			var list []map[string]string
			for _, i := range items {
				list = append(list, item(i))
			}
			var text []string
			for _, r := range v.results(list...) {
				if r.Subscribed {
					text = append(text, "yes")
				} else {
					text = append(text, r.Message)
				}
			}
			return strings.Join(text, ", ")
		}
		if got, want := verdicts(v, 1, 2, 1, 3, 4, 2, 5), "yes, yes, yes, yes, Too many subscriptions, yes, Too many subscriptions"; got != want {
			t.Errorf("%s: %s, want %s", test.scope, got, want)
		}
		w.limited("subscriptions", test.scope, 2)
		if test.scope == "connection" {
			continue
		}
		other := w.visit(token)
		if got, want := verdicts(other, 1), "Too many subscriptions"; got != want {
			t.Errorf("%s, on another connection: %s, want %s", test.scope, got, want)
		}
		v.Close() //nolint:errcheck // it never fails
		w.until("rte_connections 1")
		if got, want := verdicts(other, 1, 2, 3, 4), "yes, yes, yes, Too many subscriptions"; got != want {
			t.Errorf("%s, when the first has gone: %s, want %s", test.scope, got, want)
		}
	}
}

// Producers that hand in too much are told from where, and when, to go on.
func TestPublishRate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		change func(*node.Config)
		limit  string
		scope  string
		text   string
		others bool // may go on
	}{
		{func(c *node.Config) { c.PublishRatePerOrg = 0.001 }, "events", "organization", "too many events: 0.001 a second are allowed for one organization", true},
		{func(c *node.Config) { c.PublishRate = 0.001 }, "events", "node", "too many events: 0.001 a second are allowed on this node", false},
		{func(c *node.Config) { c.PublishByteRatePerOrg = 1 }, "event_bytes", "organization", "too many bytes of events: 1 a second are allowed for one organization", true},
		{func(c *node.Config) { c.PublishByteRate = 1 }, "event_bytes", "node", "too many bytes of events: 1 a second are allowed on this node", false},
	} {
		w := start(t, test.change)
		event := func(org event.GUID) string {
			return fmt.Sprintf(`{"organizationId":%q,"entityId":%q,"eventName":"QueueStatus","data":{"x":%q}}`, org, queueText, strings.Repeat("x", 500))
		}
		status, answer := w.post(service(t, orgA), "application/json", "["+event(orgA)+","+event(orgA)+"]")
		if status != http.StatusTooManyRequests || !strings.HasPrefix(answer, `{"error":"`+test.text+`; send the events from next on again`) || !strings.Contains(answer, `"accepted":1,`) || !strings.Contains(answer, `"next":1`) {
			t.Errorf("%s of the %s: %d %s", test.limit, test.scope, status, answer)
		}
		w.limited(test.limit, test.scope, 1)
		if n := w.figure(`rte_publish_refused_total{reason="toomany"}`); n != 1 {
			t.Errorf("%v answers 429, want 1", n)
		}
		if status, answer := w.post(service(t, orgB), "application/json", event(orgB)); (status == http.StatusOK) != test.others {
			t.Errorf("%s of the %s: another organization: %d %s", test.limit, test.scope, status, answer)
		}
	}
}

// The bounds that are a connection's alone are counted, too.
func TestItemsAndBytesAreCounted(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.MaxItems, c.MaxMessageBytes = 2, 4<<10 })
	v := w.visit(sign(t, nil))
	item := map[string]string{"EntityId": userText, "EventName": "UserStatus"}
	if _, err := v.Invoke(t.Context(), "Subscribe", []map[string]string{item, item, item}); err == nil || !strings.Contains(err.Error(), "Too many items: 3 in one call, at most 2 are allowed.") {
		t.Errorf("three items: %v", err)
	}
	w.limited("items", "connection", 1)
	if _, err := v.Invoke(t.Context(), "Subscribe", strings.Repeat("x", 5000)); err == nil {
		t.Error("a message that is too large was taken")
	}
	w.until(`rte_limited_total{limit="message_bytes",scope="connection"} 1`)
}

// A node with no settings refuses nothing of what one organization must be able
// to do: 20,000 connections, 10,000 of them with 100 subscriptions, at any rate,
// even as one user.
func TestDefaultsAreAboveWhatIsAsked(t *testing.T) {
	t.Parallel()
	c := defaults(t)
	const connections, subscriptions = 20_000, 20_000 * 100
	for name, most := range map[string]int{"node": c.MaxConnections, "organization": c.MaxConnectionsPerOrg, "user": c.MaxConnectionsPerUser} {
		if most < 2*connections {
			t.Errorf("connections of the %s: %d, want twice %d", name, most, connections)
		}
	}
	for name, most := range map[string]int{"node": c.MaxSubscriptionsPerNode, "organization": c.MaxSubscriptionsPerOrg, "user": c.MaxSubscriptionsPerUser} {
		if most < subscriptions {
			t.Errorf("subscriptions of the %s: %d, want %d", name, most, subscriptions)
		}
	}
	l := c.Limits
	for _, rate := range []float64{
		l.AcceptRate, l.AcceptRatePerOrg, l.AcceptRatePerUser, l.CallRate, l.CallRatePerOrg, l.CallRatePerUser, l.CallRatePerConnection,
		l.PublishRate, l.PublishRatePerOrg, float64(l.PublishByteRate), float64(l.PublishByteRatePerOrg), l.MaxConnectionAge.Seconds(),
	} {
		if rate != 0 {
			t.Errorf("a rate, or the age, is bounded by default: %+v", l)
			break
		}
	}
	if l.CloseOnExpiry || l.TokenRefresh {
		t.Error("connections do not outlive their tokens, or are refreshed, by default")
	}
}

func TestBadLimits(t *testing.T) {
	t.Parallel()
	nan := 0.0
	for text, change := range map[string]func(*node.Config){
		"--max-connections must be 0":                        func(c *node.Config) { c.MaxConnections = -1 },
		"--max-subscriptions-per-user must be 0":             func(c *node.Config) { c.MaxSubscriptionsPerUser = -1 },
		"--accept-rate must be 0":                            func(c *node.Config) { c.AcceptRate = -0.5 },
		"--call-rate-per-connection must be 0":               func(c *node.Config) { c.CallRatePerConnection = nan / nan },
		"--publish-rate-per-org must be 0":                   func(c *node.Config) { c.PublishRatePerOrg = 1e300 },
		"--max-connection-age must not be":                   func(c *node.Config) { c.MaxConnectionAge = -time.Second },
		`--allowed-origins: "desk.example.com" is no`:        func(c *node.Config) { c.AllowedOrigins = []string{"https://a.example.com", "desk.example.com"} },
		`--allowed-origins: "https://desk.example.com/": an`: func(c *node.Config) { c.AllowedOrigins = []string{"https://desk.example.com/"} },
	} {
		cfg := defaults(t)
		change(&cfg)
		if _, err := node.New(cfg, nil); err == nil || !strings.HasPrefix(err.Error(), text) {
			t.Errorf("%v, want %s", err, text)
		}
	}
}
