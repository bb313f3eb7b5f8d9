package tail_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"rte/internal/bus"
	"rte/internal/event"
	"rte/internal/tail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var orgA, orgB = event.GUID{0xa}, event.GUID{0xb} //nolint:gochecknoglobals // constants of the tests

const soon = 20 * time.Second

// A site is a handler on a real store and a real socket.
type site struct {
	t       testing.TB
	cat     *event.Catalog
	bus     *bus.Bus
	handler *tail.Handler
	server  *httptest.Server

	mu    sync.Mutex
	until time.Time // of the readers who come next
}

func newSite(t testing.TB, store bus.Options, o tail.Options) *site {
	t.Helper()
	s := &site{t: t, cat: event.NewCatalog()}
	var err error
	if s.bus, err = bus.Open(t.Context(), s.cat, store); err != nil {
		t.Fatal(err)
	}
	o.Line = func(dst []byte, e *event.Event, cursor string) []byte {
		return fmt.Appendf(dst, `{"subscription":{"entityId":%q,"eventName":%q},"data":%s,"cursor":%q}`, e.Entity, s.cat.Type(e.Kind).Key, e.Data, cursor)
	}
	s.handler = tail.New(s.cat, s.bus, o)
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		who := tail.Reader{Org: orgA, Until: s.until}
		s.mu.Unlock()
		s.handler.Serve(w, r, who)
	}))
	t.Cleanup(func() {
		s.handler.Close()
		s.server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		if err := s.bus.Close(ctx); err != nil {
			t.Error(err)
		}
		if n := s.handler.Stats().Streams; n != 0 {
			t.Errorf("%d streams are open", n)
		}
	})
	return s
}

// publish stores an event of a pair, which says n.
func (s *site) publish(org event.GUID, name string, entity byte, n int) {
	s.t.Helper()
	typ, ok := s.cat.Lookup(name)
	if !ok {
		s.t.Fatalf("no event %s", name)
	}
	e := &event.Event{Topic: event.Topic{Org: org, Pair: event.Pair{Kind: typ.Kind, Entity: event.GUID{entity}}}, Data: fmt.Appendf(nil, `{"n":%d}`, n)}
	if errs := s.bus.Publish(context.Background(), []*event.Event{e}); errs != nil && errs[0] != nil {
		s.t.Fatal(errs[0])
	}
}

// A line is one of a stream, of whatever kind.
type line struct {
	Subscription struct{ EntityID, EventName string }
	Data         struct{ N int }
	Cursor       string
	Time         string
	Error        string
	Reason       string
}

func (l line) String() string {
	switch {
	case l.Error != "":
		return "the end: " + l.Reason
	case l.Subscription.EventName == "":
		return "a heartbeat"
	}
	return fmt.Sprintf("%s of %s: %d", l.Subscription.EventName, l.Subscription.EntityID[:2], l.Data.N)
}

// A reader is a back-end program.
type reader struct {
	t     testing.TB
	close func()
	lines *bufio.Scanner
}

func (s *site) read(query string) *reader {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	s.t.Cleanup(cancel)
	resp := s.get(ctx, query)
	s.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/x-ndjson" {
		text, _ := io.ReadAll(resp.Body)
		s.t.Fatalf("%s: %s, %s, %s", query, resp.Status, resp.Header.Get("Content-Type"), text)
	}
	return &reader{s.t, func() { cancel(); resp.Body.Close() }, bufio.NewScanner(resp.Body)}
}

func (s *site) get(ctx context.Context, query string) *http.Response {
	s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.server.URL+query, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.server.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp
}

// next is the next line; io.EOF is the end of the answer.
func (r *reader) next() (line, error) {
	r.t.Helper()
	if !r.lines.Scan() {
		if r.lines.Err() == nil {
			return line{}, io.EOF
		}
		return line{}, r.lines.Err()
	}
	var l line
	if err := json.Unmarshal(r.lines.Bytes(), &l); err != nil {
		r.t.Fatalf("a line of %d bytes: %v", len(r.lines.Bytes()), err)
	}
	return l, nil
}

// expect reads lines and returns the last one.
func (r *reader) expect(want ...string) (l line) {
	r.t.Helper()
	for _, w := range want {
		var err error
		if l, err = r.next(); err != nil || l.String() != w {
			r.t.Fatalf("read %q, %v, want %q", l, err, w)
		}
	}
	return l
}

func after(l line) string { return "?after=" + url.QueryEscape(l.Cursor) }

// What is stored from now on, in order, and nobody else's; what a cursor says;
// what is kept.
func TestStream(t *testing.T) {
	t.Parallel()
	s := newSite(t, bus.Options{}, tail.Options{})
	s.publish(orgA, "QueueCallInArrived", 1, 0)
	s.publish(orgA, "UserStatus", 1, 0)
	r := s.read("")
	s.publish(orgB, "QueueCallInArrived", 1, 99)
	s.publish(orgA, "QueueCallInArrived", 1, 1)
	one := r.expect("queuecallinarrived of 01: 1")
	s.publish(orgA, "UserStatus", 1, 1)
	r.expect("userstatus of 01: 1")
	s.publish(orgA, "QueueCallInArrived", 2, 2)
	three := r.expect("queuecallinarrived of 02: 2")
	s.read(after(one)).expect("userstatus of 01: 1", "queuecallinarrived of 02: 2")
	s.read("?after=").expect("userstatus of 01: 1", "queuecallinarrived of 01: 0", "queuecallinarrived of 01: 1", "queuecallinarrived of 02: 2")
	some := s.read("?after=&events=userStatus,%20queueStatus&events=CallbackChanged")
	some.expect("userstatus of 01: 1")
	again := s.read(after(three))
	s.publish(orgA, "QueueCallInArrived", 1, 3)
	again.expect("queuecallinarrived of 01: 3")
	s.publish(orgA, "QueueStatus", 1, 7)
	some.expect("queuestatus of 01: 7")
}

// A reader that comes and goes at any moment misses nothing and gets nothing
// twice, as long as it remembers the last cursor.
func TestStreamIsResumedExactly(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	s := newSite(t, bus.Options{}, tail.Options{Heartbeat: 20 * time.Millisecond})
	const pairs, each = 6, 200
	var all sync.WaitGroup
	begin := s.read("")
	first, err := begin.next() // a heartbeat has the cursor before anything came
	if err != nil {
		t.Fatal(err)
	}
	begin.close()
	for pair := range pairs {
		all.Go(func() {
			for n := range each {
				s.publish(orgA, "QueueCallInArrived", byte(pair), n)
				s.publish(orgA, "UserStatus", byte(pair), n)
			}
		})
	}
	next := map[string]int{}
	states := map[string]int{}
	visits, last := 0, first
	for done := 0; done < pairs; visits++ {
		r := s.read(after(last))
		for range 1 + rng.IntN(150) {
			l, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			last = l
			id := l.Subscription.EntityID
			switch l.Subscription.EventName {
			case "queuecallinarrived":
				if l.Data.N != next[id] {
					t.Fatalf("visit %d: %s, want %d", visits, l, next[id])
				}
				if next[id]++; next[id] == each {
					done++
				}
			case "userstatus":
				if old, had := states[id]; had && old >= l.Data.N {
					t.Fatalf("visit %d: %s behind %d", visits, l, old)
				}
				states[id] = l.Data.N
			}
			if done == pairs {
				break
			}
		}
		r.close()
	}
	all.Wait()
	for r := s.read(after(last)); ; { // what is left are states
		l, err := r.next()
		if err != nil {
			t.Fatal(err)
		}
		if l.Subscription.EventName == "" {
			break
		}
		if l.Subscription.EventName != "userstatus" || states[l.Subscription.EntityID] >= l.Data.N {
			t.Fatalf("at the end: %s", l)
		}
		states[l.Subscription.EntityID] = l.Data.N
	}
	want := map[string]int{}
	for pair := range pairs {
		want[event.GUID{byte(pair)}.String()] = each - 1
	}
	if diff := cmp.Diff(want, states); diff != "" {
		t.Errorf("states at the end (-want +got):\n%s", diff)
	}
	if visits < 5 {
		t.Errorf("%d visits show nothing", visits)
	}
}

// Silence is broken; what is silent may be gone on with.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	s := newSite(t, bus.Options{}, tail.Options{Heartbeat: 50 * time.Millisecond})
	r := s.read("?events=UserStatus")
	beat := r.expect("a heartbeat", "a heartbeat")
	if beat.Cursor == "" || beat.Time == "" {
		t.Errorf("a heartbeat is %+v", beat)
	}
	for n := range 20 {
		s.publish(orgA, "QueueCallInArrived", 1, n) // not wanted
	}
	for moved := false; !moved; {
		l := r.expect("a heartbeat")
		moved = l.Cursor != beat.Cursor
		beat = l
	}
	s.publish(orgA, "UserStatus", 1, 1)
	for l := beat; l.Subscription.EventName == ""; {
		var err error
		if l, err = r.next(); err != nil {
			t.Fatal(err)
		}
	}
}

// How a stream ends when this side wants it.
func TestEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t, bus.Options{RetentionBytes: 64 << 10}, tail.Options{})
	s.publish(orgA, "QueueCallInArrived", 1, 0)
	r := s.read("?after=")
	one := r.expect("queuecallinarrived of 01: 0")
	s.mu.Lock()
	s.until = time.Now().Add(-time.Second)
	s.mu.Unlock()
	s.publish(orgA, "QueueCallInArrived", 1, 1)
	end := s.read(after(one)).expect("queuecallinarrived of 01: 1", "the end: expired")
	s.mu.Lock()
	s.until = time.Time{}
	s.mu.Unlock()
	s.read(after(end)).close()
	s.handler.Close()
	last := r.expect("queuecallinarrived of 01: 1", "the end: draining")
	if last.Cursor != end.Cursor {
		t.Errorf("the end is at %s, want %s", last.Cursor, end.Cursor)
	}
	if l, err := r.next(); !errors.Is(err, io.EOF) {
		t.Errorf("behind the end: %v, %v", l, err)
	}
	resp := s.get(t.Context(), "")
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "2" {
		t.Errorf("behind Close: %s", resp.Status)
	}
}

// large stores an event that says n, of some 20 KB.
func (s *site) large(n int) {
	s.t.Helper()
	typ, _ := s.cat.Lookup("QueueCallInArrived")
	e := &event.Event{Topic: event.Topic{Org: orgA, Pair: event.Pair{Kind: typ.Kind, Entity: event.GUID{1}}}, Data: fmt.Appendf(nil, `{"n":%d,"x":%q}`, n, strings.Repeat("x", 20_000))}
	if errs := s.bus.Publish(s.t.Context(), []*event.Event{e}); errs != nil && errs[0] != nil {
		s.t.Fatal(errs[0])
	}
}

// idle connects a reader that reads no more than the first line of the answer.
func (s *site) idle() io.Reader {
	s.t.Helper()
	c, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", s.server.Listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	var status [17]byte // "HTTP/1.1 200 OK\r\n"
	if _, err := io.ReadFull(c, status[:]); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// One that is so slow that the store forgets what comes next is told where it
// is, and that it has missed something.
func TestReaderIsLeftBehind(t *testing.T) {
	t.Parallel()
	s := newSite(t, bus.Options{RetentionBytes: 1 << 20}, tail.Options{Patience: time.Minute})
	slow := s.idle()
	for n := range 1500 { // more than the system's buffers take, and the store keeps
		s.large(n)
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader("HTTP/1.1 200 OK\r\n"), slow)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	r := &reader{t: t, lines: bufio.NewScanner(resp.Body)}
	for n := 0; ; n++ {
		l, err := r.next()
		if err != nil {
			t.Fatalf("line %d: %v, %+v", n, err, s.handler.Stats())
		}
		if l.Reason == "gone" && l.Cursor != "" && n > 0 && n < 1500 {
			break
		}
		if l.Data.N != n || l.Subscription.EventName == "" {
			t.Fatalf("line %d: %s", n, l)
		}
	}
	if l, err := r.next(); !errors.Is(err, io.EOF) {
		t.Errorf("behind the end: %v, %v", l, err)
	}
}

// A reader that takes nothing holds nothing, is closed, and disturbs nobody.
// What it has not read is then forgotten.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	s := newSite(t, bus.Options{RetentionBytes: 4 << 20}, tail.Options{Patience: 300 * time.Millisecond})
	s.idle()
	quick := s.read("")
	first := line{}
	closed := func() bool { return s.handler.Stats().Ends[tail.Slow] == 1 }
	for n := 0; !closed(); n++ {
		if n > 5000 {
			t.Fatalf("the reader that takes nothing was not closed: %+v", s.handler.Stats())
		}
		s.large(n)
		l := quick.expect(fmt.Sprintf("queuecallinarrived of 01: %d", n))
		if n == 0 {
			first = l
		}
	}
	resp := s.get(t.Context(), after(first))
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusGone || !strings.Contains(string(text), "not kept any more") {
		t.Errorf("behind what is forgotten: %s, %s", resp.Status, text)
	}
}

func TestBadQueries(t *testing.T) {
	t.Parallel()
	s := newSite(t, bus.Options{}, tail.Options{})
	for query, want := range map[string]int{
		"?events=UserStatus,Nonsense": 400, "?after=nonsense": 400, "?after=a.b.c": 400,
		"?after=" + bus.Position{Events: bus.Cursor{Lane: bus.EventLane}}.String(): 410,
	} {
		resp := s.get(t.Context(), query)
		var answer struct{ Error string }
		err := json.NewDecoder(resp.Body).Decode(&answer)
		resp.Body.Close()
		if resp.StatusCode != want || err != nil || answer.Error == "" {
			t.Errorf("%s: %s, %+v, %v, want %d", query, resp.Status, answer, err, want)
		}
	}
	s.read("?events=").close()
}
