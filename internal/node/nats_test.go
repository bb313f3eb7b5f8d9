package node_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/crypto/bcrypt"

	"rte/internal/event"
	"rte/internal/node"
)

// usersFile lets "callcore" publish for organization A and "platform" for all,
// both with the password "wort".
func usersFile(t testing.TB) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("wort"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "users.yaml")
	text := fmt.Sprintf("users:\n  - {name: callcore, password: %q, organizations: [%s]}\n  - {name: platform, password: %q, platform: true}\n", hash, orgA, hash)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A producer is a NATS client over TCP.
type producer struct {
	*nats.Conn
	t       testing.TB
	refused chan error
}

func produce(t testing.TB, url string, options ...nats.Option) *producer {
	t.Helper()
	p := &producer{t: t, refused: make(chan error, 100)}
	var err error
	if p.Conn, err = nats.Connect(url, append(options, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { p.refused <- err }))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// An answer is what the door says.
type answer struct {
	Error    string
	Accepted int
	Rejected []struct {
		Index       int
		Path, Error string
	}
	Cursor string
	Next   *int
	Offset *int64
	code   string
}

// ask sends an event and waits for the answer. header is name: value.
func (p *producer) ask(org event.GUID, name, entity, data string, header ...string) answer {
	p.t.Helper()
	m := &nats.Msg{Subject: "rte.in." + org.String() + "." + name + "." + entity, Data: []byte(data), Header: nats.Header{}}
	for _, h := range header {
		key, value, _ := strings.Cut(h, ": ")
		m.Header[key] = append(m.Header[key], value)
	}
	reply, err := p.RequestMsg(m, 20*time.Second)
	if err != nil {
		p.t.Fatalf("%s: %v", m.Subject, err)
	}
	var a answer
	if err := json.Unmarshal(reply.Data, &a); err != nil {
		p.t.Fatalf("answer %q: %v", reply.Data, err)
	}
	a.code = reply.Header.Get("Nats-Service-Error-Code")
	return a
}

// doors are the two ways to have one: an event's producer may not see which.
func doors(t *testing.T) map[string]func(*testing.T) (*world, *producer) {
	t.Helper()
	return map[string]func(*testing.T) (*world, *producer){
		"embedded": func(t *testing.T) (*world, *producer) {
			w := start(t, func(c *node.Config) { c.NATSListen, c.NATSUsers = "127.0.0.1:0", usersFile(t) })
			return w, produce(t, w.NATSURL(), nats.UserInfo("callcore", "wort"))
		},
		"external": func(t *testing.T) (*world, *producer) {
			s := natsServer(t, nil)
			return start(t, func(c *node.Config) { c.NATSURL = []string{s.ClientURL()} }), produce(t, s.ClientURL())
		},
	}
}

// natsServer runs a NATS server with JetStream.
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
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	return s
}

func stopServer(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// TestNATSDoor: from a NATS client over TCP to a SignalR client, with every
// kind of verdict.
func TestNATSDoor(t *testing.T) {
	t.Parallel()
	for name, open := range doors(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := open(t)
			v := w.visit(sign(t, nil))
			v.subscribe(queueText + ":QueueStatus")

			first := p.ask(orgA, "QueueStatus", queueText, `{"QueueName":"one"}`, "Nats-Msg-Id: 1", "time: 2026-11-22T08:00:00Z", "Nats-Expected-Last-Sequence: 777", "Nats-Rollup: all")
			heard := v.next()
			if first.code != "" || first.Accepted != 1 || len(first.Rejected) != 0 || first.Cursor != heard.Cursor {
				t.Errorf("answer %+v, heard %s", first, heard.Cursor)
			}
			if string(heard.Data) != `{"queueName":"one"}` || heard.Time != "2026-11-22T08:00:00.000Z" {
				t.Errorf("heard %s at %s", heard.Data, heard.Time)
			}
			// The same id again, here and over HTTP, is the same event.
			if again := p.ask(orgA, "QueueStatus", queueText, `{"queueName":"two"}`, "Nats-Msg-Id: 1"); again.Accepted != 1 || again.Cursor != first.Cursor {
				t.Errorf("the same id: %+v, want cursor %s", again, first.Cursor)
			}
			status, text := w.post(service(t, orgA), "application/json", fmt.Sprintf(`{"organizationId":%q,"entityId":%q,"eventName":"QueueStatus","data":{},"id":"1"}`, orgA, queueText))
			if status != http.StatusOK || !strings.Contains(text, first.Cursor) {
				t.Errorf("the same id over HTTP: %d %s, want cursor %s", status, text, first.Cursor)
			}

			if a := p.ask(orgA, "QueueStatus", queueText, `{"queueName":7}`); a.Accepted != 0 || len(a.Rejected) != 1 || a.Rejected[0].Path != "$.data.queueName" || a.code != "" {
				t.Errorf("a wrong type: %+v", a)
			}
			if a := p.ask(orgA, "QueueStatus", "_", `{}`); len(a.Rejected) != 1 || a.Rejected[0].Path != "$.entityId" {
				t.Errorf("no entity: %+v", a)
			}
			if a := p.ask(orgA, "QueueStatus", queueText, `{"queueName":`); a.code != "400" || a.Error == "" || a.Next == nil || *a.Next != 0 || a.Offset == nil || *a.Offset != 13 {
				t.Errorf("no JSON: %+v", a)
			}
			// Without a reply: stored all the same.
			if err := p.Publish("rte.in."+orgA.String()+".queuestatus."+queueText, []byte(`{"queueName":"silent"}`)); err != nil {
				t.Fatal(err)
			}
			if got := string(v.next().Data); got != `{"queueName":"silent"}` {
				t.Errorf("heard %s, want the event without a reply and none before it", got)
			}
			for _, line := range []string{"rte_nats_messages_total 6", "rte_nats_events_total 3", `rte_nats_refused_total{reason="rejected"} 2`, `rte_nats_refused_total{reason="unreadable"} 1`, "rte_nats_dropped_total 0", "rte_store_connected 1"} {
				w.until(line)
			}
		})
	}
}

// TestNATSDoorOrder: events of a pair that are sent one behind the other,
// without waiting, are heard in that order.
func TestNATSDoorOrder(t *testing.T) {
	t.Parallel()
	for name, open := range doors(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, p := open(t)
			const pairs, events = 5, 400
			var entities []string
			for i := range pairs {
				entities = append(entities, event.GUID{0xc, byte(i)}.String())
			}
			v := w.visit(service(t, orgA))
			for _, e := range entities {
				v.subscribe(e + ":QueueCallInArrived")
			}
			for n := range events {
				for _, e := range entities {
					if err := p.Publish("rte.in."+orgA.String()+".QueueCallInArrived."+e, fmt.Appendf(nil, `{"queueName":"%d"}`, n)); err != nil {
						t.Fatal(err)
					}
				}
			}
			next := map[string]int{}
			for range pairs * events {
				got := v.next()
				id := got.Subscription.EntityID
				if want := fmt.Sprintf(`{"queueName":"%d"}`, next[id]); string(got.Data) != want {
					t.Fatalf("pair %s: heard %s, want %s", id, got.Data, want)
				}
				next[id]++
			}
		})
	}
}

// TestNATSDoorRights: a user may publish for its organizations, and hear
// nothing.
func TestNATSDoorRights(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.NATSListen, c.NATSUsers = "127.0.0.1:0", usersFile(t) })
	p := produce(t, w.NATSURL(), nats.UserInfo("callcore", "wort"))
	all := produce(t, w.NATSURL(), nats.UserInfo("platform", "wort"))
	refused := func(p *producer, what string) {
		t.Helper()
		select {
		case err := <-p.refused:
			if !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), what) {
				t.Errorf("told %v, want a permission violation with %s", err, what)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("nothing was said about %s", what)
		}
	}
	if a := all.ask(orgB, "QueueStatus", queueText, "{}"); a.Accepted != 1 {
		t.Errorf("platform: %+v", a)
	}
	if err := p.Publish("rte.in."+orgB.String()+".QueueStatus."+queueText, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	refused(p, "Publish")
	for _, subject := range []string{"rte.>", "rte.live.>", ">"} {
		if _, err := all.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		refused(all, "Subscription")
	}
	w.until("rte_stored_events_total 1")
	if _, err := nats.Connect(w.NATSURL(), nats.UserInfo("callcore", "falsch")); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("with a wrong password: %v", err)
	}
	if strings.Contains(w.log.String(), "wort") || strings.Contains(w.log.String(), "falsch") {
		t.Error("a password is in the log")
	}
}

// TestNATSDoorTLS: with the node's certificate the door asks for TLS.
func TestNATSDoorTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	makeCertificate(t, dir, "door")
	w := start(t, func(c *node.Config) {
		c.TLSCert, c.TLSKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		c.NATSListen, c.NATSUsers = ":0", usersFile(t)
	})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(w.NATSURL(), "tls://"))
	if err != nil {
		t.Fatal(err)
	}
	p := produce(t, "tls://127.0.0.1:"+port, nats.UserInfo("callcore", "wort"), nats.RootCAs(filepath.Join(dir, "cert.pem")))
	if a := p.ask(orgA, "QueueStatus", queueText, "{}"); a.Accepted != 1 {
		t.Errorf("over TLS: %+v", a)
	}
}

// TestNATSDoorDrains: a node that stops answers every message that it has let
// in, and what it accepted is stored.
func TestNATSDoorDrains(t *testing.T) {
	t.Parallel()
	s := natsServer(t, nil)
	external := func(c *node.Config) { c.NATSURL = []string{s.ClientURL()} }
	w := start(t, external)
	p := produce(t, s.ClientURL())
	const messages = 2000
	inbox := p.NewRespInbox()
	answers := make(chan *nats.Msg, messages)
	if _, err := p.ChanSubscribe(inbox, answers); err != nil {
		t.Fatal(err)
	}
	for n := range messages {
		m := &nats.Msg{Subject: fmt.Sprintf("rte.in.%s.QueueCallInArrived.%s", orgA, event.GUID{0xc, byte(n)}), Reply: inbox, Data: []byte("{}"), Header: nats.Header{"Nats-Msg-Id": {fmt.Sprint(n)}}}
		if err := p.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
		if n == messages/2 {
			if err := p.Flush(); err != nil {
				t.Fatal(err)
			}
			go w.stop()
		}
	}
	accepted, late := 0, 0
	for n := range messages {
		select {
		case m := <-answers:
			var a answer
			if m.Header.Get("Status") == "503" { // nobody is there any more
				late++
			} else if err := json.Unmarshal(m.Data, &a); err != nil {
				t.Fatalf("answer %q: %v", m.Data, err)
			}
			accepted += a.Accepted
		case <-time.After(20 * time.Second):
			t.Fatalf("no answer after %d", n)
		}
	}
	w.stop()
	if accepted < messages/2 {
		t.Errorf("%d of %d accepted, want those that were there before the stop", accepted, messages)
	}
	t.Logf("%d accepted, %d came too late", accepted, late)
	again := start(t, external)
	again.until(fmt.Sprintf(`rte_stream_messages{stream="rte_event_0"} %d`, accepted))
}

// TestTwoNodes: what comes in at one node, by either door, is heard at the
// other, once and in order, and each message is handled once.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	s := natsServer(t, nil)
	external := func(c *node.Config) { c.NATSURL = []string{s.ClientURL()} }
	a, b := start(t, external), start(t, external)
	var visitors []*visitor
	for _, w := range []*world{a, b} {
		v := w.visit(sign(t, nil))
		v.subscribe(queueText + ":QueueStatus")
		visitors = append(visitors, v)
	}
	p := produce(t, s.ClientURL())
	const rounds = 60
	for n := range rounds {
		data := fmt.Sprintf(`{"queueName":"%d"}`, n)
		switch n % 3 {
		case 0:
			a.publish(orgA, "QueueStatus", queueText, data)
		case 1:
			b.publish(orgA, "QueueStatus", queueText, data)
		case 2:
			if answer := p.ask(orgA, "QueueStatus", queueText, data); answer.Accepted != 1 {
				t.Fatalf("answer %+v", answer)
			}
		}
	}
	for i, v := range visitors {
		for n := range rounds {
			if got, want := string(v.next().Data), fmt.Sprintf(`{"queueName":"%d"}`, n); got != want {
				t.Fatalf("node %d: heard %s, want %s", i, got, want)
			}
		}
		if len(v.pushes) != 0 {
			t.Errorf("node %d: %d pushes too many", i, len(v.pushes))
		}
	}
	a.until(`rte_stream_messages{stream="rte_state_0"} 1`)
	if strings.Contains(a.log.String(), "level=ERROR") || strings.Contains(b.log.String(), "level=ERROR") {
		t.Error("errors in the log")
	}
}

// TestStoreAway: while the external server is away the node is not ready and
// refuses events to be sent again; clients stay; afterwards all goes on.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	dir, port := t.TempDir(), 0
	run := func() *server.Server {
		return natsServer(t, func(o *server.Options) {
			o.StoreDir = dir
			if port != 0 {
				o.Port = port
			}
			o.Username, o.Password = "rte", "geheim"
		})
	}
	s := run()
	port = s.Addr().(*net.TCPAddr).Port
	url := fmt.Sprintf("nats://rte:geheim@127.0.0.1:%d", port)
	w := start(t, func(c *node.Config) { c.NATSURL = []string{url} })
	v := w.visit(sign(t, nil))
	v.subscribe(queueText + ":QueueStatus")
	w.publish(orgA, "QueueStatus", queueText, `{"queueName":"before"}`)
	v.next()
	if status, body := w.get(w.AdminURL() + "/readyz"); status != http.StatusOK {
		t.Errorf("readyz before: %d %s", status, body)
	}
	stopServer(s)
	w.until("rte_store_connected 0")
	if status, body := w.get(w.AdminURL() + "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "store") {
		t.Errorf("readyz while the store is away: %d %s", status, body)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+"/api/v1/events",
		strings.NewReader(fmt.Sprintf(`{"organizationId":%q,"entityId":%q,"eventName":"QueueStatus","data":{"queueName":"away"},"id":"x"}`, orgA, queueText)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+service(t, orgA))
	started := time.Now()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // of a test
	if took := time.Since(started); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || took > 15*time.Second {
		t.Errorf("publish while the store is away: %s after %v, Retry-After %q", resp.Status, took, resp.Header.Get("Retry-After"))
	}
	run()
	w.until("rte_store_connected 1")
	w.publish(orgA, "QueueStatus", queueText, `{"queueName":"after"}`)
	if got := string(v.next().Data); got != `{"queueName":"after"}` {
		t.Errorf("heard %s, want the event after the return and nothing that was refused", got)
	}
	if status, body := w.get(w.AdminURL() + "/readyz"); status != http.StatusOK {
		t.Errorf("readyz afterwards: %d %s", status, body)
	}
	if strings.Contains(w.log.String(), "geheim") {
		t.Error("the password is in the log")
	}
}

func TestNATSSettings(t *testing.T) {
	t.Parallel()
	users := usersFile(t)
	file := func(text string) string {
		name := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, c := range []struct {
		name   string
		change func(*node.Config)
		want   string
	}{
		{"both URLs", func(c *node.Config) { c.NATSURL, c.NATSURLFile = []string{"x"}, users }, "--nats-url-file"},
		{"no URL file", func(c *node.Config) { c.NATSURLFile = "/no/such/file" }, "--nats-url-file"},
		{"empty URL file", func(c *node.Config) { c.NATSURLFile = file(" \n") }, "is empty"},
		{"bad URL in a file", func(c *node.Config) { c.NATSURLFile = file("nats://a:geheim@b/c\n") }, "address 1"},
		{"bad URL", func(c *node.Config) { c.NATSURL = []string{"nats://a:geheim@b c"} }, "address 1"},
		{"credentials alone", func(c *node.Config) { c.NATSCreds = users }, "--nats-url"},
		{"replicas alone", func(c *node.Config) { c.NATSReplicas = 3 }, "--nats-url"},
		{"replicas", func(c *node.Config) { c.NATSURL, c.NATSReplicas = []string{"x"}, 9 }, "replicas"},
		{"no credentials", func(c *node.Config) { c.NATSURL, c.NATSCreds = []string{"x"}, "/no/such/file" }, "/no/such/file"},
		{"two servers", func(c *node.Config) { c.NATSURL, c.NATSListen, c.NATSUsers = []string{"x"}, "127.0.0.1:0", users }, "--nats-listen"},
		{"no users", func(c *node.Config) { c.NATSListen = "127.0.0.1:0" }, "--nats-users"},
		{"users alone", func(c *node.Config) { c.NATSUsers = users }, "--nats-listen"},
		{"bad users", func(c *node.Config) {
			c.NATSListen, c.NATSUsers = "127.0.0.1:0", file("users: [{name: a, password: geheim, platform: true}]")
		}, "bcrypt"},
		{"no TLS", func(c *node.Config) { c.NATSListen, c.NATSUsers = ":4222", users }, "--nats-insecure"},
	} {
		cfg := defaults(t)
		c.change(&cfg)
		if _, err := node.New(cfg, nil); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: got %v, want an error with %q", c.name, err, c.want)
		}
	}
	for name, change := range map[string]func(*node.Config){
		"insecure": func(c *node.Config) { c.NATSListen, c.NATSUsers, c.NATSInsecure = ":4222", users, true },
		"URL file": func(c *node.Config) { c.NATSURLFile = file("nats://a:b@c:1,\nnats://a:b@d:2\n") },
	} {
		cfg := defaults(t)
		change(&cfg)
		if _, err := node.New(cfg, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // of a test
	cfg := defaults(t)
	cfg.NATSListen, cfg.NATSUsers = l.Addr().String(), users
	n, err := node.New(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "--nats-listen") || !strings.Contains(err.Error(), cfg.NATSListen) {
		t.Errorf("address in use: %v, want an error that names the flag and the address", err)
	}
}
