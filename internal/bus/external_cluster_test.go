package bus_test

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"rte/internal/bus"
)

// natsCluster runs n servers in one cluster.
func natsCluster(t *testing.T, n int) (all []*server.Server) {
	t.Helper()
	routes := freeAddresses(t, n)
	for i, own := range routes {
		all = append(all, natsServer(t, func(o *server.Options) {
			port, err := strconv.Atoi(own.Port())
			if err != nil {
				t.Fatal(err)
			}
			o.ServerName = fmt.Sprint("s", i)
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port}
			o.Routes = routes
		}))
	}
	return all
}

// freeAddresses are n different ones that nobody uses.
func freeAddresses(t *testing.T, n int) (all []*url.URL) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		all = append(all, &url.URL{Scheme: "nats", Host: l.Addr().String()})
	}
	return all
}

func urls(servers []*server.Server) (list []string) {
	for _, s := range servers {
		list = append(list, s.ClientURL())
	}
	return list
}

// replicasOf are those of the streams and of a KV.
func replicasOf(t *testing.T, f *fixture) (n [3]int) {
	t.Helper()
	js, err := jetstream.New(f.Conn())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.OpenKV[int](t.Context(), f.Bus, "test"); err != nil {
		t.Fatal(err)
	}
	for i, name := range streamNames() {
		s, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		n[i] = s.CachedInfo().Config.Replicas
	}
	return n
}

// streamNames are those of a bus and of a KV of the tests.
func streamNames() [3]string { return [3]string{"RTE_STATE_0", "RTE_EVENT_0", "KV_RTE_TEST"} }

// caughtUp waits until every server has what it is to keep.
func caughtUp(t *testing.T, f *fixture, replicas int, names ...string) {
	t.Helper()
	js, err := jetstream.New(f.Conn())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		eventually(t, name+" is on all servers", func() bool {
			s, err := js.Stream(t.Context(), name)
			if err != nil || s.CachedInfo().Cluster == nil {
				return false
			}
			current := 1 // the leader
			for _, r := range s.CachedInfo().Cluster.Replicas {
				if r.Current && !r.Offline {
					current++
				}
			}
			return current == replicas && s.CachedInfo().Cluster.Leader != ""
		})
	}
}

// TestExternalReplicas: as many as there is room for, or as many as are asked
// for; nobody takes one away by not asking.
func TestExternalReplicas(t *testing.T) {
	t.Parallel()
	t.Run("one server", func(t *testing.T) {
		t.Parallel()
		if got := replicasOf(t, open(t, at(natsServer(t, nil)))); got != [3]int{1, 1, 1} {
			t.Errorf("replicas %v, want 1", got)
		}
	})
	t.Run("two servers", func(t *testing.T) {
		t.Parallel()
		o := bus.Options{External: bus.External{URLs: urls(natsCluster(t, 2))}}
		if got := replicasOf(t, open(t, o)); got != [3]int{1, 1, 1} {
			t.Errorf("replicas %v, want 1", got)
		}
	})
	t.Run("three servers", func(t *testing.T) {
		t.Parallel()
		servers := natsCluster(t, 3)
		asking := func(replicas int) bus.Options {
			return bus.Options{External: bus.External{URLs: urls(servers), Replicas: replicas}}
		}
		first := open(t, asking(1))
		e := first.event(first.topic(orgA, "UserStatus", 1), 1)
		first.publish(e)
		if got := replicasOf(t, first); got != [3]int{1, 1, 1} {
			t.Errorf("replicas %v, want 1 as asked", got)
		}
		first.close()
		second := open(t, asking(0))
		if got := replicasOf(t, second); got != [3]int{3, 3, 3} {
			t.Errorf("replicas %v, want 3", got)
		}
		names := streamNames()
		caughtUp(t, second, 3, names[:]...)
		// A server that is down is no reason for fewer, nor for silence.
		stopServer(servers[2])
		third := open(t, bus.Options{External: bus.External{URLs: urls(servers[:2])}})
		if got := replicasOf(t, third); got != [3]int{3, 3, 3} {
			t.Errorf("replicas %v with a server down, want 3", got)
		}
		third.publish(third.event(e.Topic, 2))
		// Any server answers, and one may be a little behind.
		eventually(t, "all servers have the newest", func() bool { return string(third.last(e.Topic).Data) == `{"n":2}` })
	})
}
