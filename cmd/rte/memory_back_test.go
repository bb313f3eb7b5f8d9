package main

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"rte/internal/bench"
)

// metric reads one of a node's metrics.
func metric(t *testing.T, admin, name string) float64 {
	t.Helper()
	for line := range strings.Lines(fetch(t, "http://"+admin+"/metrics")) {
		if text, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	status, text := httpGet(t, url)
	if status != http.StatusOK {
		t.Fatal(url, status)
	}
	return text
}

// TestMemoryFallsBack: what clients took is given back when they have left. The
// first crowd warms up what a node keeps for good; each further one leaves
// nothing. With RTE_SOAK it waits until the organization is forgotten, too.
func TestMemoryFallsBack(t *testing.T) {
	t.Parallel()
	public, admin := freeAddr(t), freeAddr(t)
	startProgram(t, plain(t), []string{"RTE_JWT_SECRET=" + testSecret}, "serve", "--listen", public, "--admin-listen", admin, "--data-dir", t.TempDir(), "--pprof")
	ready(t, "http://"+admin)
	_, token, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--role", "service")
	heap := func() float64 {
		for range 2 { // the first collection finds what the second frees
			fetch(t, "http://"+admin+"/debug/pprof/heap?gc=1")
		}
		return metric(t, admin, "go_memstats_heap_alloc_bytes")
	}
	const clients, perClient = 3000, 50
	crowd := func() (held float64) {
		o := bench.LoadOptions{
			URL: "http://" + public, Token: strings.TrimSpace(token), Organization: orgText, Connections: clients, Subscriptions: perClient, Queues: clients,
			Duration: 2 * time.Second, // events would stay: in the journal for its window, in the store as long as that keeps them
		}
		o.Progress = func(p bench.LoadProgress) {
			if p.Phase == "idle" && held == 0 {
				held = heap()
			}
		}
		if r, err := bench.Idle(t.Context(), o); err != nil || len(r.Faults) > 0 {
			t.Fatal(r, err)
		}
		until(t, func() bool { return metric(t, admin, "rte_connections") == 0 })
		return held
	}
	crowd()
	before, goroutines := heap(), metric(t, admin, "go_goroutines")
	crowd()
	held := crowd()
	after := heap()
	t.Logf("%.1f MB without clients, %.1f with %d, %.1f when they have left", before/1e6, held/1e6, clients, after/1e6)
	if grown := after - before; held <= before || grown > (held-before)/3 { // the store has caches that come and go, some MB
		t.Errorf("%.0f of %.0f bytes are left", grown, held-before)
	}
	until(t, func() bool { return metric(t, admin, "go_goroutines") < goroutines+20 })
	if os.Getenv("RTE_SOAK") != "" {
		deadline := time.Now().Add(10 * time.Minute)
		for metric(t, admin, "rte_organizations") != 0 || metric(t, admin, "rte_journal_bytes") != 0 {
			if time.Now().After(deadline) {
				t.Fatal("the organization is still remembered")
			}
			<-time.After(time.Second)
		}
		t.Logf("%.1f MB when the organization is forgotten", heap()/1e6)
	}
}
