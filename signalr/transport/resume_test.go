package transport_test

import (
	"context"
	"errors"
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

var resuming = transport.Options{StatefulReconnect: true}

// resumable opens a connection that outlives its socket; query names it.
func (s *site) resumable(header http.Header) (w *wire, r *receiver, query string) {
	s.t.Helper()
	resp, body := s.do(http.MethodPost, "/negotiate?negotiateVersion=1&useStatefulReconnect=true", header)
	var n negotiated
	unmarshal(s.t, body, &n)
	if resp.StatusCode != http.StatusOK || n.UseStatefulReconnect == nil || !*n.UseStatefulReconnect {
		s.t.Fatalf("negotiate: %d with %s, want stateful reconnect", resp.StatusCode, body)
	}
	query = "?id=" + n.ConnectionToken
	w = s.socket(query, header)
	r = s.next()
	if !r.conn.Resumable() || r.conn.ID() != n.ConnectionID {
		s.t.Fatalf("connection %s is resumable: %t, want %s that is", r.conn.ID(), r.conn.Resumable(), n.ConnectionID)
	}
	r.conn.Retain()
	return w, r, query
}

// socket upgrades, which must be granted.
func (s *site) socket(query string, header http.Header) *wire {
	s.t.Helper()
	w, resp := s.upgrade(query, header)
	if resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(resp.Body)
		s.t.Fatalf("upgrade: %s with %q", resp.Status, body)
	}
	return w
}

// refused upgrades, which must be answered so.
func (s *site) refused(what, query string, header http.Header, status int, text string) {
	s.t.Helper()
	_, resp := s.upgrade(query, header)
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != status || string(body) != text {
		s.t.Errorf("%s: %s with %q, want %d with %q", what, resp.Status, body, status, text)
	}
}

func TestNegotiateStateful(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, query string
		offered     bool
		granted     bool
	}{
		{"asked and offered", "?negotiateVersion=1&useStatefulReconnect=true", true, true},
		{"keys and values in any case", "?negotiateVersion=1&USESTATEFULRECONNECT=True", true, true},
		{"not asked", "?negotiateVersion=1", true, false},
		{"asked not to", "?negotiateVersion=1&useStatefulReconnect=false", true, false},
		{"nonsense", "?negotiateVersion=1&useStatefulReconnect=1", true, false},
		{"not offered", "?negotiateVersion=1&useStatefulReconnect=true", false, false},
	} {
		s := newSite(t, "memory", transport.Options{StatefulReconnect: test.offered})
		n := s.negotiate(test.query)
		if granted := n.UseStatefulReconnect != nil; granted != test.granted || granted && !*n.UseStatefulReconnect {
			t.Errorf("%s: useStatefulReconnect = %v, want granted: %t, else left out", test.name, n.UseStatefulReconnect, test.granted)
		}
		w, _ := s.upgrade("?id="+n.ConnectionToken, nil)
		if r := s.next(); r.conn.Resumable() != test.granted {
			t.Errorf("%s: Resumable = %t", test.name, r.conn.Resumable())
		}
		w.Close()
	}
}

// A cut socket and a new one, several times: the same connection.
func TestResume(t *testing.T) {
	onNetworks(t, resuming, func(t *testing.T, s *site) {
		w, r, query := s.resumable(nil)
		id := r.conn.ID()
		for i := range 5 {
			w.send(frame(textFrame, "up")) // whole, and half of a frame
			if got := r.got(t, 2); got != "up" {
				t.Fatalf("fed %q", got)
			}
			w.send(frame(textFrame, "half a message")[:9])
			w.Close()
			wait(t, r.suspended, "Suspended")
			r.conn.Send([][]byte{[]byte("nowhere")}, false)
			w = s.socket(query, nil)
			c := wait(t, r.resumed, "Resumed")
			if c.ID() != id {
				t.Fatalf("round %d: resumed as %s, want %s", i, c.ID(), id)
			}
			for len(r.fed) > 0 {
				<-r.fed // of the half
			}
			c.Send([][]byte{[]byte("down")}, false)
			w.expect(ws.OpText, "down")
		}
		if st := s.handler.Stats(); st.Connections != 1 || st.Accepted != 1 || len(s.accepted) > 0 {
			t.Errorf("Stats = %+v, want one connection", st)
		}
		w.send(frame(closeFrame, closeBody(1000, "")))
		w.expectClose(ws.StatusNormalClosure)
		if err := wait(t, r.closed, "the end"); err != nil {
			t.Errorf("Closed(%v), want nil: the client said goodbye", err)
		}
		s.refused("behind the goodbye", query, nil, http.StatusNotFound, noConnection)
	})
}

// The client knows that its socket is dead before the server does.
func TestResumeWhileTheOldSocketLooksAlive(t *testing.T) {
	onNetworks(t, resuming, func(t *testing.T, s *site) {
		w, r, query := s.resumable(nil)
		next := s.socket(query, nil)
		wait(t, r.suspended, "Suspended")
		c := wait(t, r.resumed, "Resumed")
		if _, err := io.ReadAll(w.r); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("the old socket: %v, want its end", err)
		}
		next.send(frame(textFrame, "up"))
		if got := r.got(t, 2); got != "up" {
			t.Errorf("fed %q, want up", got)
		}
		c.Send([][]byte{[]byte("down")}, false)
		next.expect(ws.OpText, "down")
	})
}

// What the receiver holds stays held on the new socket.
func TestResumeHeld(t *testing.T) {
	inBubble(t, resuming, func(t *testing.T, s *site) {
		w, r, query := s.resumable(nil)
		r.holds = true
		r.conn.Hold()
		synctest.Wait()
		w.Close()
		next := s.socket(query, nil) // the old one is not being read: it is replaced
		c := wait(t, r.resumed, "Resumed")
		next.send(frame(textFrame, "a"), frame(textFrame, "b"))
		synctest.Wait()
		if len(r.fed) > 1 {
			t.Errorf("fed %d pieces while held", len(r.fed))
		}
		c.Resume()
		if got := r.got(t, 2); got != "ab" {
			t.Errorf("fed %q, want ab", got)
		}
	})
}

func TestNobodyComesBack(t *testing.T) {
	inBubble(t, resuming, func(t *testing.T, s *site) {
		w, r, query := s.resumable(nil)
		begin := time.Now()
		w.Close()
		ended(t, r, begin, 15*time.Second, io.EOF)
		time.Sleep(time.Hour)
		if len(r.closed) > 0 {
			t.Error("it has ended twice")
		}
		s.refused("too late", query, nil, http.StatusNotFound, noConnection)
	})
}

func TestComesBackInTime(t *testing.T) {
	inBubble(t, resuming, func(t *testing.T, s *site) {
		w, r, query := s.resumable(nil)
		for range 3 {
			w.Close()
			<-r.suspended
			time.Sleep(15*time.Second - time.Millisecond)
			w = s.socket(query, nil)
			<-r.resumed
			time.Sleep(time.Hour)
		}
		if len(r.closed) > 0 {
			t.Error("it has ended")
		}
	})
}

// Not every end of a socket is one that somebody comes back from.
func TestEndsThatAreFinal(t *testing.T) {
	for name, end := range map[string]func(w *wire, r *receiver){
		"the client's close frame": func(w *wire, _ *receiver) { w.send(frame(closeFrame, closeBody(1001, ""))) },
		"close":                    func(_ *wire, r *receiver) { r.conn.Close(false) },
		"close, and the client is cut": func(w *wire, r *receiver) {
			r.conn.Close(false)
			w.Close()
		},
		"abort":         func(_ *wire, r *receiver) { r.conn.Abort() },
		"broken frames": func(w *wire, _ *receiver) { w.send([]byte{0x81, 1, 'a'}) }, // not masked
		"unwanted": func(w *wire, r *receiver) {
			r.unwanted.Store(true)
			w.Close()
		},
		"close while parked": func(w *wire, r *receiver) {
			w.Close()
			<-r.suspended
			synctest.Wait()
			r.conn.Close(false)
		},
		"abort while parked": func(w *wire, r *receiver) {
			w.Close()
			<-r.suspended
			synctest.Wait()
			r.conn.Abort()
			r.conn.Abort()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, transport.Options{StatefulReconnect: true, DisconnectTimeout: time.Hour}, func(t *testing.T, s *site) {
				w, r, query := s.resumable(nil)
				begin := time.Now()
				end(w, r)
				wait(t, r.closed, "the end")
				if took := time.Since(begin); took > 6*time.Second {
					t.Errorf("ended after %v", took)
				}
				synctest.Wait()
				s.refused("afterwards", query, nil, http.StatusNotFound, noConnection)
				if n := s.handler.Stats().Connections; n != 0 {
					t.Errorf("%d connections are left", n)
				}
				if len(r.resumed) > 0 {
					t.Error("resumed")
				}
			})
		})
	}
}

// Before the receiver retains it, a connection is like any other.
func TestNotRetained(t *testing.T) {
	inBubble(t, resuming, func(t *testing.T, s *site) {
		n := s.negotiate("?negotiateVersion=1&useStatefulReconnect=true")
		query := "?id=" + n.ConnectionToken
		w := s.socket(query, nil)
		r := s.next()
		s.refused("a second socket", query, nil, http.StatusConflict, "")
		w.Close()
		wait(t, r.closed, "the end")
		s.refused("afterwards", query, nil, http.StatusNotFound, noConnection)
		if len(r.suspended) > 0 {
			t.Error("Suspended was called")
		}
	})
}

func TestResumeNeedsTheSameUser(t *testing.T) {
	t.Parallel()
	s := newSite(t, "memory", transport.Options{StatefulReconnect: true, Authenticate: authenticate})
	w, r, query := s.resumable(from("ann"))
	w.Close()
	wait(t, r.suspended, "Suspended")
	s.refused("without a token", query, nil, http.StatusUnauthorized, "")
	s.refused("another user", query, from("bob"), http.StatusForbidden, "")
	half := wait(t, s.start(t.Context(), http.MethodGet, query, from("ann", http.Header{"Upgrade": {"websocket"}}), nil), "the answer")
	if half.status != http.StatusBadRequest && half.status != http.StatusUpgradeRequired {
		t.Errorf("an upgrade without a key: %d with %q", half.status, half.body)
	}
	w = s.socket(query, from("ann"))
	c := wait(t, r.resumed, "Resumed")
	c.Send([][]byte{[]byte("down")}, false)
	w.expect(ws.OpText, "down")
	if p := s.request(http.MethodPost, query, "x"); p.status != http.StatusUnauthorized {
		t.Errorf("POST: %d", p.status)
	}
}

// Where Confirm decides about polls, a new socket needs a valid token, too.
func TestResumeNeedsAValidToken(t *testing.T) {
	t.Parallel()
	confirmed := 0
	s := newSite(t, "memory", transport.Options{
		StatefulReconnect: true, Authenticate: authenticate,
		Confirm: func(_ *http.Request, user any) error {
			confirmed++
			if user.(person).name != "ann" {
				return errors.New("not ann")
			}
			return nil
		},
	})
	w, r, query := s.resumable(from("ann"))
	w.Close()
	wait(t, r.suspended, "Suspended")
	s.refused("without a token", query, nil, http.StatusUnauthorized, "")
	s.socket(query, from("ann"))
	wait(t, r.resumed, "Resumed")
	if confirmed != 1 {
		t.Errorf("Confirm was asked %d times, want once", confirmed)
	}
}

// Many come back at once; the last socket is the connection's.
func TestResumeRace(t *testing.T) {
	onNetworks(t, resuming, func(t *testing.T, s *site) {
		w, r, query := s.resumable(nil)
		w.Close()
		var mu sync.Mutex
		granted := 0
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				_, resp := s.upgrade(query, nil)
				mu.Lock()
				defer mu.Unlock()
				switch resp.StatusCode {
				case http.StatusSwitchingProtocols:
					granted++
				case http.StatusConflict:
				default:
					t.Errorf("answered %s", resp.Status)
				}
			})
		}
		all.Wait()
		for range granted {
			wait(t, r.resumed, "Resumed")
		}
		if granted == 0 || len(r.resumed) > 0 || len(r.closed) > 0 {
			t.Fatalf("%d granted, %d resumed more, %d ends", granted, len(r.resumed), len(r.closed))
		}
		w = s.socket(query, nil)
		c := wait(t, r.resumed, "Resumed")
		c.Send([][]byte{[]byte("down")}, false)
		w.expect(ws.OpText, "down")
	})
}

func TestShutdownWithParkedConnections(t *testing.T) {
	inBubble(t, transport.Options{StatefulReconnect: true, DisconnectTimeout: time.Hour}, func(t *testing.T, s *site) {
		w, r, query := s.resumable(nil)
		w.Close()
		<-r.suspended
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		if err := s.handler.Shutdown(ctx); err == nil {
			t.Error("Shutdown = nil, want that one had to be cut")
		}
		ended(t, r, begin, time.Minute, io.EOF)
		s.refused("afterwards", query, nil, http.StatusNotFound, noConnection)
	})
}
