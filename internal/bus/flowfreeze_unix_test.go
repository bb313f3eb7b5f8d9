//go:build unix

package bus_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// TestFollowFrozenLeader: three servers. Under load the one that leads a stream
// stands still until another leads, and then goes on as if nothing had been. A
// flow that goes on meanwhile and one that begins meanwhile are whole.
func TestFollowFrozenLeader(t *testing.T) {
	t.Parallel()
	servers, o := natsProcesses(t, 3)
	o.Retention = 24 * time.Hour
	f := open(t, o)
	l := newLoad(f, 10, 2*time.Millisecond)
	flows := []*follower{f.follow(orgA, time.Minute)}
	freezes := 0
	for end := time.Now().Add(soak(t, time.Second)); time.Now().Before(end); freezes++ {
		stream := []string{"RTE_EVENT_0", "RTE_STATE_0"}[freezes%2]
		caughtUp(t, f, 3, "RTE_STATE_0", "RTE_EVENT_0")
		old := leaderOf(t, f, stream)
		for i, p := range servers {
			if old != fmt.Sprint("s", i) {
				continue
			}
			signal(t, p, syscall.SIGSTOP)
			flows = append(flows, lateFlow(t, f))
			eventually(t, "another server leads", func() bool { return leaderOf(t, f, stream) != old })
			signal(t, p, syscall.SIGCONT)
		}
	}
	total := l.end()
	for _, x := range flows {
		l.heardBy(x)
	}
	s := f.Stats()
	t.Logf("%d servers frozen, %d events, %d holes, %d events refilled, %d checks, %d reads", freezes, total, s.Holes, s.Refilled, s.Checks, s.Reads)
}

func signal(t *testing.T, p *natsProcess, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}
