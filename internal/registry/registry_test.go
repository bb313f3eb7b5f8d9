package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"rte/internal/auth"
	"rte/internal/bus"
	"rte/internal/event"
	"rte/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Ids of the tests.
var (
	org   = event.GUID{0xa}    //nolint:gochecknoglobals // constants of the tests
	other = event.GUID{0xb}    //nolint:gochecknoglobals // constants of the tests
	anna  = event.GUID{1}      //nolint:gochecknoglobals // constants of the tests
	mikko = event.GUID{2}      //nolint:gochecknoglobals // constants of the tests
	sales = event.GUID{0xc, 1} //nolint:gochecknoglobals // constants of the tests
	help  = event.GUID{0xc, 2} //nolint:gochecknoglobals // constants of the tests
)

const secret = "a secret of the tests of more than 32 bytes"

// A site is one node's registry and what it has told.
type site struct {
	*registry.Registry
	t           testing.TB
	bus         *bus.Bus
	directory   *auth.Directory
	revocations *auth.Revocations
	verifier    *auth.Verifier
	log         *bytes.Buffer

	mu           sync.Mutex
	now          time.Time // zero: the real one
	reconsidered map[[2]event.GUID]int
	connections  int // that the next revocation ends
}

func openBus(t testing.TB, o bus.Options) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), event.NewCatalog(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

// shared are the options of buses on one server.
func shared(t testing.TB) bus.Options {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: 1 << 40, DisableJetStreamBanner: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	return bus.Options{External: bus.External{URLs: []string{s.ClientURL()}}}
}

// open opens a registry on a bus; change may be nil.
func open(t testing.TB, b *bus.Bus, change func(*registry.Options)) *site {
	t.Helper()
	s := &site{t: t, bus: b, directory: &auth.Directory{}, revocations: &auth.Revocations{}, log: &bytes.Buffer{}, reconsidered: map[[2]event.GUID]int{}}
	var err error
	s.verifier, err = auth.New(auth.Options{Users: auth.Keys{Secrets: [][]byte{[]byte(secret)}}, Directory: s.directory, Revocations: s.revocations})
	if err != nil {
		t.Fatal(err)
	}
	o := registry.Options{
		Directory: s.directory, Revocations: s.revocations, Longest: s.verifier.Longest,
		Reconsider: func(org, user event.GUID) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.reconsidered[[2]event.GUID{org, user}]++
		},
		Revoke: func(auth.Selection) int {
			s.mu.Lock()
			defer s.mu.Unlock()
			n := s.connections
			s.connections = 0
			return n
		},
		Now: func() time.Time {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.now.IsZero() {
				return time.Now()
			}
			return s.now
		},
		Logger: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	if change != nil {
		change(&o)
	}
	if s.Registry, err = registry.Open(t.Context(), event.NewCatalog(), b, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// who is whose token this is now; nil if it is refused.
func (s *site) who(change func(*auth.Claims)) *auth.Principal {
	s.t.Helper()
	c := auth.Claims{User: anna, Org: org, Queues: []event.GUID{sales}, IssuedAt: time.Now().Add(-time.Minute), Expires: time.Now().Add(time.Hour)}
	if change != nil {
		change(&c)
	}
	token, err := auth.Sign([]byte(secret), c)
	if err != nil {
		s.t.Fatal(err)
	}
	p, err := s.verifier.Verify(s.t.Context(), token)
	if err != nil {
		return nil
	}
	return p
}

func (s *site) told(org, user event.GUID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reconsidered[[2]event.GUID{org, user}]
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func ids(list ...event.GUID) *[]event.GUID {
	if list == nil {
		list = []event.GUID{}
	}
	return &list
}

// TestRights: what is set holds at once here, soon on the other node, and on
// one that starts later; parts that are not named stay; reset gives back.
func TestRights(t *testing.T) {
	t.Parallel()
	o := shared(t)
	a, b := open(t, openBus(t, o), nil), open(t, openBus(t, o), nil)
	status, _ := event.NewCatalog().Lookup("QueueStatus")
	changed, _ := event.NewCatalog().Lookup("CallbackChanged")
	begin := time.Now()
	for _, step := range []struct {
		name        string
		change      registry.Change
		sales, help bool // the queues
		list        bool // help as a list
	}{
		{"another queue", registry.Change{Queues: ids(help)}, false, true, false},
		{"a list, beside", registry.Change{Lists: ids(help)}, false, true, true},
		{"no queue", registry.Change{Queues: ids()}, false, false, true},
		{"supervisor", registry.Change{Role: new(auth.Supervisor)}, true, true, true},
		{"user", registry.Change{Role: new(auth.User)}, false, false, true},
		{"reset", registry.Change{Reset: true}, true, false, false},
	} {
		if err := a.SetRights(t.Context(), org, anna, step.change); err != nil {
			t.Fatal(err)
		}
		right := func(s *site) bool {
			p := s.who(nil)
			return p.May(status, sales) == step.sales && p.May(status, help) == step.help && p.May(changed, help) == step.list
		}
		if !right(a) {
			t.Errorf("%s: does not hold on the node that was told", step.name)
		}
		eventually(t, step.name+" on the other node", func() bool { return right(b) })
		late := open(t, openBus(t, o), nil)
		if !right(late) {
			t.Errorf("%s: does not hold on a node that starts now", step.name)
		}
		for _, s := range []*site{a, b, late} {
			if p := s.who(nil); step.sales && p.Role == auth.User {
				if since := p.Since(status, sales); since.Before(begin.Add(-time.Second)) {
					t.Errorf("%s: the right begins at %v, and was taken away in between", step.name, since)
				}
			}
			if p := s.who(func(c *auth.Claims) { c.Org = other }); !p.May(status, sales) || p.May(status, help) {
				t.Errorf("%s: counts in another organization", step.name)
			}
		}
	}
	if a.told(org, anna) != 6 || a.told(org, mikko) != 0 || a.told(other, anna) != 0 {
		t.Errorf("told of %v", a.reconsidered)
	}
	many := make([]event.GUID, registry.MaxIDs+1)
	for i := range many {
		many[i] = event.GUID{byte(i), byte(i >> 8), 1}
	}
	if err := a.SetRights(t.Context(), org, anna, registry.Change{Queues: &many}); !errors.Is(err, registry.ErrTooLarge) {
		t.Errorf("too many ids: %v", err)
	}
	many = many[:registry.MaxIDs]
	if err := a.SetRights(t.Context(), org, mikko, registry.Change{Queues: &many}); err != nil {
		t.Errorf("as many as are possible: %v", err)
	}
	if err := a.SetRights(t.Context(), org, event.GUID{7}, registry.Change{Reset: true}); err != nil || a.Stats().Rights != 2 {
		t.Errorf("a reset of nothing: %v, %+v", err, a.Stats())
	}
}

// TestConcurrentRights: two nodes change parts of one user's rights at the same
// time, and none is lost.
func TestConcurrentRights(t *testing.T) {
	t.Parallel()
	o := shared(t)
	a, b := open(t, openBus(t, o), nil), open(t, openBus(t, o), nil)
	var both sync.WaitGroup
	for i := range 10 {
		both.Go(func() {
			if err := a.SetRights(t.Context(), org, event.GUID{byte(i + 1)}, registry.Change{Queues: ids(help)}); err != nil {
				t.Error(err)
			}
		})
		both.Go(func() {
			if err := b.SetRights(t.Context(), org, event.GUID{byte(i + 1)}, registry.Change{Lists: ids(sales)}); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	for i := range 10 {
		for _, s := range []*site{a, b} {
			eventually(t, "both parts", func() bool {
				p := s.who(func(c *auth.Claims) { c.User = event.GUID{byte(i + 1)} })
				return p.Queues.Has(help) && p.Lists.Has(sales)
			})
		}
	}
}

// TestRevoke: counted over all nodes, whoever was quicker; kept as long as a
// token could be shown, and no longer.
func TestRevoke(t *testing.T) {
	t.Parallel()
	o := shared(t)
	a, b := open(t, openBus(t, o), nil), open(t, openBus(t, o), nil)
	who := auth.Selection{User: anna}
	eventually(t, "both nodes to answer", func() bool { // what is revoked again is no harm
		a.mu.Lock()
		a.connections = 2
		a.mu.Unlock()
		b.mu.Lock()
		b.connections = 3
		b.mu.Unlock()
		n, missing, err := a.Revoke(t.Context(), who, time.Now().Add(-30*time.Second))
		return err == nil && missing == 0 && n == 5
	})
	for _, s := range []*site{a, b} {
		if s.who(nil) != nil {
			t.Error("the token is good")
		}
		if s.who(func(c *auth.Claims) { c.IssuedAt = time.Now() }) == nil || s.who(func(c *auth.Claims) { c.User = mikko }) == nil {
			t.Error("another token is refused")
		}
	}
	if _, _, err := a.Revoke(t.Context(), who, time.Now().Add(-time.Hour)); err != nil || a.who(nil) != nil {
		t.Errorf("an earlier moment took the later one back: %v", err)
	}

	// A token that was shown, and ends long behind the others.
	long := time.Now().Add(90 * 24 * time.Hour)
	if a.who(func(c *auth.Claims) { c.Expires = long }) != nil {
		t.Error("a long token is good")
	}
	a.Sweep(t.Context())
	move := func(at time.Time) {
		for _, s := range []*site{a, b} {
			s.mu.Lock()
			s.now = at
			s.mu.Unlock()
			s.Sweep(t.Context())
		}
	}
	move(time.Now().Add(40 * 24 * time.Hour))
	late := open(t, openBus(t, o), nil)
	if late.who(nil) != nil || a.Stats().Revocations != 1 {
		t.Error("it was forgotten before the end of a token that was shown")
	}
	move(time.Now().Add(91 * 24 * time.Hour))
	for _, s := range []*site{a, b, late} {
		eventually(t, "the end of the revocation", func() bool { return s.Stats().Revocations == 0 && s.who(nil) != nil })
	}
}

// TestDirectory: a directory that is larger than a message is replaced as a
// whole, and leaves nothing behind.
func TestDirectory(t *testing.T) {
	t.Parallel()
	o := shared(t)
	a, b := open(t, openBus(t, o), nil), open(t, openBus(t, o), nil)
	var large []auth.Entry
	for i := range 15_000 {
		large = append(large, auth.Entry{ID: event.GUID{9, byte(i >> 8), byte(i)}, Name: strings.Repeat("n", 100)})
	}
	for _, step := range []struct {
		name    string
		entries []auth.Entry
	}{{"large", large}, {"small", large[:2]}, {"large again", large[1:]}, {"nothing", nil}} {
		if err := a.SetDirectory(t.Context(), org, auth.Queues, step.entries); err != nil {
			t.Fatal(err)
		}
		late := open(t, openBus(t, o), nil)
		for _, s := range []*site{a, late, b} {
			eventually(t, step.name, func() bool { return len(s.directory.Entries(org, auth.Queues)) == len(step.entries) })
			if len(step.entries) > 0 {
				if d := cmp.Diff(step.entries, s.directory.Entries(org, auth.Queues)); d != "" {
					t.Fatalf("%s: the directory differs", step.name)
				}
			}
			if len(s.directory.Entries(org, auth.Users)) != 0 || len(s.directory.Entries(other, auth.Queues)) != 0 {
				t.Errorf("%s: set elsewhere, too", step.name)
			}
		}
	}
	if a.told(org, event.GUID{}) != 4 {
		t.Errorf("told of %v", a.reconsidered)
	}
	left, err := bus.OpenKV[json.RawMessage](t.Context(), a.bus, "directory")
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]int{}
	stop, err := left.Watch(t.Context(), func(e bus.Entry[json.RawMessage]) {
		if !e.Deleted {
			kept[e.Key] = len(e.Value)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if len(kept) != 1 {
		t.Errorf("the store keeps %v, want the head alone", kept)
	}
	// A page whose writer has gone is forgotten after a while.
	if err := left.Put(t.Context(), org.String()+".queues.0-X.0", json.RawMessage(`{"entries":[]}`)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the lost page to go", func() bool {
		a.Sweep(t.Context())
		_, ok, err := left.Get(t.Context(), org.String()+".queues.0-X.0")
		return err == nil && !ok
	})
}

// TestLists: a list is replaced as a whole, in one organization.
func TestLists(t *testing.T) {
	t.Parallel()
	o := shared(t)
	a, b := open(t, openBus(t, o), nil), open(t, openBus(t, o), nil)
	for _, want := range []registry.CallList{
		{Name: "Callbacks", AutoAllocate: true, Agents: []event.GUID{anna, mikko}}, {Agents: []event.GUID{anna}}, {Agents: []event.GUID{}},
	} {
		if err := a.SetList(t.Context(), org, sales, want); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*site{a, b, open(t, openBus(t, o), nil)} {
			eventually(t, "the list", func() bool {
				got, ok := s.List(org, sales)
				return ok && cmp.Equal(want, got)
			})
			if _, ok := s.List(other, sales); ok {
				t.Error("another organization has it, too")
			}
		}
	}
	if err := a.SetList(t.Context(), org, sales, registry.CallList{Agents: make([]event.GUID, registry.MaxAgents+1)}); !errors.Is(err, registry.ErrTooLarge) {
		t.Errorf("too many agents: %v", err)
	}
}

// TestWatchLists: a watch has what there is at once, then every change at any
// node, in order, and nothing once it is stopped.
func TestWatchLists(t *testing.T) {
	t.Parallel()
	o := shared(t)
	a, b := open(t, openBus(t, o), nil), open(t, openBus(t, o), nil)
	set := func(s *site, list event.GUID, agents ...event.GUID) {
		t.Helper()
		if err := s.SetList(t.Context(), org, list, registry.CallList{Agents: agents}); err != nil {
			t.Fatal(err)
		}
	}
	set(a, sales, anna)
	eventually(t, "the list", func() bool { _, ok := b.List(org, sales); return ok })
	var mu sync.Mutex
	var got []string
	stop := b.WatchLists(func(c registry.ListChange) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, fmt.Sprint(c.Organization == org, c.ID == sales, len(c.Agents), c.Gone))
	})
	told := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(got)
	}
	if told() != 1 {
		t.Errorf("%d lists at the beginning, want 1", told())
	}
	set(a, sales, anna, mikko)
	set(a, help)
	eventually(t, "both changes", func() bool { return told() == 3 })
	stop()
	set(b, sales)
	if d := cmp.Diff([]string{"true true 1 false", "true true 2 false", "true false 0 false"}, got); d != "" {
		t.Errorf("lists (-want +got):\n%s", d)
	}
}

// attached publishes who is attached to a queue.
func (s *site) attached(org, queue event.GUID, data string) {
	s.t.Helper()
	typ, _ := event.NewCatalog().Lookup("QueueAttachedUsers")
	e := &event.Event{Topic: event.Topic{Org: org, Pair: event.Pair{Kind: typ.Kind, Entity: queue}}, Data: []byte(data), Time: time.Now()}
	if err := errors.Join(s.bus.Publish(s.t.Context(), []*event.Event{e})...); err != nil {
		s.t.Fatal(err)
	}
}

func users(list ...event.GUID) string {
	var texts []string
	for _, u := range list {
		texts = append(texts, fmt.Sprintf(`{"userId":%q,"active":false,"priority":1}`, u))
	}
	return `{"attachedUsers":[` + strings.Join(texts, ",") + `]}`
}

// TestMembership: who is attached to a queue may hear it, from the moment it
// came; who has left may not, whatever older tokens say, until a newer one says
// so; rights that were set stand above; all on every node and over restarts.
func TestMembership(t *testing.T) {
	t.Parallel()
	o := shared(t)
	learning := func(o *registry.Options) { o.Membership = true }
	status, _ := event.NewCatalog().Lookup("QueueStatus")
	first := openBus(t, o)
	off := open(t, first, nil)
	off.attached(org, help, users(anna))
	a, b := open(t, openBus(t, o), learning), open(t, openBus(t, o), learning)
	holds := func(name string, change func(*auth.Claims), queue event.GUID, want bool) {
		t.Helper()
		for _, s := range []*site{a, b, open(t, openBus(t, o), learning)} {
			eventually(t, name, func() bool { return s.who(change).May(status, queue) == want })
		}
	}
	holds("a queue that was attached before the nodes came", nil, help, true)
	if since := a.who(nil).Since(status, help); since.IsZero() || since.After(time.Now()) {
		t.Errorf("the membership begins at %v", since)
	}
	holds("the token's own queue, of which nothing is known", nil, sales, true)
	if !a.who(nil).Since(status, sales).IsZero() {
		t.Error("the token's own queue has a beginning")
	}
	mikkos := func(c *auth.Claims) { c.User = mikko }
	holds("somebody else", mikkos, help, false)
	elsewhere := func(c *auth.Claims) { c.Org = other }
	holds("another organization", elsewhere, help, false)

	a.attached(org, sales, users(anna, mikko))
	holds("attached to the token's queue", mikkos, sales, true)
	a.attached(org, sales, users(mikko))
	holds("left", nil, sales, false)
	holds("stayed", mikkos, sales, true)
	newer := func(c *auth.Claims) { c.IssuedAt = time.Now().Add(2 * time.Second) }
	holds("a newer token", newer, sales, true)
	holds("an older token without its time", func(c *auth.Claims) { c.IssuedAt = time.Time{} }, sales, false)
	a.attached(org, sales, `{"queueId":"`+sales.String()+`"}`) // does not say who
	a.attached(org, sales, users(mikko, anna))
	holds("came back", nil, sales, true)
	if since := a.who(nil).Since(status, sales); since.IsZero() {
		t.Error("who came back has always been there")
	}
	a.attached(org, sales, `{"attachedUsers":null}`)
	holds("nobody", mikkos, sales, false)
	if err := b.SetRights(t.Context(), org, anna, registry.Change{Queues: ids(sales)}); err != nil {
		t.Fatal(err)
	}
	holds("set by the platform", nil, sales, true)
	holds("not set by the platform", nil, help, false)
	if p := off.who(nil); p.May(status, help) {
		t.Error("a node that does not learn has learnt")
	}
	if a.told(org, anna) == 0 || a.told(org, mikko) == 0 || a.told(other, anna) != 0 {
		t.Errorf("told of %v", a.reconsidered)
	}
}

// TestStrangeKeys: what others put there is left out and does no harm.
func TestStrangeKeys(t *testing.T) {
	t.Parallel()
	b := openBus(t, bus.Options{})
	for _, name := range []string{"rights", "directory", "lists", "members"} {
		kv, err := bus.OpenKV[json.RawMessage](t.Context(), b, name)
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range map[string]string{"x": `{}`, "x.y": `{}`, org.String() + ".queues": `{"head":{"generation":"g","pages":3}}`, org.String() + ".cats": `{}`, org.String() + "." + sales.String(): `7`} {
			if err := kv.Put(t.Context(), key, json.RawMessage(value)); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := open(t, b, func(o *registry.Options) { o.Membership = true })
	if got := s.Stats(); got != (registry.Stats{}) {
		t.Errorf("took %+v", got)
	}
	s.Sweep(t.Context())
	if text := s.log.String(); strings.Count(text, "none of ours") != 15 || !strings.Contains(text, "page 1 of 3 is missing") {
		t.Errorf("the log says %s", text)
	}
}
