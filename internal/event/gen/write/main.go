// Command write makes the committed files of the built-in catalogue; go
// generate runs it in internal/event.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"rte/internal/event"
	"rte/internal/event/gen"
)

// root is the repository's, from where go generate runs.
const root = "../.."

func main() {
	if err := run(root); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run writes nothing when the catalogue breaks a promise.
func run(root string) error {
	c := event.NewCatalog()
	baseline, err := os.ReadFile(filepath.Join(root, gen.BaselineFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if broken := gen.Broken(baseline, c); len(broken) > 0 {
		return fmt.Errorf("the catalogue breaks what others rely on:\n\t%s\nif that is meant, delete these lines of %s and tell it in CHANGELOG.md",
			strings.Join(broken, "\n\t"), gen.BaselineFile)
	}
	files, err := gen.Files(c)
	if err != nil {
		return err
	}
	// Of an event that is gone the schema goes, too.
	if err := os.RemoveAll(filepath.Join(root, gen.SchemasFolder)); err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
