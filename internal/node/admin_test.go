package node_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"rte/internal/auth"
	"rte/internal/node"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	v := w.visit(sign(t, nil))
	v.subscribe(queueText + ":QueueStatus")
	w.publish(orgA, "QueueStatus", queueText, `{}`)
	v.next()
	status, body := w.get(w.AdminURL() + "/metrics")
	if status != http.StatusOK {
		t.Fatal(status)
	}
	for _, want := range []string{
		"rte_connections 1", "rte_subscriptions 1", "rte_events_total 1", "rte_deliveries_total 1", "rte_published_events_total 1",
		`rte_closes_total{reason="slow"} 0`, "rte_delivery_seconds_count 1", `rte_unauthorized_total{reason="expired"} 0`,
		"rte_stored_events_total 1", "rte_foreign_events_total 0", "rte_live_dropped_total 0",
	} {
		if !strings.Contains(body, "\n"+want+"\n") {
			t.Errorf("the metrics lack %q", want)
		}
	}
	var sum float64
	for line := range strings.SplitSeq(body, "\n") {
		if text, ok := strings.CutPrefix(line, "rte_delivery_seconds_sum "); ok {
			if err := json.Unmarshal([]byte(text), &sum); err != nil || sum < 0 || sum > 5 {
				t.Errorf("delivery took %s s, %v; want something between 0 and 5", text, err)
			}
		}
	}
}

func TestAdminListener(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for _, c := range []struct {
		name, path, host, origin string
		want                     int
	}{
		{"health", "/healthz", "", "", http.StatusOK},
		{"ready", "/readyz", "", "", http.StatusOK},
		{"by the name localhost", "/readyz", "localhost:8081", "", http.StatusOK},
		{"a name that points here", "/metrics", "rebound.example.com", "", http.StatusForbidden},
		{"a page of another site", "/metrics", "", "https://evil.example.com", http.StatusForbidden},
		{"profiles are off", "/debug/pprof/", "", "", http.StatusNotFound},
		{"nothing else", "/", "", "", http.StatusNotFound},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.AdminURL()+c.path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if c.host != "" {
			r.Host = c.host
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if status, body := w.do(r); status != c.want {
			t.Errorf("%s: got %d %s, want %d", c.name, status, body, c.want)
		}
	}
}

func TestDevTokens(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.DevTokens, c.DevOrg, c.BasePath = true, orgA, "/prefix" })
	status, body := w.get(w.URL() + "/token/" + userText + "/rte/?role=supervisor&queue=" + queueText)
	var answer struct{ WSSEndpoint, Token string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
		t.Fatal(status, body, err)
	}
	if want := strings.TrimPrefix(w.HubURL(), "http://"); answer.WSSEndpoint != want {
		t.Errorf("WSSEndpoint %q, want %q", answer.WSSEndpoint, want)
	}
	v := w.visit(answer.Token)
	v.subscribe(anyQueue+":QueueStatus", userText+":UserStatus")
	for _, bad := range []string{"/token/nobody/rte/", "/token/" + userText + "/rte/?role=king", "/token/" + userText + "/rte/?queue=x", "/token/" + userText + "/rte/?org=x"} {
		if status, body := w.get(w.URL() + bad); status != http.StatusBadRequest || !strings.Contains(body, `"error"`) {
			t.Errorf("%s: got %d %s, want 400 with an error", bad, status, body)
		}
	}
	for _, c := range []struct {
		host, origin string
		want         int
	}{
		{"", "http://localhost:3000", http.StatusOK}, {"", "http://127.0.0.1:5500", http.StatusOK}, {"localhost:1", "", http.StatusOK},
		{"", "https://evil.example.com", http.StatusForbidden}, {"", "null", http.StatusForbidden}, {"rebound.example.com", "", http.StatusForbidden},
		{"", "http://localhost.evil.example.com", http.StatusForbidden},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL()+"/token/"+userText+"/rte/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if c.host != "" {
			r.Host = c.host
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if status, body := w.do(r); status != c.want || status == http.StatusForbidden && body != "" {
			t.Errorf("host %q, origin %q: got %d %s, want %d", c.host, c.origin, status, body, c.want)
		}
	}
	off := start(t, nil)
	if status, _ := off.get(off.URL() + "/token/" + userText + "/rte/"); status != http.StatusNotFound {
		t.Errorf("without --dev-tokens: got %d, want 404", status)
	}
}

// anyQueue is nobody's: a supervisor may hear them all.
const anyQueue = "41414141-4141-4141-4141-414141414141"

func TestPages(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	status, body := w.get(w.URL() + "/wallboard/")
	if status != http.StatusOK || !strings.Contains(body, "<html") {
		t.Errorf("the wallboard: %d %.100s", status, body)
	}
}

// TestClient: pages of any origin may load the library from a node.
func TestClient(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.BasePath = "/base" })
	for _, name := range []string{"da-client-lib.js", "da-client-lib.umd.js"} {
		resp, err := http.Get(w.URL() + "/client/" + name)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "DAService") {
			t.Errorf("%s: %d %.100s", name, resp.StatusCode, body)
		}
		if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/javascript") {
			t.Errorf("%s: Content-Type %q", name, got)
		}
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "*" {
			t.Errorf("%s: Access-Control-Allow-Origin %q, want * (modules are loaded with CORS)", name, got)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*node.Config)
		says   string
	}{
		{"no secret", func(c *node.Config) { c.JWTSecret = "" }, "RTE_JWT_SECRET"},
		{"short secret", func(c *node.Config) { c.JWTSecret = "short" }, "32"},
		{"second secret short", func(c *node.Config) { c.JWTSecret += ",short" }, "32"},
		{"short service secret", func(c *node.Config) { c.ServiceJWTSecret = "short" }, "32"},
		{"secret and file", func(c *node.Config) { c.JWTSecretFile = "/x" }, "both"},
		{"no such file", func(c *node.Config) { c.JWTSecret, c.JWTSecretFile = "", "/no/such/file" }, "--jwt-secret-file"},
		{"a key set without TLS", func(c *node.Config) { c.JWKSURL = "http://issuer.example.com/keys" }, "not https"},
		{"a resolver without TLS", func(c *node.Config) { c.PrincipalURL = "http://platform.example.com/who" }, "not https"},
		{"no such key file", func(c *node.Config) { c.JWTPublicKey = "/no/such/file" }, "/no/such/file"},
		{"no such service key file", func(c *node.Config) { c.ServiceJWTPublicKey = "/no/such/file" }, "service public keys"},
		{"resolver's token and file", func(c *node.Config) { c.PrincipalToken, c.PrincipalTokenFile = "x", "/x" }, "--principal-token and --principal-token-file"},
		{"negative leeway", func(c *node.Config) { c.JWTLeeway = -1 }, "--jwt-leeway"},
		{"developer tokens without a secret", func(c *node.Config) {
			c.DevTokens, c.JWTSecret, c.JWKSURL = true, "", "https://issuer.example.com/keys"
		}, "--dev-tokens signs"},
		{"base path", func(c *node.Config) { c.BasePath = "rt/" }, "--base-path"},
		{"developer tokens for the world", func(c *node.Config) { c.DevTokens, c.Listen = true, ":8080" }, "loopback"},
		{"no items", func(c *node.Config) { c.MaxItems = 0 }, "--max-items"},
		{"negative queue", func(c *node.Config) { c.QueueBytes = -1 }, "--queue-bytes"},
	} {
		cfg := defaults(t)
		c.change(&cfg)
		_, err := node.New(cfg, nil)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v; want an error about %s", c.name, err, c.says)
			continue
		}
		if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "short ") && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error is more than a line, or shows a secret: %v", c.name, err)
		}
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]node.Bytes{"0": 0, "65536": 65536, "64KiB": 65536, " 1 MiB ": 1 << 20, "4GiB": 4 << 30, "1TiB": 1 << 40} {
		var b node.Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want {
			t.Errorf("%q: got %d, %v; want %d", text, b, err, want)
		}
	}
	for _, text := range []string{"", "x", "-1", "1KB", "1.5MiB", "1 2", "9999999999TiB", "0x10", "1KiBKiB"} {
		var b node.Bytes
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %d", text, b)
		}
	}
}

// TestTwoSecrets changes the secret while clients hold tokens of the old one.
func TestTwoSecrets(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.JWTSecret = "the new secret of the tests long enough," + secret })
	w.visit(sign(t, nil)).subscribe(queueText + ":QueueStatus")
	fresh, err := auth.Sign([]byte("the new secret of the tests long enough"), auth.Claims{User: guid(t, userText), Org: orgA, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	w.visit(fresh).subscribe(userText + ":UserStatus")
}
