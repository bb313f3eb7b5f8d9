//go:build unix

package bus_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// A sign is what an owner says.
type sign struct {
	epoch uint64
	name  string
}

// TestOwnerKilled: with real processes. An owner that is killed is followed
// within seconds; one that is stopped and goes on finds out by itself, and has
// not said anything meanwhile that came behind its follower's first word.
func TestOwnerKilled(t *testing.T) {
	t.Parallel()
	s := natsServer(t, nil)
	conn, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	signs := make(chan sign, 100_000)
	var mu sync.Mutex
	last, late := sign{}, 0
	if _, err := conn.Subscribe("owners", func(m *nats.Msg) {
		var one sign
		if _, err := fmt.Sscan(string(m.Data), &one.epoch, &one.name); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case one.epoch < last.epoch: // it may have been stopped between the look and the word, once
			if late++; late > 1 {
				t.Errorf("%v behind %v, %d times: it speaks though it is owner no more", one, last, late)
			}
			return
		case one.epoch == last.epoch && one.name != last.name:
			t.Errorf("%v behind %v: there were two owners", one, last)
		}
		last = one
		select {
		case signs <- one:
		default:
		}
	}); err != nil {
		t.Fatal(err)
	}
	processes := map[string]*exec.Cmd{}
	lost := make(chan string, 10)
	for _, name := range []string{"a", "b", "c"} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), childOwner+"="+s.ClientURL()+"|"+name)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		processes[name] = cmd
		var reading sync.WaitGroup
		reading.Go(func() {
			for lines := bufio.NewScanner(out); lines.Scan(); {
				lost <- name
			}
		})
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			reading.Wait()
			_ = cmd.Wait() // killed
		})
	}
	// follower waits for the word of an owner of a higher epoch.
	follower := func(before sign) sign {
		t.Helper()
		for {
			if one := next(t, signs, "an owner"); one.epoch > before.epoch {
				return one
			}
		}
	}
	first := follower(sign{})
	began := time.Now()
	if err := processes[first.name].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	second := follower(first)
	t.Logf("%s followed %s, which was killed, after %v", second.name, first.name, time.Since(began))
	stalled := processes[second.name].Process
	if err := stalled.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	third := follower(second)
	if third.name == second.name {
		t.Errorf("%s follows itself while it is stopped", third.name)
	}
	if err := stalled.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if name := next(t, lost, "the word that it is lost"); name != second.name {
		t.Errorf("%s has lost it, want %s", name, second.name)
	}
	for range 50 { // the third goes on alone
		if one := next(t, signs, "an owner"); one != third {
			t.Fatalf("%v says it is the owner, want only %v", one, third)
		}
	}
}
