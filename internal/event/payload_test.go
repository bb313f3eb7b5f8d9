package event_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
)

// TestPayloads: every golden payload fits its generated type, which writes
// all that it has read.
func TestPayloads(t *testing.T) {
	t.Parallel()
	cat := event.NewCatalog()
	for _, g := range goldens(t, cat) {
		p := event.NewPayload(g.typ.Name)
		if p == nil || p.Event() != g.typ.Name {
			t.Fatalf("NewPayload(%s) = %T", g.typ.Name, p)
		}
		if err := json.Unmarshal([]byte(g.wire), p); err != nil {
			t.Fatalf("%s: %v", g.file, err)
		}
		written, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var want, got map[string]any
		if err := json.Unmarshal([]byte(g.wire), &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(written, &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(readAs(g.typ, want), got); d != "" {
			t.Errorf("%s (-golden +written):\n%s", g.file, d)
		}
	}
	if p := event.NewPayload("queuestatus"); p != nil {
		t.Errorf("NewPayload of another spelling = %T", p)
	}
}

// readAs is a payload as the types read it: null texts are "", Guids are in
// lower case, and what the catalogue does not know is gone.
func readAs(typ *event.Type, payload map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range payload {
		f, ok := typ.Field(name)
		if !ok {
			continue
		}
		text, isText := value.(string)
		items, isList := value.([]any)
		switch {
		case value == nil && f.Type == "string":
			value = ""
		case isText && f.Type == "Guid":
			g, err := event.ParseGUID(text)
			if err != nil {
				panic(err)
			}
			value = g.String()
		case isList:
			list := []any{}
			for _, item := range items {
				list = append(list, readAs(f.Helper, item.(map[string]any)))
			}
			value = list
		}
		out[name] = value
	}
	return out
}

func TestNull(t *testing.T) {
	t.Parallel()
	type pair struct {
		A, B event.Null[int32]
	}
	var got pair
	if err := json.Unmarshal([]byte(`{"A":null,"B":0}`), &got); err != nil || got != (pair{B: event.Some[int32](0)}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if text, err := json.Marshal(got); err != nil || string(text) != `{"A":null,"B":0}` {
		t.Errorf("got %s, %v", text, err)
	}
	if err := json.Unmarshal([]byte(`{"A":"x"}`), &got); err == nil {
		t.Error("a text was read into a number")
	}
}

func TestDateTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[event.DateTime]string{
		"2026-11-22T08:00:00Z":         "2026-11-22T08:00:00Z",
		"2026-11-22T08:00:00":          "2026-11-22T08:00:00Z",
		"2026-11-22T08:00:00.1234567":  "2026-11-22T08:00:00.1234567Z",
		"2026-11-22T10:00:00.5+02:00":  "2026-11-22T08:00:00.5Z",
		"2026-11-22T10:00+02:00":       "2026-11-22T08:00:00Z",
		"2026-11-22T08:00":             "2026-11-22T08:00:00Z",
		"2026-11-22":                   "2026-11-22T00:00:00Z",
		event.OpenEnd:                  "9999-12-31T23:59:59.9999999Z",
		"0001-01-01T00:00:00":          "0001-01-01T00:00:00Z",
		"soon":                         "",
		"":                             "",
		"2026-11-22T08:00:00Z ":        "",
		"2026-13-22T08:00:00Z":         "",
		"+358401234567 is no date yet": "",
	} {
		got, err := text.Time()
		if (err != nil) != (want == "") {
			t.Errorf("%q: got %v, %v, want %q", text, got, err, want)
		} else if want != "" && string(event.DateTimeOf(got)) != want {
			t.Errorf("%q is spelled %s again, want %s", text, event.DateTimeOf(got), want)
		}
	}
	at := time.Date(2026, 11, 22, 10, 0, 0, 123_456_789, time.FixedZone("", 7200))
	if got := event.DateTimeOf(at); got != "2026-11-22T08:00:00.1234567Z" {
		t.Errorf("DateTimeOf(%v) = %s", at, got)
	}
}
