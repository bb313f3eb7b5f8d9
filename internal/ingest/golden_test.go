package ingest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rte/internal/event"
	"rte/internal/ingest"
)

// A golden is a payload of internal/event/testdata/golden, in three spellings.
type golden struct{ name, pascal, camel, wire string }

func readGolden(tb testing.TB, file string) golden {
	tb.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	g := golden{}
	g.name, _, _ = strings.Cut(filepath.Base(file), ".")
	for part := range strings.SplitSeq(string(text), "\n-- ") {
		name, body, _ := strings.Cut(part, " --\n")
		switch name {
		case "pascal":
			g.pascal = body
		case "camel":
			g.camel = body
		case "wire":
			g.wire = body
		}
	}
	if g.pascal == "" || g.camel == "" || g.wire == "" {
		tb.Fatalf("%s lacks a spelling", file)
	}
	return g
}

// Every golden payload becomes its wire form, from every spelling.
func TestGoldenPayloads(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../event/testdata/golden/*.txt")
	if err != nil || len(files) < len(event.NewCatalog().Events) {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, file := range files {
		g := readGolden(t, file)
		for spelling, text := range map[string]string{"pascal": g.pascal, "camel": g.camel, "wire": g.wire} {
			got, found, err := ingest.Check(nil, eventType(t, g.name), []byte(text))
			if err != nil || string(got) != g.wire {
				t.Errorf("%s, %s: %v\n got %s\nwant %s", file, spelling, err, got, g.wire)
			}
			if typ := eventType(t, g.name); found.HasOrg != (typ.Organization != "") {
				t.Errorf("%s, %s: found %+v", file, spelling, found)
			}
		}
	}
}
