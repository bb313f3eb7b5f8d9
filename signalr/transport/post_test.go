package transport_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr/transport"
)

// Bodies are fed whole, in the order in which their requests came.
func TestPostsTakeTurns(t *testing.T) {
	overHTTP(t, func(t *testing.T, s *site, query string, r *receiver) {
		body, pen := io.Pipe()
		slow := s.start(t.Context(), http.MethodPost, query, nil, body)
		io.WriteString(pen, "first half,")
		synctest.Wait()
		var behind []<-chan reply
		for _, text := range []string{"a,", "b,", "c,", "d,"} {
			behind = append(behind, s.start(t.Context(), http.MethodPost, query, nil, strings.NewReader(text)))
			synctest.Wait()
		}
		if len(r.fed) != 1 {
			t.Errorf("%d pieces fed, want the first half only", len(r.fed))
		}
		io.WriteString(pen, "second half,")
		pen.Close()
		for _, p := range append(behind, slow) {
			(<-p).is(t, "POST", http.StatusOK, "")
		}
		want := "first half,second half,a,b,c,d,"
		if got := r.got(t, len(want)); got != want {
			t.Errorf("fed %q, want %q", got, want)
		}
	})
}

// What cannot be read to its end is refused; what has been read of it is not
// taken back, and the connection goes on.
func TestPostIsBroken(t *testing.T) {
	overHTTP(t, func(t *testing.T, s *site, query string, r *receiver) {
		for _, broken := range []string{"Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n"} {
			c := s.raw("POST " + s.path(query) + " HTTP/1.1\r\nHost: hub.test\r\n" + broken)
			if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusBadRequest || resp.ContentLength != 0 {
				t.Errorf("%q: %s with %d bytes, want 400, empty", broken, resp.Status, resp.ContentLength)
			}
			s.request(http.MethodPost, query, "whole").is(t, "POST", http.StatusOK, "")
			if got := r.got(t, 9); got != "halfwhole" {
				t.Errorf("fed %q, want halfwhole", got)
			}
		}
	})
}

func TestPostIsHeld(t *testing.T) {
	overHTTP(t, func(t *testing.T, s *site, query string, r *receiver) {
		r.conn.Hold()
		r.conn.Hold()
		long := strings.Repeat("0123456789", 50_000)
		first := s.start(t.Context(), http.MethodPost, query, nil, strings.NewReader(long))
		synctest.Wait()
		second := s.start(t.Context(), http.MethodPost, query, nil, strings.NewReader("x"))
		<-time.After(time.Hour)
		if len(r.fed) > 0 || len(first) > 0 || len(second) > 0 {
			t.Errorf("%d pieces fed while held, %d POSTs answered, want none", len(r.fed), len(first)+len(second))
		}
		r.conn.Resume()
		r.conn.Resume()
		(<-first).is(t, "first POST", http.StatusOK, "")
		(<-second).is(t, "second POST", http.StatusOK, "")
		if got := r.got(t, len(long)+1); got != long+"x" {
			t.Errorf("fed %d bytes, want all in order", len(got))
		}
	})
}

// A hold takes effect behind the piece that asks for it.
func TestPostHoldsPieceByPiece(t *testing.T) {
	overHTTP(t, func(t *testing.T, s *site, query string, r *receiver) {
		r.onFeed = func([]byte) { r.conn.Hold() }
		long := strings.Repeat("0123456789", 10_000)
		p := s.start(t.Context(), http.MethodPost, query, nil, strings.NewReader(long))
		var got string
		for len(got) < len(long) {
			synctest.Wait()
			if len(r.fed) != 1 {
				t.Fatalf("%d pieces fed, want 1", len(r.fed))
			}
			got += string(<-r.fed)
			r.conn.Resume()
			r.conn.Hold()
			synctest.Wait()
			if len(r.fed) > 0 {
				t.Fatal("fed while held")
			}
			r.conn.Resume()
		}
		(<-p).is(t, "POST", http.StatusOK, "")
		if got != long {
			t.Errorf("fed %d bytes, want all in order", len(got))
		}
	})
}

// One that has been given up while it waited leaves nothing behind.
func TestPostIsGivenUp(t *testing.T) {
	overHTTP(t, func(t *testing.T, s *site, query string, r *receiver) {
		for range 10 {
			r.conn.Hold()
			ctx, cancel := context.WithCancel(t.Context())
			first := s.start(ctx, http.MethodPost, query, nil, nil)
			second := s.start(ctx, http.MethodPost, query, nil, nil)
			synctest.Wait()
			cancel()
			// The answer to one who has gone may come before the going is noticed
			// here.
			if p, q := <-first, <-second; p.status == http.StatusOK || q.status == http.StatusOK {
				t.Errorf("answered %d and %d while held", p.status, q.status)
			}
			synctest.Wait()
			r.conn.Resume()
			s.request(http.MethodPost, query, "x").is(t, "POST", http.StatusOK, "")
			if got := r.got(t, 1); got != "x" {
				t.Errorf("fed %q, want x", got)
			}
		}
	})
}

// A body that still comes does not hold up the end, and nothing of it is fed
// any more.
func TestEndDuringPost(t *testing.T) {
	for _, held := range []bool{false, true} {
		overHTTP(t, func(t *testing.T, s *site, query string, r *receiver) {
			body, pen := io.Pipe()
			defer pen.Close()
			slow := s.start(t.Context(), http.MethodPost, query, nil, body)
			io.WriteString(pen, "half")
			r.got(t, 4)
			if held {
				r.conn.Hold()
			}
			behind := s.start(t.Context(), http.MethodPost, query, nil, strings.NewReader("never"))
			synctest.Wait()
			begin := time.Now()
			r.conn.Abort()
			ended(t, r, begin, 0, transport.ErrAborted)
			(<-behind).is(t, "the POST behind", http.StatusNotFound, "")
			(<-slow).is(t, "the slow POST", http.StatusNotFound, "")
			if time.Since(begin) != 0 || len(r.fed) > 0 {
				t.Errorf("answered after %v, %d pieces fed, want at once and none", time.Since(begin), len(r.fed))
			}
			endedNoMore(t, r)
		})
	}
}

// endless is a body without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// What the receiver refuses is read no further.
func TestPostIsRefused(t *testing.T) {
	overHTTP(t, func(t *testing.T, s *site, query string, r *receiver) {
		fed := 0
		r.onFeed = func(p []byte) {
			if fed += len(p); fed > 100_000 {
				r.refuse = errors.New("too large")
			}
		}
		p := <-s.start(t.Context(), http.MethodPost, query, nil, endless{})
		if p.err == nil { // it may be lost: the server does not read on
			p.is(t, "endless POST", http.StatusOK, "")
		}
		synctest.Wait()
		if fed > 200_000 {
			t.Errorf("%d bytes fed, want not many more than 100000", fed)
		}
		was := fed
		s.request(http.MethodPost, query, "more").is(t, "POST", http.StatusNotFound, "")
		if fed != was || len(r.closed) > 0 {
			t.Errorf("%d bytes fed behind the refusal, closed %d times, want neither", fed-was, len(r.closed))
		}
		r.conn.Close(false)
		if err := <-r.closed; err != nil {
			t.Errorf("Closed(%v), want nil", err)
		}
	})
}

// The last message that a receiver takes, such as a goodbye, has arrived.
func TestPostOfTheLastWord(t *testing.T) {
	overHTTP(t, func(t *testing.T, s *site, query string, r *receiver) {
		r.onFeed = func([]byte) { r.conn.Close(false) }
		r.refuse = errors.New("that was all")
		s.request(http.MethodPost, query, "goodbye").is(t, "POST", http.StatusOK, "")
		if err := <-r.closed; err != nil {
			t.Errorf("Closed(%v), want nil", err)
		}
	})
}

// The status of requests for connections that exist, with their texts.
func TestRequestsOfOpenConnections(t *testing.T) {
	t.Parallel()
	const noChange = "Cannot change transports mid-connection"
	s := newSite(t, "tcp", transport.Options{})
	st, _ := s.events()
	polled, _ := s.poller()
	socket := s.token()
	if _, resp := s.upgrade(socket, nil); resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp.Status)
	}
	fresh := s.token()
	for _, test := range []struct {
		name, method, query string
		header              http.Header
		status              int
		body                string
	}{
		{"events twice", "GET", st.query, eventStream, 409, ""},
		{"poll an event stream", "GET", st.query, nil, 400, noChange},
		{"upgrade an event stream", "GET", st.query, upgradeHeader, 400, noChange},
		{"DELETE an event stream", "DELETE", st.query, nil, 400, noDelete},
		{"events of polling", "GET", polled, eventStream, 400, noChange},
		{"upgrade polling", "GET", polled, upgradeHeader, 400, noChange},
		{"events of a WebSocket", "GET", socket, eventStream, 400, noChange},
		{"poll a WebSocket", "GET", socket, nil, 400, noChange},
		{"upgrade a WebSocket", "GET", socket, upgradeHeader, 409, ""},
		{"POST to a WebSocket", "POST", socket, nil, 405, noPost},
		{"DELETE a WebSocket", "DELETE", socket, nil, 400, noDelete},
		{"POST before there is a transport", "POST", fresh, nil, 404, noConnection},
		{"DELETE before there is a transport", "DELETE", fresh, nil, 404, noConnection},
		{"PUT", "PUT", st.query, nil, 405, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := wait(t, s.start(t.Context(), test.method, test.query, test.header, nil), "the answer")
			p.is(t, test.name, test.status, test.body)
			if got := p.header.Get("Content-Type"); got != "text/plain" {
				t.Errorf("Content-Type = %q, want text/plain", got)
			}
		})
	}
	// None of that has done any harm.
	for _, query := range []string{st.query, polled} {
		s.request(http.MethodPost, query, "x").is(t, "POST", http.StatusOK, "")
	}
}

// What is not offered is not negotiated either.
func TestTransportsOffered(t *testing.T) {
	t.Parallel()
	kinds := []struct {
		transport transport.Transport
		header    http.Header
	}{
		{transport.WebSockets, upgradeHeader},
		{transport.ServerSentEvents, eventStream},
		{transport.LongPolling, nil},
	}
	for offered := transport.Transport(1); offered < 8; offered++ {
		s := newSite(t, "memory", transport.Options{Transports: offered})
		var names, want []string
		for _, available := range s.negotiate("?negotiateVersion=1").AvailableTransports {
			names = append(names, available.Transport)
		}
		for _, kind := range kinds {
			if offered&kind.transport != 0 {
				want = append(want, kind.transport.String())
				continue
			}
			p := wait(t, s.start(t.Context(), http.MethodGet, s.token(), kind.header, nil), "the answer")
			p.is(t, kind.transport.String(), http.StatusNotFound, kind.transport.String()+" transport not supported by this end point type")
			p = wait(t, s.start(t.Context(), http.MethodGet, "?id=unknown", kind.header, nil), "the answer")
			p.is(t, kind.transport.String()+" with an unknown id", http.StatusNotFound, noConnection)
		}
		if got, want := strings.Join(names, " "), strings.Join(want, " "); got != want {
			t.Errorf("%03b offers %q, want %q", offered, got, want)
		}
	}
}
