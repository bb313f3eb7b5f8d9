package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// older is the overlay of the documentation.
const older = "../../docs/examples/older-events.overlay.json"

func TestCatalog(t *testing.T) {
	t.Parallel()
	committed := func(name string) string {
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for format, want := range map[string]string{
		"asyncapi":   committed("docs/api/asyncapi.json"),
		"openapi":    committed("docs/api/openapi.json"),
		"typescript": committed("da-client-lib/src/events.gen.ts"),
		"markdown":   committed("docs/events.md"),
	} {
		if code, out, errs := verb(t, "", "catalog", "--format", format); code != 0 || out != want {
			t.Errorf("--format %s: code %d, %d bytes that are not the committed ones, %s", format, code, len(out), errs)
		}
	}

	code, table, errs := verb(t, "", "catalog")
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if code != 0 || len(lines) != 42 || !strings.HasPrefix(lines[0], "EVENT ") || !strings.HasPrefix(lines[41], "CallListNotification ") {
		t.Errorf("code %d, %d lines, %s\n%s", code, len(lines), errs, table)
	}
	if _, fields, _ := verb(t, "", "catalog", "--event", "QUEUEATTACHEDUSERS"); !strings.Contains(fields, "\nAttachedUsers ") || !strings.Contains(fields, "\nQueueAttachedUser.Priority ") {
		t.Errorf("the fields of an event are\n%s", fields)
	}
	if _, schema, _ := verb(t, "", "catalog", "--event", "queuestatus", "--format", "jsonschema"); schema != committed("docs/api/schemas/QueueStatus.json") {
		t.Errorf("the schema of an event is\n%s", schema)
	}
	var doc struct {
		Events []struct{ Name string }
		Types  []struct{ Name string }
	}
	_, text, _ := verb(t, "", "catalog", "--format", "json", "--event", "QueueAttachedUsers", "--event", "UserStatus")
	if err := json.Unmarshal([]byte(text), &doc); err != nil || len(doc.Events) != 2 || len(doc.Types) != 1 {
		t.Errorf("two events as JSON: %v, %+v", err, doc)
	}
}

func TestCatalogOverlay(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--overlay", "--catalog-overlay"} {
		code, table, errs := verb(t, "", "catalog", flag, older)
		if code != 0 || strings.Count(table, "\n") != 53 || strings.Count(table, "[overlay]") != 11 {
			t.Errorf("%s: code %d, %s\n%s", flag, code, errs, table)
		}
	}
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte(`{"schema":"rte-catalogue/1","events":[{"name":"QueueStatus","chek":"off"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	const fault = `events[0] QueueStatus: unknown member "chek"`
	for _, args := range [][]string{
		{"catalog", "--overlay", bad},
		{"serve", "--check", "--jwt-secret", testSecret, "--catalog-overlay", bad},
		{"publish", "--token", "x", "--overlay", bad, "--example", "QueueStatus", "--entity", queueText, "--org", orgText},
		{"token", "check", "--jwt-secret", testSecret, "--overlay", bad, "x"},
	} {
		code, out, errs := verb(t, "", args...)
		if code != exitUsage || out != "" || !strings.Contains(errs, bad) || !strings.Contains(errs, fault) || strings.Count(errs, "\n") != 1 {
			t.Errorf("rte %s: code %d, %q %q; want code 2 and one line with the file and the fault", strings.Join(args, " "), code, out, errs)
		}
	}
}

// TestPublishWithOverlay: the eleven older events go the whole way, over both
// protocols.
func TestPublishWithOverlay(t *testing.T) {
	t.Parallel()
	i := start(t, nil, "serve", "--ephemeral", "--catalog-overlay", older).introduction()
	names := []string{
		"UserSetting", "UserContactCard", "UserCallInConnected", "UserAction", "CallbackCreated", "CallbackUpdated",
		"CallbackClosed", "UserWrapUpEnabled", "UserWrapUpStarted", "UserWrapUpTerminated", "UserWrapUpRequestTerminate",
	}
	pairs := make([]string, len(names))
	for n, name := range names {
		pairs[n] = userText + ":" + name
	}
	for _, protocol := range []string{"json", "messagepack"} {
		listener := start(t, nil, append([]string{"listen", "--url", i.Hub, "--token", i.Token, "--count", "11", "--protocol", protocol}, pairs...)...)
		until(t, func() bool { return strings.Count(listener.errs.String(), "subscribed to") == len(names) })
		for _, name := range names {
			code, _, errs := verb(t, "", "publish", "--url", i.URL, "--token", i.Token, "--overlay", older, "--example", name, "--entity", userText, "Anything=5")
			if code != 0 {
				t.Fatalf("publish %s: code %d %s", name, code, errs)
			}
		}
		if code := listener.exit(20 * time.Second); code != 0 {
			t.Errorf("%s: listen ended with %d", protocol, code)
		}
	}
	code, _, errs := verb(t, "", "publish", "--url", i.URL, "--token", i.Token, "--example", names[0], "--entity", userText)
	if code != exitUsage || !strings.Contains(errs, "rte catalog") {
		t.Errorf("without the overlay: code %d %s", code, errs)
	}
}
