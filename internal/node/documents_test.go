package node_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/event/gen"
	"rte/internal/node"
	"rte/signalr"
)

// ask makes a request without a token; headers are "name: value".
func (w *world) ask(method, url string, headers ...string) (status int, header http.Header, body string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, url, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	header = resp.Header
	var b strings.Builder
	if err := resp.Write(&b); err != nil {
		w.t.Fatal(err)
	}
	_, body, _ = strings.Cut(b.String(), "\r\n\r\n")
	return resp.StatusCode, header, body
}

// TestDocuments: documents are for everybody, and can be kept.
func TestDocuments(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.BasePath = "/rt" })
	cat := event.NewCatalog()
	status, _ := cat.Lookup("QueueStatus")
	schema, err := gen.JSONSchema(status)
	if err != nil {
		t.Fatal(err)
	}
	hub, err := gen.AsyncAPI(cat, gen.Options{BasePath: "/rt"})
	if err != nil {
		t.Fatal(err)
	}
	api, err := gen.OpenAPI(cat, gen.Options{BasePath: "/rt"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, contentType, want string }{
		{"asyncapi.json", "application/json", string(hub)},
		{"openapi.json", "application/json", string(api)},
		{"schemas/QueueStatus.json", "application/schema+json", string(schema)},
		{"schemas/queuestatus.json", "application/schema+json", string(schema)},
	} {
		t.Run(tt.path, func(t *testing.T) {
			url := w.URL() + "/api/v1/" + tt.path
			code, header, body := w.ask(http.MethodGet, url, "Origin: https://desk.example.com")
			if code != http.StatusOK || header.Get("Content-Type") != tt.contentType {
				t.Fatalf("status %d, type %s; want 200, %s", code, header.Get("Content-Type"), tt.contentType)
			}
			if d := cmp.Diff(tt.want, body); d != "" {
				t.Errorf("body (-want +got):\n%s", d)
			}
			if got := header.Get("Access-Control-Allow-Origin"); got != "*" {
				t.Errorf("allowed origin %q, want any", got)
			}
			etag := header.Get("ETag")
			if etag == "" || header.Get("Cache-Control") != "public, max-age=300" {
				t.Errorf("ETag %q, Cache-Control %q", etag, header.Get("Cache-Control"))
			}
			if code, _, body := w.ask(http.MethodGet, url, "If-None-Match: "+etag); code != http.StatusNotModified || body != "" {
				t.Errorf("asked again: status %d, %d bytes; want 304 and none", code, len(body))
			}
			if code, _, body := w.ask(http.MethodHead, url); code != http.StatusOK || body != "" {
				t.Errorf("HEAD: status %d, %d bytes", code, len(body))
			}
			if code, header, _ := w.ask(http.MethodOptions, url, "Origin: https://desk.example.com", "Access-Control-Request-Method: GET"); code != http.StatusNoContent || header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("preflight: status %d, %v", code, header)
			}
			if code, header, _ := w.ask(http.MethodPost, url); code != http.StatusMethodNotAllowed || header.Get("Allow") == "" {
				t.Errorf("POST: status %d, Allow %q; want 405", code, header.Get("Allow"))
			}
		})
	}
	for _, path := range []string{"schemas/UserSetting.json", "schemas/QueueStatus", "schemas/.json", "schemas/QueueStatus.json/x"} {
		if code, _, _ := w.ask(http.MethodGet, w.URL()+"/api/v1/"+path); code != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, code)
		}
	}
}

// TestDocumentsOfDoors: where publishing has a listener of its own, each
// listener's document tells of its own paths.
func TestDocumentsOfDoors(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) {
		c.PublishListen = "localhost:0" // the text of Listen would be the same listener
		c.DevTokens = true
	})
	paths := func(url string) []string {
		var doc struct{ Paths map[string]any }
		_, _, body := w.ask(http.MethodGet, url+"/api/v1/openapi.json")
		if err := json.Unmarshal([]byte(body), &doc); err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(maps.Keys(doc.Paths))
	}
	documents := []string{"/api/v1/alerts", "/api/v1/alerts/{alertId}", "/api/v1/asyncapi.json", "/api/v1/figures", "/api/v1/me", "/api/v1/openapi.json", "/api/v1/schemas/{eventName}.json", "/api/v1/stream"}
	if d := cmp.Diff(append(slices.Clone(documents), "/token/{userId}/rte/"), paths(w.URL())); d != "" {
		t.Errorf("paths of the hub's listener (-want +got):\n%s", d)
	}
	if d := cmp.Diff(slices.Insert(documents, 3, "/api/v1/events"), paths(w.PublishURL())); d != "" {
		t.Errorf("paths of the publish listener (-want +got):\n%s", d)
	}
	for _, url := range []string{w.URL(), w.PublishURL()} {
		if code, _, _ := w.ask(http.MethodGet, url+"/api/v1/me?access_token="+sign(t, nil)); code != http.StatusOK {
			t.Errorf("%s/api/v1/me: status %d", url, code)
		}
	}
}

// wrapUpOverlay has an event of a class of its own and a new field of one that
// is there.
const wrapUpOverlay = `{"schema": "rte-catalogue/1",
	"classes": [{"name": "wrapUp", "hearers": ["self"]}],
	"events": [
		{"name": "UserWrapUpStarted", "group": "User", "class": "wrapUp", "semantics": "state", "summary": "wrap-up began", "entity": "UserId", "organization": "OrganizationId",
			"fields": [{"name": "EndsAt", "type": "DateTime", "privacy": "none"}, {"name": "OrganizationId", "type": "Guid", "privacy": "none"}, {"name": "UserId", "type": "Guid", "privacy": "id"}]},
		{"name": "QueueStatus", "fields": [{"name": "NbrOfChats", "type": "short", "privacy": "none"}]}
	]}`

func overlayFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestOverlay: an event that an overlay brings goes the whole way, and what
// it says is in force and told.
func TestOverlay(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.CatalogOverlay = overlayFile(t, wrapUpOverlay) })
	v := w.visit(sign(t, nil))

	answer, err := v.Invoke(t.Context(), "AvailableSubscriptions")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	if err := signalr.Decode(answer, &names); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(append(event.NewCatalog().Names(), "UserWrapUpStarted"), names); d != "" {
		t.Errorf("AvailableSubscriptions (-want +got):\n%s", d)
	}

	v.subscribe(userText+":userwrapupstarted", queueText+":QueueStatus")
	w.publish(orgA, "USERWRAPUPSTARTED", userText, `{"UserId":"`+userText+`","EndsAt":"2026-11-23T09:00:00Z","Other":1}`)
	p := v.next()
	if p.Subscription.EventName != "userwrapupstarted" || string(p.Data) != `{"userId":"`+userText+`","endsAt":"2026-11-23T09:00:00Z","other":1}` {
		t.Errorf("pushed %+v, data %s", p.Subscription, p.Data)
	}
	w.publish(orgA, "QueueStatus", queueText, `{"NbrOfChats":7}`)
	if p := v.next(); string(p.Data) != `{"nbrOfChats":7}` {
		t.Errorf("data %s", p.Data)
	}

	// The new fields are checked, the new entity is found.
	for data, want := range map[string]string{
		`"eventName":"QueueStatus","entityId":"` + queueText + `","data":{"nbrOfChats":70000}`:                          "$.data.nbrOfChats",
		`"eventName":"UserWrapUpStarted","data":{"userId":"` + userText + `","endsAt":"soon"}`:                          "$.data.endsAt",
		`"eventName":"UserWrapUpStarted","entityId":"` + queueText + `","data":{"userId":"` + userText + `"}`:           "$.data.userId",
		`"eventName":"UserWrapUpStarted","data":{"organizationId":"` + orgB.String() + `","userId":"` + userText + `"}`: "$.data.organizationId",
	} {
		if _, answer := w.post(service(t, orgA), "application/json", `{"organizationId":"`+orgA.String()+`",`+data+`}`); !strings.Contains(answer, `"path":"`+want+`"`) {
			t.Errorf("%s: answer %s, want a rejection at %s", data, answer, want)
		}
	}

	// The new class has its own rule, also for supervisors.
	other := w.visit(sign(t, func(c *auth.Claims) { c.Role, c.User = auth.Supervisor, event.GUID{9} }))
	answer, err = other.Invoke(t.Context(), "Subscribe", []map[string]string{{"EntityId": userText, "EventName": "UserWrapUpStarted"}})
	if err != nil {
		t.Fatal(err)
	}
	var results []struct{ Message string }
	if err := signalr.Decode(answer, &results); err != nil || results[0].Message != "Unauthorized" {
		t.Errorf("a supervisor's subscription: %+v, %v; want Unauthorized", results, err)
	}

	for path, part := range map[string]string{
		"asyncapi.json": `"const": "userwrapupstarted"`, "openapi.json": `"UserWrapUpStarted"`,
		"schemas/USERWRAPUPSTARTED.json": `"endsAt"`, "schemas/QueueStatus.json": `"nbrOfChats"`,
	} {
		if code, _, body := w.ask(http.MethodGet, w.URL()+"/api/v1/"+path); code != http.StatusOK || !strings.Contains(body, part) {
			t.Errorf("%s: status %d; want %s in it", path, code, part)
		}
	}
}

// TestOverlayChecks: the check modes of an overlay are in force at the door,
// and in the documents.
func TestOverlayChecks(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) {
		c.CatalogOverlay = overlayFile(t, `{"schema": "rte-catalogue/1", "events": [{"name": "UserStatus", "check": "warn"}, {"name": "UserAvailability", "check": "off"}]}`)
	})
	v := w.visit(sign(t, nil))
	v.subscribe(userText+":UserStatus", userText+":UserAvailability")
	w.publish(orgA, "UserStatus", userText, `{"Talking":"yes"}`)
	if p := v.next(); string(p.Data) != `{"talking":"yes"}` {
		t.Errorf("data %s", p.Data)
	}
	w.publish(orgA, "UserAvailability", userText, `{"Availability":"Lunch"}`)
	if p := v.next(); string(p.Data) != `{"availability":"Lunch"}` {
		t.Errorf("data %s", p.Data)
	}
	if _, answer := w.post(service(t, orgA), "application/json", `{"organizationId":"`+orgA.String()+`","entityId":"`+queueText+`","eventName":"QueueStatus","data":{"openStatus":9}}`); !strings.Contains(answer, `"$.data.openStatus"`) {
		t.Errorf("an event that the overlay does not name: %s, want a rejection", answer)
	}
	w.until(`rte_drift_total{event="UserStatus",kind="type"} 1`)
	if _, _, metrics := w.ask(http.MethodGet, w.AdminURL()+"/metrics"); strings.Contains(metrics, `event="UserAvailability"`) {
		t.Error("an event that is not checked is in the drift report")
	}
	if _, _, body := w.ask(http.MethodGet, w.URL()+"/api/v1/asyncapi.json"); strings.Count(body, `"check": "warn"`) != 1 || strings.Count(body, `"check": "off"`) != 1 {
		t.Error("the document does not tell the modes")
	}
}

// TestOverlayIsGone: a node that starts without the overlay, on a store that
// has its events, runs and tells.
func TestOverlayIsGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := start(t, func(c *node.Config) { c.CatalogOverlay, c.DataDir = overlayFile(t, wrapUpOverlay), dir })
	w.publish(orgA, "UserWrapUpStarted", userText, `{}`)
	w.publish(orgA, "UserStatus", userText, `{}`)
	w.stop()
	w = start(t, func(c *node.Config) { c.DataDir = dir })
	v := w.visit(sign(t, nil))
	v.subscribe(userText + ":UserStatus")
	w.publish(orgA, "UserStatus", userText, `{"talking":true}`)
	if p := v.next(); string(p.Data) != `{"talking":true}` {
		t.Errorf("data %s", p.Data)
	}
}

func TestBadOverlay(t *testing.T) {
	t.Parallel()
	good := overlayFile(t, wrapUpOverlay)
	for name, tt := range map[string]struct{ file, want string }{
		"no file":  {good + ".not", "catalogue overlay: stat " + good + ".not"},
		"a folder": {filepath.Dir(good), "catalogue overlay: read " + filepath.Dir(good)},
		"no JSON":  {overlayFile(t, "{\n\n,}"), "line 3: invalid character ','"},
		"retyped": {
			overlayFile(t, `{"schema":"rte-catalogue/1","events":[{"name":"QueueStatus","fields":[{"name":"QueueName","type":"int"}]}]}`),
			"events[0] QueueStatus: fields[0] QueueName: it is a string",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := defaults(t)
			cfg.CatalogOverlay = tt.file
			if _, err := node.New(cfg, nil); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.file) {
				t.Errorf("got %v, want the file and %q", err, tt.want)
			}
		})
	}
}
