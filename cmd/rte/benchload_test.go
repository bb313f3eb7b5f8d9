package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rte/internal/bench"
)

// load runs a verb of bench on a node of its own, and returns what it says.
func load(t *testing.T, exe string, args ...string) (r bench.Result) {
	t.Helper()
	p := startProgram(t, exe, nil, append(append([]string{"bench"}, args...), "--own-node", "--json")...)
	if err := json.NewDecoder(p.out).Decode(&r); err != nil {
		t.Fatalf("%v: %s", err, p.errs.String())
	}
	if code := p.exit(20 * time.Second); code != 0 || len(r.Faults) > 0 {
		t.Errorf("exit code %d: %q %s", code, r.Faults, p.errs.String())
	}
	t.Logf("%d clients: %+v %q", r.Connections, r.Figures, r.Doubts)
	return r
}

// plain builds the program as users run it: with the race detector both sides
// are so slow that a client falls behind.
func plain(t *testing.T) (exe string) {
	t.Helper()
	exe = filepath.Join(t.TempDir(), "rte")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return exe
}

// manyClients is how many clients a test has: as many as open files allow with
// RTE_SOAK, as the issue wants, else enough to see what grows.
func manyClients(soak, short string) string {
	if os.Getenv("RTE_SOAK") != "" {
		return soak
	}
	return short
}

// TestResumeMany: many clients come back all at once after a kill -9. Each
// hears what it has missed and nothing else; the store is not read for each.
func TestResumeMany(t *testing.T) {
	t.Parallel()
	r := load(t, plain(t), "resume", "--connections", manyClients("9900", "300"), "--queues", "100")
	if got, want := r.Figure("resumeDeliveries"), float64(r.Connections*20*3); got != want {
		t.Errorf("%v events came, want %v", got, want)
	}
	if reads := r.Figure("resumeReads"); reads > float64(r.Queues) {
		t.Errorf("%v reads of the store for %d queues", reads, r.Queues)
	}
}

// TestStalled: clients that do not read are closed when their queue is full,
// hold no more memory than that, and nobody else misses anything.
func TestStalled(t *testing.T) {
	t.Parallel()
	stalled, connections, size, rate := "8", "20", "20000", "60"
	if os.Getenv("RTE_SOAK") != "" {
		stalled, connections, size, rate = "1000", "9900", "4000", "5"
	}
	r := load(t, plain(t), "fanout", "--connections", connections, "--stalled", stalled, "--size", size, "--rate", rate, "--duration", manyClients("90s", "5s"))
	if closed := r.Figure("stalledClosed"); fmt.Sprint(closed) != stalled {
		t.Errorf("%v stalled clients were closed, want %s", closed, stalled)
	}
	if most := r.Figure("stalledMemoryBytes"); os.Getenv("RTE_SOAK") != "" && most > 1<<20 { // few clients hide in the collector's noise
		t.Errorf("a stalled client took %v bytes, its queue has 1 MiB", most)
	}
}

// TestBenchVerbs: the other scenarios on a real node, as people type them.
func TestBenchVerbs(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"connect --connections 50 --transport longpolling",
		"idle --connections 50 --duration 1s --protocol messagepack",
		"sparse --connections 40 --subscriptions 5 --queues 20 --rate 0 --duration 1s",
		"ingest --connections 10 --duration 1s",
		"poll --connections 10 --rate 50 --duration 1s",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			exe, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			load(t, exe, strings.Fields(line)...)
		})
	}
}

// TestBenchRefuses: wrong flags are told as such.
func TestBenchRefuses(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"fanout":                                   "--token is missing",
		"fanout --own-node --token x":              "leave out --token",
		"fanout --token x --jwt-secret y":          "use one",
		"fanout --token a.b.c":                     "names no organization",
		"fanout --jwt-secret short --org 5":        "--org",
		"idle --own-node --connections 0 --rate 1": "unknown flag",
	} {
		code, _, errs := verb(t, "", append([]string{"bench"}, strings.Fields(line)...)...)
		if code != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s, want %q", line, code, errs, want)
		}
	}
}
