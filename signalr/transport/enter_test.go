package transport_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr/transport"
)

// A door lets so many in at a time, and remembers.
type door struct {
	t    testing.TB
	most int
	err  error // of who finds it full

	mu                    sync.Mutex
	inside, seen, refused int
	negotiated            bool // what Enter was told last

}

func (d *door) enter(_ *http.Request, _ any, negotiated bool) (leave func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.negotiated = negotiated
	if d.inside >= d.most {
		d.refused++
		return nil, d.err
	}
	d.inside++
	d.seen++
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.inside--
	}), nil
}

func (d *door) holds(what string, want int) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inside != want {
		d.t.Errorf("%s: %d are inside, want %d", what, d.inside, want)
	}
}

// Who is refused is told so with a status, on each transport, and leaves nothing
// behind; what ends makes room.
func TestEnter(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err        error
		status     int
		retryAfter string
	}{
		{&transport.Refusal{Status: 429, RetryAfter: 1500 * time.Millisecond}, 429, "2"},
		{errors.New("no room"), 503, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := &door{t: t, most: 1, err: test.err}
			s := newSite(t, "memory", transport.Options{Enter: d.enter})
			w, r := s.open()
			d.holds("a socket", 1)
			if d.negotiated {
				t.Error("a client that skipped negotiation is told to have negotiated")
			}
			for name, header := range map[string]http.Header{"socket": upgradeHeader, "events": eventStream, "polling": nil} {
				p := wait(t, s.start(t.Context(), http.MethodGet, s.token(), header, nil), "the answer")
				p.is(t, name, test.status, "")
				if got := p.header.Get("Retry-After"); got != test.retryAfter {
					t.Errorf("%s: Retry-After = %q, want %q", name, got, test.retryAfter)
				}
				if !d.negotiated {
					t.Errorf("%s: a client that has negotiated is told not to have", name)
				}
			}
			if got := s.handler.Stats(); got.Connections != 1 || got.Refused != 3 || got.Accepted != 1 {
				t.Errorf("stats %+v, want one connection and three refusals", got)
			}
			w.Close()
			endedOnce(t, r)
			synctest.Wait()
			d.holds("a socket that has gone", 0)
			st, r := s.events()
			d.holds("events", 1)
			st.drop()
			endedOnce(t, r)
			synctest.Wait()
			d.holds("events that have gone", 0)
			_, r = s.poller()
			d.holds("polling", 1)
			endedOnce(t, r) // nobody polls
			synctest.Wait()
			d.holds("polling that has gone", 0)
		})
	}
}

// What does not come to be after all holds nothing.
func TestEnterInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &door{t: t, most: 100, err: errors.New("full")}
		s := newSite(t, "memory", transport.Options{Enter: d.enter})
		for name, header := range map[string]http.Header{
			"no key":        {"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"}},
			"other version": {"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"8"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}},
		} {
			if p := wait(t, s.start(t.Context(), http.MethodGet, "", header, nil), "the answer"); p.status < 400 {
				t.Errorf("%s: %d", name, p.status)
			}
		}
		if d.seen != 2 {
			t.Errorf("%d were asked about, want 2", d.seen)
		}
		d.holds("failed upgrades", 0)
		w, r := s.open()
		w.send(frame(closeFrame, "\x03\xe8"))
		endedOnce(t, r)
		synctest.Wait()
		d.holds("a goodbye", 0)
		s.handler.Shutdown(t.Context()) //nolint:errcheck // nothing is open
		query := s.token()
		wait(t, s.start(t.Context(), http.MethodGet, query, eventStream, nil), "the answer").is(t, "events at a closing server", 503, "")
		d.holds("a closing server", 0)
	})
}

// A connection that waits for its client's next socket is one connection, and
// so it is with the next socket.
func TestEnterOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &door{t: t, most: 1, err: errors.New("full")}
		s := newSite(t, "memory", transport.Options{Enter: d.enter, StatefulReconnect: true})
		w, r, query := s.resumable(nil)
		for range 5 {
			w.Close()
			wait(t, r.suspended, "Suspended")
			synctest.Wait()
			d.holds("parked", 1)
			w = s.socket(query, nil)
			wait(t, r.resumed, "Resumed")
			d.holds("back", 1)
		}
		s.socket(query, nil) // while the old one looks alive
		wait(t, r.resumed, "Resumed")
		if d.seen != 1 || d.refused != 0 {
			t.Errorf("asked %d times, refused %d, want once for the connection", d.seen, d.refused)
		}
		r.conn.Abort()
		endedOnce(t, r)
		synctest.Wait()
		d.holds("ended", 0)
		w, r, _ = s.resumable(nil)
		w.Close()
		endedOnce(t, r) // it did not come back
		synctest.Wait()
		d.holds("expired", 0)
	})
}

// Whatever clients do, at no moment are more inside than may be, and at the end
// nobody is.
func TestEnterIsExact(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		d := &door{t: t, most: 7, err: &transport.Refusal{Status: 429}}
		s := newSite(t, "memory", transport.Options{Enter: d.enter, StatefulReconnect: true})
		var all sync.WaitGroup
		for g := range 24 {
			all.Go(func() {
				rng := rand.New(rand.NewPCG(seed, uint64(g)))
				for i := range 12 {
					time.Sleep(time.Duration(rng.IntN(10_000)) * time.Millisecond) // what is parked stays for 15 s
					s.visitAtRandom(rng, fmt.Sprintf("%d-%d", g, i))
					if open := s.handler.Stats().Connections; open > d.most {
						t.Errorf("%d connections are open, want at most %d", open, d.most)
					}
				}
			})
		}
		all.Wait()
		time.Sleep(time.Minute) // what was parked, or polled, is over
		d.holds("all gone", 0)
		if d.refused == 0 || d.seen < 30 {
			t.Errorf("%d came in and %d were refused: the test shows nothing", d.seen, d.refused)
		}
	})
}

// visitAtRandom connects in one of many ways, and goes in one of many.
func (s *site) visitAtRandom(rng *rand.Rand, tag string) {
	query := "?negotiateVersion=1"
	resumes := rng.IntN(2) == 0
	if resumes {
		query += "&useStatefulReconnect=true"
	}
	query = "?id=" + s.negotiate(query).ConnectionToken + "&tag=" + tag
	stay := time.Duration(rng.IntN(3000)) * time.Millisecond
	switch rng.IntN(4) {
	case 0: // a failed upgrade
		<-s.start(s.t.Context(), http.MethodGet, query, http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}}, nil)
	case 1:
		w, resp := s.upgrade(query, nil)
		if resp.StatusCode != http.StatusSwitchingProtocols {
			return
		}
		r := <-s.tagged(tag)
		if resumes && rng.IntN(2) == 0 {
			r.conn.Retain()
		}
		time.Sleep(stay)
		w.Close()
	case 2:
		r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+query, nil)
		if err != nil {
			s.t.Error(err)
			return
		}
		r.Header = eventStream
		resp, err := s.client.Do(r)
		if err != nil {
			s.t.Error(err)
			return
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return
		}
		io.ReadFull(resp.Body, make([]byte, 3)) //nolint:errcheck // its comment
		time.Sleep(stay)
	default:
		if p := <-s.start(s.t.Context(), http.MethodGet, query, nil, nil); p.status == http.StatusOK && rng.IntN(2) == 0 {
			time.Sleep(stay)
			<-s.start(s.t.Context(), http.MethodDelete, query, nil, nil)
		}
	}
}
