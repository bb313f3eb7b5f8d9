package client

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
)

// A webSocket is the WebSocket transport (RFC 6455, 5). Its connection comes
// from the HTTP client and has no deadlines; what must end closes it.
type webSocket struct {
	conn   io.ReadWriteCloser
	binary bool // the protocol's bytes may be other than UTF-8

	// owned by the reader
	in   *bufio.Reader
	buf  []byte
	left int64 // of the data frame that is being read

	writing chan struct{}          // holds a token while somebody writes; never closed
	owed    atomic.Pointer[[]byte] // the pong that is to be sent next; only the newest counts
	bye     atomic.Bool            // a close frame was sent
}

// readSize is how much of a frame is handed on at once, in bytes: a frame may
// announce any length.
const readSize = 4 << 10

// pongTimeout is how long the server may take to take a pong.
const pongTimeout = 10 * time.Second

func newWebSocket(conn io.ReadWriteCloser, binary bool) *webSocket {
	return &webSocket{conn: conn, in: bufio.NewReaderSize(conn, readSize), buf: make([]byte, readSize), writing: make(chan struct{}, 1), binary: binary}
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
		w.owed.Store(&p)
		return w.pong()
	case ws.OpClose:
		code, reason := ws.ParseCloseFrameData(p)
		if !w.bye.Swap(true) { // the answer is a courtesy: the server has gone
			w.frame(ws.NewCloseFrame(p[:min(2, len(p))]), time.Now().Add(lastWords)) //nolint:errcheck // see above
		}
		return &errClosedFrame{int(code), reason}
	}
	return nil
}

// pong answers the newest ping, unless somebody is writing, who does it then:
// the reader waits for no writer.
func (w *webSocket) pong() error {
	for w.owed.Load() != nil {
		select {
		case w.writing <- struct{}{}:
		default:
			return nil
		}
		var err error
		if p := w.owed.Swap(nil); p != nil {
			err = w.put(ws.NewPongFrame(*p), time.Now().Add(pongTimeout))
		}
		<-w.writing
		if err != nil {
			return err
		}
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

// frame writes a frame, one at a time.
func (w *webSocket) frame(f ws.Frame, deadline time.Time) error {
	timeout := time.NewTimer(time.Until(deadline))
	defer timeout.Stop()
	select {
	case w.writing <- struct{}{}:
	case <-timeout.C:
		return os.ErrDeadlineExceeded
	}
	err := w.put(f, deadline)
	<-w.writing
	return errors.Join(err, w.pong())
}

// put writes a frame. What the server does not take before the deadline ends
// the connection: half a frame cannot be taken back. The caller has the turn.
func (w *webSocket) put(f ws.Frame, deadline time.Time) error {
	b, err := ws.CompileFrame(ws.MaskFrameInPlace(f))
	if err != nil {
		return err
	}
	cut := time.AfterFunc(time.Until(deadline), w.cut)
	_, err = w.conn.Write(b)
	if !cut.Stop() {
		return os.ErrDeadlineExceeded
	}
	return err
}

// goodbye sends a close frame, unless somebody is writing: a server that does
// not read would not read this either.
func (w *webSocket) goodbye() {
	if w.bye.Swap(true) {
		return
	}
	select {
	case w.writing <- struct{}{}:
		w.put(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")), time.Now().Add(lastWords)) //nolint:errcheck // it is closed anyway
		<-w.writing
	default:
	}
}

// cut closes the connection.
func (w *webSocket) cut() {
	w.conn.Close() //nolint:errcheck // there is nothing to do about it
}

// errClosedFrame is a WebSocket's end by a close frame: the server wanted it.
type errClosedFrame struct {
	code   int
	reason string
}

func (e *errClosedFrame) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the server closed the WebSocket with status %d %s", e.code, e.reason))
}

// wanted says whether a link was ended by the server's own will.
func wanted(err error) bool {
	_, ok := errors.AsType[*errClosedFrame](err)
	return ok
}
