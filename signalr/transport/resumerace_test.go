package transport_test

import (
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
				s.memory.Buffer = 16 // bytes: the answer does not fit
				c, err := s.dial(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				c.SetReadDeadline(time.Now().Add(10 * time.Second))
				request := "GET /hub" + query + " HTTP/1.1\r\nHost: hub.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
					"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
				if _, err := c.Write([]byte(request)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait() // the server writes its answer
				end(r.conn)
				b := make([]byte, 1000)
				for err == nil {
					_, err = c.Read(b)
				}
				wait(t, r.closed, "the end")
				synctest.Wait()
				s.refused("afterwards", query, nil, http.StatusNotFound, noConnection)
			})
		})
	}
}
