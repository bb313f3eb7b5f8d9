package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rte/internal/event"
	"rte/internal/event/gen"
)

func TestRun(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	stale := filepath.Join(root, gen.SchemasFolder, "Gone.json")
	if err := os.MkdirAll(filepath.Dir(stale), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stale, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(root); err != nil {
		t.Fatal(err)
	}
	want, err := gen.Files(event.NewCatalog())
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if expected, ok := want[filepath.ToSlash(name)]; !ok || string(text) != string(expected) {
			t.Errorf("%s is not what gen makes", name)
		}
		found++
		return nil
	})
	if err != nil || found != len(want) {
		t.Errorf("%d files, want %d, error %v", found, len(want), err)
	}

	// A promise that the catalogue does not keep stops it.
	baseline := filepath.Join(root, filepath.FromSlash(gen.BaselineFile))
	text, err := os.ReadFile(baseline)
	if err != nil {
		t.Fatal(err)
	}
	const promise = "field QueueStatus.NbrOfFaxes: nbrOfFaxes int"
	if err := os.WriteFile(baseline, append(text, promise+"\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(root, "docs/events.md")
	if err := os.Remove(page); err != nil {
		t.Fatal(err)
	}
	if err := run(root); err == nil || !strings.Contains(err.Error(), promise) {
		t.Errorf("got %v, want an error that names %q", err, promise)
	}
	if _, err := os.Stat(page); err == nil {
		t.Error("files were written all the same")
	}
}
