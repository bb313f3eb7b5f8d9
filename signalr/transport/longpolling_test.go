package transport_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/signalr/transport"
)

func TestLongPolling(t *testing.T) {
	onNetworks(t, transport.Options{}, func(t *testing.T, s *site) {
		query := s.token() + "&desk=4"
		first := s.request(http.MethodGet, query+"&_=123", "")
		first.is(t, "first poll", http.StatusOK, "")
		r := s.next()
		if r.conn.Transport() != transport.LongPolling || r.conn.Query().Encode() != "desk=4" {
			t.Errorf("transport %v with query %q, want LongPolling with desk=4", r.conn.Transport(), r.conn.Query().Encode())
		}
		for range 3 {
			for _, m := range []string{"a\x1e", "b\x1e", "\x00\xff"} {
				if r.conn.Send([][]byte{[]byte(m), []byte(m)}, true) {
					t.Error("Send says that there is room, want Writable")
				}
			}
			p := wait(t, s.poll(query), "the poll")
			p.is(t, "poll", http.StatusOK, "a\x1ea\x1eb\x1eb\x1e\x00\xff\x00\xff")
			got := http.Header{}
			for _, name := range []string{"Content-Type", "Cache-Control", "Pragma", "Expires", "Content-Length"} {
				got[name] = p.header[name]
			}
			want := http.Header{"Content-Type": {"application/octet-stream"}, "Cache-Control": {"no-cache, no-store"}, "Pragma": {"no-cache"},
				"Expires": {"Thu, 01 Jan 1970 00:00:00 GMT"}, "Content-Length": {"12"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			wait(t, r.writable, "room")
			s.request(http.MethodPost, query, "hello").is(t, "POST", http.StatusOK, "")
			if got := r.got(t, 5); got != "hello" {
				t.Errorf("fed %q, want hello", got)
			}
		}
		p := s.request(http.MethodDelete, query, "")
		p.is(t, "DELETE", http.StatusAccepted, "")
		if err := wait(t, r.closed, "the end"); err != nil {
			t.Errorf("Closed(%v), want nil", err)
		}
		s.request(http.MethodGet, query, "").is(t, "poll after the end", http.StatusNotFound, noConnection)
		s.request(http.MethodDelete, query, "").is(t, "DELETE after the end", http.StatusNotFound, noConnection)
		s.request(http.MethodPost, query, "x").is(t, "POST after the end", http.StatusNotFound, noConnection)
		if len(r.closed) > 0 || len(r.fed) > 0 || len(r.writable) > 0 {
			t.Error("the receiver is told of something after the end")
		}
	})
}

func TestPollTimeout(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		query, r := s.poller()
		for range 5 {
			begin := time.Now()
			p := <-s.poll(query)
			p.is(t, "poll", http.StatusOK, "")
			if took := time.Since(begin); took != 90*time.Second || p.header.Get("Content-Length") != "0" || p.header.Get("Cache-Control") == "" {
				t.Errorf("poll answered after %v with %v, want 90s and an empty body that is not cached", took, p.header)
			}
			<-time.After(14 * time.Second)
		}
		p := s.poll(query)
		<-time.After(time.Minute)
		r.conn.Send([][]byte{[]byte("x")}, false)
		(<-p).is(t, "poll that waits", http.StatusOK, "x")
		if len(r.closed) > 0 {
			t.Error("closed, want open")
		}
	})
}

func TestPollSupersedes(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		query, r := s.poller()
		old := s.poll(query)
		for range 10 {
			synctest.Wait()
			newer := s.poll(query)
			(<-old).is(t, "superseded poll", http.StatusNoContent, "")
			old = newer
		}
		synctest.Wait()
		r.conn.Send([][]byte{[]byte("x")}, false)
		(<-old).is(t, "newest poll", http.StatusOK, "x")
		endedAfter(t, r, 15*time.Second)
	})
}

// endedAfter checks that a client that does nothing has said goodbye.
func endedAfter(t *testing.T, r *receiver, after time.Duration) {
	t.Helper()
	begin := time.Now()
	ended(t, r, begin, after, nil)
	endedNoMore(t, r)
}

func TestLastDataBeforeTheEnd(t *testing.T) {
	for _, waits := range []bool{false, true} {
		inBubbleNamed(t, fmt.Sprint(waits), transport.Options{}, func(t *testing.T, s *site) {
			query, r := s.poller()
			var p <-chan reply
			if waits {
				p = s.poll(query)
				synctest.Wait()
			}
			r.conn.Send([][]byte{[]byte("last")}, false)
			r.conn.Close(false)
			r.conn.Send([][]byte{[]byte("never")}, false)
			if !waits {
				p = s.poll(query)
			}
			(<-p).is(t, "last data", http.StatusOK, "last")
			if len(r.closed) > 0 {
				t.Error("closed before the client knows")
			}
			(<-s.poll(query)).is(t, "the end", http.StatusNoContent, "")
			ended(t, r, time.Now(), 0, nil)
			(<-s.poll(query)).is(t, "after the end", http.StatusNotFound, noConnection)
			endedNoMore(t, r)
		})
	}
}

func TestCloseEndsAWaitingPoll(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		query, r := s.poller()
		p := s.poll(query)
		synctest.Wait()
		r.conn.Close(true)
		(<-p).is(t, "poll", http.StatusNoContent, "")
		ended(t, r, time.Now(), 0, nil)
	})
}

// Without a client that fetches it, the end comes by itself.
func TestCloseOfAClientThatPollsNoMore(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		_, r := s.poller()
		r.conn.Send([][]byte{[]byte("last")}, false)
		r.conn.Close(false)
		endedAfter(t, r, 15*time.Second)
	})
}

func TestDisconnectTimeout(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		_, never := s.poller()
		query, r := s.poller()
		s.request(http.MethodPost, query, "no sign of life").is(t, "POST", http.StatusOK, "")
		begin := time.Now()
		ended(t, never, begin, 15*time.Second, nil)
		ended(t, r, begin, 15*time.Second, nil)
		(<-s.poll(query)).is(t, "poll", http.StatusNotFound, noConnection)

		query, r = s.poller() // each poll gives 15 seconds more
		for range 10 {
			r.conn.Send([][]byte{[]byte("x")}, false)
			(<-s.poll(query)).is(t, "poll", http.StatusOK, "x")
			<-time.After(14 * time.Second)
		}
		// One that is given up counts, too.
		ctx, cancel := context.WithCancel(t.Context())
		s.start(ctx, http.MethodGet, query, nil, nil)
		<-time.After(time.Minute)
		cancel()
		endedAfter(t, r, 15*time.Second)
	})
}

func TestDeleteDuringPoll(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		query, r := s.poller()
		p := s.poll(query)
		synctest.Wait()
		s.request(http.MethodDelete, query, "").is(t, "DELETE", http.StatusAccepted, "")
		(<-p).is(t, "poll", http.StatusNoContent, "")
		ended(t, r, time.Now(), 0, nil)
		endedNoMore(t, r)
	})
}

func TestPollIsGivenUp(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		query, r := s.poller()
		for i := range 10 {
			ctx, cancel := context.WithCancel(t.Context())
			gone := s.start(ctx, http.MethodGet, query, nil, nil)
			synctest.Wait()
			cancel()
			<-gone
			synctest.Wait()
			text := fmt.Sprint(i)
			r.conn.Send([][]byte{[]byte(text)}, false)
			(<-s.poll(query)).is(t, "the next poll", http.StatusOK, text)
		}
	})
}
