package bus_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rte/internal/bus"
	"rte/internal/event"
)

// refused opens a folder that cannot be used and checks the error: one line,
// with the words, that says what to do.
func refused(t *testing.T, dir string, words ...string) {
	t.Helper()
	b, err := bus.Open(t.Context(), event.NewCatalog(), bus.Options{Dir: dir})
	if err == nil {
		_ = b.Close(t.Context())
		t.Errorf("Open(%s) went well, want an error", dir)
		return
	}
	if !errors.Is(err, bus.ErrFolder) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Open(%s): %v; want one line of ErrFolder", dir, err)
	}
	for _, w := range append(words, "another folder") {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("Open(%s): %v; want the words %q", dir, err, w)
		}
	}
}

func TestOpenTwice(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "when missing")
	f := open(t, bus.Options{Dir: dir})
	refused(t, dir, dir, "open in another process", "stop that one")
	e := f.event(f.topic(orgA, "UserStatus", 1), 1)
	f.publish(e) // the first is unharmed
	f.close()
	if again := open(t, bus.Options{Dir: dir}); again.last(e.Topic) == nil {
		t.Errorf("the event is gone")
	}
}

func TestOpenUnusable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, file, file, "not a directory")
	refused(t, filepath.Join(file, "below"), file, "not a directory")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "jetstream"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, dir, dir, "not a directory")
}

func TestFolderIsPrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	open(t, bus.Options{Dir: dir})
	s, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Mode().Perm() & 0o077; got != 0 {
		t.Errorf("others have rights %o on the folder", got)
	}
}
