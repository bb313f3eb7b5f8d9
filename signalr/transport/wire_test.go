package transport_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr/signalrtest"
)

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
