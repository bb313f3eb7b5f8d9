//go:build unix

package session_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/fanout"
	"rte/internal/journal/journaltest"
	"rte/internal/session"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

//nolint:gochecknoglobals // flags of the test
var (
	manyConnections   = flag.Int("many.connections", 2000, "connections of TestMany: a million takes minutes and some 12 GB")
	manySubscriptions = flag.Int("many.subscriptions", 5, "subscriptions of each connection of TestMany")
)

// TestMany simulates more connections than a process may have open files: the
// same handler of requests, hub, queues and index, over connections in memory
// that nobody reads, with a goroutine each because there is nothing to poll
// (on Linux a real idle one has none). It prints what a connection takes and
// what a delivery costs, and finds that nobody misses an event and that nothing
// is left.
//
//	go test ./internal/session -run TestMany -v -many.connections 1000000
func TestMany(t *testing.T) {
	n := *manyConnections
	first := oneCrowd(t, memoryNow())
	// What a process keeps for good, such as the records of goroutines, it has
	// by now.
	second := oneCrowd(t, first)
	left := perOne(second.HeapAlloc, first.HeapAlloc, n)
	t.Logf("heap %.0f bytes each when all have left, behind the second time", left)
	if left > 200 {
		t.Errorf("%.0f bytes for each connection are left", left)
	}
}

// oneCrowd is one crowd that comes, hears and leaves.
func oneCrowd(t *testing.T, before runtime.MemStats) (left runtime.MemStats) {
	n, each := *manyConnections, *manySubscriptions
	m := newMany(t, n, each)
	began, cpu := time.Now(), ownCPU()
	m.connect(n)
	took, spent := time.Since(began), ownCPU()-cpu
	held := memoryNow()
	t.Logf("%d connections × %d subscriptions in %v: %.1f µs CPU each", n, each, took.Round(time.Millisecond), micros(spent, n))
	t.Logf("heap %.0f bytes each, stacks %.0f", perOne(held.HeapAlloc, before.HeapAlloc, n), perOne(held.StackInuse, before.StackInuse, n))

	// Everybody hears the pair of all, and those that connection i hears are the
	// i-th and the ones behind it.
	m.heard.Store(0)
	cpu = ownCPU()
	const rounds = 5
	for range rounds {
		publish(t, m, event.GUID{}, `{"queueName":"everybody"}`)
		m.await(n)
	}
	t.Logf("an event for all: %.2f µs CPU for each delivery", micros(ownCPU()-cpu, rounds*n))
	cpu = ownCPU()
	few := min(n, 2000)
	for i := range few {
		publish(t, m, pairID(i), `{"queueName":"few"}`)
		m.await(each - 1)
	}
	t.Logf("an event for %d: %.2f µs CPU for each delivery", each-1, micros(ownCPU()-cpu, few*(each-1)))

	m.close()
	if s := m.index.Stats(); s.Members != 0 || s.Subscriptions != 0 {
		t.Errorf("the index still has %+v", s)
	}
	return memoryNow()
}

func publish(t *testing.T, m *many, entity event.GUID, data string) {
	t.Helper()
	kind, _ := m.cat.Lookup("QueueCallInArrived")
	m.store.Publish(&event.Event{Topic: event.Topic{Org: m.org, Pair: event.Pair{Kind: kind.Kind, Entity: entity}}, Data: []byte(data)})
}

// pairID is the queue of a number; that of all is the zero one.
func pairID(i int) (id event.GUID) {
	binary.BigEndian.PutUint64(id[8:], uint64(i)+1)
	return id
}

// many is a server and its connections in memory.
type many struct {
	t        *testing.T
	cat      *event.Catalog
	org      event.GUID
	store    *journaltest.Store
	index    *fanout.Index
	hub      *hub.Server
	handler  *transport.Handler
	http     *http.Server
	arrivals chan net.Conn
	served   sync.WaitGroup
	n, each  int
	ends     []*manyEnd
	heard    atomic.Int64 // messages
	wanted   atomic.Int64
	there    chan struct{}
}

func newMany(t *testing.T, n, each int) *many {
	t.Helper()
	m := &many{t: t, cat: event.NewCatalog(), org: event.GUID{1}, n: n, each: each, arrivals: make(chan net.Conn), there: make(chan struct{}, 1)}
	m.store = journaltest.New(m.cat)
	m.index = fanout.New(m.cat, fanout.Options{Store: m.store})
	h := session.New(m.cat, m.index, session.Options{})
	m.hub = hub.New(hub.Options{Methods: h.Methods(), OnConnected: h.Connected, OnDisconnected: h.Disconnected, MaxMessageBytes: 256 << 10})
	var users atomic.Uint64
	m.handler = transport.NewHandler(m.hub.Accept, transport.Options{Authenticate: func(*http.Request) (any, error) {
		return &auth.Principal{Org: m.org, User: pairID(int(users.Add(1))), Role: auth.Supervisor}, nil
	}})
	m.http = &http.Server{Handler: transport.Mount("/rte", m.handler, http.NotFoundHandler()), ReadHeaderTimeout: time.Minute}
	m.served.Go(func() { m.http.Serve(m) }) //nolint:errcheck // it ends with Close
	return m
}

// Accept, Close and Addr make it the server's listener.
func (m *many) Accept() (net.Conn, error) {
	if c, ok := <-m.arrivals; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (m *many) Close() error   { return nil }
func (m *many) Addr() net.Addr { return manyAddr{} }

type manyAddr struct{}

func (manyAddr) Network() string { return "memory" }
func (manyAddr) String() string  { return "memory" }

// connect connects and waits until all have subscribed: each has had the
// answers to its handshake and to Subscribe.
func (m *many) connect(n int) {
	for i := range n {
		e := &manyEnd{many: m, number: i}
		e.cond.L = &e.mu
		e.in = []byte("GET /rte HTTP/1.1\r\nHost: hub.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		m.ends = append(m.ends, e)
		m.arrivals <- e
	}
	m.await(2 * n)
}

// await waits until n more messages have come.
func (m *many) await(n int) {
	m.t.Helper()
	m.wanted.Store(int64(n))
	deadline := time.After(10 * time.Minute)
	for m.heard.Load() < int64(n) {
		select {
		case <-m.there:
		case <-deadline:
			m.t.Fatalf("%d of %d messages came", m.heard.Load(), n)
		}
	}
	m.heard.Add(-int64(n))
}

func (m *many) close() {
	for _, e := range m.ends {
		e.end()
	}
	m.ends = nil
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := m.handler.Shutdown(ctx); err != nil {
		m.t.Error(err)
	}
	m.hub.Close()
	close(m.arrivals)
	m.http.Close() //nolint:errcheck // nothing is left
	m.served.Wait()
	m.index.Close()
}

// manyEnd is the server's side of a connection; the client's is a script: it
// answers what the server writes.
type manyEnd struct {
	many   *many
	number int

	mu     sync.Mutex
	cond   sync.Cond
	in     []byte // for the server to read
	asked  bool   // the client has sent all it has to send
	late   bool   // the deadline of Read is over: net/http ends its own reading so
	closed bool
}

// Read takes what the client has sent.
func (e *manyEnd) Read(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.in) == 0 && !e.closed && !e.late {
		e.cond.Wait()
	}
	switch {
	case e.closed:
		return 0, io.EOF
	case e.late:
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(b, e.in)
	if e.in = e.in[n:]; len(e.in) == 0 {
		e.in = nil
	}
	return n, nil
}

// Write takes what the server has sent: behind the answer to the upgrade the
// client shakes hands and subscribes, everything else it counts.
func (e *manyEnd) Write(b []byte) (int, error) {
	e.mu.Lock()
	if !e.asked {
		e.asked = true
		e.in = append(e.in, e.requests()...)
		e.cond.Broadcast()
		e.mu.Unlock()
		return len(b), nil
	}
	e.mu.Unlock()
	if n := bytes.Count(b, []byte{0x1e}); n > 0 {
		if now := e.many.heard.Add(int64(n)); now >= e.many.wanted.Load() {
			select {
			case e.many.there <- struct{}{}:
			default:
			}
		}
	}
	return len(b), nil
}

// requests are the client's frames.
func (e *manyEnd) requests() []byte {
	var list []byte
	add := func(id event.GUID) {
		if len(list) > 0 {
			list = append(list, ',')
		}
		list = fmt.Appendf(list, `{"EntityId":%q,"EventName":"QueueCallInArrived"}`, id.String())
	}
	add(event.GUID{})
	for i := range e.many.each - 1 {
		add(pairID((e.number + i) % e.many.n))
	}
	text := fmt.Appendf(nil, "{\"protocol\":\"json\",\"version\":1}\x1e{\"type\":1,\"invocationId\":\"1\",\"target\":\"Subscribe\",\"arguments\":[[%s]]}\x1e", list)
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame(text)))
}

func (e *manyEnd) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	e.cond.Broadcast()
}

// Close ends both sides.
func (e *manyEnd) Close() error { e.end(); return nil }

func (e *manyEnd) LocalAddr() net.Addr              { return manyAddr{} }
func (e *manyEnd) RemoteAddr() net.Addr             { return manyAddr{} }
func (e *manyEnd) SetDeadline(t time.Time) error    { return e.SetReadDeadline(t) }
func (e *manyEnd) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline knows deadlines that are over, and those that never are.
func (e *manyEnd) SetReadDeadline(t time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.late = !t.IsZero() && !t.After(time.Now())
	e.cond.Broadcast()
	return nil
}

func memoryNow() (m runtime.MemStats) {
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}

func perOne(now, before uint64, n int) float64 { return (float64(now) - float64(before)) / float64(n) }

func micros(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / 1000 / float64(n) }
