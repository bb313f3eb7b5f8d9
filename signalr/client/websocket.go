package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/gobwas/ws"
)

// A webSocket is the WebSocket transport. Its connection comes from the HTTP
// client and has no deadlines; what must end closes it.
type webSocket struct {
	conn   io.ReadWriteCloser
	binary bool // the protocol's bytes may be other than UTF-8

	// owned by the reader
	in   *bufio.Reader
	buf  []byte
	left int64 // of the data frame that is being read

	writing chan struct{} // holds a token while somebody writes; never closed
}

// readSize is how much of a frame is handed on at once, in bytes: a frame may
// announce any length.
const readSize = 4 << 10

// dialWebSocket asks for a WebSocket; id is the connection's token, "" without
// negotiation.
func dialWebSocket(ctx context.Context, c *http.Client, hub *url.URL, id string, header http.Header, binary bool) (link, error) {
	if c.Timeout > 0 { // it would end the connection, not only the request
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
		patient := *c
		patient.Timeout = 0
		c = &patient
	}
	target := *hub
	if id != "" {
		q := target.Query()
		q.Set("id", id)
		target.RawQuery = q.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", withoutURL(err))
	}
	var nonce [16]byte
	rand.Read(nonce[:]) // never fails (crypto/rand)
	r.Header = header.Clone()
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	key := base64.StdEncoding.EncodeToString(nonce[:])
	r.Header.Set("Sec-WebSocket-Key", key)
	resp, err := c.Do(r)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", withoutURL(err))
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		defer resp.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // what could be read is enough
		return nil, &StatusError{"connect", resp.StatusCode, statusText(resp.StatusCode, body)}
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	switch {
	case !ok:
		err = errors.New("connect: the HTTP client cannot switch protocols")
	case resp.Header.Get("Sec-WebSocket-Accept") != acceptKey(key):
		err = errors.New("connect: the answer is not a WebSocket's")
	}
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	return &webSocket{conn: conn, in: bufio.NewReaderSize(conn, readSize), buf: make([]byte, readSize), writing: make(chan struct{}, 1), binary: binary}, nil
}

// acceptKey proves that the answer is to this request (RFC 6455, 4.1 and 1.3).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// withoutURL takes the URL out of an HTTP client's error: it holds the
// connection's token, which is a secret.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// read returns the next bytes of data, valid until the next call.
func (w *webSocket) read() ([]byte, error) {
	for w.left == 0 {
		if err := w.header(); err != nil {
			return nil, err
		}
	}
	p := w.buf[:min(w.left, int64(len(w.buf)))]
	n, err := w.in.Read(p)
	w.left -= int64(n)
	if err != nil {
		return p[:n], fmt.Errorf("receive: %w", err)
	}
	return p[:n], nil
}

// header reads the header of the next frame and, if it is a control frame, the
// whole frame.
func (w *webSocket) header() error {
	h, err := ws.ReadHeader(w.in)
	switch {
	case err != nil:
		return fmt.Errorf("receive: %w", err)
	case h.Masked:
		return fmt.Errorf("receive: %w", ws.ErrProtocolMaskUnexpected)
	case h.Rsv != 0:
		return fmt.Errorf("receive: %w", ws.ErrProtocolNonZeroRsv)
	case h.OpCode.IsReserved():
		return fmt.Errorf("receive: %w", ws.ErrProtocolOpCodeReserved)
	case h.OpCode.IsControl():
		return w.control(h)
	}
	w.left = h.Length
	return nil
}

func (w *webSocket) control(h ws.Header) error {
	if h.Length > ws.MaxControlFramePayloadSize {
		return fmt.Errorf("receive: %w", ws.ErrProtocolControlPayloadOverflow)
	}
	p := make([]byte, h.Length)
	if _, err := io.ReadFull(w.in, p); err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	switch h.OpCode {
	case ws.OpPing:
		return w.frame(ws.NewPongFrame(p), time.Now().Add(lastWords))
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameData(p)
		// The answer is a courtesy: the server has gone.
		w.frame(ws.NewCloseFrame(p[:min(2, len(p))]), time.Now().Add(lastWords)) //nolint:errcheck // see above
		return fmt.Errorf("the server closed the WebSocket with status %d %s", code, reason)
	}
	return nil
}

func (w *webSocket) write(p []byte, deadline time.Time) error {
	op := ws.OpText
	if w.binary {
		op = ws.OpBinary
	}
	return w.frame(ws.NewFrame(op, true, bytes.Clone(p)), deadline)
}

// frame writes a frame, one at a time. A write that the server does not take
// before the deadline ends the connection: half a frame cannot be taken back.
func (w *webSocket) frame(f ws.Frame, deadline time.Time) error {
	b, err := ws.CompileFrame(ws.MaskFrameInPlace(f))
	if err != nil {
		return err
	}
	timeout := time.NewTimer(time.Until(deadline))
	defer timeout.Stop()
	select {
	case w.writing <- struct{}{}:
	case <-timeout.C:
		return os.ErrDeadlineExceeded
	}
	defer func() { <-w.writing }()
	cut := time.AfterFunc(time.Until(deadline), func() { w.conn.Close() }) //nolint:errcheck // it is being given up
	_, err = w.conn.Write(b)
	if !cut.Stop() {
		return os.ErrDeadlineExceeded
	}
	return err
}

// lastWords bounds what is said out of courtesy.
const lastWords = time.Second

// close says goodbye, if nobody else is writing, and closes the connection.
func (w *webSocket) close() error {
	select {
	case w.writing <- struct{}{}:
		<-w.writing
		w.frame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")), time.Now().Add(lastWords)) //nolint:errcheck // it is closed anyway
	default:
	}
	return w.conn.Close()
}
