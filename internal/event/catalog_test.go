package event_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
)

// TestCatalogIsThePage compares the catalogue with a list of the page's rows,
// written down from the page itself: event, field, type.
func TestCatalogIsThePage(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/page.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(b)), "\n")
	cat := event.NewCatalog()
	var got []string
	rows := func(types []*event.Type) {
		for _, e := range types {
			for _, f := range e.Fields {
				typ := f.Type
				if f.List {
					typ = "List<" + typ + ">"
				}
				if f.Nullable {
					typ += "?"
				}
				got = append(got, e.Name+" "+f.Name+" "+typ)
			}
		}
	}
	rows(cat.Events)
	rows(cat.Helpers)
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("catalogue against the page (-page +catalogue):\n%s", d)
	}
	if len(cat.Events) != 41 || len(cat.Helpers) != 4 || len(got) != 428 {
		t.Errorf("got %d events, %d types, %d fields; want 41, 4, 428", len(cat.Events), len(cat.Helpers), len(got))
	}
}

func TestCatalogEntities(t *testing.T) {
	t.Parallel()
	// Domain report, 3.1: what a client subscribes with.
	want := map[string]string{
		"UserAssistedCallbackRequest": "TargetUser", "UserCallbackChanged": "TargetUser",
		"UserMissedCallNotification": "", "UserQueueAlert": "", "UserVoiceMailNotification": "",
		"CallbackChanged": "CallListId", "CallbackListStatus": "CallListId",
		"CallbackRequestNotification": "ListId", "CallbackRequestReceivedNotification": "ListId", "CallListNotification": "ListId",
	}
	noOrg := []string{
		"UserMissedCallNotification", "UserQueueAlert", "UserVoiceMailNotification",
		"CallbackRequestNotification", "CallbackRequestReceivedNotification", "CallListNotification",
	}
	var state []string
	for _, e := range event.NewCatalog().Events {
		entity, listed := want[e.Name]
		if !listed {
			entity = "UserId"
			if e.Group == "Queue" {
				entity = "QueueId"
			}
		}
		if e.Entity != entity {
			t.Errorf("%s: entity %q, want %q", e.Name, e.Entity, entity)
		}
		if got, want := e.Organization == "", slices.Contains(noOrg, e.Name); got != want {
			t.Errorf("%s: without organization %v, want %v", e.Name, got, want)
		}
		if e.Keeps() {
			state = append(state, e.Name)
		}
	}
	if d := cmp.Diff([]string{"UserAvailability", "UserStatus", "QueueAttachedUsers", "QueueStatus", "CallbackListStatus"}, state); d != "" {
		t.Errorf("state events (-want +got):\n%s", d)
	}
}

func TestCatalogLookup(t *testing.T) {
	t.Parallel()
	cat := event.NewCatalog()
	for name, want := range map[string]string{
		"QueueCallInComing":   "QueueCallInComing",
		"QueueCallIncoming":   "QueueCallInComing", // the page's own samples (I01)
		"USERSTATUS":          "UserStatus",
		"userstatus":          "UserStatus",
		"UserStatu\u017f":     "", // a long s is not an s
		"UserCallInConnec":    "",
		"UserSetting":         "", // an older name of the family
		"":                    "",
		" UserStatus":         "",
		"CallbacKChanged\x00": "",
	} {
		got, ok := cat.Lookup(name)
		switch {
		case ok != (want != ""):
			t.Errorf("Lookup(%q) found %v, want %q", name, ok, want)
		case ok && got.Name != want:
			t.Errorf("Lookup(%q) = %s, want %s", name, got.Name, want)
		case ok && cat.Type(got.Kind) != got:
			t.Errorf("%s: Type(Kind) is another type", got.Name)
		}
	}
	names := cat.Names()
	if len(names) != 41 || names[0] != "UserActionMobileCall" || names[40] != "CallListNotification" {
		t.Errorf("Names() = %d names from %s to %s; want the page's 41 in its order", len(names), names[0], names[len(names)-1])
	}
}

func TestFieldSpellings(t *testing.T) {
	t.Parallel()
	cat := event.NewCatalog()
	incoming, _ := cat.Lookup("UserCallInComing")
	arrived, _ := cat.Lookup("UserCallInArrived")
	for _, c := range []struct {
		t          *event.Type
		name, wire string
	}{
		{incoming, "USERNAME", "username"}, // I06: two spellings within one call
		{arrived, "username", "userName"},
		{incoming, "LegId", "legId"},
	} {
		f, ok := c.t.Field(c.name)
		if !ok || f.WireName != c.wire {
			t.Errorf("%s.Field(%q) = %v, %v; want wire name %s", c.t.Name, c.name, f, ok, c.wire)
		}
	}
	if _, ok := incoming.Field("nosuch"); ok {
		t.Error(`Field("nosuch") was found`)
	}
}

func TestEnums(t *testing.T) {
	t.Parallel()
	cat := event.NewCatalog()
	status, _ := cat.Lookup("QueueStatus")
	f, _ := status.Field("OpenStatus")
	if f.Values == nil || !f.Values.Closed || !f.Values.Has("6") || f.Values.Has("7") {
		t.Errorf("OpenStatus values %+v; want the closed list 0 to 6", f.Values)
	}
	availability, _ := cat.Lookup("UserAvailability")
	f, _ = availability.Field("Availability")
	if got, want := f.Values.String(), "Available, Busy, DoNotDisturb or OffWork"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPrivacy: every field of the built-in catalogue says its class itself,
// and the classes are those that maskers can rely on.
func TestPrivacy(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("catalog.json")
	if err != nil {
		t.Fatal(err)
	}
	type fields []struct {
		Name    string
		Privacy *event.Privacy
	}
	var doc struct {
		Events, Types []struct {
			Name   string
			Fields fields
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	said := 0
	for _, e := range append(doc.Events, doc.Types...) {
		for _, f := range e.Fields {
			if said++; f.Privacy == nil {
				t.Errorf("%s.%s says no privacy", e.Name, f.Name)
			}
		}
	}
	if said != 428 {
		t.Errorf("%d fields, want 428", said)
	}

	cat := event.NewCatalog()
	number := regexp.MustCompile(`^(.*Number|SMSTo|.*Target)$`)
	person := regexp.MustCompile(`(?i)^(username|callername|contactname|emailto)$`)
	words := regexp.MustCompile(`^(.*Note|.*Message|DetailedReason)$`)
	for _, e := range slices.Concat(cat.Events, cat.Helpers) {
		for i := range e.Fields {
			f := &e.Fields[i]
			want := f.Privacy
			switch {
			case words.MatchString(f.Name):
				want = event.Content
			case number.MatchString(f.Name) && f.Type == "string", person.MatchString(f.Name):
				want = event.Contact
			case f.Type == "int", f.Type == "short", f.Type == "long", f.Type == "bool", f.Type == "DateTime", f.Values != nil, f.List:
				want = event.Public // of a list its being there; what is in it has classes of its own
			case f.Type == "Guid" && want != event.Public:
				want = event.Identity
			}
			if f.Privacy != want {
				t.Errorf("%s.%s is %v, want %v", e.Name, f.Name, f.Privacy, want)
			}
			if strings.Contains(f.Name, "User") && f.Type == "Guid" && f.Privacy != event.Identity {
				t.Errorf("%s.%s is %v, want id", e.Name, f.Name, f.Privacy)
			}
			if got := e.Privacy(strings.ToUpper(f.Name)); got != f.Privacy {
				t.Errorf("Privacy(%s.%s) = %v, want %v", e.Name, strings.ToUpper(f.Name), got, f.Privacy)
			}
		}
		if got := e.Privacy("transcript"); got != event.Content {
			t.Errorf("%s: an unknown member is %v, want content", e.Name, got)
		}
	}
}

// TestSample looks only at shape; ingest's tests put every sample through the
// check at the door.
func TestSample(t *testing.T) {
	t.Parallel()
	org, entity := event.GUID{1}, event.GUID{2}
	number := regexp.MustCompile(`\+\d{6,}`)
	for _, e := range event.NewCatalog().Events {
		members := e.Sample(org, entity)
		if len(members) != len(e.Fields) {
			t.Errorf("%s: %d members, want %d", e.Name, len(members), len(e.Fields))
		}
		text := string(event.JoinMembers(members))
		if e.Entity != "" && !strings.Contains(text, entity.String()) {
			t.Errorf("%s: the entity is not in %s", e.Name, text)
		}
		for _, n := range number.FindAllString(text, -1) {
			if !strings.HasPrefix(n, "+3584573999") { // kept for fiction by the Finnish numbering plan
				t.Errorf("%s: number %s is not of the range kept for fiction", e.Name, n)
			}
		}
	}
}

func TestSetMember(t *testing.T) {
	t.Parallel()
	status, _ := event.NewCatalog().Lookup("QueueStatus")
	members := []event.Member{{Name: "queueName", Value: []byte(`"Sales"`)}}
	for _, set := range [][2]string{{"QueueName", "42"}, {"nbrofrequesters", "7"}, {"Extra", `{"a":1}`}, {"Other", "plain text"}} {
		var err error
		if members, err = status.SetMember(members, set[0], set[1]); err != nil {
			t.Fatal(err)
		}
	}
	got := string(event.JoinMembers(members))
	want := `{"queueName":"42","nbrOfRequesters":7,"extra":{"a":1},"other":"plain text"}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
