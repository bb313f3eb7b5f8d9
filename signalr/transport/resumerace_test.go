package transport_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr/transport"
)

// What comes together with the request for a new socket is read no sooner than
// anything else: or a client that is held could have as much read as it likes,
// by coming back again and again.
func TestResumeHeldFeedsNothing(t *testing.T) {
	inBubble(t, resuming, func(t *testing.T, s *site) {
		w, r, query := s.resumable(nil)
		r.holds = true
		r.conn.Hold()
		early := frame(textFrame, strings.Repeat("x", 2000))
		var c *transport.Conn
		for range 10 {
			w.Close()
			var resp *http.Response
			if w, resp = s.upgrade(query, nil, early...); resp.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("upgrade: %s", resp.Status)
			}
			c = <-r.resumed
			synctest.Wait()
		}
		if n := len(r.fed); n > 0 {
			t.Errorf("fed %d pieces while held", n)
		}
		c.Resume()
		if got := r.got(t, 2000); len(got) != 2000 {
			t.Errorf("fed %d bytes, want the 2000 of the last socket", len(got))
		}
	})
}

// half sends an upgrade request, whose answer the server cannot write to its end.
func (s *site) half(query string) net.Conn {
	s.t.Helper()
	s.memory.Buffer = 16 // bytes
	c, err := s.dial(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	s.memory.Buffer = 0
	s.t.Cleanup(func() { c.Close() })
	request := "GET /hub" + query + " HTTP/1.1\r\nHost: hub.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := c.Write([]byte(request)); err != nil {
		s.t.Fatal(err)
	}
	synctest.Wait()
	return c
}

// An end that is wanted while a new socket is being made counts for that one.
func TestEndWhileTheClientComesBack(t *testing.T) {
	for name, end := range map[string]func(c *transport.Conn){
		"abort": (*transport.Conn).Abort,
		"close": func(c *transport.Conn) { c.Close(false) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, resuming, func(t *testing.T, s *site) {
				w, r, query := s.resumable(nil)
				w.Close()
				<-r.suspended
				synctest.Wait()
				c := s.half(query)
				end(r.conn)
				c.SetReadDeadline(time.Now().Add(10 * time.Second))
				io.Copy(io.Discard, c)
				wait(t, r.closed, "the end")
				synctest.Wait()
				s.refused("afterwards", query, nil, http.StatusNotFound, noConnection)
			})
		})
	}
}

// A client that comes back while another of its requests to come back is being
// answered has its turn behind that: it may have lost that socket, too.
func TestResumeWhileTheClientComesBack(t *testing.T) {
	inBubble(t, resuming, func(t *testing.T, s *site) {
		w, r, query := s.resumable(nil)
		w.Close()
		<-r.suspended
		synctest.Wait()
		c := s.half(query)
		next := make(chan *wire, 2)
		for range 2 {
			go func() { next <- s.socket(query, nil) }()
		}
		synctest.Wait()
		if len(next) > 0 || len(r.resumed) > 0 {
			t.Error("two sockets are being made at a time")
		}
		c.Close()
		heard := make(chan string, 2)
		for range 2 {
			w := <-next
			go func() {
				b, _ := io.ReadAll(w.r)
				heard <- string(b)
			}()
		}
		<-r.resumed
		newest := <-r.resumed
		newest.Send([][]byte{[]byte("down")}, false)
		newest.Close(false)
		<-r.closed
		if got := <-heard + <-heard; got != "\x81\x04down\x88\x02\x03\xe8" {
			t.Errorf("the two sockets heard %q, want one of them what was sent", got)
		}
	})
}
