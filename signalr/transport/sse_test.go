package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/signalr/transport"
)

func TestEventStream(t *testing.T) {
	onNetworks(t, transport.Options{}, func(t *testing.T, s *site) {
		st := s.listen(s.token()+"&desk=4", eventStream)
		r := s.next()
		got := http.Header{}
		for _, name := range []string{"Content-Type", "Cache-Control", "Pragma", "Content-Encoding", "Content-Length"} {
			got[name] = st.resp.Header[name]
		}
		want := http.Header{"Content-Type": {"text/event-stream"}, "Cache-Control": {"no-cache,no-store"}, "Pragma": {"no-cache"},
			"Content-Encoding": {"identity"}, "Content-Length": nil}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
		if r.conn.Transport() != transport.ServerSentEvents || r.conn.Query().Encode() != "desk=4" {
			t.Errorf("transport %v with query %q, want ServerSentEvents with desk=4", r.conn.Transport(), r.conn.Query().Encode())
		}
		for range 3 {
			if r.conn.Send([][]byte{[]byte("a\x1e"), []byte("b\x1e")}, false) {
				t.Error("Send says that there is room, want Writable")
			}
			st.expect("data: a\x1eb\x1e\r\n\r\n")
			wait(t, r.writable, "room")
			post := s.request(http.MethodPost, st.query, "hello")
			post.is(t, "POST", http.StatusOK, "")
			if got := post.header.Get("Content-Type"); got != "text/plain" {
				t.Errorf("POST: Content-Type = %q, want text/plain", got)
			}
			if got := r.got(t, 5); got != "hello" {
				t.Errorf("fed %q, want hello", got)
			}
		}
		r.conn.Send([][]byte{[]byte("1")}, false)
		r.conn.Send([][]byte{[]byte("2")}, false)
		r.conn.Close(false)
		if !r.conn.Send([][]byte{[]byte("never")}, false) {
			t.Error("Send behind Close asks to wait")
		}
		st.expect("data: 1\r\n\r\ndata: 2\r\n\r\n")
		st.expectEnd()
		if err := wait(t, r.closed, "the end"); err != nil {
			t.Errorf("Closed(%v), want nil", err)
		}
		if r.conn.Abort(); len(r.closed) > 0 || len(r.fed) > 0 {
			t.Error("the receiver is told of something after the end")
		}
	})
}

// Every kind of line end, also the one that only browsers take for one.
func TestEventLines(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		st, r := s.events()
		for _, test := range []struct{ payload, event string }{
			{"", "data: \r\n\r\n"},
			{"one", "data: one\r\n\r\n"},
			{"one\ntwo", "data: one\r\ndata: two\r\n\r\n"},
			{"one\r\ntwo\r\n", "data: one\r\ndata: two\r\ndata: \r\n\r\n"},
			{"one\rtwo", "data: one\r\ndata: two\r\n\r\n"},
			{"\n\n", "data: \r\ndata: \r\ndata: \r\n\r\n"},
			{"\r\r\n\n", "data: \r\ndata: \r\ndata: \r\ndata: \r\n\r\n"},
			{"data: x\n\nevent: y", "data: data: x\r\ndata: \r\ndata: event: y\r\n\r\n"},
		} {
			r.conn.Send([][]byte{[]byte(test.payload)}, false)
			b := make([]byte, 200)
			n, err := st.r.Read(b)
			if got := string(b[:n]); got != test.event || err != nil {
				t.Errorf("%q became %q, %v, want %q", test.payload, got, err, test.event)
			}
		}
	})
}

func TestEventStreamOfAClientThatVanishes(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		st, r := s.events()
		begin := time.Now()
		st.drop()
		if err := endedOnce(t, r); err != nil {
			t.Errorf("Closed(%v), want nil: that is how clients stop", err)
		}
		if took := time.Since(begin); took > time.Minute {
			t.Errorf("it took %v", took-time.Minute)
		}
		s.request(http.MethodPost, st.query, "x").is(t, "POST", http.StatusNotFound, noConnection)
		p := <-s.start(t.Context(), http.MethodGet, st.query, eventStream, nil)
		p.is(t, "events with a used token", http.StatusNotFound, noConnection)
		if st := s.handler.Stats(); st.Connections != 0 || st.Accepted != 1 {
			t.Errorf("Stats = %+v, want one made and none open", st)
		}
	})
}

func TestEventStreamOfAStuckClient(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		begin := time.Now()
		_, stuck := s.stuckEvents()
		st, r := s.events()
		for range 100 { // nobody else feels it
			r.conn.Send([][]byte{[]byte("hello")}, false)
			st.expect("data: hello\r\n\r\n")
			<-r.writable
		}
		ended(t, stuck, begin, 10*time.Second, transport.ErrSendTimeout)
		if len(stuck.writable) > 1 { // before it was stuck
			t.Errorf("Writable %d times, want none behind what is stuck", len(stuck.writable))
		}
	})
}

// What has to be waited for is the client's reading, not the client's end.
func TestEventStreamAbortsStuckClient(t *testing.T) {
	for _, shutdown := range []bool{false, true} {
		inBubbleNamed(t, "", transport.Options{SendTimeout: time.Hour}, func(t *testing.T, s *site) {
			begin := time.Now()
			_, r := s.stuckEvents()
			synctest.Wait()
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
		})
	}
}

func TestEventStreamAborts(t *testing.T) {
	inBubble(t, transport.Options{}, func(t *testing.T, s *site) {
		st, r := s.events()
		r.conn.Abort()
		if err := endedOnce(t, r); !errors.Is(err, transport.ErrAborted) {
			t.Errorf("Closed(%v), want %v", err, transport.ErrAborted)
		}
		if rest, err := io.ReadAll(st.r); len(rest) > 0 || err == nil {
			t.Errorf("the stream has %q, %v, want it broken off", rest, err)
		}
	})
}

// An idle stream outlives the deadline of its last write, and the timeouts
// that a server has for requests.
func TestEventStreamIdles(t *testing.T) {
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, "memory", transport.Options{})
				s.versionTwo(version == "HTTP/2.0")
				st, r := s.events()
				if st.resp.Proto != version {
					t.Fatalf("the answer is %s, want %s", st.resp.Proto, version)
				}
				for range 3 {
					r.conn.Send([][]byte{[]byte("hello")}, false)
					st.expect("data: hello\r\n\r\n")
					<-time.After(time.Hour)
				}
				s.request(http.MethodPost, st.query, "alive").is(t, "POST", http.StatusOK, "")
				if got := r.got(t, 5); got != "alive" || len(r.closed) > 0 {
					t.Errorf("fed %q, closed %d times, want alive and open", got, len(r.closed))
				}
				r.conn.Close(false)
				st.expectEnd()
				if err := <-r.closed; err != nil {
					t.Errorf("Closed(%v), want nil", err)
				}
			})
		})
	}
}

// versionTwo replaces the site's server by one with tight timeouts.
func (s *site) versionTwo(two bool) {
	s.t.Helper()
	var protocols http.Protocols
	protocols.SetHTTP1(!two)
	protocols.SetUnencryptedHTTP2(two)
	l, err := s.memory.Listen("second.test:80")
	if err != nil {
		s.t.Fatal(err)
	}
	server := &http.Server{
		Handler:     transport.Mount("/hub", s.handler, http.NotFoundHandler()),
		Protocols:   &protocols,
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, IdleTimeout: time.Minute,
	}
	done := make(chan struct{})
	go func() {
		server.Serve(l)
		close(done)
	}()
	way := &http.Transport{DialContext: s.memory.Dial, Protocols: &protocols, DisableKeepAlives: !two}
	s.url, s.client = "http://second.test/hub", &http.Client{Transport: way}
	s.t.Cleanup(func() {
		way.CloseIdleConnections()
		server.Close()
		<-done
	})
}

// A client may answer the first bytes at once, so the receiver is there
// before them.
func TestNothingBeforeTheReceiver(t *testing.T) {
	for _, kind := range []string{"events", "polling"} {
		inBubbleNamed(t, kind, transport.Options{}, func(t *testing.T, s *site) {
			s.prepare = func(r *receiver) {
				r.conn.Send([][]byte{[]byte("early")}, false)
				<-time.After(time.Second)
			}
			query := s.token()
			header := http.Header{}
			if kind == "events" {
				header = eventStream
			}
			s.start(t.Context(), http.MethodGet, query, header, nil)
			synctest.Wait()
			s.request(http.MethodPost, query, "too early").is(t, "POST", http.StatusNotFound, noConnection)
			s.request(http.MethodDelete, query, "").is(t, "DELETE", http.StatusNotFound, noConnection)
			p := <-s.start(t.Context(), http.MethodGet, query, header, nil)
			p.is(t, "second GET", http.StatusConflict, "")
			<-time.After(time.Second)
			synctest.Wait() // both have waited for the same moment
			s.request(http.MethodPost, query, "now").is(t, "POST", http.StatusOK, "")
			if got := s.next().got(t, 3); got != "now" {
				t.Errorf("fed %q, want now", got)
			}
		})
	}
}

// The end may be decided before the connection has begun.
func TestAbortBeforeTheReceiver(t *testing.T) {
	for _, kind := range []string{"events", "polling"} {
		for _, shutdown := range []bool{false, true} {
			inBubbleNamed(t, kind, transport.Options{}, func(t *testing.T, s *site) {
				s.prepare = func(r *receiver) {
					if !shutdown {
						r.conn.Abort()
					}
					<-time.After(time.Second)
				}
				header := http.Header{}
				if kind == "events" {
					header = eventStream
				}
				begin := time.Now()
				s.start(t.Context(), http.MethodGet, s.token(), header, nil)
				synctest.Wait()
				if shutdown {
					ctx, cancel := context.WithCancel(t.Context())
					cancel()
					if err := s.handler.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "1 connections") {
						t.Errorf("Shutdown = %v, want one connection cut", err)
					}
				}
				r := s.next()
				ended(t, r, begin, time.Second, transport.ErrAborted)
				endedNoMore(t, r)
			})
		}
	}
}

func endedNoMore(t *testing.T, r *receiver) {
	t.Helper()
	<-time.After(time.Hour)
	if len(r.closed) > 0 {
		t.Error("Closed twice")
	}
}
