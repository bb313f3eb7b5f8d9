package bus_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"rte/internal/bus"
	"rte/internal/event"
)

// childMain is the process that gets killed: it publishes without end, each
// event on a pair of its own, and says on standard output which are stored.
func childMain(dir string) {
	cat := event.NewCatalog()
	b, err := bus.Open(context.Background(), cat, bus.Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	names := [...]string{"QueueCallInArrived", "UserStatus"}
	var out sync.Mutex
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := 0; ; n += 5 {
				events := make([]*event.Event, 5)
				for i := range events {
					typ, _ := cat.Lookup(names[(n+i)%2])
					topic := event.Topic{Org: orgA, Pair: event.Pair{Kind: typ.Kind, Entity: entity(g<<24 | n + i)}}
					events[i] = &event.Event{Topic: topic, Data: []byte(`{"child":true}`)}
				}
				if errs := b.Publish(context.Background(), events); errs != nil {
					fmt.Fprintln(os.Stderr, errs)
					os.Exit(1)
				}
				var lines bytes.Buffer
				for _, e := range events {
					fmt.Fprintln(&lines, cat.Type(e.Kind).Key, e.Entity, e.Cursor)
				}
				out.Lock()
				_, _ = os.Stdout.Write(lines.Bytes())
				out.Unlock()
			}
		})
	}
	wg.Wait()
}

// TestKill: a process is killed right after an acknowledgement was seen, in
// the middle of a burst. Every event it called stored is found.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cat := event.NewCatalog()
	total := 0
	// The first round dies at the first event, the others later.
	for round, acknowledged := range []int{1, 50, 333, 1000} {
		var stderr bytes.Buffer
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childFolder+"="+dir)
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var told []string
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			told = append(told, lines.Text())
			if len(told) == acknowledged {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // killed
		if len(told) < acknowledged || stderr.Len() != 0 {
			t.Fatalf("round %d: %d events, stderr: %s", round, len(told), stderr.String())
		}
		total += findAll(t, dir, cat, told)
	}
	t.Logf("%d events acknowledged and found", total)
}

// findAll opens the folder and looks for every event that was told stored.
func findAll(t *testing.T, dir string, cat *event.Catalog, told []string) (found int) {
	t.Helper()
	b, err := bus.Open(t.Context(), cat, bus.Options{Dir: dir})
	if err != nil {
		t.Fatalf("open after the kill: %v", err)
	}
	f := &fixture{Bus: b, t: t, cat: cat}
	defer f.close()
	for _, line := range told {
		words := strings.Fields(line)
		if len(words) != 3 { // short writes to a pipe are whole or not at all
			t.Fatalf("the child said %q", line)
		}
		typ, _ := cat.Lookup(words[0])
		topic := event.Topic{Org: orgA, Pair: event.Pair{Kind: typ.Kind, Entity: mustGUID(words[1])}}
		e := f.last(topic)
		if e == nil || e.Cursor != words[2] {
			t.Errorf("acknowledged, but not found: %s", line)
			continue
		}
		found++
	}
	return found
}
