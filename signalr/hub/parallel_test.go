package hub_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// gauge is a method that takes an hour and notes how many run with it.
type gauge struct{ now, most, ended atomic.Int32 }

func (g *gauge) method(context.Context, *hub.Call) (signalr.Value, error) {
	n := g.now.Add(1)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
	time.Sleep(time.Hour)
	g.now.Add(-1)
	g.ended.Add(1)
	return nil, nil
}

func TestParallelCalls(t *testing.T) {
	for parallel, hours := range map[int]int{0: 12, 1: 12, 3: 4, 100: 1} {
		t.Run(fmt.Sprint(parallel), func(t *testing.T) {
			g := &gauge{}
			inBubble(t, hub.Options{Parallel: parallel, Methods: map[string]hub.Method{"Hour": g.method}}, func(s *site) {
				w := s.shake()
				var calls, want, got []string
				for i := range 12 {
					calls, want = append(calls, call(fmt.Sprint(i), "Hour")), append(want, result(fmt.Sprint(i), "null"))
				}
				begin := time.Now()
				w.send(calls...)
				for len(got) < len(want) {
					if record := w.receive(); record != ping {
						got = append(got, record)
					}
				}
				if took := time.Since(begin); took != time.Duration(hours)*time.Hour || int(g.most.Load()) != min(12, max(1, parallel)) {
					s.Errorf("took %v, at most %d at a time, want %d hours, %d", took, g.most.Load(), hours, parallel)
				}
				if parallel > 1 {
					slices.Sort(got)
					slices.Sort(want)
				}
				if !slices.Equal(got, want) {
					s.Errorf("answers %q, want %q", got, want)
				}
			})
		})
	}
}

// OnConnected comes before, OnDisconnected behind all calls, however many run.
func TestParallelCallsAndTheEnds(t *testing.T) {
	g := &gauge{}
	var connected atomic.Bool
	var atEnd atomic.Int32
	inBubble(t, hub.Options{
		Parallel: 4,
		Methods: map[string]hub.Method{"Hour": func(ctx context.Context, c *hub.Call) (signalr.Value, error) {
			if !connected.Load() {
				t.Error("a call runs before OnConnected has returned")
			}
			return g.method(ctx, c)
		}},
		OnConnected: func(context.Context, *hub.Conn) error {
			time.Sleep(time.Hour)
			connected.Store(true)
			return nil
		},
		OnDisconnected: func(*hub.Conn, error) { atEnd.Store(g.ended.Load()) },
	}, func(s *site) {
		w := s.shake()
		for i := range 8 {
			w.send(call(fmt.Sprint(i), "Hour"))
		}
		time.Sleep(time.Hour + time.Minute) // the first four run
		w.conn.Close()
		time.Sleep(2 * time.Hour)
		if n := atEnd.Load(); n != 4 {
			s.Errorf("%d calls had ended when OnDisconnected ran, want the 4 that had begun", n)
		}
	})
}

// expiring lets everybody in for ten seconds.
func expiring(t *testing.T, body func(s *site, tokens *atomic.Int32)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tokens atomic.Int32
		h := hub.New(hub.Options{
			Methods:    map[string]hub.Method{"Echo": echo},
			CloseTexts: map[hub.CloseReason]string{},
			Expires:    func(user any) time.Time { return user.(time.Time) },
			OnRefreshed: func(c *hub.Conn) {
				c.Send(push("refreshed"))
			},
		})
		body(serve(t, h, transport.NewHandler(h.Accept, transport.Options{
			StatefulReconnect: true, Refresh: true,
			Authenticate: func(*http.Request) (any, error) {
				tokens.Add(1)
				return time.Now().Add(10 * time.Second), nil
			},
			Confirm: func(*http.Request, any) error { return nil },
		})), &tokens)
	})
}

const expired = `{"type":7,"allowReconnect":true}`

func TestTokenExpires(t *testing.T) {
	expiring(t, func(s *site, _ *atomic.Int32) {
		w := s.shake()
		s.after(9*time.Second, 12*time.Second, "the Close", func() { w.expect(expired, "status 1000") })
		synctest.Wait()
		if n := s.hub.Stats().Closes[hub.Expired]; n != 1 {
			s.Errorf("%d closed as expired, want 1", n)
		}
	})
}

// A new token moves the end; so does coming back with one.
func TestTokenIsRefreshed(t *testing.T) {
	expiring(t, func(s *site, _ *atomic.Int32) {
		w, query := s.stateful()
		for range 5 {
			time.Sleep(8 * time.Second)
			resp, err := s.server.Client().Post(s.server.URL+"/hub/refresh"+query, "", nil)
			if err != nil || resp.StatusCode != http.StatusOK {
				s.Fatalf("refresh: %v, %v", resp, err)
			}
			resp.Body.Close()
			record := w.receive()
			for record == ping {
				record = w.receive()
			}
			if record != pushed("refreshed") {
				s.Fatalf("received %s", record)
			}
			w.send(ack(100))
		}
		time.Sleep(8 * time.Second)
		w.cut()
		w = s.back(query, 1)
		w.expect(sequence(6), pushed("refreshed"))
		s.after(9*time.Second, 12*time.Second, "the Close", func() { w.expect(expired, "status 1000") })
	})
}

// By default a connection outlives its token.
func TestTokensDoNotEndConnections(t *testing.T) {
	inBubble(t, hub.Options{Expires: func(any) time.Time { return time.Time{} }}, func(s *site) {
		w := s.shake()
		for range 100 {
			s.after(14*time.Second, 17*time.Second, "a ping", func() { w.expect(ping) })
		}
	})
}
