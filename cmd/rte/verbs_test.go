package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	testSecret = "a secret of the tests of more than 32 bytes"
	userText   = "a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
	queueText  = "cbeeb190-ff4b-ea11-ac9c-00155d4fdcf3"
	orgText    = "00000000-0000-4000-8000-00000000000a"
)

func TestHelpTeaches(t *testing.T) {
	t.Parallel()
	_, all, _ := verb(t, "", "--help")
	for _, want := range []string{"serve", "demo", "token", "publish", "listen", "catalog", "version", "Subscribe", "--ephemeral", "YAML"} {
		if !strings.Contains(all, want) {
			t.Errorf("rte --help does not mention %q", want)
		}
	}
	for name, flags := range map[string][]string{
		"serve": {"--listen", "--admin-listen", "--publish-listen", "--base-path", "--tls-cert", "--tls-key", "--data-dir", "--jwt-secret", "--jwt-secret-file", "--service-jwt-secret",
			"--jwt-issuer", "--jwt-audience", "--claim-user", "--claim-org", "--claim-role", "--allowed-origins", "--retention", "--retention-bytes",
			"--dedupe-window", "--queue-bytes", "--max-message-bytes", "--max-items", "--max-subscriptions", "--max-event-bytes", "--max-body-bytes",
			"--push-extras", "--event-name-case", "--catalog-overlay", "--dev-tokens", "--insecure-dev", "--drain", "--log-format", "--log-level", "--ephemeral", "--check", "RTE_DATA_DIR"},
		"demo":    {"--listen", "--agents", "--speed"},
		"token":   {"make", "check"},
		"publish": {"--url", "--token", "--example", "--entity", "--set"},
		"catalog": {"--format", "--event", "--catalog-overlay", "table", "jsonschema", "asyncapi", "typescript", "markdown"},
		"listen":  {"--url", "--token", "--count", "--transport", "--protocol"},
	} {
		code, help, _ := verb(t, "", name, "--help")
		for _, flag := range flags {
			if !strings.Contains(strings.ReplaceAll(help, "[no-]", ""), flag) {
				t.Errorf("rte %s --help (code %d) does not mention %s", name, code, flag)
			}
		}
	}
}

func TestMistakesAreOneLineAndTwo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"serve", "--jwt-secret", "short"},
		{"serve"},
		{"serve", "--no-such-flag"},
		{"serve", "--jwt-secret", testSecret, "--queue-bytes", "much"},
		{"serve", "--jwt-secret", testSecret, "--listen", "not an address", "--data-dir", t.TempDir()},
		{"serve", "--jwt-secret", testSecret, "--dev-tokens", "--listen", ":0"},
		{"serve", "--config", "/no/such/file.yaml"},
		{"demo", "--listen", "0.0.0.0:0"},
		{"demo", "--agents", "0"},
		{"token", "--user", "x", "--org", orgText, "--jwt-secret", testSecret},
		{"token", "--user", userText, "--jwt-secret", testSecret},
		{"listen", "--token", "x", "no-colon"},
		{"publish", "--token", "x", "/no/such/file"},
		{"publish", "--token", "x", "one", "two"},
		{"publish", "--token", "x", "--example", "QueueStatus", "--entity", queueText, "--org", orgText, "no-value"},
		{"publish", "--token", "x", "--example", "NoSuchEvent", "--entity", queueText},
		{"catalog", "--format", "yaml"},
		{"catalog", "--event", "NoSuchEvent"},
		{"catalog", "--overlay", "/no/such/file"},
		{"nonsense"},
	} {
		code, out, errs := verb(t, "", args...)
		if code != exitUsage || out != "" || strings.Count(errs, "\n") != 1 || !strings.HasPrefix(errs, "rte: ") {
			t.Errorf("rte %s: code %d, out %q, err %q; want one line and code 2", strings.Join(args, " "), code, out, errs)
		}
		if strings.Contains(errs, testSecret) {
			t.Errorf("rte %s shows the secret", args[0])
		}
	}
}

func TestServeCheck(t *testing.T) {
	t.Parallel()
	if code, out, errs := verb(t, "", "serve", "--check", "--jwt-secret", testSecret); code != 0 || !strings.Contains(out, "good") {
		t.Errorf("code %d, %q %q", code, out, errs)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if code, out, _ := verb(t, "", "version"); code != 0 || !strings.HasPrefix(out, "rte ") || !strings.Contains(out, "go1.") {
		t.Errorf("code %d, %q", code, out)
	}
}

func TestSettingsFromFileAndEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, secretFile := filepath.Join(dir, "rte.yaml"), filepath.Join(dir, "secret")
	if err := os.WriteFile(secretFile, []byte(testSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	yaml := "jwt-secret-file: " + secretFile + "\nmax-items: 7\nretention: 1h\nqueue-bytes: 2MiB\npush-extras: false\nallowed-origins: [\"https://a.example.com\", \"https://b.example.com\"]\n"
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	misspelled := filepath.Join(dir, "misspelled.yaml")
	if err := os.WriteFile(misspelled, []byte(yaml+"max-itms: 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		env  []string
		args []string
		code int
	}{
		{nil, nil, 0},
		{[]string{"RTE_MAX_ITEMS=-1"}, nil, exitUsage},                  // the variable beats the file
		{[]string{"RTE_MAX_ITEMS=-1"}, []string{"--max-items", "5"}, 0}, // the flag beats the variable
		{[]string{"RTE_JWT_SECRET=" + testSecret}, nil, exitUsage},      // secret and file at once
		{[]string{"RTE_RETENTION=-1s"}, nil, exitUsage},
		{nil, []string{"--config", misspelled}, exitUsage},
	} {
		p := start(t, c.env, append([]string{"serve", "--check", "--config", file}, c.args...)...)
		if code := p.exit(20 * time.Second); code != c.code {
			t.Errorf("%v %v: code %d, want %d: %s", c.env, c.args, code, c.code, p.errs.String())
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	code, token, errs := verb(t, "", "token", "--jwt-secret", testSecret, "--user", strings.ToUpper(userText), "--org", orgText,
		"--role", "groupmanager", "--queue", queueText, "--list", orgText, "--visible-user", queueText, "--ttl", "10m")
	if code != 0 {
		t.Fatal(code, errs)
	}
	code, out, _ := verb(t, token, "token", "check", "--jwt-secret", testSecret, "-")
	for _, want := range []string{"good until", "user " + userText, "organization " + orgText, "role groupmanager", "personal   " + userText + "\n", "queue      " + queueText, "userCalls  " + userText + " " + queueText} {
		if !strings.Contains(out, want) {
			t.Errorf("token check (code %d) does not say %q:\n%s", code, want, out)
		}
	}
	code, out, _ = verb(t, "", "token", "check", "--jwt-secret", "another secret that is just as long as it", strings.TrimSpace(token))
	if code != 1 || !strings.Contains(out, "signature") {
		t.Errorf("wrong secret: code %d, %q; want 1 and the reason", code, out)
	}
}

// TestPublishAndListen is the README's way: a node, a listener, a publisher.
func TestPublishAndListen(t *testing.T) {
	t.Parallel()
	i := start(t, nil, "serve", "--ephemeral").introduction()
	listener := start(t, nil, "listen", "--url", i.Hub, "--token", i.Token, "--count", "3", queueText+":QueueStatus", queueText+":QueueCallIncoming", "x:QueueStatus")
	until(t, func() bool { return strings.Count(listener.errs.String(), "subscribed to") == 3 })

	code, _, errs := verb(t, "", "publish", "--url", i.URL, "--token", i.Token, "--example", "queuestatus", "--entity", queueText, "--set", "NbrOfRequesters=7", "--set", "queuename=Sales & more", "MaxWaitTime=3")
	if code != 0 || !strings.Contains(errs, "1 accepted, 0 refused") {
		t.Fatalf("publish: code %d %s", code, errs)
	}
	lines := fmt.Sprintf(`{"organizationId":%[1]q,"entityId":%[2]q,"eventName":"QueueCallInComing","data":{"CallerNumber":"+3584573999%%02d"}}`, i.Org, queueText)
	body := fmt.Sprintf(lines, 1) + "\n\n" + strings.Replace(lines, "CallerNumber", "callerNumber", 1) + "\n" + `{"organizationId":"` + i.Org + `","eventName":"Nope","data":{}}` + "\n"
	for range 2 { // the second time doubles nothing: the lines have ids made of themselves
		code, _, errs = verb(t, body, "publish", "--url", i.URL, "--token", i.Token)
		if code != 1 || !strings.Contains(errs, "2 accepted, 1 refused of 4 lines of standard input") || !strings.Contains(errs, "standard input:4: $.eventName") {
			t.Fatalf("publish: code %d %s", code, errs)
		}
	}
	if code := listener.exit(20 * time.Second); code != 0 {
		t.Errorf("listen ended with %d", code)
	}
	status, metrics := httpGet(t, i.Admin+"/metrics")
	if status != http.StatusOK || !strings.Contains(metrics, "rte_duplicate_events_total 2\n") || !strings.Contains(metrics, "rte_stored_events_total 3\n") {
		t.Errorf("metrics (status %d) do not show 3 stored events and 2 repeats", status)
	}
}

// TestListenPrintsPushes listens over every transport and protocol; what is
// printed is JSON all the same.
func TestListenPrintsPushes(t *testing.T) {
	t.Parallel()
	i := start(t, nil, "serve", "--ephemeral").introduction()
	for _, c := range [][2]string{
		{"auto", "json"}, {"auto", "messagepack"}, {"websockets", "json"}, {"websockets", "messagepack"}, {"serversentevents", "json"}, {"longpolling", "json"}, {"longpolling", "messagepack"},
	} {
		listener := start(t, nil, "listen", "--url", i.Hub, "--token", i.Token, "--count", "1", "--transport", c[0], "--protocol", c[1], queueText+":QueueStatus")
		until(t, func() bool {
			return strings.Contains(listener.errs.String(), "subscribed to "+queueText+":queuestatus")
		})
		verb(t, "", "publish", "--url", i.URL, "--token", i.Token, "--example", "QueueStatus", "--entity", queueText, "--set", "queuename=Sales")
		line, err := listener.out.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		var p struct {
			Subscription struct{ EntityID, EventName string }
			Data         struct{ QueueName string }
		}
		if err := json.Unmarshal([]byte(line), &p); err != nil || p.Subscription.EntityID != queueText || p.Subscription.EventName != "queuestatus" || p.Data.QueueName != "Sales" {
			t.Errorf("%v printed %s, %v", c, line, err)
		}
		if code := listener.exit(20 * time.Second); code != 0 {
			t.Errorf("%v ended with %d", c, code)
		}
	}
}

func TestListenRefused(t *testing.T) {
	t.Parallel()
	i := start(t, nil, "serve", "--ephemeral").introduction()
	if code, _, errs := verb(t, "", "listen", "--url", i.Hub, "--token", "garbage", queueText+":QueueStatus"); code != 1 || !strings.Contains(errs, "401") {
		t.Errorf("bad token: code %d %s", code, errs)
	}
	if code, _, errs := verb(t, "", "listen", "--url", i.Hub, "--token", i.Token, queueText+":Nope"); code != 1 || !strings.Contains(errs, "Invalid event name") {
		t.Errorf("bad event: code %d %s", code, errs)
	}
}

// TestDemo is the README's first command.
func TestDemo(t *testing.T) {
	t.Parallel()
	p := start(t, nil, "demo", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--agents", "12")
	var listen []string
	var board string
	for board == "" || listen == nil {
		line, err := p.out.ReadString('\n')
		if err != nil {
			t.Fatalf("read the demo's words: %v", err)
		}
		line = strings.TrimSpace(line)
		switch {
		case strings.Contains(line, "/wallboard/#token="):
			board = line
		case strings.Contains(line, " listen --url "):
			listen = strings.Fields(line[strings.Index(line, "listen"):])
		}
	}
	page, _, _ := strings.Cut(board, "#")
	if status, body := httpGet(t, page); status != http.StatusOK || !strings.Contains(body, "wallboard.js") {
		t.Errorf("the wallboard: %d %.100s", status, body)
	}
	code, out, errs := verb(t, "", append(listen[:1:1], append([]string{"--count", "2"}, listen[1:]...)...)...)
	if code != 0 || strings.Count(out, `"eventName":"queuestatus"`) != 2 {
		t.Errorf("the line to copy: code %d, printed %s %s", code, out, errs)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.exit(20 * time.Second); code != 0 {
		t.Errorf("the demo ended with %d", code)
	}
}
