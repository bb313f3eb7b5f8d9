package bus_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/bcrypt"

	"rte/internal/bus"
	"rte/internal/event"
)

// hash is a password as a users file has it, as quick as can be.
func hash(t testing.TB, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

// A userRow is a user of the tests' files.
type userRow struct {
	Name          string   `json:"name"`
	Password      string   `json:"password,omitempty"`
	Nkey          string   `json:"nkey,omitempty"`
	Organizations []string `json:"organizations,omitempty"`
	Platform      bool     `json:"platform,omitempty"`
}

func writeUsers(t testing.TB, file string, users ...userRow) {
	t.Helper()
	text, err := json.MarshalIndent(map[string]any{"users": users}, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// An openDoor is a bus whose embedded server is open to producers, and what
// they sent.
type openDoor struct {
	*fixture
	users string
	took  chan bus.Message
}

func openWithDoor(t *testing.T, o bus.Options, users ...userRow) *openDoor {
	t.Helper()
	d := &openDoor{users: filepath.Join(t.TempDir(), "users.json"), took: make(chan bus.Message, 1000)}
	writeUsers(t, d.users, users...)
	o.Door.Listen, o.Door.Users = "127.0.0.1:0", d.users
	d.fixture = open(t, o)
	if _, err := d.Serve(func(m bus.Message) {
		defer m.Done()
		d.took <- m
		if m.Reply != nil {
			m.Reply(map[string][]string{"Answer": {"yes"}}, []byte("to "+m.Subject))
		}
	}); err != nil {
		t.Fatal(err)
	}
	return d
}

// A producer is a NATS client over TCP and what the server told it.
type producer struct {
	*nats.Conn
	errs chan error
}

func dial(t *testing.T, url string, options ...nats.Option) (*producer, error) {
	t.Helper()
	p := &producer{errs: make(chan error, 100)}
	var err error
	p.Conn, err = nats.Connect(url, append(options, nats.ReconnectWait(20*time.Millisecond), nats.MaxReconnects(-1),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { p.errs <- err }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { p.errs <- fmt.Errorf("disconnected: %w", err) }))...)
	if err != nil {
		return nil, err
	}
	t.Cleanup(p.Close)
	return p, nil
}

func (d *openDoor) dial(options ...nats.Option) *producer {
	d.t.Helper()
	p, err := dial(d.t.(*testing.T), "nats://"+d.DoorAddr().String(), options...)
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

// denied expects that the server has refused a right, and names it.
func (p *producer) denied(t *testing.T, what string) {
	t.Helper()
	if err := next(t, p.errs, "refusal"); !errors.Is(err, nats.ErrPermissionViolation) || !strings.Contains(err.Error(), what) {
		t.Errorf("refused with %v, want a permission violation with %s", err, what)
	}
}

func subjectOf(org event.GUID, name string) string {
	return "rte.in." + org.String() + "." + name + "." + entity(1).String()
}

// TestDoorRights: what each kind of user may do, over TCP.
func TestDoorRights(t *testing.T) {
	t.Parallel()
	seed, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	key, err := seed.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	o, book := logged(bus.Options{})
	d := openWithDoor(t, o,
		userRow{Name: "one", Password: hash(t, "first"), Organizations: []string{orgA.String()}},
		userRow{Name: "two", Password: strings.Replace(hash(t, "second"), "$2a$", "$2y$", 1), Organizations: []string{orgA.String(), orgB.String()}},
		userRow{Name: "all", Nkey: key, Platform: true})
	one, two := d.dial(nats.UserInfo("one", "first")), d.dial(nats.UserInfo("two", "second"))
	all := d.dial(nats.Nkey(key, func(nonce []byte) ([]byte, error) { return seed.Sign(nonce) }))
	orgC := event.GUID{0xcc}
	for _, row := range []struct {
		name string
		p    *producer
		org  event.GUID
		may  bool
	}{
		{"one, own", one, orgA, true}, {"one, another's", one, orgB, false},
		{"two, first", two, orgA, true}, {"two, second", two, orgB, true}, {"two, another's", two, orgC, false},
		{"all, any", all, orgC, true},
	} {
		subject := subjectOf(row.org, row.name[:3])
		m := &nats.Msg{Subject: subject, Data: []byte("x"), Header: nats.Header{"Nats-Msg-Id": {"1"}}}
		if !row.may {
			if err := row.p.PublishMsg(m); err != nil {
				t.Fatal(err)
			}
			row.p.denied(t, `Publish to "`+subject)
			continue
		}
		answer, err := row.p.RequestMsg(m, deadline)
		if err != nil || string(answer.Data) != "to "+subject || answer.Header.Get("Answer") != "yes" {
			t.Fatalf("%s: answer %+v, %v", row.name, answer, err)
		}
		if got := next(t, d.took, "message"); got.Subject != subject || string(got.Data) != "x" || got.Header["Nats-Msg-Id"][0] != "1" {
			t.Errorf("%s: took %+v", row.name, got)
		}
		if err := row.p.Publish(subject, []byte("y")); err != nil {
			t.Fatal(err)
		}
		if got := next(t, d.took, "message without a reply"); string(got.Data) != "y" || got.Reply != nil {
			t.Errorf("%s: took %+v", row.name, got)
		}
	}
	if len(d.took) != 0 {
		t.Errorf("%d messages too many came through the door", len(d.took))
	}

	// Nothing of the store and of other nodes can be heard or done.
	for _, subject := range []string{
		">", "rte.>", "rte.live.>", "rte.live.0." + orgA.String() + ".>", "rte.control.>", "rte.in.>", subjectOf(orgA, "*"),
		"$JS.>", "$KV.>", "$SYS.>", "_R_.>", "*.INBOX.>", "_INBOX2.>",
	} {
		if _, err := all.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		all.denied(t, `Subscription to "`+subject)
	}
	for _, subject := range []string{
		"rte.state.0." + orgA.String() + ".userstatus." + entity(1).String(), "rte.event.0.x", "rte.live.0.x", "rte.control.close",
		"$JS.API.STREAM.NAMES", "$JS.API.STREAM.PURGE.RTE_EVENT_0", "$JS.API.DIRECT.GET.RTE_STATE_0", "$KV.RTE_RIGHTS.a", "_INBOX.x", "$SYS.REQ.SERVER.PING", "$SYS.REQ.USER.INFO",
	} {
		if err := all.PublishRequest(subject, "_INBOX.mine", nil); err != nil {
			t.Fatal(err)
		}
		all.denied(t, `Publish to "`+subject)
	}

	// A user who listens to every inbox hears none but its own.
	spy, err := two.SubscribeSync("_INBOX.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := two.Flush(); err != nil {
		t.Fatal(err)
	}
	e := d.event(d.topic(orgA, "UserStatus", 1), 1)
	d.publish(e) // the node's own inboxes
	if got := d.last(e.Topic); got == nil {
		t.Fatal("the node's own connection cannot read the store")
	}
	if _, err := one.Request(subjectOf(orgA, "x"), nil, deadline); err != nil {
		t.Fatal(err)
	}
	if err := two.PublishRequest(subjectOf(orgA, "x"), "_INBOX.mine", nil); err != nil {
		t.Fatal(err)
	}
	if m, err := spy.NextMsg(deadline); err != nil || m.Subject != "_INBOX.mine" {
		t.Errorf("heard %+v, %v; want the own answer", m, err)
	}
	if n, _, _ := spy.Pending(); n != 0 {
		t.Errorf("heard %d messages of others", n)
	}
	for _, secret := range []string{"first", "second"} {
		if lines := book.lines(secret); len(lines) > 0 {
			t.Errorf("a password is in the log: %v", lines)
		}
	}
}

// TestDoorRefuses: who is not known does not come in.
func TestDoorRefuses(t *testing.T) {
	t.Parallel()
	o, book := logged(bus.Options{})
	key, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	known, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	d := openWithDoor(t, o,
		userRow{Name: "one", Password: hash(t, "first"), Organizations: []string{orgA.String()}},
		userRow{Name: "key", Nkey: known, Platform: true})
	for name, option := range map[string]nats.Option{
		"no user":      nats.Name("nobody"),
		"unknown user": nats.UserInfo("zero", "geheim"),
		"password":     nats.UserInfo("one", "geheim"),
		"signature":    nats.Nkey(known, func(nonce []byte) ([]byte, error) { return other.Sign(nonce) }),
	} {
		if _, err := dial(t, "nats://"+d.DoorAddr().String(), option); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("%s: %v, want an authorization violation", name, err)
		}
		if lines := book.lines("level=INFO", "NATS user refused", name, "remote=127.0.0.1:"); len(lines) != 1 {
			t.Errorf("%s: %d lines in the log, want 1", name, len(lines))
		}
	}
	for _, option := range []nats.Option{nats.UserInfo("key", ""), nats.UserInfo("", ""), nats.Token("first")} {
		if _, err := dial(t, "nats://"+d.DoorAddr().String(), option); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("got %v, want an authorization violation", err)
		}
	}
	if lines := book.lines("geheim"); len(lines) > 0 {
		t.Errorf("a password is in the log: %v", lines)
	}
	// What a connection does wrong is told by its kind, and by who it is.
	p := d.dial(nats.UserInfo("one", "first"))
	if err := p.Publish("rte.in.geheim.+358401234567", nil); err != nil {
		t.Fatal(err)
	}
	p.denied(t, "Publish")
	eventually(t, "the violation is in the log", func() bool {
		return len(book.lines("level=INFO", "a NATS client went wrong", "user=one", "remote=127.0.0.1:", `reason="publish violation"`)) == 1
	})
	conn, err := net.Dial("tcp", d.DoorAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, "CONNECT {\"user\":\"one\",\"pass\":\"first\"}\r\nGEHEIM geheim +358401234567\r\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other fault is in the log", func() bool {
		return len(book.lines("level=INFO", "a NATS client went wrong", `reason="protocol error"`)) == 1
	})
	for _, secret := range []string{"geheim", "GEHEIM", "+358", "first"} {
		if lines := book.lines(secret); len(lines) > 0 {
			t.Errorf("what was sent is in the log: %v", lines)
		}
	}
	if lines := book.lines("level=ERROR"); len(lines) > 0 {
		t.Errorf("refusals are no errors of this node: %v", lines)
	}
}

// TestDoorUsersChange: the file is read again; who is no longer as before is
// put out, nobody else.
func TestDoorUsersChange(t *testing.T) {
	t.Parallel()
	o, book := logged(bus.Options{})
	stays := userRow{Name: "stays", Password: hash(t, "x"), Organizations: []string{orgA.String()}}
	changes := userRow{Name: "changes", Password: hash(t, "x"), Organizations: []string{orgA.String()}}
	goes := userRow{Name: "goes", Password: hash(t, "x"), Platform: true}
	d := openWithDoor(t, o, stays, changes, goes)
	a, b, c := d.dial(nats.UserInfo("stays", "x")), d.dial(nats.UserInfo("changes", "x")), d.dial(nats.UserInfo("goes", "x"))

	if err := os.WriteFile(d.users, []byte("users: [{name: half"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bad file is named", func() bool { return len(book.lines("level=ERROR", "the old ones stay")) == 1 })
	if _, err := c.Request(subjectOf(orgB, "x"), nil, deadline); err != nil {
		t.Errorf("after a bad file: %v", err)
	}

	changes.Organizations = []string{orgB.String()}
	comes := userRow{Name: "comes", Password: hash(t, "x"), Platform: true}
	writeUsers(t, d.users, stays, changes, comes)
	if err := next(t, c.errs, "end of the connection"); !strings.Contains(err.Error(), "disconnected") {
		t.Errorf("told %v, want disconnected", err)
	}
	if err := next(t, b.errs, "end of the connection"); !strings.Contains(err.Error(), "disconnected") {
		t.Errorf("told %v, want disconnected", err)
	}
	eventually(t, "the changed user is back", b.IsConnected)
	if _, err := b.Request(subjectOf(orgB, "x"), nil, deadline); err != nil {
		t.Errorf("the new organization: %v", err)
	}
	if err := b.Publish(subjectOf(orgA, "x"), nil); err != nil {
		t.Fatal(err)
	}
	b.denied(t, "Publish")
	if _, err := d.dial(nats.UserInfo("comes", "x")).Request(subjectOf(orgB, "x"), nil, deadline); err != nil {
		t.Errorf("the new user: %v", err)
	}
	if err := next(t, c.errs, "refusal"); !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("the user that has gone was told %v, want an authorization violation", err)
	}
	if len(a.errs) != 0 || a.Stats().Reconnects != 0 {
		t.Errorf("the user that stays was put out: %v", <-a.errs)
	}
}

// TestDoorTLS: with a certificate nobody comes in without TLS, but the node
// itself.
func TestDoorTLS(t *testing.T) {
	t.Parallel()
	cert, pool := certificate(t)
	d := openWithDoor(t, bus.Options{Door: bus.Door{TLS: &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}}},
		userRow{Name: "one", Password: hash(t, "x"), Platform: true})
	if _, err := dial(t, "nats://"+d.DoorAddr().String(), nats.UserInfo("one", "x")); err == nil {
		t.Error("a client that does not know the certificate came in")
	}
	p := d.dial(nats.UserInfo("one", "x"), nats.Secure(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}))
	if _, err := p.Request(subjectOf(orgB, "x"), nil, deadline); err != nil {
		t.Errorf("over TLS: %v", err)
	}
	// No TLS at all: the server says that it wants it, and closes.
	conn, err := net.Dial("tcp", d.DoorAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "CONNECT {\"user\":\"one\",\"pass\":\"x\",\"verbose\":true}\r\nPING\r\n"); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 64<<10)
	n := 0
	for err = nil; err == nil; {
		var k int
		k, err = conn.Read(said[n:])
		n += k
	}
	if text := string(said[:n]); !strings.Contains(text, `"tls_required":true`) || strings.Contains(text, "PONG") || strings.Contains(text, "+OK") {
		t.Errorf("without TLS the server said %q", text)
	}
}

// certificate is one for 127.0.0.1, and who trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

// TestDoorErrors: what keeps the door from opening is named.
func TestDoorErrors(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	good := filepath.Join(t.TempDir(), "users")
	writeUsers(t, good, userRow{Name: "one", Password: hash(t, "x"), Platform: true})
	for _, row := range []struct {
		name string
		o    bus.Options
		want string
	}{
		{"address in use", bus.Options{Door: bus.Door{Listen: l.Addr().String(), Users: good}}, "address already in use"},
		{"no port", bus.Options{Door: bus.Door{Listen: "127.0.0.1", Users: good}}, "missing port"},
		{"no number", bus.Options{Door: bus.Door{Listen: "127.0.0.1:nats", Users: good}}, "nats"},
		{"no users", bus.Options{Door: bus.Door{Listen: "127.0.0.1:0", Users: "/no/such/file"}}, "/no/such/file"},
		{"external", bus.Options{Door: bus.Door{Listen: "127.0.0.1:0", Users: good}, External: bus.External{URLs: []string{"127.0.0.1"}}}, "doors of their own"},
	} {
		if text := openError(t, row.o); !strings.Contains(text, row.want) {
			t.Errorf("%s: error %q, want one with %q", row.name, text, row.want)
		}
	}
}

// TestServeStop: what has come is taken, and what comes later is told that
// nobody is there.
func TestServeStop(t *testing.T) {
	t.Parallel()
	users := filepath.Join(t.TempDir(), "users")
	writeUsers(t, users, userRow{Name: "one", Password: hash(t, "x"), Platform: true})
	f := open(t, bus.Options{Door: bus.Door{Listen: "127.0.0.1:0", Users: users}})
	entered, release := make(chan struct{}, 100), make(chan struct{})
	stop, err := f.Serve(func(m bus.Message) {
		defer m.Done()
		entered <- struct{}{}
		<-release
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := dial(t, "nats://"+f.DoorAddr().String(), nats.UserInfo("one", "x"))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := p.Publish(subjectOf(orgA, "x"), nil); err != nil {
			t.Fatal(err)
		}
	}
	next(t, entered, "first message")
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := stop(within(t, 10*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop while the door is busy: %v, want that the time ran out", err)
	}
	close(release)
	for range 9 {
		next(t, entered, "message that had come")
	}
	if err := stop(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := p.Request(subjectOf(orgA, "x"), nil, deadline); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("Request after stop: %v, want no responders", err)
	}
}

// TestServeShared: of two nodes on one server one takes all messages, and the
// other when that one goes; what the first has taken it may finish.
func TestServeShared(t *testing.T) {
	t.Parallel()
	s := natsServer(t, nil)
	type taken struct {
		node int
		m    bus.Message
	}
	took := make(chan taken, 2000)
	var stops []func(context.Context) error
	for i := range 2 {
		f := open(t, at(s))
		stop, err := f.Serve(func(m bus.Message) { took <- taken{i, m} })
		if err != nil {
			t.Fatal(err)
		}
		stops = append(stops, stop)
	}
	conn, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	inbox, err := conn.SubscribeSync("answers")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(n int) taken {
		t.Helper()
		var got taken
		end := time.Now().Add(deadline)
		eventually(t, "somebody takes a message", func() bool {
			if err := conn.PublishRequest(subjectOf(orgA, "x"), "answers", fmt.Append(nil, n)); err != nil {
				t.Fatal(err)
			}
			for {
				select {
				case got = <-took:
					return true
				default:
				}
				if _, err := inbox.NextMsg(10 * time.Millisecond); errors.Is(err, nats.ErrNoResponders) {
					return false // nobody is there yet
				}
				if time.Now().After(end) {
					return false
				}
			}
		})
		return got
	}
	first := ask(0)
	first.m.Done()
	for n := range 300 {
		got := ask(n)
		if got.node != first.node || string(got.m.Data) != fmt.Sprint(n) {
			t.Fatalf("node %d took %s, want node %d and %d", got.node, got.m.Data, first.node, n)
		}
		got.m.Done()
	}
	slow := ask(300)
	if err := stops[first.node](within(t, 100*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop while a message is not done with: %v, want that the time ran out", err)
	}
	if err := slow.m.Context.Err(); err != nil {
		t.Errorf("a message of a door that is asked to stop: %v, want that it may be stored", err)
	}
	if _, err := conn.Request(subjectOf(orgA, "x"), nil, deadline); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("Request meanwhile: %v, want no responders", err)
	}
	slow.m.Done()
	if err := stops[first.node](t.Context()); err != nil {
		t.Error(err)
	}
	if got := ask(301); got.node == first.node {
		t.Error("the node that has stopped takes messages")
	} else {
		got.m.Done()
	}
}

// TestServeReplies: an answer goes to inboxes, and never to what this node may
// publish to and a producer may not.
func TestServeReplies(t *testing.T) {
	t.Parallel()
	s := natsServer(t, nil)
	f := open(t, at(s))
	took := make(chan bus.Message, 10)
	if _, err := f.Serve(func(m bus.Message) {
		defer m.Done()
		if m.Reply != nil {
			m.Reply(nil, []byte("answer"))
		}
		took <- m
	}); err != nil {
		t.Fatal(err)
	}
	p, err := dial(t, s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node has become the owner", func() bool {
		_, err := p.Request(subjectOf(orgA, "x"), nil, time.Second)
		return err == nil
	})
	<-took
	for _, reply := range []string{
		"rte.event.0." + orgA.String() + ".queuestatus." + entity(1).String(), "rte.live.0.x", "rte.control.close", "rte.in.x",
		"$JS.API.STREAM.DELETE.RTE_EVENT_0", "$KV.RTE_RIGHTS.a", "$SYS.REQ.SERVER.PING",
	} {
		if err := p.PublishRequest(subjectOf(orgA, "x"), reply, nil); err != nil {
			t.Fatal(err)
		}
		if m := next(t, took, "message"); m.Reply != nil {
			t.Errorf("a message is answered to %s", reply)
		}
	}
	for _, reply := range []string{"_INBOX.x", "my.inbox.x", "rtevents"} {
		sub, err := p.SubscribeSync(reply)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.PublishRequest(subjectOf(orgA, "x"), reply, nil); err != nil {
			t.Fatal(err)
		}
		if m, err := sub.NextMsg(deadline); err != nil || string(m.Data) != "answer" {
			t.Errorf("%s: %v", reply, err)
		}
	}
	if got := f.stream(bus.EventLane).Messages; got != 0 {
		t.Errorf("%d answers became events", got)
	}
}
