package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// A faulty is a node whose disk fails, and what was acknowledged by it.
type faulty struct {
	*program
	t             *testing.T
	public, admin string
	dir, token    string
	n             int
	stored        map[string]bool // ids of events that were acknowledged
}

func newFaulty(t *testing.T) *faulty {
	t.Helper()
	_, token, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--role", "service")
	f := &faulty{t: t, public: freeAddr(t), admin: freeAddr(t), dir: t.TempDir() + "/data", token: strings.TrimSpace(token), stored: map[string]bool{}}
	f.program = start(t, []string{"RTE_JWT_SECRET=" + testSecret}, "serve", "--listen", f.public, "--admin-listen", f.admin, "--data-dir", f.dir)
	ready(t, "http://"+f.admin)
	return f
}

// post sends some events of both streams, with and without ids, and returns
// the answer.
func (f *faulty) post() (status int, body string) {
	f.t.Helper()
	var lines strings.Builder
	var names []string
	for i := range 6 {
		f.n++
		name := fmt.Sprint("n", f.n)
		names = append(names, name)
		id := ""
		if i%3 != 0 {
			id = fmt.Sprintf(`"id":%q,`, name)
		}
		fmt.Fprintf(&lines, `{"organizationId":%q,"entityId":"cbeeb190-ff4b-ea11-ac9c-%012d",%s"eventName":%q,"data":{"queueName":%q}}`+"\n",
			orgText, f.n, id, []string{"QueueCallInArrived", "QueueStatus"}[i%2], name)
	}
	r, err := http.NewRequest(http.MethodPost, "http://"+f.public+"/api/v1/events", strings.NewReader(lines.String()))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	r.Header.Set("Authorization", "Bearer "+f.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	if resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "" {
		f.t.Errorf("503 without Retry-After: %s", text)
	}
	f.note(names, text)
	return resp.StatusCode, string(text)
}

// note takes down what an answer acknowledges.
func (f *faulty) note(names []string, text []byte) {
	f.t.Helper()
	var a struct {
		Accepted int
		Rejected []any
		Next     *int
		Stored   []int
	}
	if err := json.Unmarshal(text, &a); err != nil || len(a.Rejected) > 0 {
		f.t.Fatalf("answer %s, %v", text, err)
	}
	next := len(names)
	if a.Next != nil {
		next = *a.Next
	}
	if a.Accepted != next+len(a.Stored) {
		f.t.Errorf("the answer does not add up: %s", text)
	}
	for i, name := range names {
		if i < next {
			f.stored[name] = true
		}
	}
	for _, i := range a.Stored {
		f.stored[names[i]] = true
	}
}

func (f *faulty) readyz() (status int, body string) {
	f.t.Helper()
	return httpGet(f.t, "http://"+f.admin+"/readyz")
}

// unready waits until the node says that its store takes nothing.
func (f *faulty) unready(why string) {
	f.t.Helper()
	until(f.t, func() bool {
		status, body := f.readyz()
		return status == http.StatusServiceUnavailable && strings.Contains(body, why)
	})
	if status, _ := httpGet(f.t, "http://"+f.admin+"/healthz"); status != http.StatusOK {
		f.t.Errorf("healthz: %d, want 200: the process lives", status)
	}
	began := time.Now()
	if status, body := f.post(); status != http.StatusServiceUnavailable || time.Since(began) > 5*time.Second {
		f.t.Errorf("a publish is answered %d %s after %v; want 503 soon", status, body, time.Since(began))
	}
}

// check compares the store with what was acknowledged.
func (f *faulty) check() {
	f.t.Helper()
	found := map[string]int{}
	for _, stream := range []string{"RTE_EVENT_0", "RTE_STATE_0"} {
		for _, m := range readStore(f.t, f.dir, stream) {
			var data struct{ QueueName string }
			if err := json.Unmarshal([]byte(m.data), &data); err != nil {
				f.t.Errorf("%s: %v", m.data, err)
			}
			found[data.QueueName]++
		}
	}
	for name := range f.stored {
		if found[name] != 1 {
			f.t.Errorf("%s was acknowledged and is in the store %d times", name, found[name])
		}
	}
	for name, n := range found {
		if n != 1 {
			f.t.Errorf("%s is in the store %d times", name, n)
		}
	}
	if len(f.stored) == 0 {
		f.t.Error("nothing was acknowledged at all")
	}
}

// TestDiskFull lets the node write no more, as a full disk does: 503, nothing
// acknowledged that is not stored, the process lives and says that it is not
// ready. With room again it goes on by itself.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	f := newFaulty(t)
	for range 5 {
		if status, body := f.post(); status != http.StatusOK {
			t.Fatal(status, body)
		}
	}
	rounds := 1
	if os.Getenv("RTE_SOAK") != "" {
		rounds = 10
	}
	for round := range rounds {
		f.limitFiles(100)
		if status, body := f.post(); status != http.StatusServiceUnavailable || !strings.Contains(body, `"accepted":0,`) {
			t.Errorf("round %d: a publish to a full disk is answered %d %s", round, status, body)
		}
		f.unready("has not answered for 5s: the disk may be full")
		f.limitFiles(1 << 40)
		ready(t, "http://"+f.admin)
		for range 5 {
			if status, body := f.post(); status != http.StatusOK {
				t.Errorf("round %d: with room again a publish is answered %d %s", round, status, body)
			}
		}
	}
	if !strings.Contains(f.errs.String(), "file too large") || !strings.Contains(f.errs.String(), "the store takes events again") {
		t.Errorf("the log does not tell the story")
	}
	f.kill()
	f.check()
}

// limitFiles bounds the size of files that the node may write, in bytes: the
// kernel refuses what is beyond, like a full disk. (Filling a disk would take
// one of our own, and that the right to mount.)
func (f *faulty) limitFiles(size uint64) {
	f.t.Helper()
	const rlimitFsize = 1
	prlimit := func(set, get *syscall.Rlimit) {
		if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(f.Process.Pid), rlimitFsize, uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(get)), 0, 0); errno != 0 {
			f.t.Fatalf("prlimit: %v", errno)
		}
	}
	var limit syscall.Rlimit
	prlimit(nil, &limit)
	limit.Cur = min(size, limit.Max)
	prlimit(&limit, nil)
}

// TestStoreRemoved removes the data folder below a running node. It still has
// its files open, and what it would write there would be lost.
func TestStoreRemoved(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"", "/jetstream"} {
		t.Run("data"+what, func(t *testing.T) {
			t.Parallel()
			f := newFaulty(t)
			if status, body := f.post(); status != http.StatusOK {
				t.Fatal(status, body)
			}
			if err := os.RemoveAll(f.dir + what); err != nil {
				t.Fatal(err)
			}
			before := len(f.stored)
			if status, body := f.post(); status != http.StatusServiceUnavailable || len(f.stored) != before {
				t.Errorf("a publish without a folder is answered %d %s", status, body)
			}
			f.unready("the data folder was removed")
			if len(f.stored) != before {
				t.Error("something was acknowledged that is nowhere")
			}
			if err := f.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if code := f.exit(60 * time.Second); code != 0 {
				t.Errorf("the node ended with %d", code)
			}
		})
	}
}
