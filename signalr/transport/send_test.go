package transport_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"rte/signalr/transport"
)

func TestSend(t *testing.T) {
	sizes := []int{0, 1, 125, 126, 127, 65535, 65536, 100_000}
	onNetworks(t, transport.Options{}, func(t *testing.T, s *site) {
		w, r := s.open()
		for i, size := range sizes {
			binary := i%2 == 1
			text := strings.Repeat("x", size)
			ready := r.conn.Send([][]byte{[]byte("a"), []byte(text), []byte("b")}, binary)
			op := ws.OpText
			if binary {
				op = ws.OpBinary
			}
			w.expect(op, "a"+text+"b")
			if !ready {
				wait(t, r.writable, "room")
			}
		}
		if len(r.writable) > 0 {
			t.Error("Writable without a Send that was told to wait")
		}
	})
}

// Sends, answers to pings and the close frame come from different goroutines;
// on the wire they are whole frames, the sends in their order.
func TestSendAmongPings(t *testing.T) {
	onNetworks(t, transport.Options{}, func(t *testing.T, s *site) {
		const n = 500
		w, r := s.open()
		go func() { // the client's own sending must not wait for its reading
			for range n {
				if _, err := w.Write(frame(pingFrame, "ping")); err != nil {
					return
				}
			}
		}()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := range n {
				text := strings.Repeat(string(rune('a'+i%26)), 1+i*7)
				if !r.conn.Send([][]byte{[]byte(text)}, false) {
					<-r.writable
				}
			}
			r.conn.Close(false)
		}()
		for i := 0; ; {
			op, payload := w.receive()
			switch op {
			case ws.OpPong:
				continue
			case ws.OpClose:
				if i != n {
					t.Fatalf("closed behind %d messages, want %d", i, n)
				}
			default:
				if want := strings.Repeat(string(rune('a'+i%26)), 1+i*7); payload != want {
					t.Fatalf("message %d is %.20q and %d bytes, want %.20q and %d", i, payload, len(payload), want, len(want))
				}
				i++
				continue
			}
			break
		}
		<-sent
		w.send(frame(closeFrame, closeBody(1000, "")))
		if err := wait(t, r.closed, "the end"); err != nil {
			t.Errorf("Closed(%v), want nil", err)
		}
	})
}

func TestClientVanishes(t *testing.T) {
	onNetworks(t, transport.Options{}, func(t *testing.T, s *site) {
		for name, b := range map[string][]byte{
			"at once":                nil,
			"inside a header":        {textFrame},
			"inside a payload":       frame(textFrame, "hello")[:8],
			"inside a control frame": frame(pingFrame, "hello")[:8],
			"inside a message":       frame(textBegin, "hello"),
		} {
			w, r := s.open()
			w.send(b)
			w.Close()
			if err := wait(t, r.closed, "the end"); err == nil {
				t.Errorf("%s: Closed(nil), want an error", name)
			}
			if !r.conn.Send([][]byte{[]byte("x")}, false) {
				t.Errorf("%s: Send on an ended connection asks to wait", name)
			}
			r.conn.Close(false)
			r.conn.Abort()
			r.conn.Hold()
			r.conn.Resume()
			if len(r.closed) > 0 {
				t.Errorf("%s: Closed twice", name)
			}
		}
	})
}

// A client that closes its own direction first still hears what it is sent.
func TestHalfClose(t *testing.T) {
	onNetworks(t, transport.Options{}, func(t *testing.T, s *site) {
		w, r := s.open()
		w.send(frame(textFrame, "x"))
		r.got(t, 1)
		half, ok := w.Conn.(interface{ CloseWrite() error })
		if !ok {
			t.Fatalf("%T cannot be closed by half", w.Conn)
		}
		if err := half.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if err := wait(t, r.closed, "the end"); !errors.Is(err, io.EOF) {
			t.Errorf("Closed(%v), want %v", err, io.EOF)
		}
		w.expectEOF()
	})
}
