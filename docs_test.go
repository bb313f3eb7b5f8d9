package rte_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestLinksLead follows the relative links of every page that is written here.
func TestLinksLead(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)]+)\)`)
	found := 0
	for _, page := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || target == "" {
				continue
			}
			found++
			if _, err := os.Stat(path.Join(path.Dir(page), target)); err != nil {
				t.Errorf("%s links to %s, which is not there", page, target)
			}
		}
	}
	if found == 0 {
		t.Fatal("no link found: where are the pages?")
	}
}

// TestOperationsNamesEverything compares docs/operations.md with the code: an
// operator must find each metric and each close reason there.
func TestOperationsNamesEverything(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file string
		pattern    string // its group is the name
	}{
		{"metrics", "internal/node/figures.go", `(?:one|labelled)\("([a-z_]+)"`},
		{"metrics of rules", "internal/node/rulefigures.go", `(?:one|labelled)\("([a-z_]+)"`},
		{"histograms", "internal/node/node.go", `Histogram\("([a-z_]+)"`},
		{"close reasons", "signalr/hub/server.go", `CloseReason = "([a-z]+)"`},
		{"limits", "internal/node/bounds.go", `\{"([a-z_]+)", [ln]\.|figure\("([a-z_]+)"`},
		{"settings of limits", "internal/node/limits.go", `\{"([a-z-]+)", (?:float64\()?l\.`},
		{"endpoints", "internal/ops/ops.go", `"(?:GET )?(/[a-z]+)"`},
	}
	page := read(t, "docs/operations.md")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			names := regexp.MustCompile(tt.pattern).FindAllStringSubmatch(read(t, tt.file), -1)
			if len(names) == 0 {
				t.Fatalf("%s: nothing matches %s any more", tt.file, tt.pattern)
			}
			for _, m := range names {
				name := strings.TrimPrefix(strings.Join(m[1:], ""), "/") // one of the groups
				word := regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`)
				if !word.MatchString(page) {
					t.Errorf("docs/operations.md does not name %s (%s)", name, tt.file)
				}
			}
		})
	}
}

// TestDecisionsAreComplete checks the form of every ADR.
func TestDecisionsAreComplete(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(os.DirFS("."), "docs/adr/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d decisions, error %v", len(files), err)
	}
	for _, file := range files {
		text := read(t, file)
		for _, part := range []string{"**Situation.**", "**Decision.**", "**Why not the others.**", "**Price.**", "**Undo when**"} {
			if strings.Count(text, part) != 1 {
				t.Errorf("%s has %d parts %s, want 1", file, strings.Count(text, part), part)
			}
		}
	}
}

// TestConformancePointsAreShown checks the table of docs/conformance.md: every
// point once, in order, and the tests it names are where its links lead.
func TestConformancePointsAreShown(t *testing.T) {
	t.Parallel()
	const points = 150
	row := regexp.MustCompile(`^\| (\d+) \| (must|should|nice) \| .+ \| (done|differs|open)(?:: [^|]+| but [^|]+)? \|(.*)\|$`)
	shown := regexp.MustCompile(`\[(?:[a-z]+: )?([^\]]+)\]\(\.\./([^)]+)\)`)
	found := 0
	for line := range strings.Lines(read(t, "docs/conformance.md")) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| | ") {
			continue
		}
		m := row.FindStringSubmatch(strings.TrimSpace(line))
		if found++; m == nil || m[1] != strconv.Itoa(found) {
			t.Fatalf("want point %d: %s", found, line)
		}
		tests := shown.FindAllStringSubmatch(m[4], -1)
		if len(tests) == 0 && m[3] != "open" {
			t.Errorf("point %d is %s: which test shows it?", found, m[3])
		}
		for _, test := range tests {
			name := test[1]
			if strings.HasSuffix(test[2], ".go") {
				name = "func " + name + "("
			}
			if !strings.Contains(read(t, test[2]), name) {
				t.Errorf("point %d: %s has no test %q", found, test[2], test[1])
			}
		}
	}
	if found != points {
		t.Errorf("found %d points, want %d", found, points)
	}
}

// pages are the Markdown files of this repository.
func pages(t *testing.T) []string {
	t.Helper()
	root := os.DirFS(".")
	var list []string
	err := fs.WalkDir(root, ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return enter(root, file)
		case strings.HasSuffix(file, ".md"):
			list = append(list, file)
		}
		return nil
	})
	if err != nil || len(list) == 0 {
		t.Fatalf("found %d pages, error %v", len(list), err)
	}
	return list
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
