package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
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

// A site is a hub on a network in memory, in a bubble with a clock of its own.
type site struct {
	*testing.T
	hub     *hub.Server
	handler *transport.Handler
	server  *signalrtest.Server
	leave   []func() // for each client

	// How clients come here by arrive and meet.
	way      transport.Transport
	protocol signalr.Protocol
}

// inBubble runs a test body on a site; its end takes everything down.
func inBubble(t *testing.T, o hub.Options, body func(s *site)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { body(newSite(t, o)) })
}

// newSite is for tests that are in a bubble already.
func newSite(t *testing.T, o hub.Options) *site {
	t.Helper()
	h := hub.New(o)
	return serve(t, h, transport.NewHandler(h.Accept, transport.Options{}))
}

func serve(t *testing.T, h *hub.Server, handler *transport.Handler) *site {
	t.Helper()
	s := &site{T: t, hub: h, handler: handler, way: transport.WebSockets, protocol: signalr.JSON{}}
	s.server = signalrtest.NewServer(transport.Mount("/hub", s.handler, http.NotFoundHandler()))
	t.Cleanup(s.down)
	return s
}

// down ends what is still open, and then the hub.
func (s *site) down() {
	s.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.handler.Shutdown(ctx) //nolint:errcheck // tests leave connections open
	s.hub.Close()
	s.server.Close()
	if n := s.hub.Stats().Connections; n != 0 {
		s.Errorf("%d connections are left", n)
	}
}

// dial connects a Go client, as meet does.
func (s *site) dial(on map[string]func([]signalr.Value)) *client.Client {
	s.Helper()
	c, err := client.Dial(s.Context(), s.server.URL+"/hub", on, client.Options{HTTPClient: s.server.Client(), Transport: client.Transport(s.way.String()), Protocol: s.protocol})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { c.Close() })
	return c
}

// A wire is a client that says and hears exactly what the test wants. It never
// pings by itself.
type wire struct {
	*testing.T
	conn net.Conn
	in   io.Reader
	rest []string // records that came with the last one
}

// open makes a connection; the handshake is still to come.
func (s *site) open() *wire {
	s.Helper()
	d := ws.Dialer{NetDial: s.server.Network.Dial}
	conn, early, _, err := d.Dial(s.Context(), "ws://hub.test/hub")
	if err != nil {
		s.Fatal(err)
	}
	w := &wire{T: s.T, conn: conn, in: conn}
	if early != nil {
		w.in = early
	}
	s.Cleanup(func() { conn.Close() })
	s.leave = append(s.leave, func() { conn.Close() })
	return w
}

const handshake = `{"protocol":"json","version":1}`

// shake makes a connection and shakes hands.
func (s *site) shake() *wire {
	s.Helper()
	w := s.open()
	w.send(handshake)
	w.expect("{}")
	return w
}

// send writes records as one frame.
func (w *wire) send(records ...string) {
	w.Helper()
	w.raw(strings.Join(records, "\x1e") + "\x1e")
}

// raw writes text as one frame.
func (w *wire) raw(text string) {
	w.Helper()
	if err := w.frame(ws.NewTextFrame([]byte(text))); err != nil {
		w.Fatal(err)
	}
}

func (w *wire) frame(f ws.Frame) error {
	return ws.WriteFrame(w.conn, ws.MaskFrameInPlace(f))
}

// receive reads the next record; the end of the connection is "status NNNN",
// or "end" when it comes without a close frame.
func (w *wire) receive() string {
	w.Helper()
	for len(w.rest) == 0 {
		f, err := readFrame(w.in)
		switch {
		case err != nil && (errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed)):
			return "end"
		case err != nil:
			w.Fatal(err)
		case f.Header.OpCode == ws.OpClose:
			code, _ := ws.ParseCloseFrameData(f.Payload)
			w.frame(ws.NewCloseFrame(f.Payload)) //nolint:errcheck // the answer is a courtesy
			return fmt.Sprintf("status %d", code)
		case !bytes.HasSuffix(f.Payload, []byte{0x1e}):
			w.Fatalf("received %q, which does not end with a whole record", f.Payload)
		}
		w.rest = strings.Split(strings.TrimSuffix(string(f.Payload), "\x1e"), "\x1e")
	}
	record := w.rest[0]
	w.rest = w.rest[1:]
	return record
}

// expect reads records and compares them.
func (w *wire) expect(records ...string) {
	w.Helper()
	for _, want := range records {
		if got := w.receive(); got != want {
			w.Fatalf("received %s\n    want %s", got, want)
		}
	}
}

// call is the record of an invocation; without an id it wants no answer.
func call(id, target string, args ...string) string {
	head := `{"type":1`
	if id != "" {
		head += `,"invocationId":"` + id + `"`
	}
	return head + `,"target":"` + target + `","arguments":[` + strings.Join(args, ",") + `]}`
}

// result and failure are the records of answers.
func result(id, value string) string {
	return `{"type":3,"invocationId":"` + id + `","result":` + value + `}`
}

func failure(id, text string) string {
	return `{"type":3,"invocationId":"` + id + `","error":"` + text + `"}`
}

// push is a message to a client, and its record.
func push(text string) *signalr.Frame {
	return signalr.NewFrame(&signalr.Invocation{Target: "Push", Arguments: []signalr.Value{signalr.Any(text)}})
}

func pushed(text string) string { return `{"type":1,"target":"Push","arguments":["` + text + `"]}` }

const ping = `{"type":6}`

// after runs a function and checks how long it took on the bubble's clock.
func (s *site) after(least, most time.Duration, what string, fn func()) {
	s.Helper()
	begin := time.Now()
	fn()
	if took := time.Since(begin); took < least || took > most {
		s.Errorf("%s after %v, want %v to %v", what, took, least, most)
	}
}

// methods that most tests use.
func echo(_ context.Context, c *hub.Call) (signalr.Value, error) {
	var text string
	if err := c.Bind(&text); err != nil {
		return nil, err
	}
	return signalr.Any(text), nil
}

var errSecret = errors.New("secret detail")

// readFrame reads a whole frame; a server under test sends no endless one.
func readFrame(r io.Reader) (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(r); err != nil {
		return f, err
	}
	f.Payload = make([]byte, f.Header.Length)
	_, err = io.ReadFull(r, f.Payload)
	return f, err
}
