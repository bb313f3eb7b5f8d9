package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// asProgram makes the test binary behave as rte: process tests start it.
const asProgram = "RTE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// verb runs a verb in this process and returns what it said.
func verb(t testing.TB, stdin string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e safeBuffer
	code = run(t.Context(), args, streams{strings.NewReader(stdin), &o, &e})
	return code, o.String(), e.String()
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// A program is rte as a process of its own.
type program struct {
	*exec.Cmd
	t    testing.TB
	out  *bufio.Reader
	errs safeBuffer
}

// start starts rte with arguments and environment.
func start(t testing.TB, env []string, args ...string) *program {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startProgram(t, exe, env, args...)
}

// startProgram starts a program that is, or behaves as, rte.
func startProgram(t testing.TB, exe string, env []string, args ...string) *program {
	t.Helper()
	p := &program{Cmd: exec.Command(exe, args...), t: t}
	p.Env = append(append(os.Environ(), asProgram+"=1"), env...)
	p.Stderr = &p.errs
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Process.Kill() //nolint:errcheck // it has ended already if all went well
		p.Wait()         //nolint:errcheck // likewise
		if t.Failed() {
			t.Logf("rte %s said:\n%s", args[0], p.errs.String())
		}
	})
	return p
}

// An introduction is the line that --ephemeral prints.
type introduction struct{ URL, Hub, Admin, Token, Org, User, JWTSecret string }

func (p *program) introduction() introduction {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("read introduction: %v", err)
	}
	var i introduction
	if err := json.Unmarshal([]byte(line), &i); err != nil {
		p.t.Fatalf("read introduction %q: %v", line, err)
	}
	return i
}

// exit waits for the process to end by itself and returns its code.
func (p *program) exit(within time.Duration) int {
	p.t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(io.Discard, p.out) //nolint:errcheck // until it ends
		p.Wait()                   //nolint:errcheck // the code says it
	}()
	select {
	case <-done:
	case <-time.After(within):
		p.t.Fatalf("rte did not end within %v", within)
	}
	return p.ProcessState.ExitCode()
}

// ready waits until the node at an admin address is ready.
func ready(t testing.TB, admin string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, admin+"/readyz", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(r); err == nil {
			resp.Body.Close() //nolint:errcheck // nothing was written
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatal("the node is not ready after 20 s")
		case <-tick.C:
		}
	}
}
