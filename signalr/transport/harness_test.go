package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr/signalrtest"
	"rte/signalr/transport"
)

// A receiver is the upper end of a connection in these tests.
type receiver struct {
	conn     *transport.Conn
	fed      chan []byte
	writable chan struct{}
	closed   chan error
	refuse   error // what Feed returns
	onFeed   func(p []byte)
}

func (r *receiver) Feed(p []byte) error {
	if r.onFeed != nil {
		r.onFeed(p)
	}
	if r.refuse == nil {
		r.fed <- bytes.Clone(p)
	}
	return r.refuse
}

func (r *receiver) Writable() { r.writable <- struct{}{} }

func (r *receiver) Closed(err error) { r.closed <- err }

// A site is a handler on some network.
type site struct {
	t        testing.TB
	handler  *transport.Handler
	url      string // of the hub
	client   *http.Client
	dial     func(ctx context.Context) (net.Conn, error)
	accepted chan *receiver
	prepare  func(*receiver)      // before the receiver is told of anything
	memory   *signalrtest.Network // if it is in memory

	opened atomic.Int64
	byTag  sync.Map // of chan *receiver
}

// tagged is where the receiver of the connection with a tag is found: tests
// that share a site must not take each other's.
func (s *site) tagged(tag string) chan *receiver {
	c, _ := s.byTag.LoadOrStore(tag, make(chan *receiver, 1))
	return c.(chan *receiver)
}

// networks are what a connection can run over; each takes another way through
// the transport's reading and writing.
var networks = []string{"tcp", "tls", "memory"}

// narrowNetworks are the same with small buffers in the system, so that a
// client that does not read is felt soon.
var narrowNetworks = []string{"tcp narrow", "tls narrow", "memory"}

// newSite serves a hub at /hub; the test's end shuts it down.
func newSite(t testing.TB, network string, o transport.Options) *site {
	t.Helper()
	s := &site{t: t, accepted: make(chan *receiver, 1000)}
	s.handler = transport.NewHandler(func(c *transport.Conn) transport.Receiver {
		r := &receiver{conn: c, fed: make(chan []byte, 10_000), writable: make(chan struct{}, 100), closed: make(chan error, 10)}
		if s.prepare != nil {
			s.prepare(r)
		}
		if tag := c.Query().Get("tag"); tag != "" {
			s.tagged(tag) <- r
			return r
		}
		s.accepted <- r
		return r
	}, o)
	mux := transport.Mount("/hub", s.handler, http.NotFoundHandler())
	kind, how, _ := strings.Cut(network, " ")
	if kind == "memory" {
		server := signalrtest.NewServer(mux)
		t.Cleanup(server.Close)
		s.url, s.client, s.dial, s.memory = server.URL, server.Client(), server.Dial, &server.Network
	} else {
		s.serveSystem(mux, kind == "tls", how == "narrow")
	}
	s.url += "/hub"
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.handler.Shutdown(ctx) // what a test left open is cut
	})
	return s
}

// serveSystem uses the system's network.
func (s *site) serveSystem(handler http.Handler, encrypted, small bool) {
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if small {
		server.Listener = narrowListener{server.Listener}
	}
	if encrypted {
		server.StartTLS()
	} else {
		server.Start()
	}
	s.t.Cleanup(server.Close)
	s.url, s.client = server.URL, server.Client()
	s.dial = func(ctx context.Context) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
		if small {
			c, err = narrow(c, err)
		}
		if !encrypted || err != nil {
			return c, err
		}
		config := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
		config.NextProtos, config.ServerName = nil, "example.com"
		t := tls.Client(c, config)
		return t, t.HandshakeContext(ctx)
	}
}

// A narrowListener gives its connections small buffers in the system.
type narrowListener struct{ net.Listener }

func (l narrowListener) Accept() (net.Conn, error) { return narrow(l.Listener.Accept()) }

func narrow(c net.Conn, err error) (net.Conn, error) {
	if tcp, ok := c.(*net.TCPConn); ok && err == nil {
		err = errors.Join(tcp.SetWriteBuffer(128<<10), tcp.SetReadBuffer(128<<10)) // smaller than a segment is slow
	}
	return c, err
}

// do makes a request; path is behind the hub's, with its query.
func (s *site) do(method, path string, header http.Header) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp, string(body)
}

type negotiated struct {
	NegotiateVersion    *int
	ConnectionID        string `json:"connectionId"`
	ConnectionToken     string
	AvailableTransports []struct {
		Transport       string
		TransferFormats []string
	}
	Error string
}

func (s *site) negotiate(query string) (n negotiated) {
	s.t.Helper()
	resp, body := s.do(http.MethodPost, "/negotiate"+query, nil)
	if err := json.Unmarshal([]byte(body), &n); err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("negotiate%s: status %d, body %q, %v", query, resp.StatusCode, body, err)
	}
	return n
}

// A wire is the client's end of a WebSocket, frame by frame.
type wire struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

// patience bounds what a test waits for on a real network.
const patience = 20 * time.Second

// upgrade asks for a WebSocket and returns the answer; behind is sent together
// with the request.
func (s *site) upgrade(query string, header http.Header, behind ...byte) (*wire, *http.Response) {
	s.t.Helper()
	c, err := s.dial(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if _, memory := c.(*signalrtest.Conn); !memory { // a bubble's clock may run for hours
		c.SetDeadline(time.Now().Add(patience))
	}
	u, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("GET " + u.Path + query + " HTTP/1.1\r\nHost: " + u.Host + "\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
	header.Write(&b)
	b.WriteString("\r\n")
	b.Write(behind)
	if _, err := c.Write(b.Bytes()); err != nil {
		s.t.Fatal(err)
	}
	w := &wire{t: s.t, Conn: c, r: bufio.NewReader(c)}
	resp, err := http.ReadResponse(w.r, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			s.t.Fatal(err)
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
		c.Close()
	}
	return w, resp
}

// open makes a connection without negotiation.
func (s *site) open() (*wire, *receiver) {
	s.t.Helper()
	tag := strconv.FormatInt(s.opened.Add(1), 10)
	w, resp := s.upgrade("?tag="+tag, nil)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		s.t.Fatalf("upgrade: %s", resp.Status)
	}
	w.send(frame(pingFrame, "")) // once it is answered, the connection is under way
	w.expect(ws.OpPong, "")
	return w, wait(s.t, s.tagged(tag), "a connection")
}

// next is the receiver of the connection that was made last.
func (s *site) next() *receiver {
	s.t.Helper()
	return wait(s.t, s.accepted, "a connection")
}

// wait takes from a channel, but not for ever.
func wait[T any](t testing.TB, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
	return v
}

// got collects what is fed until it is n bytes.
func (r *receiver) got(t testing.TB, n int) string {
	t.Helper()
	var b []byte
	for len(b) < n {
		b = append(b, wait(t, r.fed, "bytes")...)
	}
	return string(b)
}

// frame makes a masked frame; first is its first byte.
func frame(first byte, payload string) []byte {
	return maskedFrame(first, [4]byte{0x12, 0x34, 0x56, 0x78}, []byte(payload))
}

func maskedFrame(first byte, mask [4]byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// First bytes of frames (RFC 6455, 5.2).
const (
	textFrame   = 0x81
	binaryFrame = 0x82
	textBegin   = 0x01
	binaryBegin = 0x02
	middle      = 0x00
	last        = 0x80
	closeFrame  = 0x88
	pingFrame   = 0x89
	pongFrame   = 0x8a
)

func (w *wire) send(b ...[]byte) {
	w.t.Helper()
	if _, err := w.Write(bytes.Join(b, nil)); err != nil {
		w.t.Fatal(err)
	}
}

// receive reads the next frame.
func (w *wire) receive() (ws.OpCode, string) {
	w.t.Helper()
	f, err := readFrame(w.r)
	if err != nil {
		w.t.Fatalf("read frame: %v", err)
	}
	if f.Header.Masked || !f.Header.Fin || f.Header.Rsv != 0 {
		w.t.Fatalf("the server sent the header %+v", f.Header)
	}
	return f.Header.OpCode, string(f.Payload)
}

// expect reads a frame and compares it.
func (w *wire) expect(op ws.OpCode, payload string) {
	w.t.Helper()
	if gotOp, got := w.receive(); gotOp != op || got != payload {
		w.t.Fatalf("the server sent opcode %d with %q, want %d with %q", gotOp, got, op, payload)
	}
}

// expectClose reads a close frame and compares its status.
func (w *wire) expectClose(status ws.StatusCode) {
	w.t.Helper()
	op, payload := w.receive()
	code, _ := ws.ParseCloseFrameData([]byte(payload))
	if op != ws.OpClose || code != status {
		w.t.Fatalf("the server sent opcode %d with %q, want a close frame with %d", op, payload, status)
	}
}

// expectEOF reads the end of the connection.
func (w *wire) expectEOF() {
	w.t.Helper()
	b, err := io.ReadAll(w.r)
	if len(b) > 0 || err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		w.t.Fatalf("read %q, %v, want the end", b, err)
	}
}

// closeBody is a close frame's payload.
func closeBody(status ws.StatusCode, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(status))) + reason
}

// readFrame reads a whole frame; a server under test sends no endless one.
func readFrame(r io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(r); err != nil {
		return f, err
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}
