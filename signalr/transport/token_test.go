package transport_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr/transport"
)

// status is what an upgrade with an id is answered.
func (s *site) status(id string) (int, string) {
	s.t.Helper()
	_, resp := s.upgrade("?id="+id, nil)
	if resp.StatusCode == http.StatusSwitchingProtocols {
		s.next()
		return resp.StatusCode, ""
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func (s *site) expectStatus(what, id string, status int, body string) {
	s.t.Helper()
	if got, text := s.status(id); got != status || text != body {
		s.t.Errorf("%s: %d with %q, want %d with %q", what, got, text, status, body)
	}
}

func TestTokenRules(t *testing.T) {
	t.Parallel()
	secret := []byte("a secret of the nodes")
	s := newSite(t, "tcp", transport.Options{Secret: secret})
	n := s.negotiate("?negotiateVersion=1")
	s.expectStatus("public id", n.ConnectionID, 404, noConnection)
	s.expectStatus("no token at all", strings.Repeat("A", 44), 404, noConnection)
	s.expectStatus("too long", n.ConnectionToken+"A", 404, noConnection)
	s.expectStatus("too short", n.ConnectionToken[:43], 404, noConnection)
	s.expectStatus("not base64", "*"+n.ConnectionToken[1:], 404, noConnection)
	for i := range n.ConnectionToken { // whatever is changed
		c := byte('A')
		if n.ConnectionToken[i] == c {
			c = 'B'
		}
		forged := n.ConnectionToken[:i] + string(c) + n.ConnectionToken[i+1:]
		if _, _, ok := transport.OpenToken(secret, forged, time.Now()); ok {
			t.Errorf("changed at %d, the token still opens", i)
		}
	}
	s.expectStatus("other secret", transport.SignToken([]byte("other"), [16]byte{1}, time.Now()), 404, noConnection)
	s.expectStatus("other node, same secret", transport.SignToken(secret, [16]byte{1}, time.Now()), 101, "")
	s.expectStatus("token", n.ConnectionToken, 101, "")
	s.expectStatus("second socket on a live connection", n.ConnectionToken, 409, "")
	old := s.negotiate("")
	s.expectStatus("version 0: the id connects", old.ConnectionID, 101, "")
	s.expectStatus("version 0: second socket", old.ConnectionID, 409, "")
	if st := s.handler.Stats(); st.Connections != 3 || st.Accepted != 3 {
		t.Errorf("Stats = %+v, want 3 connections", st)
	}
}

func TestEmptyIDIsSkippedNegotiation(t *testing.T) {
	t.Parallel()
	s := newSite(t, "tcp", transport.Options{})
	s.expectStatus("empty id", "", 101, "")
}

func TestTokenExpires(t *testing.T) {
	t.Parallel()
	for _, offset := range []time.Duration{0, time.Millisecond, 500 * time.Millisecond, 999 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, "memory", transport.Options{})
			<-time.After(offset) // tokens know whole seconds only
			early, late, never := s.negotiate("?negotiateVersion=1"), s.negotiate("?negotiateVersion=1"), s.negotiate("")
			<-time.After(15 * time.Second)
			s.expectStatus("after 15 s", early.ConnectionToken, 101, "")
			<-time.After(time.Second)
			s.expectStatus("after 16 s", late.ConnectionToken, 404, noConnection)
			s.expectStatus("after 16 s, version 0", never.ConnectionID, 404, noConnection)
			<-time.After(time.Hour)
			s.expectStatus("live for an hour", early.ConnectionToken, 409, "")
		})
	}
}

func TestUsedTokenIsRemembered(t *testing.T) {
	t.Parallel()
	for _, offset := range []time.Duration{0, 999 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t, "memory", transport.Options{})
			<-time.After(offset)
			n := s.negotiate("?negotiateVersion=1")
			for range 3 { // sweeps away what is old
				w, resp := s.upgrade("?id="+n.ConnectionToken, nil)
				if resp.StatusCode != http.StatusSwitchingProtocols {
					t.Fatal(resp.Status)
				}
				r := s.next()
				w.send(frame(closeFrame, ""))
				if err := <-r.closed; err != nil {
					t.Fatalf("Closed(%v), want nil", err)
				}
				synctest.Wait()
				for range 20 {
					s.expectStatus("used", n.ConnectionToken, 404, noConnection)
					other, _ := s.open() // its end makes the handler sweep
					other.Close()
					<-time.After(time.Second)
				}
				n = s.negotiate("?negotiateVersion=1")
			}
			<-time.After(time.Minute)
			w, _ := s.open()
			w.Close()
			synctest.Wait()
			if got := s.handler.Spent(); got > 1 {
				t.Errorf("%d used tokens are kept after a minute, want the last", got)
			}
		})
	}
}

// Two requests that race with one token: one gets the connection. Nor does it
// help to come in the moment in which the first connection ends.
func TestTokenRace(t *testing.T) {
	t.Parallel()
	s := newSite(t, "tcp", transport.Options{})
	for range 50 {
		n := s.negotiate("?negotiateVersion=1")
		var wg sync.WaitGroup
		got := make(chan int, 8)
		for range cap(got) {
			wg.Go(func() {
				w, resp := s.upgrade("?id="+n.ConnectionToken, nil)
				got <- resp.StatusCode
				if resp.StatusCode == http.StatusSwitchingProtocols {
					w.send(frame(closeFrame, closeBody(ws.StatusNormalClosure, "")))
				}
			})
		}
		wg.Wait()
		s.next()
		close(got)
		made := 0
		for status := range got {
			switch status {
			case http.StatusSwitchingProtocols:
				made++
			case http.StatusConflict, http.StatusNotFound:
			default:
				t.Errorf("status %d, want 101, 404 or 409", status)
			}
		}
		if made != 1 {
			t.Fatalf("one token made %d connections", made)
		}
	}
}
