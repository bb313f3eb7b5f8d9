package event_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
)

// overlay is an overlay with these members.
func overlay(members string) []byte {
	return []byte(`{"schema":"rte-catalogue/1"` + members + `}`)
}

func TestOverlayAdds(t *testing.T) {
	t.Parallel()
	base := event.NewCatalog()
	before, err := json.Marshal(base)
	if err != nil {
		t.Fatal(err)
	}
	cat, err := base.Overlay(overlay(`,
		"classes": [{"name": "wrapUp", "summary": "wrap-up", "hearers": ["self", "supervisor"]}],
		"enums": [{"name": "wrapUpReason", "closed": true, "values": ["call", "callback"]}, {"name": "availability", "values": ["Lunch", "Busy"]}],
		"types": [{"name": "WrapUpStep", "summary": "one step", "fields": [{"name": "Seconds", "type": "int", "unit": "seconds", "privacy": "none"}]},
			{"name": "CallbackExtra", "fields": [{"name": "Kind", "type": "string"}]}],
		"events": [
			{"name": "UserWrapUpStarted", "group": "User", "class": "wrapUp", "semantics": "state", "summary": "wrap-up began", "entity": "UserId", "organization": "OrgId", "check": "warn",
				"fields": [{"name": "UserId", "type": "Guid", "privacy": "id"}, {"name": "OrgId", "type": "Guid", "privacy": "none"},
					{"name": "Reason", "type": "string", "enum": "wrapUpReason", "privacy": "none"}, {"name": "Steps", "type": "WrapUpStep", "list": true, "privacy": "none"},
					{"name": "Text", "type": "string", "mayBeNull": false}],
				"example": {"userId": "6f1c2a40-8d3e-eb11-b1ac-00155d4f21a7"}},
			{"name": "QueueStatus", "check": "off", "fields": [{"name": "NbrOfChats", "type": "int", "unit": "chats", "privacy": "none"}, {"name": "QueueName", "type": "string", "privacy": "contact"}]}
		]`))
	if err != nil {
		t.Fatal(err)
	}

	if d := cmp.Diff(append(base.Names(), "UserWrapUpStarted"), cat.Names()); d != "" {
		t.Errorf("names (-want +got):\n%s", d)
	}
	added, ok := cat.Lookup("userwrapupstarted")
	if !ok || added.Kind != 41 || cat.Type(41) != added || !added.Added || !added.Keeps() || added.Check != event.Warn ||
		added.Hearers != event.Self|event.Supervisor || added.Key != "userwrapupstarted" || added.Example == nil {
		t.Fatalf("the new event is %+v, found %v", added, ok)
	}
	steps, _ := added.Field("steps")
	if steps.Helper == nil || steps.Helper.Name != "WrapUpStep" || !steps.MayBeNull || len(steps.Helper.Fields) != 1 {
		t.Errorf("the list is %+v", steps)
	}
	if f, _ := added.Field("Text"); f.MayBeNull || f.Privacy != event.Content || f.WireName != "text" || !f.Added {
		t.Errorf("the text is %+v; want no null and, as nothing is said, content", f)
	}
	if f, _ := added.Field("Reason"); f.Values == nil || !f.Values.Closed || f.Values.Has("else") {
		t.Errorf("the enum is %+v", f.Values)
	}

	status, _ := cat.Lookup("QueueStatus")
	was, _ := base.Lookup("QueueStatus")
	if status.Check != event.Off || len(status.Fields) != len(was.Fields)+1 || status.Added || status.Kind != was.Kind {
		t.Errorf("QueueStatus is %+v", status)
	}
	if f, ok := status.Field("nbrOfChats"); !ok || f.Index != len(was.Fields) || f.Unit != "chats" || !f.Added {
		t.Errorf("the new field is %+v", f)
	}
	if f, _ := status.Field("QueueName"); f.Privacy != event.Contact || f.Added {
		t.Errorf("QueueName is %+v; want stricter privacy and no more", f)
	}
	availability, _ := cat.Lookup("UserAvailability")
	if f, _ := availability.Field("Availability"); f.Values.String() != "Available, Busy, DoNotDisturb, OffWork or Lunch" {
		t.Errorf("the enum is %v", f.Values)
	}
	callback, _ := cat.Lookup("CallbackChanged")
	if f, _ := callback.Field("CallbackExtras"); len(f.Helper.Fields) != 4 {
		t.Errorf("the type has %d fields, want 4", len(f.Helper.Fields))
	}

	if after, err := json.Marshal(base); err != nil || string(after) != string(before) {
		t.Errorf("the catalogue below has changed, or %v", err)
	}
	if again, err := cat.Overlay(overlay("")); err != nil || len(again.Events) != 42 {
		t.Errorf("an overlay on an overlay: %v", err)
	}
}

func TestOverlayRefuses(t *testing.T) {
	t.Parallel()
	base := event.NewCatalog()
	good := `"name": "X", "group": "User", "class": "personal", "semantics": "state", "summary": "x"`
	field := func(text string) string {
		return `,"events":[{` + good + `,"fields":[{"name":"A","type":"int"},` + text + `]}]`
	}
	for _, tt := range []struct{ name, members, want string }{
		{"unknown member", `,"event":[]`, `unknown member "event"`},
		{"unknown member of an event", `,"events":[{"name":"QueueStatus","chek":"off"}]`, `events[0] QueueStatus: unknown member "chek"`},
		{"unknown member of a field", field(`{"name":"B","typ":"int"}`), `events[0] X: fields[1] B: unknown member "typ"`},
		{"a member twice", `,"events":[{"name":"QueueStatus","check":"off","Check":"warn"}]`, `events[0]: member "Check" is there twice`},
		{"a member twice, escaped", `,"events":[{"name":"QueueStatus","n\u0061me":"QueueStatus"}]`, `member "name" is there twice`},
		{"not an array", `,"events":{}`, `events is a JSON object, wanted an array`},
		{"not an object", `,"events":["QueueStatus"]`, `events[0]: wanted an object, got "QueueStatus"`},
		{"null", `,"events":[null]`, `events[0]: wanted an object, got null`},
		{"not a text", `,"events":[{"name":7}]`, `events[0]: name is a JSON number, wanted a string`},
		{"not true or false", field(`{"name":"B","type":"int","nullable":"yes"}`), `nullable is a JSON string, wanted true or false`},
		{"no name", `,"events":[{"check":"off"}]`, `events[0]: "" is no name for an event`},
		{"bad name", `,"events":[{"name":"Queue Status"}]`, `"Queue Status" is no name for an event`},
		{"dotted name", `,"events":[{"name":"a.b"}]`, `"a.b" is no name for an event`},
		{"long name", `,"events":[{"name":"` + strings.Repeat("a", 65) + `"}]`, `at most 64`},
		{"other spelling", `,"events":[{"name":"queuestatus","check":"off"}]`, `events[0] queuestatus: the catalogue spells it QueueStatus`},
		{"name of a type", `,"events":[{"name":"CallbackExtra"}]`, `this name is taken by something else`},
		{"name of a plain type", `,"types":[{"name":"datetime"}]`, `this name is taken by something else`},
		{"name of an event", `,"types":[{"name":"UserStatus"}]`, `this name is taken by something else`},
		{"name of an enum", `,"types":[{"name":"openStatus"}]`, `this name is taken by something else`},
		{"enum with the name of an event", `,"enums":[{"name":"userStatus","values":["a"]}]`, `this name is taken by something else`},
		{"reserved name", `,"events":[{"name":"Push"}]`, `this name is taken by something else`},
		{"bad check", `,"events":[{"name":"QueueStatus","check":"on"}]`, `"on" is no check mode`},
		{"other class", `,"events":[{"name":"QueueStatus","class":"list"}]`, `its class is "queue" in the catalogue, which an overlay cannot change`},
		{"other semantics", `,"events":[{"name":"QueueStatus","semantics":"occurrence"}]`, `its semantics is "state"`},
		{"other entity", `,"events":[{"name":"QueueStatus","entity":"OrganizationId"}]`, `its entity is "QueueId"`},
		{"other entityNullable", `,"events":[{"name":"QueueStatus","entityNullable":true}]`, `its entityNullable is false`},
		{"example of another kind", `,"events":[{"name":"QueueStatus","example":[]}]`, `its example is not an object`},
		{"no group", `,"events":[{"name":"X"}]`, `its group is "", wanted User, Queue or CallList`},
		{"no class", `,"events":[{"name":"X","group":"User"}]`, `its class is "", wanted personal, presence, userCalls, queue, list or senders`},
		{"no semantics", `,"events":[{"name":"X","group":"User","class":"list","semantics":"occ"}]`, `its semantics is "occ", wanted state, occurrence,`},
		{"no summary", `,"events":[{"name":"X","group":"User","class":"list","semantics":"state"}]`, `it has no summary`},
		{"twice", `,"events":[{` + good + `},{` + good + `,"class":"list"}]`, `member "class" is there twice`},
		{"entity is no field", `,"events":[{` + good + `,"entity":"A"}]`, `X: it has no field A`},
		{"entity is no Guid", `,"events":[{` + good + `,"entity":"A","fields":[{"name":"A","type":"string"}]}]`, `A names whom it is about and must be a Guid, not a string`},
		{"entity spelled otherwise", `,"events":[{` + good + `,"entity":"a","fields":[{"name":"A","type":"Guid"}]}]`, `it has no field a`},
		{"entity may be null", `,"events":[{` + good + `,"entity":"A","fields":[{"name":"A","type":"Guid","nullable":true}]}]`, `entityNullable must say whether A is nullable`},
		{"bad field name", field(`{"name":"B C","type":"int"}`), `"B C" is no name for a field`},
		{"field without type", field(`{"name":"B"}`), `fields[1] B: its type is "", wanted string, Guid, int, short, long, bool or DateTime`},
		{"unknown type", field(`{"name":"B","type":"text"}`), `its type is "text"`},
		{"type without list", field(`{"name":"B","type":"CallbackExtra"}`), `or with list one of types`},
		{"list of texts", field(`{"name":"B","type":"string","list":true}`), `its type "string" is not one of types`},
		{"lists nest", `,"types":[{"name":"T","fields":[{"name":"B","type":"CallbackExtra","list":true}]}]`, `types[0] T: fields[0] B: lists do not nest`},
		{"wrong wire name", field(`{"name":"SMSTo","type":"string","wireName":"sMSTo"}`), `its wireName is sMSTo, wanted smsTo`},
		{"unknown privacy", field(`{"name":"B","type":"int","privacy":"secret"}`), `"secret" is no class of personal data`},
		{"field twice but for case", field(`{"name":"a","type":"int"}`), `the catalogue spells it A`},
		{"retyped", `,"events":[{"name":"QueueStatus","fields":[{"name":"MaxWaitTime","type":"int"}]}]`, `events[0] QueueStatus: fields[0] MaxWaitTime: it is a long in the catalogue, which an overlay cannot change`},
		{"made nullable", `,"events":[{"name":"CallbackChanged","fields":[{"name":"Modified","type":"DateTime","nullable":true}]}]`, `it is a DateTime in the catalogue`},
		{"made a list", `,"events":[{"name":"CallbackChanged","fields":[{"name":"Note","type":"CallbackExtra","list":true}]}]`, `it is a string that may be null in the catalogue`},
		{"laxer privacy", `,"events":[{"name":"CallbackChanged","fields":[{"name":"Note","type":"string","privacy":"none"}]}]`, `its privacy is content in the catalogue, and may only be made stricter`},
		{"unknown enum", field(`{"name":"B","type":"string","enum":"e"}`), `no enum is called e`},
		{"texts for a number", field(`{"name":"B","type":"int","enum":"availability"}`), `values of the enum availability are none of its type`},
		{"numbers for a Guid", field(`{"name":"B","type":"Guid","enum":"openStatus"}`), `values of the enum openStatus are none of its type`},
		{"enum without values", `,"enums":[{"name":"e","values":[]}]`, `enums[0] e: it has no values`},
		{"enum of both", `,"enums":[{"name":"e","values":["a",{"value":1}]}]`, `values[1]: texts and numbers do not mix`},
		{"fraction", `,"enums":[{"name":"e","values":[{"value":1.5}]}]`, `"1.5" is no whole number`},
		{"odd number", `,"enums":[{"name":"e","values":[{"value":1e2}]}]`, `"1e2" is no whole number`},
		{"value renamed", `,"enums":[{"name":"openStatus","values":[{"value":5,"name":"Closed"}]}]`, `5 is there twice`},
		{"closed opened", `,"enums":[{"name":"openStatus","closed":false,"values":[{"value":9}]}]`, `closed cannot be changed`},
		{"class again", `,"classes":[{"name":"Personal","hearers":["supervisor"]}]`, `classes[0] Personal: this class is there`},
		{"unknown relation", `,"classes":[{"name":"c","hearers":["everybody"]}]`, `no relation is called "everybody": wanted some of self, users, queues, lists, managedUsers, managedLists or supervisor`},
		{"type with a class", `,"types":[{"name":"T","class":"list"}]`, `no more than name, summary, note and fields`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cat, err := base.Overlay(overlay(tt.members))
			if err == nil || !strings.Contains(err.Error(), tt.want) || cat != nil {
				t.Errorf("overlay %s:\n got %v\nwant %s", tt.members, err, tt.want)
			}
		})
	}
	for text, want := range map[string]string{
		"":                              "unexpected end of JSON input",
		"[]":                            "wanted an object, got []",
		"{\n \"schema\": \"x\",\n ,}":   "line 3: invalid character ','",
		`{"schema": "rte-catalogue/2"}`: `schema is "rte-catalogue/2", wanted "rte-catalogue/1"`,
		`{}`:                            `schema is "", wanted "rte-catalogue/1"`,
		`{"schema": "rte-catalogue/1"}{"schema": "rte-catalogue/1"}`: "invalid character '{' after top-level value",
	} {
		if _, err := base.Overlay([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("overlay %q: got %v, want %s", text, err, want)
		}
	}
}

// TestReadCatalogRefuses: what an overlay may say again, one file may not.
func TestReadCatalogRefuses(t *testing.T) {
	t.Parallel()
	good := `{"name": "X", "group": "User", "class": "c", "semantics": "state", "summary": "x"%}`
	class := `,"classes":[{"name":"c","hearers":[]}],"events":[`
	for members, want := range map[string]string{
		class + strings.Replace(good, "%", "", 1) + "," + strings.Replace(good, "%", "", 1) + "]":                      "an event is there twice",
		class + strings.Replace(good, "%", `,"fields":[{"name":"A","type":"int"},{"name":"A","type":"int"}]`, 1) + "]": "this field is there twice",
		`,"enums":[{"name":"e","values":["a","b","a"]}]`:                                                               "values[2]: a is there twice",
		`,"enums":[{"name":"e","values":["a"]},{"name":"e","values":["b"]}]`:                                           "this enum is there twice",
	} {
		if _, err := event.ReadCatalog(overlay(members)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", members, err, want)
		}
	}
}

// TestCatalogWritesItself: what is written reads as the same catalogue.
func TestCatalogWritesItself(t *testing.T) {
	t.Parallel()
	older, err := os.ReadFile("../../docs/examples/older-events.overlay.json")
	if err != nil {
		t.Fatal(err)
	}
	cat, err := event.NewCatalog().Overlay(older)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(cat.Names()); n != 52 {
		t.Errorf("with the older events there are %d, want 52", n)
	}
	written, err := json.Marshal(cat)
	if err != nil {
		t.Fatal(err)
	}
	read, err := event.ReadCatalog(written)
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(written), string(again)); d != "" {
		t.Errorf("written twice (-first +second):\n%s", d)
	}
}

// TestDocumentedOverlay: the example of docs/operations.md is good, and does
// what the page says.
func TestDocumentedOverlay(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## Overlays of the catalogue")
	_, section, _ = strings.Cut(section, "```json\n")
	text, _, found := strings.Cut(section, "```")
	if !found {
		t.Fatal("the page has no example")
	}
	cat, err := event.NewCatalog().Overlay([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	started, ok := cat.Lookup("UserWrapUpStarted")
	if !ok || started.Check != event.Warn || started.Hearers != event.Self|event.ManagedUsers|event.Supervisor {
		t.Errorf("UserWrapUpStarted is %+v", started)
	}
	if changed, _ := cat.Lookup("CallbackChanged"); changed.Check != event.Off {
		t.Errorf("CallbackChanged is checked: %v", changed.Check)
	}
}

func FuzzOverlay(f *testing.F) {
	older, err := os.ReadFile("../../docs/examples/older-events.overlay.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(older)
	for _, members := range []string{
		"", `,"events":[{"name":"QueueStatus","check":"off","fields":[{"name":"B","type":"int","unit":"u","privacy":"id"}]}]`,
		`,"enums":[{"name":"e","values":[{"value":5}]}],"types":[{"name":"T","fields":[{"name":"B","type":"short","enum":"e"}]}]`,
		`,"classes":[{"name":"c","hearers":["self"]}],"events":[{"name":"X","group":"User","class":"c","semantics":"state","summary":"x"}]`,
	} {
		f.Add(overlay(members))
	}
	// A small catalogue, so that a run gets far.
	base, err := event.ReadCatalog(overlay(`,
		"classes":[{"name":"personal","hearers":["self"]},{"name":"userCalls","hearers":["users"]},{"name":"list","hearers":["lists"]}],
		"enums":[{"name":"availability","closed":true,"values":["Available","Busy"]}],
		"types":[{"name":"T","fields":[{"name":"Id","type":"int"}]}],
		"events":[{"name":"QueueStatus","group":"Queue","class":"list","semantics":"state","summary":"s","entity":"QueueId",
			"fields":[{"name":"A","type":"string","enum":"availability"},{"name":"QueueId","type":"Guid"},{"name":"Ts","type":"T","list":true}]}]`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		cat, err := base.Overlay(text)
		if err != nil {
			return
		}
		// What was taken can be written, read, sampled and looked up.
		written, err := json.Marshal(cat)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := event.ReadCatalog(written); err != nil {
			t.Errorf("%s\nis written as a catalogue that is refused: %v", text, err)
		}
		for _, e := range cat.Events {
			if found, ok := cat.Lookup(e.Key); !ok || found != e {
				t.Errorf("%s is not found", e.Name)
			}
			if payload := event.JoinMembers(e.Sample(event.GUID{1}, event.GUID{2})); !json.Valid(payload) {
				t.Errorf("the sample of %s is no JSON: %s", e.Name, payload)
			}
		}
	})
}
