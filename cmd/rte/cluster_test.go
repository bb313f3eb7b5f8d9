package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"rte/producer"
)

// A cluster is some nodes, each a process of its own, and a proxy in front
// that gives each request to the next of them.
type cluster struct {
	t      *testing.T
	routes []string
	nodes  []*clusterNode
	proxy  *httptest.Server
	next   atomic.Uint64
}

type clusterNode struct {
	*program
	public, admin, dir string
	args               []string
}

// newCluster prepares n nodes; more are further arguments of each.
func newCluster(t *testing.T, n int, more ...string) *cluster {
	t.Helper()
	c := &cluster{t: t}
	for range n {
		c.routes = append(c.routes, freeAddr(t))
	}
	for i := range n {
		node := &clusterNode{public: freeAddr(t), admin: freeAddr(t), dir: t.TempDir()}
		node.args = append([]string{
			"serve", "--listen", node.public, "--admin-listen", node.admin, "--data-dir", node.dir, "--drain", "1s",
			"--cluster-name", "test", "--cluster-listen", c.routes[i], "--cluster-routes", strings.Join(c.routes, ","),
			"--cluster-node", fmt.Sprint("n", i),
		}, more...)
		c.nodes = append(c.nodes, node)
	}
	to := &url.URL{Scheme: "http", Host: "cluster"}
	c.proxy = httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport:     &http.Transport{DialContext: c.dial, DisableKeepAlives: true},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0), // nodes are killed
	})
	t.Cleanup(c.proxy.Close)
	return c
}

// dial connects to the next node that answers.
func (c *cluster) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	var all []error
	for range c.nodes {
		conn, err := d.DialContext(ctx, "tcp", c.nodes[c.next.Add(1)%uint64(len(c.nodes))].public)
		if err == nil {
			return conn, nil
		}
		all = append(all, err)
	}
	return nil, errors.Join(all...)
}

// start starts node i.
func (c *cluster) start(i int) {
	c.t.Helper()
	n := c.nodes[i]
	n.program = start(c.t, []string{"RTE_JWT_SECRET=" + testSecret, "RTE_CLUSTER_SECRET=the nodes of this test"}, n.args...)
}

// ready waits until node i is.
func (c *cluster) ready(i int) {
	c.t.Helper()
	ready(c.t, "http://"+c.nodes[i].admin)
}

func (c *cluster) startAll() {
	c.t.Helper()
	for i := range c.nodes {
		c.start(i)
	}
	for i := range c.nodes {
		c.ready(i)
	}
}

// stop ends node i politely.
func (c *cluster) stop(i int) {
	c.t.Helper()
	n := c.nodes[i]
	if err := n.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	if code := n.exit(30 * time.Second); code != 0 {
		c.t.Errorf("node %d ended with %d, want 0", i, code)
	}
}

// leader is the node that leads a stream, as node i sees it.
func (c *cluster) leader(i int, stream string) int {
	c.t.Helper()
	leads := regexp.MustCompile(`rte_stream_leader\{server="n(\d)",stream="` + stream + `"\} 1`)
	leader := -1
	until(c.t, func() bool {
		_, text := httpGet(c.t, "http://"+c.nodes[i].admin+"/metrics")
		if m := leads.FindStringSubmatch(text); m != nil {
			leader = int(m[1][0] - '0')
		}
		return leader >= 0
	})
	return leader
}

// caughtUp waits until all nodes keep all that there is.
func (c *cluster) caughtUp(i int) {
	c.t.Helper()
	current := regexp.MustCompile(`(?m)^rte_stream_replica_current\{.*stream="rte_.*"\} 1$`)
	until(c.t, func() bool {
		_, text := httpGet(c.t, "http://"+c.nodes[i].admin+"/metrics")
		return len(current.FindAllString(text, -1)) == 2*(len(c.nodes)-1)
	})
}

// publisher is a producer of both organizations that comes by the proxy.
func (c *cluster) publisher() *producer.Client {
	c.t.Helper()
	_, token, _ := verb(c.t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--role", "platform")
	p, err := producer.New(c.proxy.URL, producer.Options{
		Token:      func(context.Context) (string, error) { return strings.TrimSpace(token), nil },
		FirstPause: 5 * time.Millisecond, LongPause: 200 * time.Millisecond, Patience: time.Minute,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// servers opens the folders of nodes that have ended, past all of RTE's own
// code.
func (c *cluster) servers() (all []*server.Server) {
	c.t.Helper()
	var routes []*url.URL
	for range c.nodes {
		routes = append(routes, &url.URL{Scheme: "nats", Host: freeAddr(c.t)})
	}
	for i, n := range c.nodes {
		port, err := strconv.Atoi(routes[i].Port())
		if err != nil {
			c.t.Fatal(err)
		}
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprint("n", i), Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: n.dir, JetStreamMaxStore: 1 << 50,
			Cluster: server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: port}, Routes: routes,
		})
		if err != nil {
			c.t.Fatal(err)
		}
		s.Start()
		c.t.Cleanup(func() {
			s.Shutdown()
			s.WaitForShutdown()
		})
		all = append(all, s)
	}
	for _, stream := range []string{"RTE_EVENT_0", "RTE_STATE_0"} {
		until(c.t, func() bool {
			leaders, current := 0, 0
			for _, s := range all {
				if s.JetStreamIsStreamLeader("$G", stream) {
					leaders++
				}
				if s.JetStreamIsStreamCurrent("$G", stream) {
					current++
				}
			}
			return leaders == 1 && current == len(all)
		})
	}
	return all
}

// TestClusterKilled: three nodes take a flood while the one that leads is
// killed with -9 and comes back, and while another is stopped politely and
// comes back; with RTE_SOAK each in turn, until the time is over. In the end
// the store has all that was acknowledged, once, in each pair's order.
func TestClusterKilled(t *testing.T) {
	t.Parallel()
	chance := newRandom(t)
	c := newCluster(t, 3)
	began := time.Now()
	c.startAll()
	t.Logf("ready after %v", time.Since(began))
	stop, flooded := make(chan struct{}), make(chan error, 1)
	f := &flood{chance: rand.New(rand.NewPCG(chance.Uint64(), 0)), sent: map[string][]string{}} //nolint:gosec // no secret is made of it
	client := c.publisher()
	go func() { flooded <- f.run(client, stop) }()
	end := time.Now().Add(soak(t, 0))
	for round := 0; round == 0 || time.Now().Before(end); round++ {
		victim := c.leader(round%3, "rte_event_0")
		c.nodes[victim].kill()
		<-time.After(time.Duration(chance.IntN(2000)) * time.Millisecond)
		c.start(victim)
		c.ready(victim)
		c.caughtUp(victim)
		next := c.leader(victim, "rte_state_0")
		c.stop(next)
		c.start(next)
		c.ready(next)
		c.caughtUp(next)
	}
	close(stop)
	if err := <-flooded; err != nil {
		t.Fatal(err)
	}
	c.caughtUp(0)
	for i := range c.nodes {
		c.stop(i)
	}
	servers := c.servers()
	f.compare(t, slices.Concat(readStream(t, servers[0], "RTE_EVENT_0"), readStream(t, servers[0], "RTE_STATE_0")))
	t.Logf("%d events for each of two organizations", f.next)
}

// TestClusterOfOne: a node that waits for its cluster says so, answers 503,
// and ends politely when it is told to.
func TestClusterOfOne(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start(0)
	n := c.nodes[0]
	until(t, func() bool { return strings.Contains(n.errs.String(), "waiting for the other nodes of the cluster") })
	if status, text := httpGet(t, "http://"+n.admin+"/readyz"); status != http.StatusServiceUnavailable || text != "starting\n" {
		t.Errorf("readyz: %d %q, want 503 starting", status, text)
	}
	if status, _ := httpGet(t, "http://"+n.public+"/rte"); status != http.StatusServiceUnavailable {
		t.Errorf("hub: %d, want 503", status)
	}
	if status, _ := httpGet(t, "http://"+n.admin+"/metrics"); status != http.StatusOK {
		t.Errorf("metrics: %d, want 200", status)
	}
	c.stop(0)
}

// TestClusterSettings: settings that do not go together, and folders of
// another mode, end the program with 2 and one line that says what to do.
func TestClusterSettings(t *testing.T) {
	t.Parallel()
	dir, secretFile := t.TempDir(), t.TempDir()+"/secret"
	if err := os.WriteFile(secretFile, []byte("of a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := []string{"serve", "--jwt-secret", testSecret, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data-dir", dir}
	single := start(t, nil, append(base[:len(base):len(base)], "--drain", "0s")...)
	until(t, func() bool { return strings.Contains(single.errs.String(), "ready") })
	single.kill()
	all := []string{"--cluster-name", "x", "--cluster-listen", "127.0.0.1:6222", "--cluster-routes", "127.0.0.1:6222", "--cluster-secret", "s"}
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"another mode":   {all, "made by a node alone"},
		"no name":        {all[2:], "--cluster-name is missing"},
		"no listen":      {append(all[:2:2], all[4:]...), "--cluster-listen"},
		"no routes":      {append(all[:4:4], all[6:]...), "--cluster-routes"},
		"no secret":      {all[:6], "--cluster-secret"},
		"two secrets":    {append(all[:8:8], "--cluster-secret-file", secretFile), "use one"},
		"off loopback":   {append(all[:8:8], "--cluster-listen", "0.0.0.0:6222"), "needs TLS"},
		"routes outside": {append(all[:8:8], "--cluster-routes", "10.9.8.7:6222"), "needs TLS"},
		"external":       {append(all[:8:8], "--nats-url", "nats://127.0.0.1:1"), "--nats-url"},
		"half of TLS":    {append(all[:8:8], "--cluster-tls-cert", "x.pem"), "--cluster-tls-ca"},
		"no such CA":     {append(all[:8:8], "--cluster-tls-ca", "no.pem", "--cluster-tls-cert", "x.pem", "--cluster-tls-key", "x.pem"), "--cluster-tls-ca"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, errs := verb(t, "", append(base[:len(base):len(base)], row.args...)...)
			text := errs[strings.Index(errs, "rte: ")+1:]
			if code != 2 || !strings.Contains(text, row.want) || strings.Count(text, "\n") != 1 {
				t.Errorf("code %d, %q; want 2 and one line with %q", code, errs, row.want)
			}
		})
	}
}

// TestClusterListens: behind the round-robin proxy a listener of each transport
// hears what is published at any node, also after a node was killed.
func TestClusterListens(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.startAll()
	_, token, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--role", "service")
	token = strings.TrimSpace(token)
	listeners := map[string]*program{}
	for _, transport := range []string{"websockets", "serversentevents", "longpolling"} {
		listeners[transport] = start(t, nil, "listen", "--url", c.proxy.URL+"/rte", "--token", token, "--transport", transport, queueText+":QueueStatus")
	}
	subscribed := func(times int) {
		t.Helper()
		until(t, func() bool {
			for _, l := range listeners {
				if strings.Count(l.errs.String(), "subscribed to") < times {
					return false
				}
			}
			return true
		})
	}
	heard := map[string]chan string{}
	for name, l := range listeners {
		lines := make(chan string, 1000)
		heard[name] = lines
		go func() {
			defer close(lines)
			for {
				line, err := l.out.ReadString('\n')
				if err != nil {
					return
				}
				lines <- line
			}
		}()
	}
	client := c.publisher()
	// hear publishes until every listener has heard: what is stored while one
	// connects anew is another test's matter.
	hear := func(what string) {
		t.Helper()
		missing := map[string]bool{}
		for name := range heard {
			missing[name] = true
		}
		until(t, func() bool {
			if _, err := client.Publish(t.Context(), producer.Event{Organization: orgText, Entity: queueText, Name: "QueueStatus", Data: map[string]string{"queueName": what}}); err != nil {
				t.Fatal(err)
			}
			for name, lines := range heard {
				select {
				case line := <-lines:
					if strings.Contains(line, what) {
						delete(missing, name)
					}
				default:
				}
			}
			return len(missing) == 0
		})
	}
	subscribed(1)
	hear("all are there")
	c.nodes[1].kill()
	hear("one was killed")
	c.start(1)
	c.ready(1)
	hear("it is back")
}
