package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rte/signalr"
	"rte/signalr/client"
)

// BenchmarkIngest posts batches of 100 events to a node that is a process of
// its own: stored, and each heard by one client over a WebSocket. cpu-µs/event
// is the node's alone, from the kernel's clock of 10 ms ticks: give it some
// seconds (-benchtime 10s). docs/performance.md has the row.
func BenchmarkIngest(b *testing.B) {
	const batch = 100
	for _, row := range []struct {
		name      string
		receivers bool
		ids       bool
	}{{"one-receiver-each", true, false}, {"one-receiver-each/ids", true, true}, {"no-receivers", false, false}} {
		b.Run(row.name, func(b *testing.B) {
			public, admin := freeAddr(b), freeAddr(b)
			p := start(b, []string{"RTE_JWT_SECRET=" + testSecret}, "serve", "--listen", public, "--admin-listen", admin, "--data-dir", b.TempDir())
			ready(b, "http://"+admin)
			_, token, _ := verb(b, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--role", "service")
			token = strings.TrimSpace(token)
			var heard atomic.Int64
			if row.receivers {
				for n := range batch {
					receiver(b, "http://"+public+"/rte", token, queueOf(n), &heard)
				}
			}
			body := batchOf(batch, 0, false)
			before, sent := cpuOf(b, p.Process.Pid), int64(0)
			for round := 0; b.Loop(); round++ {
				if row.ids {
					body = batchOf(batch, round, true)
				}
				postBatch(b, public, token, body)
				sent += batch
			}
			if row.receivers {
				for heard.Load() < sent {
					time.Sleep(time.Millisecond)
				}
			}
			used := cpuOf(b, p.Process.Pid) - before
			b.ReportMetric(float64(used.Microseconds())/float64(sent), "cpu-µs/event")
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func queueOf(n int) string { return fmt.Sprintf("cbeeb190-ff4b-ea11-ac9c-%012d", n) }

// receiver is a client that counts the events of one queue.
func receiver(tb testing.TB, hub, token, queue string, heard *atomic.Int64) {
	tb.Helper()
	on := map[string]func([]signalr.Value){"MessageReceived": func([]signalr.Value) { heard.Add(1) }}
	c, err := client.Dial(tb.Context(), hub, on, client.Options{Token: func(context.Context) (string, error) { return token, nil }})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	if _, err := c.Invoke(tb.Context(), "Subscribe", []map[string]string{{"EntityId": queue, "EventName": "QueueCallInArrived"}}); err != nil {
		tb.Fatal(err)
	}
}

// batchOf is an array of events of about 350 bytes of data, each of another
// queue.
func batchOf(n, round int, ids bool) string {
	var b strings.Builder
	for i := range n {
		id := ""
		if ids {
			id = fmt.Sprintf(`"id":"%d-%d",`, round, i)
		}
		fmt.Fprintf(&b, `,{"organizationId":%q,%s"eventName":"QueueCallInArrived","data":{"CallerNumber":"+358401234567","CallId":"5b0cb9f4-1f55-4c3a-8a8f-3f2f9a1c7d10","LegId":"66299cde606b3db6d413cd208f7e5cab@203.0.113.7_br1","OrganizationId":%q,"QueueId":%q,"QueueName":"Customer service, Helsinki","QueueNumber":"+358942450100","TargetNumber":"+358942450100"}}`,
			orgText, id, orgText, queueOf(i))
	}
	return "[" + b.String()[1:] + "]"
}

func postBatch(tb testing.TB, addr, token, body string) {
	tb.Helper()
	r, err := http.NewRequest(http.MethodPost, "http://"+addr+"/api/v1/events", strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	var answer [32]byte
	n, _ := resp.Body.Read(answer[:])
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(string(answer[:n]), `{"accepted":100,`) {
		tb.Fatalf("%d %s", resp.StatusCode, answer[:n])
	}
}

// cpuOf is what a process has used of the processors.
func cpuOf(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		tb.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	ticks := 0
	for _, f := range fields[11:13] { // utime and stime
		n, err := strconv.Atoi(f)
		if err != nil {
			tb.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
