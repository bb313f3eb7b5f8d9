package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// memoryBound is what a stream of any length may hold beyond the idle process.
const memoryBound = 64 << 20

// TestStreamMemory sends one NDJSON stream without ids to a node of its own:
// 1 GB with RTE_SOAK, else enough to see it grow. Its memory, as the kernel
// counts it, stays near that of the idle process.
func TestStreamMemory(t *testing.T) {
	size := int64(64 << 20)
	if os.Getenv("RTE_SOAK") != "" {
		size = 1 << 30
	}
	public, admin := freeAddr(t), freeAddr(t)
	p := startProgram(t, plain(t), []string{"RTE_JWT_SECRET=" + testSecret}, "serve", "--listen", public, "--admin-listen", admin, "--data-dir", t.TempDir())
	ready(t, "http://"+admin)
	_, token, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--role", "service")
	idle := residentBytes(t, p.Process.Pid)

	body := &lineStream{left: size}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+public+"/api/v1/events", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	began := time.Now()
	answered := make(chan string, 1)
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		answered <- fmt.Sprint(resp.StatusCode, " ", string(text), err)
	}()
	peak, tick := idle, time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for answer := ""; answer == ""; {
		select {
		case answer = <-answered:
			if want := fmt.Sprintf(`200 {"accepted":%d,"rejected":[],`, body.lines); !strings.HasPrefix(answer, want) {
				t.Fatalf("the answer is %.300s, want %s", answer, want)
			}
		case <-tick.C:
			peak = max(peak, residentBytes(t, p.Process.Pid))
		}
	}
	t.Logf("%d MiB, %d events in %v: %d MiB idle, at most %d MiB more", size>>20, body.lines, time.Since(began).Round(time.Millisecond), idle>>20, (peak-idle)>>20)
	if peak-idle >= memoryBound {
		t.Errorf("the process grew by %d MiB, want less than %d", (peak-idle)>>20, memoryBound>>20)
	}
}

// A lineStream is a body of envelopes without id.
type lineStream struct {
	left  int64
	lines int
	rest  []byte
}

func (s *lineStream) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		if s.left <= 0 {
			return 0, io.EOF
		}
		var b bytes.Buffer
		for b.Len() < 64<<10 {
			fmt.Fprintf(&b, `{"organizationId":%q,"entityId":"cbeeb190-ff4b-ea11-ac9c-%012d","eventName":"QueueCallInArrived","data":{"CallerNumber":"+3584573999%02d","CallId":"5b0cb9f4-1f55-4c3a-8a8f-3f2f9a1c7d10","LegId":"66299cde606b3db6d413cd208f7e5cab@203.0.113.7_br1","QueueName":"Customer service, Helsinki"}}`+"\n",
				orgText, s.lines%500, s.lines%100)
			s.lines++
		}
		s.rest = b.Bytes()
		s.left -= int64(len(s.rest))
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// residentBytes is what the kernel counts for a process.
func residentBytes(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\nVmRSS:")
	var kilobytes int64
	if _, err := fmt.Sscan(rest, &kilobytes); !ok || err != nil {
		t.Fatalf("no VmRSS: %v", err)
	}
	return kilobytes << 10
}
