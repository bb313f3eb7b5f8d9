package transport_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr/transport"
)

// inBubble runs a test body over a network in memory, on a clock of its own.
func inBubble(t *testing.T, o transport.Options, body func(t *testing.T, s *site)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { body(t, newSite(t, "memory", o)) })
}

func TestServerCloses(t *testing.T) {
	for _, failed := range []bool{false, true} {
		t.Run("", func(t *testing.T) {
			onNetworks(t, transport.Options{}, func(t *testing.T, s *site) {
				w, r := s.open()
				r.conn.Send([][]byte{[]byte("last")}, false)
				r.conn.Close(failed)
				r.conn.Close(!failed) // only the first counts
				if !r.conn.Send([][]byte{[]byte("never")}, false) {
					t.Error("Send behind Close asks to wait")
				}
				w.expect(ws.OpText, "last")
				status := ws.StatusNormalClosure
				if failed {
					status = ws.StatusInternalServerError
				}
				w.expectClose(status)
				w.send(frame(textFrame, "still on its way"), frame(closeFrame, closeBody(status, "")))
				w.expectEOF()
				if err := wait(t, r.closed, "the end"); err != nil {
					t.Errorf("Closed(%v), want nil", err)
				}
			})
		})
	}
}

// ended checks when and how a connection has ended.
func ended(t *testing.T, r *receiver, begin time.Time, after time.Duration, is error) {
	t.Helper()
	err := <-r.closed
	if got := time.Since(begin); got != after || !errors.Is(err, is) {
		t.Errorf("Closed(%v) after %v, want %v after %v", err, got, is, after)
	}
}

func TestCloseIsNotAnswered(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		w, r := s.open()
		begin := time.Now()
		r.conn.Close(false)
		w.expectClose(ws.StatusNormalClosure)
		ended(t, r, begin, 5*time.Second, os.ErrDeadlineExceeded)
		w.expectEOF()
	})
}

// Neither data nor pings make the wait longer.
func TestCloseAndFlood(t *testing.T) {
	inBubble(t, transport.Options{CloseTimeout: time.Minute}, func(t *testing.T, s *site) {
		w, r := s.open()
		begin := time.Now()
		r.conn.Close(false)
		var flood sync.WaitGroup
		flood.Go(func() {
			for {
				if _, err := w.Write(frame(textFrame, "more")); err != nil {
					return
				}
				if _, err := w.Write(frame(pingFrame, "more")); err != nil {
					return
				}
				<-time.After(time.Second)
			}
		})
		go io.Copy(io.Discard, w)
		ended(t, r, begin, time.Minute, os.ErrDeadlineExceeded)
		flood.Wait()
	})
}

// A client that takes nothing cannot be told of the end, but it ends.
func TestCloseOfAStuckClient(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		_, r := s.open()
		begin := time.Now()
		for r.conn.Send([][]byte{make([]byte, 10_000)}, false) {
		}
		r.conn.Close(false)
		ended(t, r, begin, 5*time.Second, os.ErrDeadlineExceeded)
	})
}

func TestAbort(t *testing.T) {
	on(t, narrowNetworks, transport.Options{}, func(t *testing.T, s *site) {
		w, r := s.open()
		for r.conn.Send([][]byte{make([]byte, 10_000)}, false) {
		}
		r.conn.Abort()
		r.conn.Abort()
		if err := wait(t, r.closed, "the end"); !errors.Is(err, transport.ErrAborted) {
			t.Errorf("Closed(%v), want %v", err, transport.ErrAborted)
		}
		w.Close()
	})
}

// After Feed's error nothing more is fed, and the connection waits for its
// receiver to close it.
func TestFeedRefuses(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		fed := 0
		s.prepare = func(r *receiver) {
			r.refuse = errors.New("no more")
			r.onFeed = func([]byte) { fed++ }
		}
		w, r := s.open()
		w.send(frame(textFrame, "a"), frame(textFrame, "b"), frame(pingFrame, "alive"))
		w.send(frame(textFrame, "c"))
		w.expect(ws.OpPong, "alive")
		synctest.Wait()
		if fed != 1 || len(r.closed) > 0 {
			t.Errorf("fed %d pieces, closed %d times, want 1 and 0", fed, len(r.closed))
		}
		r.conn.Close(true)
		w.expectClose(ws.StatusInternalServerError)
		w.send(frame(closeFrame, closeBody(1011, "")))
		if err := <-r.closed; err != nil {
			t.Errorf("Closed(%v), want nil", err)
		}
	})
}

func TestHold(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		w, r := s.open()
		w.send(frame(textFrame, "a"))
		r.got(t, 1)
		r.conn.Hold()
		r.conn.Hold()
		w.send(frame(textFrame, "b")) // is being waited for already
		synctest.Wait()
		fed := len(r.fed)
		for range 20 {
			w.send(frame(textFrame, strings.Repeat("c", 1000)))
		}
		synctest.Wait()
		if fed > 1 || len(r.fed) != fed {
			t.Errorf("%d, then %d pieces fed while held, want at most the one that was under way", fed, len(r.fed))
		}
		r.conn.Resume()
		r.conn.Resume()
		if got := r.got(t, 20_001); got != "b"+strings.Repeat("c", 20_000) {
			t.Errorf("fed %d bytes, want all in order", len(got))
		}
	})
}

// held makes a connection whose receiver holds.
func (s *site) held() (*wire, *receiver) {
	s.t.Helper()
	s.prepare = func(r *receiver) { r.onFeed = func([]byte) { r.conn.Hold() } }
	w, r := s.open()
	w.send(frame(textFrame, "a"))
	r.got(s.t, 1)
	synctest.Wait()
	return w, r
}

func TestCloseWhileHeld(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		w, r := s.held()
		r.conn.Close(false)
		r.conn.Hold() // too late
		w.expectClose(ws.StatusNormalClosure)
		w.send(frame(closeFrame, closeBody(1000, "")))
		if err := <-r.closed; err != nil {
			t.Errorf("Closed(%v), want nil", err)
		}
	})
}

func TestAbortWhileHeld(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		_, r := s.held()
		r.conn.Abort()
		r.conn.Hold() // too late
		ended(t, r, time.Now(), 0, transport.ErrAborted)
	})
}

// A held connection is not read, so it is by writing that its end is noticed.
func TestClientVanishesWhileHeld(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		w, r := s.held()
		w.Close()
		<-time.After(time.Hour)
		if len(r.closed) > 0 {
			t.Fatal("closed without reading or writing")
		}
		r.conn.Send([][]byte{[]byte("anyone there?")}, false)
		ended(t, r, time.Now(), 0, syscall.EPIPE)
	})
}

func TestStuckWhileHeld(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		_, r := s.held()
		begin := time.Now()
		for r.conn.Send([][]byte{make([]byte, 10_000)}, false) {
		}
		ended(t, r, begin, 10*time.Second, transport.ErrSendTimeout)
	})
}

func TestShutdown(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		w, r := s.open()
		_, stays := s.open()
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		done := make(chan error)
		go func() { done <- s.handler.Shutdown(ctx) }()
		synctest.Wait()
		if _, resp := s.upgrade("", nil); resp.StatusCode != 503 {
			t.Errorf("upgrade during Shutdown: %s, want 503", resp.Status)
		}
		w.send(frame(closeFrame, ""))
		ended(t, r, begin, 0, nil)
		if err := <-done; err == nil || !strings.Contains(err.Error(), "1 connections") || time.Since(begin) != time.Hour {
			t.Errorf("Shutdown = %v after %v, want one connection cut after an hour", err, time.Since(begin))
		}
		ended(t, stays, begin, time.Hour, transport.ErrAborted)
		if err := s.handler.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown again = %v, want nil", err)
		}
		if st := s.handler.Stats(); st.Connections != 0 || st.Accepted != 2 {
			t.Errorf("Stats = %+v, want 2 made and none open", st)
		}
	})
}

// Shutdown may cut while an upgrade is still being answered.
func TestShutdownDuringUpgrade(t *testing.T) {
	for _, reads := range []bool{true, false} {
		inBubbleNamed(t, "reads", transport.Options{}, func(t *testing.T, s *site) {
			s.memory.Buffer = 16 // the answer does not fit
			c, err := s.dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, "GET /hub HTTP/1.1\r\nHost: hub.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			done := make(chan error)
			go func() { done <- s.handler.Shutdown(ctx) }()
			synctest.Wait()
			if reads {
				go io.Copy(io.Discard, c)
				ended(t, s.next(), time.Now(), 0, transport.ErrAborted)
			}
			if err := <-done; err == nil {
				t.Error("Shutdown = nil, want one connection cut")
			}
		})
	}
}

func inBubbleNamed(t *testing.T, name string, o transport.Options, body func(t *testing.T, s *site)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { inBubble(t, o, body) })
}
