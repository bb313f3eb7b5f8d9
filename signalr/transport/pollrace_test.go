package transport_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr/transport"
)

// stuckPoll lets a client poll and not read what it gets.
func (s *site) stuckPoll(query string, r *receiver) {
	s.t.Helper()
	r.conn.Send([][]byte{make([]byte, 1_000_000)}, true)
	s.raw("GET " + s.path(query) + " HTTP/1.1\r\nHost: hub.test\r\n\r\n")
	synctest.Wait()
}

func TestPollCannotBeWritten(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		begin := time.Now()
		query, r := s.poller()
		s.stuckPoll(query, r)
		r.conn.Send([][]byte{[]byte("behind")}, false)
		next := s.poll(query) // must not overtake
		other, r2 := s.poller()
		r2.conn.Send([][]byte{[]byte("x")}, false)
		(<-s.poll(other)).is(t, "somebody else", http.StatusOK, "x")
		if took := time.Since(begin); took != 0 {
			t.Errorf("somebody else waited %v", took)
		}
		ended(t, r, begin, 10*time.Second, transport.ErrSendTimeout)
		(<-next).is(t, "the poll behind", http.StatusNoContent, "")
		if len(r.writable) > 0 {
			t.Error("Writable at the end of the connection")
		}
	})
}

// A poll that comes while another is answered goes on behind it, and the end
// comes behind both.
func TestPollBehindASlowOne(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		query, r := s.poller()
		r.conn.Send([][]byte{make([]byte, 1_000_000)}, true)
		slow := s.raw("GET " + s.path(query) + " HTTP/1.1\r\nHost: hub.test\r\nConnection: close\r\n\r\n")
		synctest.Wait()
		next := s.poll(query)
		synctest.Wait()
		r.conn.Send([][]byte{[]byte("behind")}, false)
		r.conn.Close(false)
		synctest.Wait()
		if len(next) > 0 || len(r.closed) > 0 {
			t.Fatal("the second poll is answered before the first")
		}
		b, err := io.ReadAll(slow)
		if err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 200 OK\r\n") || len(b) < 1_000_000 {
			t.Errorf("the first poll has %d bytes, %v, want a million", len(b), err)
		}
		(<-next).is(t, "the second poll", http.StatusOK, "behind")
		(<-s.poll(query)).is(t, "the end", http.StatusNoContent, "")
		ended(t, r, time.Now(), 0, nil)
	})
}

func TestLongPollingAborts(t *testing.T) {
	for _, state := range []string{"between polls", "during a poll", "stuck"} {
		for _, shutdown := range []bool{false, true} {
			inBubbleNamed(t, state, transport.Options{SendTimeout: time.Hour}, func(t *testing.T, s *site) {
				begin := time.Now()
				query, r := s.poller()
				var p <-chan reply
				switch state {
				case "during a poll":
					p = s.poll(query)
					synctest.Wait()
				case "stuck":
					s.stuckPoll(query, r)
				}
				if shutdown {
					ctx, cancel := context.WithCancel(t.Context())
					cancel()
					if err := s.handler.Shutdown(ctx); err == nil {
						t.Error("Shutdown = nil, want one connection cut")
					}
				} else {
					r.conn.Abort()
					r.conn.Abort()
				}
				ended(t, r, begin, 0, transport.ErrAborted)
				if p != nil {
					(<-p).is(t, "poll", http.StatusNoContent, "")
				}
				synctest.Wait()
				(<-s.poll(query)).is(t, "after the end", http.StatusNotFound, noConnection)
				endedNoMore(t, r)
			})
		}
	}
}

// Shutdown waits for receivers that close, and lets nothing new in.
func TestShutdownOverHTTP(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		query, r := s.poller()
		st, r2 := s.events()
		fresh := s.token()
		done := make(chan error)
		go func() { done <- s.handler.Shutdown(context.Background()) }()
		synctest.Wait()
		s.request(http.MethodGet, fresh, "").is(t, "first poll", http.StatusServiceUnavailable, "")
		p := <-s.start(t.Context(), http.MethodGet, fresh, eventStream, nil)
		p.is(t, "events", http.StatusServiceUnavailable, "")
		for _, c := range []*receiver{r, r2} {
			c.conn.Send([][]byte{[]byte("bye")}, false)
			c.conn.Close(false)
		}
		st.expect("data: bye\r\n\r\n")
		st.expectEnd()
		(<-s.poll(query)).is(t, "poll", http.StatusOK, "bye")
		(<-s.poll(query)).is(t, "last poll", http.StatusNoContent, "")
		if err := <-done; err != nil {
			t.Errorf("Shutdown = %v, want nil", err)
		}
	})
}

// Whatever happens at once with polls, what is sent arrives at once, once and
// in order. A lost wake-up would cost the bubble's clock 90 seconds.
func TestPollsRace(t *testing.T) {
	const rounds = 3000
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		query, r := s.poller()
		hub := transport.Mount("/hub", s.handler, http.NotFoundHandler())
		begin := time.Now()
		for i := range rounds {
			text := fmt.Sprintf("%d,", i)
			var all sync.WaitGroup
			answers := make(chan *httptest.ResponseRecorder, 3)
			for range cap(answers) {
				all.Go(func() {
					w := httptest.NewRecorder()
					hub.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/hub"+query, nil))
					answers <- w
				})
			}
			all.Go(func() { r.conn.Send([][]byte{[]byte(text)}, false) })
			var got string
			for got == "" { // the newest poll gets it, or all have gone before
				select {
				case w := <-answers:
					got += w.Body.String()
				case <-time.After(time.Second):
					t.Fatalf("round %d: nobody has been told", i)
				}
			}
			if got != text {
				t.Fatalf("round %d: polled %q, want %q", i, got, text)
			}
			<-r.writable
			// Whoever waits now is superseded by one more, and has got nothing.
			synctest.Wait()
			last := httptest.NewRecorder()
			all.Go(func() { hub.ServeHTTP(last, httptest.NewRequest(http.MethodGet, "/hub"+query, nil)) })
			synctest.Wait()
			r.conn.Send([][]byte{[]byte("z")}, false)
			all.Wait()
			<-r.writable
			for len(answers) > 0 {
				got += (<-answers).Body.String()
			}
			if got != text || last.Body.String() != "z" {
				t.Fatalf("round %d: polled %q, then %q, want %q and z", i, got, last.Body, text)
			}
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("it took %v, want no time", took)
		}
	})
}

// The end races with everything else; it comes once.
func TestEndRaces(t *testing.T) {
	for _, kind := range []string{"events", "polling"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for range 100 {
				synctest.Test(t, func(t *testing.T) { endRaces(t, kind) })
			}
		})
	}
}

func endRaces(t *testing.T, kind string) {
	s := newSite(t, "memory", transport.Options{})
	over := false
	s.prepare = func(r *receiver) {
		r.onFeed = func([]byte) {
			if over {
				t.Error("fed after the end")
			}
		}
	}
	var query string
	var r *receiver
	var drop func()
	if kind == "events" {
		st, receiver := s.events()
		query, r, drop = st.query, receiver, st.drop
	} else {
		query, r = s.poller()
		drop = func() { s.request(http.MethodDelete, query, "") }
	}
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { s.request(http.MethodPost, query, "hello") })
		all.Go(func() { s.request(http.MethodGet, query, "") })
		all.Go(func() { r.conn.Send([][]byte{[]byte("hello")}, false) })
	}
	all.Go(drop)
	all.Go(func() { r.conn.Close(false) })
	all.Go(func() {
		<-r.closed
		over = true // no race: whatever is told comes before
	})
	all.Wait()
	endedNoMore(t, r)
}
