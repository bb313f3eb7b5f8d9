package client_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"rte/signalr"
	"rte/signalr/client"
)

// What is taken from an answer is a redirect or a connection, never both or
// half of one.
func FuzzNegotiation(f *testing.F) {
	for _, seed := range []string{
		offers + "}", `{"connectionId":"i"}`, `{"error":"full"}`, `{"url":"http://elsewhere/hub","accessToken":"t"}`, `{"negotiateVersion":1,"connectionId":"i"}`,
		`{"ProtocolVersion":"1.5","Url":"/signalr"}`, `{"connectionId":"i","useStatefulReconnect":true}`, `{"availableTransports":[null,{}]}`, `null`, `[]`, `{`, "",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, stateful bool) {
		redirect, id, token, err := client.ParseNegotiation(body, stateful)
		if err == nil && redirect == "" && (id == "" || token == "") {
			t.Errorf("%q is taken, with id %q and token %q", body, id, token)
		}
		if err != nil && len(err.Error()) > 300+len(body) {
			t.Errorf("%q: the error is %v", body, err)
		}
	})
}

// An event stream is read the same however its bytes come, and no event is
// larger than allowed; what a server makes of a text is that text.
func FuzzEvents(f *testing.F) {
	for _, seed := range []string{
		":\r\n\r\ndata: {\"type\":6}\x1e\r\n\r\n", "data: a\ndata: b\n\n", "data:a\rdata: b\r\r", "event: x\ndata: a\n\ndata: b\n\n", "id: 1\nretry: 5\ndata\n\n",
		"data: " + strings.Repeat("x", 200) + "\n\n", strings.Repeat("data\n", 100), "data:\n\n", "\r\n\r\n", "data: cut",
	} {
		f.Add([]byte(seed))
	}
	const most = 100
	read := func(r io.Reader) (list []string, err error) {
		err = client.ReadEvents(r, most, func(data []byte) { list = append(list, string(data)) })
		return list, err
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		whole, err := read(bytes.NewReader(p))
		bytewise, err2 := read(oneByOne{bytes.NewReader(p)})
		if strings.Join(whole, "|") != strings.Join(bytewise, "|") || !errors.Is(err, err2) && err.Error() != err2.Error() {
			t.Errorf("%q is %q, %v at once and %q, %v by bytes", p, whole, err, bytewise, err2)
		}
		for _, data := range whole {
			if len(data) == 0 || len(data) > most+1 {
				t.Errorf("%q has an event of %d bytes", p, len(data))
			}
		}
		if text := strings.ToValidUTF8(string(p), ""); len(text) < most && text != "" && !strings.ContainsAny(text, "\r\n") {
			if got, err := read(strings.NewReader("data: " + text + "\r\n\r\n")); !errors.Is(err, io.EOF) || len(got) != 1 || got[0] != text {
				t.Errorf("the event of %q is read as %q, %v", text, got, err)
			}
		}
	})
}

type oneByOne struct{ io.Reader }

func (o oneByOne) Read(p []byte) (int, error) { return o.Reader.Read(p[:min(1, len(p))]) }

// A wire is a connection that takes whatever is written.
type wire struct {
	io.Reader
	wrote bytes.Buffer
}

func (w *wire) Write(p []byte) (int, error) { return w.wrote.Write(p) }
func (w *wire) Close() error                { return nil }

// WebSocket frames are read as another reader reads them, in pieces of bounded
// size, and what is answered is masked control frames.
func FuzzFrames(f *testing.F) {
	frame := func(frames ...ws.Frame) []byte {
		var b bytes.Buffer
		for _, one := range frames {
			ws.WriteFrame(&b, one)
		}
		return b.Bytes()
	}
	f.Add(frame(ws.NewTextFrame([]byte("hello")), ws.NewPingFrame([]byte("p")), ws.NewBinaryFrame(bytes.Repeat([]byte("x"), 5000))))
	f.Add(frame(ws.NewFrame(ws.OpText, false, []byte("a")), ws.NewFrame(ws.OpContinuation, true, []byte("b")), ws.NewCloseFrame(ws.NewCloseFrameBody(1000, "bye"))))
	f.Add(frame(ws.NewCloseFrame(nil)))
	f.Add([]byte{0x81, 0x7f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'x'})
	f.Add([]byte{0x89, 0x7e, 0, 200})
	f.Add([]byte{0xc1, 1, 'a'})
	f.Add([]byte{0x88, 1, 3})
	f.Fuzz(func(t *testing.T, p []byte) {
		w := &wire{Reader: bytes.NewReader(p)}
		var got []byte
		err := client.ReadFrames(w, func(data []byte) {
			if len(data) > 4<<10 {
				t.Errorf("a piece of %d bytes", len(data))
			}
			got = append(got, data...)
		})
		if err == nil || errors.Is(err, signalr.ErrTooLarge) {
			t.Errorf("%x ends with %v", p, err)
		}
		want, pings := reference(p)
		if !bytes.HasPrefix(got, want) {
			t.Errorf("%x is read as %x, want %x", p, got, want)
		}
		for wrote := w.wrote.Bytes(); len(wrote) > 0; pings-- {
			r := bytes.NewReader(wrote)
			answer, err := readFrame(r)
			if err != nil || !answer.Header.Masked || answer.Header.OpCode != ws.OpPong && answer.Header.OpCode != ws.OpClose {
				t.Fatalf("%x is answered with %x: %v", p, w.wrote.Bytes(), err)
			}
			wrote = wrote[len(wrote)-r.Len():]
		}
		if pings != 0 {
			t.Errorf("%x: %d pings and closes without an answer", p, pings)
		}
	})
}

// reference is the data of the whole frames, up to the first that is not to
// be, and how many frames ask for an answer.
func reference(p []byte) (data []byte, answers int) {
	r := bytes.NewReader(p)
	for {
		h, err := ws.ReadHeader(r)
		if err != nil || h.Masked || h.Rsv != 0 || h.OpCode.IsReserved() || h.OpCode.IsControl() && h.Length > ws.MaxControlFramePayloadSize || h.Length > int64(r.Len()) {
			return data, answers
		}
		body := make([]byte, h.Length)
		io.ReadFull(r, body) //nolint:errcheck // they are there
		switch {
		case h.OpCode == ws.OpClose:
			return data, answers + 1
		case h.OpCode == ws.OpPing:
			answers++
		case h.OpCode.IsData():
			data = append(data, body...)
		}
	}
}
