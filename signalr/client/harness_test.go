package client_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr"
	"rte/signalr/client"
	"rte/signalr/hub"
	"rte/signalr/signalrtest"
	"rte/signalr/transport"
)

// A site is a hub in memory and the way to it.
type site struct {
	*testing.T
	hub    *hub.Server
	server *signalrtest.Server
	cable  cable
}

// newSite serves a hub at /hub; the test is in a bubble.
func newSite(t *testing.T, o hub.Options, to transport.Options) *site {
	t.Helper()
	return newSiteBehind(t, o, to, func(h http.Handler) http.Handler { return h })
}

// newSiteBehind puts something in front of the hub.
func newSiteBehind(t *testing.T, o hub.Options, to transport.Options, front func(http.Handler) http.Handler) *site {
	t.Helper()
	s := &site{T: t, hub: hub.New(o)}
	h := transport.NewHandler(s.hub.Accept, to)
	s.server = signalrtest.NewServer(front(transport.Mount("/hub", h, http.NotFoundHandler())))
	s.cable.dial = func(ctx context.Context) (net.Conn, error) { return s.server.Dial(ctx) }
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		h.Shutdown(ctx) //nolint:errcheck // tests leave connections open
		s.hub.Close()
		s.server.Close()
	})
	return s
}

func (s *site) dial(on map[string]func([]signalr.Value), o client.Options) *client.Client {
	s.Helper()
	o.HTTPClient = s.cable.client()
	c, err := client.Dial(s.Context(), s.server.URL+"/hub", on, o)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { c.Close() })
	return c
}

// A cable is the network between a client and its server, which can be cut.
type cable struct {
	dial func(context.Context) (net.Conn, error)

	mu    sync.Mutex
	down  bool // nothing can be dialled
	conns []*strand
}

// client makes requests over the cable.
func (c *cable) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c.mu.Lock()
			down := c.down
			c.mu.Unlock()
			if down {
				return nil, errUnplugged
			}
			conn, err := c.dial(ctx)
			if err != nil {
				return nil, err
			}
			s := &strand{Conn: conn, dead: make(chan struct{}), closed: make(chan struct{})}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.conns = append(c.conns, s)
			return s, nil
		},
		DisableKeepAlives: true,
	}}
}

var errUnplugged = &net.OpError{Op: "dial", Err: net.UnknownNetworkError("unplugged")}

// cut ends all connections; what is in them is lost, or arrives.
func (c *cable) cut() {
	for _, s := range c.take() {
		s.Conn.Close()
	}
}

// deaden lets connections carry nothing more, without a sign of it.
func (c *cable) deaden() {
	for _, s := range c.take() {
		close(s.dead)
	}
}

func (c *cable) take() []*strand {
	c.mu.Lock()
	defer c.mu.Unlock()
	conns := c.conns
	c.conns = nil
	return conns
}

// plug says whether anything can be dialled.
func (c *cable) plug(in bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = !in
}

// A strand is one connection of a cable.
type strand struct {
	net.Conn
	dead   chan struct{}
	once   sync.Once
	closed chan struct{}
}

func (s *strand) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	select {
	case <-s.dead:
		<-s.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func (s *strand) Write(p []byte) (int, error) {
	select {
	case <-s.dead:
		return len(p), nil
	default:
		return s.Conn.Write(p)
	}
}

func (s *strand) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.Conn.Close()
}

// offers is the answer of a hub that has everything, but for its last brace.
const offers = `{"negotiateVersion":1,"connectionId":"public","connectionToken":"secret-token","availableTransports":[` +
	`{"transport":"WebSockets","transferFormats":["Text","Binary"]},{"transport":"ServerSentEvents","transferFormats":["Text"]},{"transport":"LongPolling","transferFormats":["Text","Binary"]}]`

// A fake is a server that behaves as a test wants. It takes WebSockets.
type fake struct {
	*testing.T
	server *signalrtest.Server
	conns  chan net.Conn
	asked  chan string // what was requested: "METHOD PATH?QUERY TOKEN"

	mu     sync.Mutex
	answer func(*http.Request) string // to negotiation
	refuse int                        // the status that WebSockets are refused with; 0 takes them
	hang   bool                       // WebSockets get no answer
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{T: t, conns: make(chan net.Conn, 10), asked: make(chan string, 1000)}
	f.answers(offers + "}")
	f.server = signalrtest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked <- strings.TrimSpace(r.Method + " " + r.URL.String() + " " + strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		f.mu.Lock()
		answer, refuse, hang := f.answer, f.refuse, f.hang
		f.mu.Unlock()
		if strings.HasSuffix(r.URL.Path, "/negotiate") {
			w.Write([]byte(answer(r))) //nolint:errcheck // the client sees
			return
		}
		if hang {
			<-r.Context().Done()
			return
		}
		if refuse != 0 {
			w.WriteHeader(refuse)
			return
		}
		conn, _, _, err := ws.HTTPUpgrader{}.Upgrade(r, w)
		if err != nil {
			t.Error(err)
			return
		}
		f.conns <- conn
	}))
	t.Cleanup(f.server.Close)
	return f
}

// answers sets the answer to negotiation.
func (f *fake) answers(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = func(*http.Request) string { return text }
}

// refuses lets WebSockets be refused; 0 takes them again.
func (f *fake) refuses(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = status
}

// hangs lets WebSockets get no answer.
func (f *fake) hangs(hang bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hang = hang
}

// requests are those that were made since the last call.
func (f *fake) requests() []string {
	var list []string
	for {
		select {
		case r := <-f.asked:
			list = append(list, r)
		default:
			return list
		}
	}
}

// dial connects while the fake says text as its first frame.
func (f *fake) dial(text string, o client.Options) (*client.Client, net.Conn, error) {
	f.Helper()
	conns := make(chan net.Conn, 1)
	go func() {
		conn := <-f.conns
		if text != "" {
			ws.WriteFrame(conn, ws.NewTextFrame([]byte(text))) //nolint:errcheck // the client sees
		}
		conns <- conn
	}()
	o.HTTPClient = f.server.Client()
	c, err := client.Dial(f.Context(), f.server.URL+"/hub", nil, o)
	conn := <-conns
	f.Cleanup(func() {
		conn.Close()
		if c != nil {
			c.Close()
		}
	})
	return c, conn, err
}

// connect starts a client with a scripted peer, up to the handshake's end.
func (f *fake) connect(c *client.Client, version int) *peer {
	f.Helper()
	started := make(chan error, 1)
	go func() { started <- c.Start(f.Context()) }()
	p := f.accept()
	p.greet(version)
	if err := <-started; err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { c.Close() })
	return p
}

// accept takes the next WebSocket.
func (f *fake) accept() *peer {
	f.Helper()
	select {
	case conn := <-f.conns:
		f.Cleanup(func() { conn.Close() })
		return &peer{T: f.T, conn: conn}
	case <-time.After(24 * time.Hour): // of the bubble
		f.Fatal("no WebSocket came")
		return nil
	}
}

// A peer is the server's end of a WebSocket. What it says and hears are the
// JSON records of the wire.
type peer struct {
	*testing.T
	conn  net.Conn
	heard []string
}

func (p *peer) greet(version int) {
	p.Helper()
	p.expect(`{"protocol":"json","version":` + string(rune('0'+version)) + `}`)
	p.say(`{}`)
}

func (p *peer) say(records ...string) {
	p.Helper()
	if err := ws.WriteFrame(p.conn, ws.NewTextFrame([]byte(strings.Join(records, "\x1e")+"\x1e"))); err != nil {
		p.Errorf("say: %v", err)
	}
}

// hear is the next record that is not a ping, "end" or "close frame".
func (p *peer) hear() string {
	p.Helper()
	for {
		for len(p.heard) > 0 {
			record := p.heard[0]
			p.heard = p.heard[1:]
			if record != `{"type":6}` {
				return record
			}
		}
		f, err := readFrame(p.conn)
		switch {
		case err != nil:
			return "end"
		case f.Header.OpCode == ws.OpClose:
			return "close frame"
		case f.Header.OpCode.IsControl():
			continue
		}
		text, whole := strings.CutSuffix(string(f.Payload), "\x1e")
		if !whole || f.Header.OpCode != ws.OpText {
			p.Errorf("the client sent %q, want whole records of text", text)
		}
		p.heard = append(p.heard, strings.Split(text, "\x1e")...)
	}
}

// readFrame reads a frame of a client, and takes its mask off.
func readFrame(r io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(r); err != nil {
		return f, err
	}
	f.Payload = make([]byte, f.Header.Length)
	if _, err = io.ReadFull(r, f.Payload); err == nil && f.Header.Masked {
		ws.Cipher(f.Payload, f.Header.Mask, 0)
	}
	return f, err
}

func (p *peer) expect(records ...string) {
	p.Helper()
	for _, want := range records {
		if got := p.hear(); got != want {
			p.Errorf("the client sent %s, want %s", got, want)
			return
		}
	}
}

// async runs a function beside the test; done is closed behind it.
func async(fn func()) (done <-chan struct{}) {
	c := make(chan struct{})
	go func() {
		defer close(c)
		fn()
	}()
	return c
}

func bubble(t *testing.T, body func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, body)
}

func text(t *testing.T, v signalr.Value) (s string) {
	t.Helper()
	if err := signalr.Decode(v, &s); err != nil {
		t.Fatal(err)
	}
	return s
}
