package bus_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"rte/internal/event"
)

// TestFollowKilledLeader: three servers, two nodes. Under load the server that
// leads a stream is killed as by kill -9 and started again, once for each
// stream at least. Every pair is whole, in order, none twice, at both nodes and
// in flows that begin while there is no leader.
func TestFollowKilledLeader(t *testing.T) {
	t.Parallel()
	servers, o := natsProcesses(t, 3)
	o.Retention = 24 * time.Hour
	a, b := open(t, o), open(t, o)
	l := newLoad(a, 20, 2*time.Millisecond)
	flows := []*follower{a.follow(orgA, time.Minute), b.follow(orgA, time.Minute)}
	kills := 0
	for end := time.Now().Add(soak(t, 12*time.Second)); time.Now().Before(end); kills++ {
		caughtUp(t, a, 3, "RTE_STATE_0", "RTE_EVENT_0")
		time.Sleep(500 * time.Millisecond)
		name := leaderOf(t, a, []string{"RTE_EVENT_0", "RTE_STATE_0"}[kills%2])
		for i, p := range servers {
			if name == fmt.Sprint("s", i) {
				p.kill()
				flows = append(flows, lateFlow(t, a)) // one joins while there is no leader
				p.start()
			}
		}
	}
	total := l.end()
	for _, x := range flows {
		l.heardBy(x)
	}
	s := b.Stats()
	t.Logf("%d servers killed, %d events; at the second node %d holes, %d events refilled, %d checks, %d reads",
		kills, total, s.Holes, s.Refilled, s.Checks, s.Reads)
}

// lateFlow follows with a day's window: it has all from the first event on.
func lateFlow(t *testing.T, f *fixture) *follower {
	t.Helper()
	x := &follower{t: t, org: orgA, heard: map[event.Topic][]*event.Event{}}
	x.begin(f, 24*time.Hour)
	return x
}

// leaderOf is the name of the server that leads a stream.
func leaderOf(t *testing.T, f *fixture, stream string) (name string) {
	t.Helper()
	js, err := jetstream.New(f.Conn())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, stream+" has a leader", func() bool {
		s, err := js.Stream(t.Context(), stream)
		if err == nil && s.CachedInfo().Cluster != nil {
			name = s.CachedInfo().Cluster.Leader
		}
		return name != ""
	})
	return name
}

// TestFollowCluster: three embedded servers. Under load the nodes beside the
// one that publishes leave in turn and come back, the leaders' among them; it
// and they are whole.
func TestFollowCluster(t *testing.T) {
	t.Parallel()
	all := clusterOptions(t, 3)
	nodes := openCluster(t, all)
	l := newLoad(nodes[0], 10, 2*time.Millisecond)
	flows := []*follower{nodes[0].follow(orgA, time.Hour)}
	for i := range 4 {
		caughtUp(t, nodes[0], 3, "RTE_STATE_0", "RTE_EVENT_0")
		n := 1 + i%2
		nodes[n].close()
		nodes[n] = open(t, all[n])
		flows = append(flows, nodes[n].follow(orgA, time.Hour))
	}
	l.end()
	for i, x := range flows {
		if i == 0 || i > 2 { // the buses of the others are closed
			l.heardBy(x)
		}
	}
	call, n := l.topics[0], int(l.counts[0].Load())
	list := flows[0].of(call)
	if n == 0 || len(list) < n {
		t.Fatalf("%d events of %d were heard", len(list), n)
	}
	for i, f := range nodes { // any replica may be asked, none may be believed
		upTo := list[n-1].Sequence
		events, whole, more, err := f.Read(t.Context(), call, 0, upTo, n)
		if err != nil || !whole || more || len(events) != n {
			t.Errorf("node %d reads %d events, whole %v, more %v, %v; want %d", i, len(events), whole, more, err, n)
		}
		silent := f.topic(orgB, "QueueCallInArrived", 1)
		if events, whole, _, err := f.Read(t.Context(), silent, 0, upTo, n); err != nil || !whole || len(events) != 0 {
			t.Errorf("node %d reads %d events of a pair that never spoke, whole %v, %v", i, len(events), whole, err)
		}
	}
	s := nodes[0].Stats()
	t.Logf("at the node that stayed %d holes, %d events refilled, %d checks, %d reads", s.Holes, s.Refilled, s.Checks, s.Reads)
}
