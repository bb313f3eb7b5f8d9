package main

import (
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"rte/internal/bench"
)

// A fabric is the network between the nodes of a cluster: each node is reached
// by a way of its own, and the fabric knows who comes. So it can cut one node
// from all others, in both directions, as a broken switch does: what is
// connected hears nothing more and is not told why, what connects anew waits.
type fabric struct {
	t     *testing.T
	addrs []string // by which each node is reached
	done  chan struct{}
	work  sync.WaitGroup

	mu     sync.Mutex
	pids   []int // of the nodes
	cut    map[int]bool
	healed chan struct{} // closed, and made anew, when one is
	conns  map[net.Conn]struct{}
}

// newFabric makes ways to the nodes' own addresses.
func newFabric(t *testing.T, nodes []string) *fabric {
	t.Helper()
	f := &fabric{
		t: t, pids: make([]int, len(nodes)), done: make(chan struct{}),
		cut: map[int]bool{}, healed: make(chan struct{}), conns: map[net.Conn]struct{}{},
	}
	var listeners []net.Listener
	for to, node := range nodes {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
		f.addrs = append(f.addrs, l.Addr().String())
		f.work.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				f.work.Go(func() { f.serve(c, to, node) })
			}
		})
	}
	t.Cleanup(func() {
		for _, l := range listeners {
			l.Close() //nolint:errcheck // of a test
		}
		close(f.done)
		f.mu.Lock()
		for c := range f.conns {
			c.Close() //nolint:errcheck // of a test
		}
		f.mu.Unlock()
		f.work.Wait()
	})
	return f
}

// runs says which process a node is now.
func (f *fabric) runs(node, pid int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pids[node] = pid
}

// set cuts a node off, or heals it.
func (f *fabric) set(node int, cut bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut[node] = cut
	if !cut {
		close(f.healed)
		f.healed = make(chan struct{})
	}
}

// passes waits while either node is cut off; false ends the connection.
func (f *fabric) passes(from, to int) bool {
	for {
		f.mu.Lock()
		cut, healed := from != to && (f.cut[from] || f.cut[to]), f.healed
		f.mu.Unlock()
		if !cut {
			return true
		}
		select {
		case <-healed:
		case <-f.done:
			return false
		}
	}
}

// serve joins a connection to the node it is meant for. Who comes and has gone
// before it is known is let go.
func (f *fabric) serve(c net.Conn, to int, addr string) {
	defer c.Close() //nolint:errcheck // of a test
	f.mu.Lock()
	pids := append([]int(nil), f.pids...)
	f.mu.Unlock()
	from, ok := owner(c.RemoteAddr().(*net.TCPAddr).Port, pids)
	if !ok || !f.passes(from, to) {
		return
	}
	node, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return
	}
	f.mu.Lock()
	f.conns[c], f.conns[node] = struct{}{}, struct{}{}
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.conns, c)
		delete(f.conns, node)
	}()
	var both sync.WaitGroup
	both.Go(func() { f.carry(node, c, from, to) })
	both.Go(func() { f.carry(c, node, from, to) })
	both.Wait()
}

// carry takes bytes, and the end of them, one way.
func (f *fabric) carry(dst, src net.Conn, from, to int) {
	defer dst.Close() //nolint:errcheck // ends the other way, too
	defer src.Close() //nolint:errcheck // of a test
	buf := make([]byte, 64<<10)
	for f.passes(from, to) {
		n, err := src.Read(buf)
		if !f.passes(from, to) {
			return
		}
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// cutOff cuts a node from its cluster for some time; its clients and producers
// still reach it.
func (f *fleet) cutOff(stop <-chan struct{}, i int, d time.Duration) {
	f.t.Helper()
	f.net.set(i, true)
	pause(stop, d)
	f.net.set(i, false)
}

// leader is the node that leads the stream of events, as node 0 sees it.
func (f *fleet) leader() (leader int) {
	f.t.Helper()
	leads := regexp.MustCompile(`rte_stream_leader\{server="n(\d)",stream="rte_event_0"\} 1`)
	until(f.t, func() bool {
		_, text := httpGet(f.t, "http://"+f.admin[0]+"/metrics")
		m := leads.FindStringSubmatch(text)
		if m != nil {
			leader = int(m[1][0] - '0')
		}
		return m != nil
	})
	return leader
}

// behind is how many clients a node has sent away because it was cut off.
func (f *fleet) behind(i int) string {
	f.t.Helper()
	_, text := httpGet(f.t, "http://"+f.admin[i]+"/metrics")
	m := regexp.MustCompile(`rte_closes_total\{reason="behind"\} (\d+)`).FindStringSubmatch(text)
	if m == nil {
		f.t.Fatal("no such metric")
	}
	return m[1]
}

// knock asks a node for a connection.
func (f *fleet) knock(i int) (status int) {
	f.t.Helper()
	_, token, _ := verb(f.t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText)
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, "http://"+f.public[i]+"/rte/negotiate?negotiateVersion=1", http.NoBody)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	resp.Body.Close() //nolint:errcheck // not read
	return resp.StatusCode
}

// TestLosslessCut: a node that the network cuts from its cluster, while its
// clients and producers still reach it, loses nothing. Over a short cut its
// clients stay; over a long one they are sent to where events are heard.
func TestLosslessCut(t *testing.T) {
	t.Parallel()
	f := newFleet(t, "--max-behind", "4s")
	o := bench.VerifyOptions{
		URL: "http://" + f.front.addr, Connections: 60, Subscriptions: 10, Rate: 500, Duration: soak(t, 25*time.Second),
	}
	lossless(t, o, func(stop <-chan struct{}) {
		follower := (f.leader() + 1) % len(f.nodes)
		f.cutOff(stop, follower, 2*time.Second)
		pause(stop, 2*time.Second)
		if n := f.behind(follower); n != "0" {
			t.Errorf("a short cut has closed %s clients", n)
		}
		leader := f.leader()
		f.net.set(leader, true)
		pause(stop, 20*time.Second)
		if n := f.behind(leader); n == "0" {
			t.Error("a long cut has closed nobody")
		}
		if status, text := httpGet(t, "http://"+f.admin[leader]+"/readyz"); status != http.StatusServiceUnavailable {
			t.Errorf("a node that is cut off says of itself: %d %s", status, text)
		}
		if status := f.knock(leader); status != http.StatusServiceUnavailable {
			t.Errorf("a new client of a node that is cut off is answered %d", status)
		}
		f.net.set(leader, false)
		for pause(stop, between(f.chance, time.Second, 20*time.Second)) {
			f.cutOff(stop, f.chance.IntN(len(f.nodes)), between(f.chance, time.Second, 20*time.Second))
		}
	})
}
