package transport_test

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr/transport"
)

// fill sends until the connection takes no more; it returns how many messages
// of 10,000 bytes it has taken, the last one in part.
func (r *receiver) fill() (n int) {
	for {
		n++
		if !r.conn.Send([][]byte{make([]byte, 10_000)}, true) {
			return n
		}
	}
}

func TestSendTimeout(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		_, r := s.open()
		begin := time.Now()
		r.fill()
		ended(t, r, begin, 10*time.Second, transport.ErrSendTimeout)
		if len(r.writable) > 0 {
			t.Error("Writable at the end of the connection")
		}
	})
}

func TestSlowClientRecovers(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		w, r := s.open()
		for range 3 {
			n := r.fill()
			<-time.After(9 * time.Second)
			if len(r.writable) > 0 {
				t.Fatal("Writable while there is no room")
			}
			for range n {
				if _, payload := w.receive(); len(payload) != 10_000 {
					t.Fatalf("received %d bytes, want 10000", len(payload))
				}
			}
			<-r.writable
			// The deadline of the slow write has passed long ago.
			<-time.After(time.Hour)
			if !r.conn.Send([][]byte{[]byte("x")}, false) {
				t.Error("Send to an empty connection asks to wait")
			}
			w.expect(ws.OpText, "x")
		}
		if len(r.writable) > 0 || len(r.closed) > 0 {
			t.Errorf("Writable %d times too often, closed %d times", len(r.writable), len(r.closed))
		}
	})
}

// The same on a real socket: a conversation that goes on for longer than
// SendTimeout behind one slow write.
func TestSlowSocketRecovers(t *testing.T) {
	t.Parallel()
	const timeout = 100 * time.Millisecond
	for range 20 { // a slow machine may cut the connection
		s := newSite(t, "tcp narrow", transport.Options{SendTimeout: timeout})
		w, r := s.open()
		n := r.fill()
		go func() {
			for range n {
				if f, err := readFrame(w.r); err != nil || len(f.Payload) != 10_000 {
					return
				}
			}
			r.fed <- nil
		}()
		select {
		case <-r.closed:
			continue
		case <-r.writable:
		}
		wait(t, r.fed, "the client")
		for begin := time.Now(); time.Since(begin) < 3*timeout; {
			r.conn.Send([][]byte{[]byte("x")}, false)
			w.expect(ws.OpText, "x")
		}
		return
	}
	t.Error("20 slow writes in a row were cut")
}

// A client that pings and never reads stalls its own answers. Sending to it
// must not wait behind them: that would stall everybody else, too.
func TestSendBehindStalledPongs(t *testing.T) {
	// Not over TLS: its writer is always a goroutine, and most pongs are left
	// out before anything stalls.
	on(t, []string{"tcp narrow", "memory"}, transport.Options{SendTimeout: time.Hour}, func(t *testing.T, s *site) {
		w, r := s.open()
		ping := frame(pingFrame, strings.Repeat("p", 125))
		w.send(bytes.Repeat(ping, 20_000))
		w.send(frame(textFrame, "all read"))
		r.got(t, 8)
		sent := make(chan bool, 1)
		go func() { sent <- r.conn.Send([][]byte{[]byte("x")}, false) }()
		if wait(t, sent, "Send to return") {
			t.Error("Send says that there is room")
		}
		if len(r.writable) > 0 {
			t.Error("Writable while there is no room")
		}
		// Once it reads, everything comes in order, and the send is whole.
		for {
			op, payload := w.receive()
			if op == ws.OpText && payload == "x" {
				break
			}
			if op != ws.OpPong || len(payload) != 125 {
				t.Fatalf("received opcode %d with %q", op, payload)
			}
		}
		wait(t, r.writable, "room")
	})
}

// A last close frame comes out even behind pongs that were too many to keep.
func TestCloseBehindStalledPongs(t *testing.T) {
	inBubble(t, transport.Options{CloseTimeout: time.Hour, SendTimeout: time.Hour}, func(t *testing.T, s *site) {
		w, r := s.open()
		for range 10_000 {
			w.send(frame(pingFrame, "1234567890"))
		}
		synctest.Wait()
		r.conn.Close(false)
		for op := ws.OpPong; op == ws.OpPong; {
			var payload string
			if op, payload = w.receive(); op == ws.OpClose && payload != closeBody(1000, "") {
				t.Errorf("close frame with %q, want 1000", payload)
			}
		}
		w.send(frame(closeFrame, closeBody(1000, "")))
		if err := <-r.closed; err != nil {
			t.Errorf("Closed(%v), want nil", err)
		}
	})
}

// Stuck clients, and ones that stopped in the middle of a frame, cost two
// goroutines each at most, and others do not feel them. Not parallel: it
// counts goroutines.
func TestOthersAreUnharmed(t *testing.T) {
	const stuck = 30
	for _, network := range narrowNetworks {
		t.Run(network, func(t *testing.T) {
			s := newSite(t, network, transport.Options{SendTimeout: time.Hour})
			before := runtime.NumGoroutine()
			for range stuck {
				w, r := s.open()
				w.send(frame(textBegin, "half")[:9])
				r.fill()
			}
			// One more for net/http's listener, two for each TLS client.
			if n := runtime.NumGoroutine() - before; n > 2*stuck+4 {
				t.Errorf("%d stuck clients run %d goroutines, want at most %d", stuck, n, 2*stuck+4)
			}
			w, r := s.open()
			for range 100 {
				w.send(frame(textFrame, "hello"))
				r.got(t, 5)
				if !r.conn.Send([][]byte{[]byte("hello")}, false) {
					wait(t, r.writable, "room")
				}
				w.expect(ws.OpText, "hello")
			}
			w.Close()
			wait(t, r.closed, "the end")
		})
	}
}

// Shutdown is not held up by a TLS client that takes nothing: the farewell of
// TLS would have to wait for it.
func TestAbortOfStuckTLS(t *testing.T) {
	t.Parallel()
	s := newSite(t, "tls narrow", transport.Options{SendTimeout: time.Hour})
	w, r := s.open()
	r.fill()
	begin := time.Now()
	r.conn.Abort()
	wait(t, r.closed, "the end")
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("it took %v, want no wait for the client", took)
	}
	io.Copy(io.Discard, w.Conn) //nolint:errcheck // it has been cut
}
