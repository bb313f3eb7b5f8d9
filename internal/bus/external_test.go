package bus_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rte/internal/bus"
	"rte/internal/event"
)

// TestExternalShared: what one node publishes, another hears once and in
// order, and both know its id.
func TestExternalShared(t *testing.T) {
	t.Parallel()
	s := natsServer(t, nil)
	a, b := open(t, at(s)), open(t, at(s))
	liveA, liveB := a.watch(orgA), b.watch(orgA)
	const pairs, perPair = 5, 40
	var wg sync.WaitGroup
	for p := range pairs {
		wg.Go(func() {
			for n := range perPair {
				e := a.event(a.topic(orgA, "QueueCallInArrived", p), n)
				e.ID = fmt.Sprintf("%d/%d", p, n)
				if errs := a.Publish(t.Context(), []*event.Event{e}); errs != nil {
					t.Error(errs)
				}
			}
		})
	}
	wg.Wait()
	for name, live := range map[string]<-chan *event.Event{"a": liveA, "b": liveB} {
		seen := map[string]int{}
		for range pairs * perPair {
			e := next(t, live, "live event")
			p, n, _ := strings.Cut(e.ID, "/")
			if n != fmt.Sprint(seen[p]) {
				t.Fatalf("node %s, pair %s: heard %s, want %d", name, p, n, seen[p])
			}
			seen[p]++
		}
		if len(live) != 0 {
			t.Errorf("node %s heard %d more", name, len(live))
		}
	}

	// The id of an event that one node stored is known to the other.
	first, again := a.event(a.topic(orgA, "UserStatus", 1), 1), b.event(b.topic(orgA, "UserStatus", 1), 2)
	first.ID, again.ID = "same", "same"
	a.publish(first)
	b.publish(again)
	if first.Cursor != again.Cursor || b.Stats().Duplicates != 1 {
		t.Errorf("the same id: %s on one node, %s on the other, %d duplicates", first.Cursor, again.Cursor, b.Stats().Duplicates)
	}
	if d := diff(a.last(first.Topic), b.last(first.Topic)); d != "" {
		t.Errorf("Last differs from node to node:\n%s", d)
	}
}

// TestExternalOpenTogether: nodes that start at once agree on the streams.
func TestExternalOpenTogether(t *testing.T) {
	t.Parallel()
	for _, servers := range []int{1, 3} {
		t.Run(fmt.Sprint("servers=", servers), func(t *testing.T) {
			t.Parallel()
			list := []*server.Server{nil}
			if servers > 1 {
				list = natsCluster(t, servers)
			} else {
				list[0] = natsServer(t, nil)
			}
			openTogether(t, bus.External{URLs: urls(list)})
		})
	}
}

func openTogether(t *testing.T, x bus.External) {
	t.Helper()
	const nodes = 8
	var wg sync.WaitGroup
	buses := make([]*fixture, nodes)
	for i := range buses {
		wg.Go(func() {
			o := bus.Options{External: x}
			o.Retention = time.Duration(10+i%2) * time.Minute // two settings
			b, err := bus.Open(t.Context(), event.NewCatalog(), o)
			if err != nil {
				t.Errorf("node %d: %v", i, err)
				return
			}
			buses[i] = &fixture{Bus: b, t: t, cat: event.NewCatalog()}
		})
	}
	wg.Wait()
	live := make([]<-chan *event.Event, nodes)
	for i, f := range buses {
		if f == nil {
			t.FailNow()
		}
		t.Cleanup(f.close)
		live[i] = f.watch(orgA)
	}
	e := buses[0].event(buses[0].topic(orgA, "UserStatus", 1), 1)
	buses[0].publish(e)
	for i, ch := range live {
		if got := next(t, ch, "event"); got.Cursor != e.Cursor {
			t.Errorf("node %d heard %s, want %s", i, got.Cursor, e.Cursor)
		}
	}
}

// TestExternalKeepsWhatIsSet: settings of ours change with the node's, what an
// operator has set besides stays, and nothing is lost.
func TestExternalKeepsWhatIsSet(t *testing.T) {
	t.Parallel()
	s := natsServer(t, nil)
	first := open(t, at(s))
	e := first.event(first.topic(orgA, "QueueCallInArrived", 1), 1)
	first.publish(e)
	js, err := jetstream.New(first.Conn())
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "RTE_EVENT_0")
	if err != nil {
		t.Fatal(err)
	}
	c := stream.CachedInfo().Config
	c.Description = "do not touch"
	c.Metadata["owner"] = "operations"
	if _, err := js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	o := at(s)
	o.Retention, o.RetentionBytes = time.Hour, 1<<20
	second := open(t, o)
	if stream, err = js.Stream(t.Context(), "RTE_EVENT_0"); err != nil {
		t.Fatal(err)
	}
	c = stream.CachedInfo().Config
	if c.MaxAge != time.Hour || c.MaxBytes != 1<<20 || c.Description != "do not touch" || c.Metadata["owner"] != "operations" {
		t.Errorf("stream has age %v, bytes %d, description %q, metadata %v", c.MaxAge, c.MaxBytes, c.Description, c.Metadata)
	}
	if got := second.last(e.Topic); got == nil || got.Cursor != e.Cursor {
		t.Errorf("the second node finds %+v, want %s", got, e.Cursor)
	}
}

// TestExternalComesLate: a node that starts before its servers waits for them.
func TestExternalComesLate(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	o, book := logged(bus.Options{External: bus.External{URLs: []string{l.Addr().String()}}})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	done := make(chan *bus.Bus, 1)
	go func() {
		b, err := bus.Open(t.Context(), event.NewCatalog(), o)
		if err != nil {
			t.Error(err)
		}
		done <- b
	}()
	eventually(t, "the node says that it waits", func() bool { return len(book.lines("level=WARN", "do not answer yet")) > 0 })
	natsServer(t, func(o *server.Options) { o.Port = port })
	b := next(t, done, "Open")
	if b == nil {
		t.FailNow()
	}
	f := &fixture{Bus: b, t: t, cat: event.NewCatalog()}
	defer f.close()
	f.publish(f.event(f.topic(orgA, "UserStatus", 1), 1))
	if n := len(book.lines("do not answer yet")); n != 1 {
		t.Errorf("%d lines of waiting, want 1", n)
	}
}

// TestExternalErrors: each mistake is named, and no password with it.
func TestExternalErrors(t *testing.T) {
	t.Parallel()
	const password = "geheim:&/@x"
	plain := natsServer(t, func(o *server.Options) { o.JetStream = false })
	locked := natsServer(t, func(o *server.Options) { o.Username, o.Password = "rte", password })
	good := natsServer(t, nil)
	for _, row := range []struct {
		name string
		x    bus.External
		want []string
	}{
		{"nobody there", bus.External{URLs: []string{"nats://rte:geheim@127.0.0.1:1", "nats://rte:geheim@127.0.0.1:2"}}, []string{"127.0.0.1:1, 127.0.0.1:2", "no servers available"}},
		{"no JetStream", bus.External{URLs: []string{plain.ClientURL()}}, []string{"start the servers with JetStream"}},
		{"no user", bus.External{URLs: []string{locked.ClientURL()}}, []string{"Authorization Violation", "give RTE a user"}},
		{"wrong password", bus.External{URLs: []string{"nats://rte:geheim@" + locked.Addr().String()}}, []string{"Authorization Violation"}},
		{"bad address", bus.External{URLs: []string{good.ClientURL(), "nats://rte:" + password + "@127.0.0.1:4222"}}, []string{"address 2", "nats://host:port"}},
		{"no host", bus.External{URLs: []string{"nats://"}}, []string{"address 1"}},
		{"another scheme", bus.External{URLs: []string{"https://geheim@127.0.0.1"}}, []string{"address 1"}},
		{"no credentials", bus.External{URLs: []string{good.ClientURL()}, Credentials: "/no/such/file"}, []string{"credentials", "/no/such/file"}},
		{"no certificates", bus.External{URLs: []string{good.ClientURL()}, CA: "external_test.go"}, []string{"external_test.go holds no certificate"}},
		{"replicas", bus.External{URLs: []string{good.ClientURL()}, Replicas: 3}, []string{"ask for fewer replicas"}},
		{"too many replicas", bus.External{URLs: []string{good.ClientURL()}, Replicas: 7}, []string{"1 to 5"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			o, book := logged(bus.WithOpenWait(bus.Options{External: row.x}, time.Second))
			text := openError(t, o)
			for _, want := range row.want {
				if !strings.Contains(text, want) {
					t.Errorf("error %q, want one with %q", text, want)
				}
			}
			if strings.Contains(text, "geheim") || len(book.lines("geheim")) > 0 {
				t.Errorf("a password shows in %q or in the log:\n%s", text, book.lines())
			}
		})
	}
}

// TestExternalForeignStream: a stream that is not ours is left alone.
func TestExternalForeignStream(t *testing.T) {
	t.Parallel()
	ours := func(change func(*jetstream.StreamConfig)) jetstream.StreamConfig {
		c := jetstream.StreamConfig{Name: "RTE_EVENT_0", Subjects: []string{"rte.event.0.>"}, MaxMsgs: 77}
		change(&c)
		return c
	}
	for _, row := range []struct {
		name   string
		config jetstream.StreamConfig
		want   string
	}{
		{"subjects", ours(func(c *jetstream.StreamConfig) { c.Subjects = []string{"orders.>"} }), `subjects ["orders.>"]`},
		{"storage", ours(func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }), "Memory storage"},
		{"rules", ours(func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy }), "other rules"},
		{"format", ours(func(c *jetstream.StreamConfig) { c.Metadata = map[string]string{"rte.format": "2"} }), "format 2"},
		{"overlap", ours(func(c *jetstream.StreamConfig) { c.Name = "ALL"; c.Subjects = []string{"rte.>"} }), "overlap"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := natsServer(t, nil)
			conn, err := nats.Connect(s.ClientURL())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			js, err := jetstream.New(conn)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := js.CreateStream(t.Context(), row.config); err != nil {
				t.Fatal(err)
			}
			if text := openError(t, at(s)); !strings.Contains(text, row.want) {
				t.Errorf("error %q, want one with %q", text, row.want)
			}
			stream, err := js.Stream(t.Context(), row.config.Name)
			if err != nil || stream.CachedInfo().Config.MaxMsgs != 77 {
				t.Errorf("the stream was changed: %v", err)
			}
		})
	}
}

// ownRights is what RTE's user needs on an external server, by
// docs/operations.md.
func ownRights(t *testing.T) (publish, subscribe []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?s)must be allowed to publish to (.+?), and to subscribe to (.+?)\. `).FindStringSubmatch(string(page))
	if m == nil {
		t.Fatal("docs/operations.md does not say what rights RTE's user needs")
	}
	for i, list := range []*[]string{&publish, &subscribe} {
		for _, s := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[i+1], -1) {
			*list = append(*list, s[1])
		}
	}
	if len(publish) != 5 || len(subscribe) != 4 {
		t.Fatalf("docs/operations.md names the rights %q and %q", publish, subscribe)
	}
	return publish, subscribe
}

func userWith(publish, subscribe []string) func(*server.Options) {
	return func(o *server.Options) {
		o.Users = []*server.User{{Username: "rte", Password: "x", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: publish}, Subscribe: &server.SubjectPermission{Allow: subscribe},
		}}}
	}
}

// TestExternalRights: the documented rights are enough, and one that is
// missing is named at the start.
func TestExternalRights(t *testing.T) {
	t.Parallel()
	publish, subscribe := ownRights(t)
	without := func(list []string, one string, instead ...string) []string {
		var rest []string
		for _, s := range list {
			if s != one {
				rest = append(rest, s)
			}
		}
		return append(rest, instead...)
	}
	withUser := func(s *server.Server) bus.Options {
		return bus.Options{External: bus.External{URLs: []string{"nats://rte:x@" + s.Addr().String()}}}
	}
	t.Run("enough", func(t *testing.T) {
		t.Parallel()
		s := natsServer(t, userWith(publish, subscribe))
		f := open(t, withUser(s))
		live := f.watch(orgA)
		e := f.event(f.topic(orgA, "UserStatus", 1), 1)
		f.publish(e)
		if got := next(t, live, "event"); got.Cursor != e.Cursor || f.last(e.Topic) == nil {
			t.Errorf("heard %s, want %s", got.Cursor, e.Cursor)
		}
		kv, err := bus.OpenKV[int](t.Context(), f.Bus, "test")
		if err != nil {
			t.Fatal(err)
		}
		stop, err := kv.Watch(t.Context(), func(bus.Entry[int]) {})
		if err != nil {
			t.Fatal(err)
		}
		stop()
		for n := range 3000 { // enough for flow control
			if err := kv.Put(t.Context(), fmt.Sprint(n), n); err != nil {
				t.Fatal(err)
			}
		}
		seen := 0
		if stop, err = kv.Watch(t.Context(), func(bus.Entry[int]) { seen++ }); err != nil {
			t.Fatal(err)
		}
		stop()
		if seen != 3000 {
			t.Errorf("%d values when Watch returned, want 3000", seen)
		}
	})
	for _, row := range []struct {
		name               string
		publish, subscribe []string
		want               string
	}{
		{"API", without(publish, "$JS.API.>"), subscribe, "Publish to"},
		{"stream", without(publish, "rte.>", "rte.state.>", "rte.control.>"), subscribe, `Publish to "rte.event.0.probe"`},
		{"control, sending", without(publish, "rte.>", "rte.state.>", "rte.event.>"), subscribe, `Publish to "rte.control.probe"`},
		{"live lane", publish, without(subscribe, "rte.live.>"), `Subscription to "rte.live`},
		{"control, hearing", publish, without(subscribe, "rte.control.>"), `Subscription to "rte.control`},
		{"door", publish, without(subscribe, "rte.in.>"), `Subscription to "rte.in`},
		{"answers", publish, without(subscribe, "_INBOX.>"), `Subscription to "_INBOX`},
		{"last values", without(publish, "$JS.API.>", "$JS.API.STREAM.>"), subscribe, `Publish to "$JS.API.DIRECT.GET`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := natsServer(t, userWith(row.publish, row.subscribe))
			if text := openError(t, withUser(s)); !strings.Contains(text, row.want) || !strings.Contains(text, "docs/operations.md") {
				t.Errorf("error %q, want one with %q", text, row.want)
			}
		})
	}
}

// TestExternalAway: a server is killed while nodes publish, and comes back.
// Nothing acknowledged is lost, each pair is in order, readiness says it.
func TestExternalAway(t *testing.T) {
	t.Parallel()
	p := newNatsProcess(t)
	o, book := logged(p.options())
	f := open(t, o)
	f.SetPublishing(0, 300*time.Millisecond, 0)
	live := f.watch(orgA)
	const pairs = 4
	stop := make(chan struct{})
	stored := make([][]*event.Event, pairs)
	var wg sync.WaitGroup
	var mu sync.Mutex
	count := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range stored {
			n += len(s)
		}
		return n
	}
	for pair := range pairs {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				e := f.event(f.topic(orgA, "QueueCallInArrived", pair), n)
				e.ID = fmt.Sprintf("%d/%d", pair, n)
				for errs := f.Publish(t.Context(), []*event.Event{e}); errs != nil; errs = f.Publish(t.Context(), []*event.Event{e}) {
					if !errors.Is(errs[0], event.ErrUnavailable) {
						t.Errorf("Publish: %v", errs[0])
						return
					}
				}
				mu.Lock()
				stored[pair] = append(stored[pair], e)
				mu.Unlock()
			}
		})
	}
	for range 3 {
		before := count()
		eventually(t, "events are stored", func() bool { return count() > before+100 })
		if err := f.Ready(); err != nil {
			t.Errorf("Ready while all is well: %v", err)
		}
		p.kill()
		eventually(t, "the node is not ready", func() bool { return f.Ready() != nil })
		p.start()
		eventually(t, "the node is ready", func() bool { return f.Ready() == nil })
	}
	before := count()
	eventually(t, "events are stored", func() bool { return count() > before+100 })
	close(stop)
	wg.Wait()

	other := open(t, p.options())
	for pair, events := range stored {
		last := uint64(0)
		for n, e := range events {
			c, err := bus.ParseCursor(e.Cursor)
			if err != nil {
				t.Fatal(err)
			}
			if c.Sequence <= last {
				t.Fatalf("pair %d: event %d has sequence %d after %d", pair, n, c.Sequence, last)
			}
			last = c.Sequence
			if got := other.at(e); got != string(e.Data) {
				t.Fatalf("pair %d: acknowledged event %d is %q in the store, want %q", pair, n, got, e.Data)
			}
		}
	}
	if got, want := other.stream(bus.EventLane).Messages, uint64(count()); got != want {
		t.Errorf("%d messages in the store, %d acknowledged with ids", got, want)
	}
	if f.Stats().Reconnects < 3 || len(book.lines("reason=disconnected")) < 3 {
		t.Errorf("%d reconnects, %d lines about it; want 3", f.Stats().Reconnects, len(book.lines("reason=disconnected")))
	}
	t.Logf("%d events over three kills, %d heard live", count(), len(live))
}

// at is the body of a stored event's message, asked for by its place.
func (f *fixture) at(e *event.Event) string {
	f.t.Helper()
	c, err := bus.ParseCursor(e.Cursor)
	if err != nil {
		f.t.Fatal(err)
	}
	m, err := f.Conn().Request("$JS.API.DIRECT.GET.RTE_EVENT_0", fmt.Appendf(nil, `{"seq":%d}`, c.Sequence), deadline)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(m.Data)
}

// TestExternalAwayLong: calls wait for the store for a while; then others are
// refused at once until it is back.
func TestExternalAwayLong(t *testing.T) {
	t.Parallel()
	p := newNatsProcess(t)
	f := open(t, p.options())
	f.SetPublishing(0, 0, 300*time.Millisecond)
	p.kill()
	eventually(t, "the node is not ready", func() bool { return f.Ready() != nil })
	e := f.event(f.topic(orgA, "UserStatus", 1), 1)
	refused := func(limit time.Duration) {
		t.Helper()
		started := time.Now()
		errs := f.Publish(t.Context(), []*event.Event{e})
		if took := time.Since(started); len(errs) != 1 || !errors.Is(errs[0], event.ErrUnavailable) || took > limit {
			t.Errorf("Publish = %v after %v, want unavailable within %v", errs, took, limit)
		}
	}
	refused(10 * time.Second)
	refused(200 * time.Millisecond)
	if s := f.Stats(); s.Connected || s.Unavailable != 2 {
		t.Errorf("connected %v, %d unavailable; want false and 2", s.Connected, s.Unavailable)
	}
	p.start()
	eventually(t, "the node is ready", func() bool { return f.Ready() == nil })
	f.publish(e)
}
