package bus_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"rte/internal/bus"
	"rte/internal/event"
)

// natsServer runs a NATS server in this process, on a free port unless change
// says otherwise.
func natsServer(t testing.TB, change func(*server.Options)) *server.Server {
	t.Helper()
	o := &server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: 1 << 40, DisableJetStreamBanner: true,
	}
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { stopServer(s) })
	if !s.ReadyForConnections(deadline) {
		t.Fatal("the NATS server does not start")
	}
	return s
}

func stopServer(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// at are the options of a bus on that server.
func at(s *server.Server) bus.Options {
	return bus.Options{External: bus.External{URLs: []string{s.ClientURL()}}}
}

// openError opens a bus that must not open, and gives the error.
func openError(t *testing.T, o bus.Options) string {
	t.Helper()
	b, err := bus.Open(t.Context(), event.NewCatalog(), o)
	if err == nil {
		_ = b.Close(t.Context())
		t.Fatal("Open went well, want an error")
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %v", err)
	}
	return err.Error()
}

// A natsProcess is a NATS server in a process of its own, to be killed.
type natsProcess struct {
	t    *testing.T
	dir  string
	addr string // host:port, once it has run
	join string // "name|its route's port|all routes", "" for a server of its own
	cmd  *exec.Cmd
}

// childServer names folder, port and cluster in the environment of such a
// process.
const childServer = "BUS_TEST_CHILD_SERVER"

// natsMain is the process.
func natsMain(what string) {
	dir, rest, _ := strings.Cut(what, "|")
	port, join, _ := strings.Cut(rest, "|")
	o := &server.Options{Host: "127.0.0.1", NoSigs: true, NoLog: true, JetStream: true, StoreDir: dir, JetStreamMaxStore: 1 << 40, DisableJetStreamBanner: true}
	if _, err := fmt.Sscan(port, &o.Port); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if join != "" {
		words := strings.Split(join, "|")
		o.ServerName, o.Cluster = words[0], server.ClusterOpts{Name: "test", Host: "127.0.0.1"}
		o.Routes = server.RoutesFromStr(words[2])
		if _, err := fmt.Sscan(words[1], &o.Cluster.Port); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	s, err := server.NewServer(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s.Start()
	if !s.ReadyForConnections(deadline) {
		fmt.Fprintln(os.Stderr, "not ready")
		os.Exit(1)
	}
	fmt.Println(s.Addr())
	select {}
}

func newNatsProcess(t *testing.T) *natsProcess {
	t.Helper()
	p := &natsProcess{t: t, dir: t.TempDir()}
	p.start()
	return p
}

// natsProcesses runs a cluster of n of them.
func natsProcesses(t *testing.T, n int) (all []*natsProcess, o bus.Options) {
	t.Helper()
	var routes []string
	addresses := freeAddresses(t, n)
	for _, u := range addresses {
		routes = append(routes, u.String())
	}
	for i, u := range addresses {
		p := &natsProcess{t: t, dir: t.TempDir(), join: fmt.Sprintf("s%d|%s|%s", i, u.Port(), strings.Join(routes, ","))}
		p.start()
		all = append(all, p)
		o.External.URLs = append(o.External.URLs, p.addr)
	}
	return all, o
}

// start starts it, after the first time on the same port.
func (p *natsProcess) start() {
	p.t.Helper()
	port := "-1"
	if p.addr != "" {
		_, port, _ = strings.Cut(p.addr, ":")
	}
	p.cmd = exec.CommandContext(p.t.Context(), os.Args[0])
	p.cmd.Env = append(os.Environ(), childServer+"="+p.dir+"|"+port+"|"+p.join)
	var stderr bytes.Buffer
	p.cmd.Stderr = &stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	if _, err := fmt.Fscan(out, &p.addr); err != nil {
		p.t.Fatalf("NATS server: %v, stderr: %s", err, stderr.String())
	}
	cmd := p.cmd
	p.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
}

// kill ends it as kill -9 does.
func (p *natsProcess) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	_ = p.cmd.Wait() // killed
}

func (p *natsProcess) options() bus.Options {
	return bus.Options{External: bus.External{URLs: []string{p.addr}}}
}

// logged gives options a log book at debug level.
func logged(o bus.Options) (bus.Options, *logBook) {
	book, log := newLog(slog.LevelDebug)
	o.Logger = log
	return o, book
}

// within is a context that ends with the test or after the deadline.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
