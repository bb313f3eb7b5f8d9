package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rte/internal/bench"
)

// lossless runs the checker against a node, or what stands in front of several,
// while faults are made. Everything must arrive, once and in order. A history
// of a run that was not good is kept where RTE_HISTORY says.
func lossless(t *testing.T, o bench.VerifyOptions, faults func(stop <-chan struct{})) *bench.Report {
	t.Helper()
	_, token, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--role", "service")
	o.Token, o.Organization = strings.TrimSpace(token), orgText
	o.Settle = 2 * time.Minute
	dir := os.Getenv("RTE_HISTORY")
	if dir == "" {
		dir = t.TempDir()
	}
	path := filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "_")+".ndjson")
	history, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer history.Close() //nolint:errcheck // of a test
	o.History = history
	begun, broken := make(chan struct{}), make(chan struct{})
	over, stop := context.WithCancel(context.Background())
	defer stop()
	var publishing, settling bool
	o.Progress = func(p bench.Progress) {
		switch {
		case p.Phase == "publishing" && !publishing:
			publishing = true
			close(begun)
			time.AfterFunc(o.Duration, stop)
		case p.Phase == "settling" && !settling:
			settling = true
			t.Logf("settling: %+v", p)
		}
	}
	go func() {
		defer close(broken)
		select {
		case <-begun:
			faults(over.Done())
		case <-over.Done():
		}
	}()
	report, err := bench.Verify(context.Background(), o)
	stop()
	<-broken
	if err != nil {
		t.Fatalf("%v; the history is in %s", err, path)
	}
	if !report.Good() {
		t.Errorf("%+v; the history is in %s", report.Verdict, path)
	}
	if report.Accepted == 0 || report.Heard == 0 {
		t.Errorf("nothing happened: %+v", report.Verdict)
	}
	t.Logf("%d accepted, %d heard, %d reconnects; p50 %.1f ms, p99 %.1f ms, max %.0f ms", report.Accepted, report.Heard, report.Reconnect, report.P50, report.P99, report.Max)
	return report
}

// pause waits, or returns false when stop is closed first.
func pause(stop <-chan struct{}, d time.Duration) bool {
	select {
	case <-stop:
		return false
	case <-time.After(d):
		return true
	}
}

// TestLosslessOneNode kills a node with -9 again and again, and asks it to go
// in between, while clients hear and a producer publishes.
func TestLosslessOneNode(t *testing.T) {
	t.Parallel()
	chance := newRandom(t)
	public, admin, dir := freeAddr(t), freeAddr(t), t.TempDir()
	serve := func() *program {
		p := start(t, []string{"RTE_JWT_SECRET=" + testSecret}, "serve", "--listen", public, "--admin-listen", admin, "--data-dir", dir, "--drain", "1s")
		ready(t, "http://"+admin)
		return p
	}
	node := serve()
	o := bench.VerifyOptions{URL: "http://" + public, Connections: 60, Subscriptions: 10, Rate: 1000, Duration: soak(t, 8*time.Second)}
	if o.Duration > time.Minute {
		o.Connections, o.Rate = 500, 5000
	}
	r := lossless(t, o, func(stop <-chan struct{}) {
		for n := 0; pause(stop, between(chance, 500*time.Millisecond, 2*time.Second)); n++ {
			if n%4 == 3 {
				node.Process.Signal(syscall.SIGTERM) //nolint:errcheck // exit tells
				node.exit(20 * time.Second)
			} else {
				node.kill()
			}
			node = serve()
		}
	})
	if r.Reconnect == 0 {
		t.Error("no client had to come back")
	}
}

func between(chance *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(chance.Int64N(int64(to-from)))
}

// A fleet is three nodes that form a cluster, behind a balancer.
type fleet struct {
	t      *testing.T
	chance *rand.Rand
	front  *balancer
	net    *fabric // between the nodes
	nodes  [3]*program
	args   [3][]string
	public [3]string
	admin  [3]string
}

// newFleet starts one; more are further arguments of each node.
func newFleet(t *testing.T, more ...string) *fleet {
	t.Helper()
	f := &fleet{t: t, chance: newRandom(t)}
	var routes [3]string
	for i := range f.nodes {
		f.public[i], f.admin[i], routes[i] = freeAddr(t), freeAddr(t), freeAddr(t)
	}
	f.net = newFabric(t, routes[:])
	for i := range f.nodes {
		f.args[i] = append([]string{
			"serve", "--listen", f.public[i], "--admin-listen", f.admin[i], "--data-dir", t.TempDir(), "--drain", "2s",
			"--cluster-name", "fleet", "--cluster-listen", routes[i], "--cluster-advertise", f.net.addrs[i],
			"--cluster-routes", strings.Join(f.net.addrs, ","), "--cluster-node", fmt.Sprint("n", i),
		}, more...)
	}
	f.front = newBalancer(t, f.chance, f.public[:]...)
	for i := range f.nodes {
		f.launch(i)
	}
	for i := range f.nodes {
		ready(t, "http://"+f.admin[i])
	}
	return f
}

// launch starts a node, and does not wait for it.
func (f *fleet) launch(i int) {
	f.t.Helper()
	f.nodes[i] = start(f.t, []string{"RTE_JWT_SECRET=" + testSecret, "RTE_CLUSTER_SECRET=" + testSecret}, f.args[i]...)
	f.net.runs(i, f.nodes[i].Process.Pid)
}

// again starts a node and waits until it is ready.
func (f *fleet) again(i int) {
	f.t.Helper()
	f.launch(i)
	ready(f.t, "http://"+f.admin[i])
}

// term asks a node to go.
func (f *fleet) term(i int) {
	f.t.Helper()
	if err := f.nodes[i].Process.Signal(syscall.SIGTERM); err != nil {
		f.t.Error(err)
	}
	f.nodes[i].exit(30 * time.Second)
}

// freeze stops a node for some time; its connections stay open.
func (f *fleet) freeze(i int, d time.Duration) {
	f.t.Helper()
	if err := f.nodes[i].Process.Signal(syscall.SIGSTOP); err != nil {
		f.t.Error(err)
	}
	<-time.After(d)
	if err := f.nodes[i].Process.Signal(syscall.SIGCONT); err != nil {
		f.t.Error(err)
	}
}

// TestLosslessThreeNodes: three nodes behind a dumb balancer lose nothing while
// each is killed in turn, while they are rolled over, while one is frozen or cut
// off, and over long and slow ways.
func TestLosslessThreeNodes(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	o := bench.VerifyOptions{
		URL: "http://" + f.front.addr, Connections: 60, Subscriptions: 10, Rate: 500, Duration: soak(t, 30*time.Second),
	}
	lossless(t, o, func(stop <-chan struct{}) {
		for round := 0; ; round++ {
			i := round % len(f.nodes)
			if !pause(stop, between(f.chance, time.Second, 3*time.Second)) {
				return
			}
			switch round % 6 {
			case 0, 1:
				f.nodes[i].kill()
				f.again(i)
			case 2:
				f.term(i)
				f.again(i)
			case 3:
				f.front.latency.Store(int64(200 * time.Millisecond))
				f.front.slow.Store(5)
				pause(stop, 3*time.Second)
				f.front.latency.Store(0)
				f.front.slow.Store(0)
			case 4:
				f.freeze(i, min(o.Duration/6, 20*time.Second))
			case 5:
				f.cutOff(stop, i, min(o.Duration/6, 20*time.Second))
			}
		}
	})
}
