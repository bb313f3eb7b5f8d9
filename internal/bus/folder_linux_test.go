package bus_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"rte/internal/bus"
	"rte/internal/event"
)

// TestOpenNotWritable: rights are not enough, in the folder itself and in the
// store inside it.
func TestOpenNotWritable(t *testing.T) {
	t.Parallel()
	for _, inner := range []string{"", "jetstream"} {
		t.Run("inside="+inner, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			closed := filepath.Join(dir, inner)
			if err := os.MkdirAll(closed, 0o755); err != nil {
				t.Fatal(err)
			}
			if os.Geteuid() != 0 {
				if err := os.Chmod(closed, 0o555); err != nil {
					t.Fatal(err)
				}
				refused(t, dir, closed, "permission denied", "let this user write there")
				return
			}
			// Root may write anywhere, so a thread becomes somebody else
			// towards files. It ends with its goroutine.
			for p := closed; p != filepath.Clean(os.TempDir()) && len(p) > 1; p = filepath.Dir(p) {
				mode := os.FileMode(0o777)
				if p == closed {
					mode = 0o555
				}
				if err := os.Chmod(p, mode); err != nil {
					t.Fatal(err)
				}
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				runtime.LockOSThread()
				if err := syscall.Setfsuid(65534); err != nil {
					t.Error(err)
					return
				}
				refused(t, dir, closed, "permission denied", "let this user write there")
			})
			wg.Wait()
		})
	}
}

// TestOpenServerFails: the server's own reason comes out in one line, and the
// folder is free again.
func TestOpenServerFails(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, want string }{
		{"nowhere", "start nats server: "},  // the account's folder cannot be made
		{"file", "open stream RTE_STATE_0"}, // it is no folder
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			account := filepath.Join(dir, "jetstream", "$G")
			if err := os.MkdirAll(filepath.Dir(account), 0o700); err != nil {
				t.Fatal(err)
			}
			if row.name == "file" {
				if err := os.WriteFile(account, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			} else if err := os.Symlink(filepath.Join(dir, "nothing", "here"), account); err != nil {
				t.Fatal(err)
			}
			b, err := bus.Open(t.Context(), event.NewCatalog(), bus.Options{Dir: dir})
			if err == nil {
				_ = b.Close(t.Context())
				t.Fatal("Open went well")
			}
			if got := err.Error(); !strings.Contains(got, row.want) || strings.Contains(got, "\n") {
				t.Errorf("Open: %v; want one line with %q", got, row.want)
			}
			if err := os.RemoveAll(account); err != nil {
				t.Fatal(err)
			}
			open(t, bus.Options{Dir: dir})
		})
	}
}

// TestNoSocket: an open bus has no socket of any kind.
func TestNoSocket(t *testing.T) {
	sockets := func() (n int) {
		files, err := filepath.Glob("/proc/self/fd/*")
		if err != nil || len(files) == 0 {
			t.Fatalf("no open files: %v", err)
		}
		for _, file := range files {
			if to, err := os.Readlink(file); err == nil && strings.HasPrefix(to, "socket:") {
				n++
			}
		}
		return n
	}
	before := sockets()
	f := open(t, bus.Options{Dir: t.TempDir()})
	f.watch(orgA)
	f.publish(f.event(f.topic(orgA, "UserStatus", 1), 1))
	if got := sockets(); got != before {
		t.Errorf("%d sockets, %d before", got, before)
	}
	if a := f.Server().Addr(); a != nil {
		t.Errorf("the server listens on %v", a)
	}
}
