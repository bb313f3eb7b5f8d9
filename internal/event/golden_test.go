package event_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
)

// A golden is one file of testdata/golden; testdata/README.md has the form.
type golden struct {
	file          string
	typ           *event.Type
	org, entity   event.GUID
	pascal, camel string
	wire          string
	msgpack       []byte
}

// goldens reads the files; it fails if there are none.
func goldens(t *testing.T, cat *event.Catalog) []golden {
	t.Helper()
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d golden files, error %v", len(files), err)
	}
	list := make([]golden, len(files))
	for i, file := range files {
		g := &list[i]
		g.file = filepath.Base(file)
		name, _, _ := strings.Cut(g.file, ".")
		typ, ok := cat.Lookup(name)
		if !ok || typ.Name != name {
			t.Fatalf("%s is named after no event of the catalogue", g.file)
		}
		g.typ = typ
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		section := "head"
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok {
				section = strings.TrimSuffix(name, " --")
				continue
			}
			g.read(t, section, line)
		}
	}
	return list
}

func (g *golden) read(t *testing.T, section, line string) {
	t.Helper()
	var err error
	switch section {
	case "head":
		name, value, _ := strings.Cut(line, ":")
		switch {
		case name == "organization":
			g.org, err = event.ParseGUID(value)
		case name == "entity":
			g.entity, err = event.ParseGUID(value)
		case !strings.HasPrefix(line, "# "):
			t.Errorf("%s: unknown line %q", g.file, line)
		}
	case "pascal":
		g.pascal += line
	case "camel":
		g.camel += line
	case "wire":
		g.wire += strings.TrimSuffix(line, "\n")
	case "msgpack":
		var b []byte
		b, err = hex.DecodeString(strings.TrimSpace(line))
		g.msgpack = append(g.msgpack, b...)
	default:
		t.Errorf("%s: unknown section %q", g.file, section)
	}
	if err != nil {
		t.Errorf("%s: %q: %v", g.file, line, err)
	}
}

// TestGoldenFiles: every event has its file, the file has every field, and
// its sections say the same. That the door makes wire of the others is shown
// by ingest's tests.
func TestGoldenFiles(t *testing.T) {
	t.Parallel()
	cat := event.NewCatalog()
	found := map[string]bool{}
	for _, g := range goldens(t, cat) {
		found[g.file] = true
		var pascal, camel, wire map[string]any
		for text, to := range map[string]*map[string]any{g.pascal: &pascal, g.camel: &camel, g.wire: &wire} {
			if err := json.Unmarshal([]byte(text), to); err != nil {
				t.Fatalf("%s: %v in\n%s", g.file, err, text)
			}
		}
		if d := cmp.Diff(wire, camel); d != "" {
			t.Errorf("%s: camel against wire (-wire +camel):\n%s", g.file, d)
		}
		if g.file == g.typ.Name+".txt" {
			var example map[string]any
			if err := json.Unmarshal(g.typ.Example, &example); err != nil {
				t.Errorf("%s: the catalogue's example: %v", g.typ.Name, err)
			}
			if d := cmp.Diff(wire, example); d != "" {
				t.Errorf("%s: the catalogue's example against wire (-wire +example):\n%s", g.file, d)
			}
		}
		if d := cmp.Diff(wire, onWire(g.typ, pascal)); d != "" {
			t.Errorf("%s: pascal against wire (-wire +pascal):\n%s", g.file, d)
		}
		for i := range g.typ.Fields {
			if _, ok := wire[g.typ.Fields[i].WireName]; !ok {
				t.Errorf("%s has no %s", g.file, g.typ.Fields[i].WireName)
			}
		}
		var short bytes.Buffer
		if err := json.Compact(&short, []byte(g.wire)); err != nil || short.String() != g.wire {
			t.Errorf("%s: wire has white space between tokens", g.file)
		}
		if f, ok := g.typ.Field(g.typ.Entity); ok && wire[f.WireName] != nil && !strings.EqualFold(wire[f.WireName].(string), g.entity.String()) {
			t.Errorf("%s: %s is %v, the envelope says %v", g.file, f.WireName, wire[f.WireName], g.entity)
		}
		if f, ok := g.typ.Field(g.typ.Organization); ok && wire[f.WireName] != g.org.String() {
			t.Errorf("%s: %s is %v, the envelope says %v", g.file, f.WireName, wire[f.WireName], g.org)
		}
		if len(g.msgpack) == 0 {
			t.Errorf("%s has no MessagePack", g.file)
		}
	}
	for _, e := range cat.Events {
		if !found[e.Name+".txt"] {
			t.Errorf("%s has no golden file", e.Name)
		}
	}
}

// onWire renames the members of a payload in the page's spelling.
func onWire(t *event.Type, payload map[string]any) map[string]any {
	wire := map[string]any{}
	for name, value := range payload {
		f, ok := t.Field(name)
		if items, isList := value.([]any); ok && isList {
			for i := range items {
				items[i] = onWire(f.Helper, items[i].(map[string]any))
			}
		}
		wire[event.CamelCase(name)] = value
	}
	return wire
}

func TestCheckModes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]event.Check{"enforce": event.Enforce, "warn": event.Warn, "off": event.Off} {
		var got event.Check
		if err := json.Unmarshal([]byte(`"`+text+`"`), &got); err != nil || got != want || got.String() != text {
			t.Errorf("%s is read as %v, %v", text, got, err)
		}
	}
	for _, text := range []string{`"Warn"`, `""`, `"on"`, `1`} {
		var got event.Check
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s was read as %v", text, got)
		}
	}
	for _, e := range event.NewCatalog().Events {
		if e.Check != event.Enforce {
			t.Errorf("%s: check %v, want enforce, the default", e.Name, e.Check)
		}
	}
}
