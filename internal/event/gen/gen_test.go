package gen_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
	"rte/internal/event/gen"
)

const root = "../../.."

// TestCommittedFiles: what is committed is what the catalogue makes.
func TestCommittedFiles(t *testing.T) {
	t.Parallel()
	files, err := gen.Files(event.NewCatalog())
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 6+41 {
		t.Errorf("%d files, want 6 and a schema for each of the 41 events", len(files))
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Error(err)
		} else if d := cmp.Diff(string(got), string(want)); d != "" {
			t.Errorf("%s is not what the catalogue makes; run make gen (-committed +made):\n%s", name, d)
		}
	}
	schemas, err := fs.Glob(os.DirFS(root), gen.SchemasFolder+"/*")
	if err != nil || len(schemas) == 0 {
		t.Fatalf("%d schemas, error %v", len(schemas), err)
	}
	for _, name := range schemas {
		if files[name] == nil {
			t.Errorf("%s is of no event", name)
		}
	}
}

// outputs is everything that is made of a catalogue.
func outputs(t *testing.T, c *event.Catalog) map[string]string {
	t.Helper()
	files, err := gen.Files(c)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for name, text := range files {
		all[name] = string(text)
	}
	for _, format := range gen.Formats() {
		text, err := gen.Print(c, format)
		if err != nil {
			t.Fatalf("format %s: %v", format, err)
		}
		all["format "+format] = string(text)
	}
	status, _ := c.Lookup("QueueStatus")
	text, err := gen.Print(c.Only(status), "table")
	if err != nil {
		t.Fatal(err)
	}
	all["format table, one event"] = string(text)
	return all
}

// TestNewFieldIsEverywhere: a field more changes every output that names
// fields, and is in it.
func TestNewFieldIsEverywhere(t *testing.T) {
	t.Parallel()
	base := event.NewCatalog()
	before := outputs(t, base)
	more, err := base.Overlay([]byte(`{"schema":"rte-catalogue/1","events":[{"name":"QueueStatus","fields":[{"name":"NbrOfChats","type":"int","privacy":"none","summary":"chats that wait"}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range outputs(t, more) {
		if strings.HasPrefix(name, gen.SchemasFolder) && !strings.HasSuffix(name, "/QueueStatus.json") {
			if text != before[name] {
				t.Errorf("%s has changed, though its event has not", name)
			}
			continue
		}
		if text == before[name] {
			t.Errorf("%s is as it was", name)
		}
		if !strings.Contains(text, "nbrOfChats") && !strings.Contains(text, "NbrOfChats") && name != "format table" { // which counts fields
			t.Errorf("%s does not have the new field", name)
		}
	}
}

// TestNewEventIsEverywhere: so does an event more.
func TestNewEventIsEverywhere(t *testing.T) {
	t.Parallel()
	older, err := os.ReadFile(filepath.Join(root, "docs/examples/older-events.overlay.json"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := event.NewCatalog().Overlay(older)
	if err != nil {
		t.Fatal(err)
	}
	all := outputs(t, more)
	delete(all, "format table, one event")
	for name, text := range all {
		if strings.HasPrefix(name, gen.SchemasFolder) {
			continue
		}
		for _, t2 := range more.Events[41:] {
			if !strings.Contains(text, t2.Name) {
				t.Errorf("%s does not have %s", name, t2.Name)
			}
		}
	}
	if all[gen.SchemasFolder+"/UserWrapUpStarted.json"] == "" {
		t.Error("UserWrapUpStarted has no schema")
	}
}

// TestBroken: growth breaks nothing, everything else does.
func TestBroken(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../catalog.json")
	if err != nil {
		t.Fatal(err)
	}
	baseline, err := os.ReadFile(filepath.Join(root, gen.BaselineFile))
	if err != nil {
		t.Fatal(err)
	}
	const maxWait = `   {"name": "MaxWaitTime", "wireName": "maxWaitTime", "type": "long",`
	for _, tt := range []struct{ name, old, new, broken string }{
		{"nothing", "", "", ""},
		{"other words", `"counters of the queue"`, `"how the queue is"`, ""},
		{"a field more", maxWait, `   {"name": "Chats", "type": "int"},` + maxWait, ""},
		{"a value more", `"values": ["Available",`, `"values": ["Lunch", "Available",`, ""},
		{"a field renamed", `{"name": "NbrOfProviders", "wireName": "nbrOfProviders",`, `{"name": "NbrOfAgents",`, "field QueueStatus.NbrOfProviders: nbrOfProviders int"},
		{"a field retyped", maxWait, strings.Replace(maxWait, "long", "int", 1), "field QueueStatus.MaxWaitTime: maxWaitTime long"},
		{"a field that may be null", maxWait, maxWait + ` "nullable": true,`, "field QueueStatus.MaxWaitTime: maxWaitTime long"},
		{"a field of a type of lists", `{"name": "IsClosed", "wireName": "isClosed", "type": "bool"`, `{"name": "IsClosed", "wireName": "isClosed", "type": "int"`, "field CallbackRelatedItem.IsClosed: isClosed bool"},
		{"a value less", `"Busy", `, "", "enum availability has Busy"},
		{"an enum closed", `{"name": "callbackCallType", "closed": false`, `{"name": "callbackCallType", "closed": true`, "enum callbackCallType: open"},
		{"other hearers", `"hearers": ["self", "users", "supervisor"]`, `"hearers": ["self", "supervisor"]`, "class presence: self users supervisor"},
		{"another class", `{"name": "UserStatus", "group": "User", "class": "presence"`, `{"name": "UserStatus", "group": "User", "class": "personal"`, "event UserStatus: User, state, class presence, entity UserId, organization OrganizationId"},
		{"other semantics", `"semantics": "state", "summary": "counters of the queue"`, `"semantics": "occurrence", "summary": "counters of the queue"`, "event QueueStatus: Queue, state, class queue, entity QueueId, organization OrganizationId"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(string(text), tt.old, tt.new, 1)
			if changed == string(text) && tt.old != "" {
				t.Fatalf("the catalogue has no %s any more", tt.old)
			}
			c, err := event.ReadCatalog([]byte(changed))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(gen.Broken(baseline, c), "\n"); got != tt.broken {
				t.Errorf("broken:\n got %s\nwant %s", got, tt.broken)
			}
		})
	}
	// Events that are gone break all they had.
	c := event.NewCatalog()
	broken := gen.Broken(baseline, c.Only(c.Events[1:]...))
	if len(broken) != 4 || !slices.Contains(broken, "field UserActionMobileCall.PhoneNumber: phoneNumber string, may be null") {
		t.Errorf("without UserActionMobileCall broken are %q; want the event and its three fields", broken)
	}
}

// TestOptions: documents say what a node's settings make of it.
func TestOptions(t *testing.T) {
	t.Parallel()
	c := event.NewCatalog()
	for _, tt := range []struct {
		name      string
		make      func(*event.Catalog, gen.Options) ([]byte, error)
		o         gen.Options
		has, lack []string
	}{
		{"hub", gen.AsyncAPI, gen.Options{}, []string{`"const": "queuestatus"`, `"cursor"`}, []string{`"pathname"`}},
		{"hub, other settings", gen.AsyncAPI, gen.Options{BasePath: "/rt", CatalogNames: true, Plain: true}, []string{`"const": "QueueStatus"`, `"pathname": "/rt"`}, []string{"The event's place in the store"}},
		{"HTTP", gen.OpenAPI, gen.Options{}, []string{`"url": "/"`, `"/api/v1/events"`, `"#/components/schemas/QueueStatus"`}, []string{"DeveloperToken", "/token/"}},
		{"HTTP, developers", gen.OpenAPI, gen.Options{BasePath: "/rt", DevTokens: true}, []string{`"url": "/rt"`, `"/api/v1/events"`, `"/token/{userId}/rte/"`, `"DeveloperToken"`}, nil},
		{"HTTP, publishing elsewhere", gen.OpenAPI, gen.Options{NoPublish: true}, []string{`"/api/v1/schemas/{eventName}.json"`, `"/api/v1/me"`, "Guid", "securitySchemes"}, []string{`"/api/v1/events"`, "Envelope"}},
		{"HTTP, developers, publishing elsewhere", gen.OpenAPI, gen.Options{NoPublish: true, DevTokens: true}, []string{`"/token/{userId}/rte/"`, `"Guid"`}, []string{`"/api/v1/events"`, "Envelope"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, err := tt.make(c, tt.o)
			if err != nil || !json.Valid(text) {
				t.Fatalf("error %v, or no JSON", err)
			}
			for _, part := range tt.has {
				if !strings.Contains(string(text), part) {
					t.Errorf("lacks %s", part)
				}
			}
			for _, part := range tt.lack {
				if strings.Contains(string(text), part) {
					t.Errorf("has %s", part)
				}
			}
		})
	}
}

func TestPrintUnknown(t *testing.T) {
	t.Parallel()
	if _, err := gen.Print(event.NewCatalog(), "yaml"); err == nil || !strings.Contains(err.Error(), "yaml") {
		t.Errorf("got %v, want an error that names the format", err)
	}
}

// TestOnly: a part of the catalogue has what its events need, and no more.
func TestOnly(t *testing.T) {
	t.Parallel()
	c := event.NewCatalog()
	callback, _ := c.Lookup("CallbackChanged")
	part := c.Only(callback)
	var names []string
	for _, h := range part.Helpers {
		names = append(names, h.Name)
	}
	if d := cmp.Diff([]string{"CallbackAttempt", "CallbackExtra", "CallbackRelatedItem"}, names); d != "" {
		t.Errorf("types (-want +got):\n%s", d)
	}
	if len(part.Events) != 1 || part.Events[0].Kind != 0 || len(part.Enums) != 1 || part.Enums[0].Name != "callbackType" || len(part.Classes) != 1 {
		t.Errorf("the part has %d events, enums %v, classes %v", len(part.Events), part.Enums, part.Classes)
	}
	text, err := gen.Print(part, "jsonschema")
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile(filepath.Join(root, gen.SchemasFolder, "CallbackChanged.json"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(committed), string(text)); d != "" {
		t.Errorf("the schema of one event (-committed +printed):\n%s", d)
	}
}
