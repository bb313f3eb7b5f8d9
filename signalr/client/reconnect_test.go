package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/signalr"
	"rte/signalr/client"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// A diary notes what a client tells by its callbacks.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

// keep sets the callbacks of a client.
func (d *diary) keep(o *client.Options) {
	o.OnReconnecting = func(c *client.Client, lost error) { d.note("%v: %v", c.State(), lost) }
	o.OnReconnected = func(c *client.Client, id string) { d.note("%v as %t", c.State(), id == c.ID() && id != "") }
	o.OnClosed = func(c *client.Client, err error) { d.note("%v: %v", c.State(), errors.Is(c.Err(), err)) }
}

func TestReconnect(t *testing.T) {
	for _, protocol := range []signalr.Protocol{signalr.JSON{}, signalr.MessagePack{}} {
		for _, way := range []client.Transport{client.WebSockets, client.ServerSentEvents, client.LongPolling} {
			if protocol.Binary() && way == client.ServerSentEvents {
				continue
			}
			t.Run(string(way)+" "+protocol.Name(), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s := newSite(t, hub.Options{Methods: map[string]hub.Method{"Echo": echo, "Never": never}}, transport.Options{
						Authenticate: func(r *http.Request) (any, error) { return r.Header.Get("Authorization"), nil },
						Confirm:      func(*http.Request, any) error { return nil },
					})
					var d diary
					var tokens atomic.Int64
					o := client.Options{Transport: way, Protocol: protocol, Reconnect: client.FourAttempts(), Token: func(context.Context) (string, error) {
						return fmt.Sprint("token", tokens.Add(1)), nil
					}}
					d.keep(&o)
					reconnected := o.OnReconnected
					back := make(chan string, 10)
					o.OnReconnected = func(c *client.Client, id string) {
						reconnected(c, id)
						v, err := c.Invoke(t.Context(), "Echo", "again") // as one subscribes
						if err != nil {
							t.Error(err)
							return
						}
						back <- text(t, v)
					}
					pushed := make(chan string, 10)
					c := s.dial(map[string]func([]signalr.Value){"Push": func(args []signalr.Value) { pushed <- text(t, args[0]) }}, o)
					first := c.ID()
					for round := range 3 {
						lost := make(chan error, 1)
						go func() {
							_, err := c.Invoke(t.Context(), "Never")
							lost <- err
						}()
						synctest.Wait()
						s.cable.cut()
						if err := <-lost; !errors.Is(err, client.ErrLost) {
							t.Errorf("a call under way: %v, want %v", err, client.ErrLost)
						}
						if got := <-back; got != "again" || c.ID() == first || c.State() != client.Connected {
							t.Errorf("back with %s, id %s behind %s, %v", got, c.ID(), first, c.State())
						}
						first = c.ID()
						conns := s.hub.Conns()
						if len(conns) == 0 || conns[len(conns)-1].User() != fmt.Sprint("Bearer token", round+2) {
							t.Errorf("the hub has %d connections, the last of another user", len(conns))
						}
						conns[len(conns)-1].Send(signalr.NewFrame(&signalr.Invocation{Target: "push", Arguments: []signalr.Value{signalr.Any("hello")}}))
						if got := <-pushed; got != "hello" {
							t.Errorf("pushed %s", got)
						}
					}
					c.Close()
					lines := d.read()
					if len(lines) != 7 || lines[6] != "closed: true" {
						t.Fatalf("the callbacks: %q", lines)
					}
					for i := range 3 {
						if !strings.HasPrefix(lines[2*i], "reconnecting: ") || lines[2*i+1] != "connected as true" {
							t.Errorf("the callbacks: %q", lines)
						}
					}
				})
			})
		}
	}
}

// The released clients' four attempts, and what is told of the end.
func TestFourAttempts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t, hub.Options{}, transport.Options{})
		var d diary
		var retries []string
		var began time.Time
		four := client.FourAttempts()
		o := client.Options{Reconnect: func(r client.Retry) (time.Duration, bool) {
			retries = append(retries, fmt.Sprintf("%d %v %v %t", r.Attempt, r.Elapsed, time.Since(began), errors.Is(r.Err, errUnplugged)))
			return four(r)
		}}
		d.keep(&o)
		c := s.dial(nil, o)
		synctest.Wait() // nothing is being sent
		s.cable.plug(false)
		began = time.Now()
		s.cable.cut()
		<-c.Done()
		c.Close()
		want := []string{"0 0s 0s false", "1 0s 0s true", "2 2s 2s true", "3 12s 12s true", "4 42s 42s true"}
		if diff := cmp.Diff(want, retries); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if err := c.Err(); !errors.Is(err, errUnplugged) || !strings.HasPrefix(err.Error(), "reconnect: gave up behind attempt 4: negotiate: ") || !strings.Contains(err.Error(), "; lost: receive: ") {
			t.Errorf("ended with %v", err)
		}
		if lines := d.read(); len(lines) != 2 || !strings.HasPrefix(lines[0], "reconnecting: receive: ") || lines[1] != "closed: true" {
			t.Errorf("the callbacks: %q", lines)
		}
		if _, err := c.Invoke(t.Context(), "Echo"); !errors.Is(err, c.Err()) {
			t.Errorf("a call behind the end: %v, want %v", err, c.Err())
		}
	})
}

func TestNoReconnect(t *testing.T) {
	policies := map[string]client.Policy{"off": nil, "refused": client.Delays()}
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSite(t, hub.Options{}, transport.Options{})
				var d diary
				o := client.Options{Reconnect: policy, CallsWait: true}
				d.keep(&o)
				c := s.dial(nil, o)
				s.cable.cut()
				<-c.Done()
				if !errors.Is(c.Err(), errEnd(c)) || c.State() != client.Closed {
					t.Errorf("ended with %v, %v", c.Err(), c.State())
				}
				c.Close()
				if diff := cmp.Diff([]string{"closed: true"}, d.read()); diff != "" {
					t.Errorf("callbacks (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// errEnd is the error of a call on a client that has ended.
func errEnd(c *client.Client) error {
	_, err := c.Invoke(context.Background(), "X")
	return err
}

// Which ends of a connection a client comes back from.
func TestWhenToReconnect(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(*peer)
		back bool
	}{
		{"cut", func(p *peer) { p.conn.Close() }, true},
		{"close frame", func(p *peer) { p.conn.Write([]byte{0x88, 2, 3, 232}); p.conn.Close() }, true},
		{"Close", func(p *peer) { p.say(`{"type":7}`) }, false},
		{"Close with an error", func(p *peer) { p.say(`{"type":7,"error":"limit"}`) }, false},
		{"Close with leave", func(p *peer) { p.say(`{"type":7,"error":"draining","allowReconnect":true}`) }, true},
		{"nonsense", func(p *peer) { p.say(`nonsense`) }, true},
		{"silence", func(p *peer) { <-time.After(31 * time.Second) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(t)
				c := client.New(f.server.URL, client.Options{HTTPClient: f.server.Client(), Reconnect: client.FourAttempts()})
				p := f.connect(c, 1)
				go func() { // as a server does
					for p.hear() != "end" {
					}
				}()
				test.end(p)
				if !test.back {
					<-c.Done()
					if e, ok := errors.AsType[*client.ServerError](c.Err()); !ok || !e.Close || e.AllowReconnect {
						t.Errorf("ended with %v", c.Err())
					}
					return
				}
				f.accept().greet(1)
				synctest.Wait()
				if c.State() != client.Connected {
					t.Errorf("the client is %v", c.State())
				}
			})
		})
	}
}

// Calls while the client reconnects fail, or wait.
func TestCallsWhileReconnecting(t *testing.T) {
	for _, wait := range []bool{false, true} {
		t.Run(fmt.Sprintf("wait %t", wait), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSite(t, hub.Options{Methods: map[string]hub.Method{"Echo": echo}, Streams: map[string]hub.Stream{"Count": count}}, transport.Options{})
				c := s.dial(nil, client.Options{CallsWait: wait, Reconnect: client.Delays(0, time.Minute)})
				s.cable.plug(false)
				s.cable.cut()
				synctest.Wait()
				if c.State() != client.Reconnecting {
					t.Fatalf("the client is %v", c.State())
				}
				s.cable.plug(true)
				begin := time.Now()
				v, err := c.Invoke(t.Context(), "Echo", "x")
				serr := c.Send(t.Context(), "Echo", "y")
				var items []string
				for v, err := range c.Stream(t.Context(), "Count", 1) {
					items = append(items, fmt.Sprint(v != nil, err))
				}
				if !wait {
					for _, err := range []error{err, serr} {
						if !errors.Is(err, client.ErrReconnecting) || errors.Is(err, client.ErrLost) {
							t.Errorf("a call = %v, want %v", err, client.ErrReconnecting)
						}
					}
					if len(items) != 1 || !strings.HasPrefix(items[0], "false client: reconnecting: ") {
						t.Errorf("a stream = %q", items)
					}
					return
				}
				if err != nil || text(t, v) != "x" || serr != nil || time.Since(begin) != time.Minute {
					t.Errorf("calls = %v, %v, %v after %v", v, err, serr, time.Since(begin))
				}
				if diff := cmp.Diff([]string{"true <nil>"}, items); diff != "" {
					t.Errorf("items (-want +got):\n%s", diff)
				}
				s.cable.plug(false)
				s.cable.cut()
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := c.Invoke(ctx, "Echo", "x"); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a call with a deadline = %v", err)
				}
				waiting := make(chan error)
				go func() {
					_, err := c.Invoke(t.Context(), "Echo", "x")
					waiting <- err
				}()
				if err := <-waiting; !errors.Is(err, errUnplugged) {
					t.Errorf("a call that waits for the end = %v", err)
				}
			})
		})
	}
}

func TestCloseWhileReconnecting(t *testing.T) {
	for _, when := range []string{"waiting", "connecting", "in Start"} {
		t.Run(when, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				g := &gate{}
				s := newSiteBehind(t, hub.Options{}, transport.Options{}, g.front)
				var d diary
				o := client.Options{HTTPClient: s.cable.client(), Reconnect: client.Delays(time.Minute, time.Minute)}
				d.keep(&o)
				c := client.New(s.server.URL+"/hub", o)
				started := make(chan error, 1)
				if when == "in Start" {
					g.stick(client.WebSockets, true)
					go func() { started <- c.Start(t.Context()) }()
					synctest.Wait()
					if c.State() != client.Connecting {
						t.Errorf("the client is %v", c.State())
					}
				} else {
					if err := c.Start(t.Context()); err != nil {
						t.Fatal(err)
					}
					g.stick(client.WebSockets, when == "connecting")
					s.cable.cut()
					synctest.Wait()
					if when == "connecting" {
						<-time.After(61 * time.Second)
					}
					started <- client.ErrClosed
				}
				begin := time.Now()
				c.Close()
				c.Close()
				if time.Since(begin) > 2*time.Second || c.State() != client.Closed || !errors.Is(c.Err(), client.ErrClosed) {
					t.Errorf("Close took %v, the client is %v: %v", time.Since(begin), c.State(), c.Err())
				}
				if err := <-started; !errors.Is(err, client.ErrClosed) {
					t.Errorf("Start = %v, want %v", err, client.ErrClosed)
				}
				if lines := d.read(); lines[len(lines)-1] != "closed: true" {
					t.Errorf("callbacks: %q", lines)
				}
			})
		})
	}
}

// Handlers keep their order over connections, and so do callbacks: one that
// takes its time delays what comes behind it.
func TestSlowCallbacks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		var d diary
		c := client.New(f.server.URL, client.Options{
			HTTPClient: f.server.Client(), Reconnect: client.Delays(0),
			OnReconnecting: func(*client.Client, error) { d.note("lost") },
			OnReconnected: func(*client.Client, string) {
				<-time.After(time.Hour)
				d.note("back")
			},
		})
		c.On("Push", func(args []signalr.Value) {
			<-time.After(time.Minute)
			d.note("%s", text(t, args[0]))
		})
		p := f.connect(c, 1)
		p.say(`{"type":1,"target":"Push","arguments":["a"]}`)
		p.say(`{"type":1,"target":"Push","arguments":["b"]}`)
		synctest.Wait()
		p.conn.Close()
		p = f.accept()
		d.note("connecting")
		p.greet(1)
		p.say(`{"type":1,"target":"Push","arguments":["c"]}`)
		go func() {
			for range 100 { // it lives while the callback does not return
				<-time.After(10 * time.Second)
				p.say(`{"type":6}`)
			}
			p.conn.Close()
		}()
		p = f.accept()
		p.greet(1)
		synctest.Wait()
		c.Close() // waits for the callback, too
		if diff := cmp.Diff([]string{"a", "b", "lost", "connecting", "c", "back", "lost", "back"}, d.read()); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

// An attempt that the hub refuses is an attempt; a policy may end on it.
func TestPolicySeesRefusals(t *testing.T) {
	bubble(t, func(t *testing.T) {
		token := "good"
		s := newSite(t, hub.Options{}, transport.Options{Authenticate: func(r *http.Request) (any, error) {
			if r.Header.Get("Authorization") != "Bearer good" {
				return nil, &transport.Refusal{Status: http.StatusForbidden}
			}
			return nil, nil
		}})
		attempts := 0
		backoff := client.Backoff(0, 0)
		c := s.dial(nil, client.Options{
			Token: func(context.Context) (string, error) { return token, nil },
			Reconnect: func(r client.Retry) (time.Duration, bool) {
				if _, refused := errors.AsType[*client.StatusError](r.Err); refused {
					return 0, false
				}
				attempts++
				return backoff(r)
			},
		})
		token = "bad"
		s.cable.cut()
		<-c.Done()
		if e, ok := errors.AsType[*client.StatusError](c.Err()); !ok || e.Status != http.StatusForbidden || attempts != 1 {
			t.Errorf("ended with %v behind %d attempts", c.Err(), attempts)
		}
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		first, most time.Duration
		attempt     int
		limit       time.Duration
	}{
		{0, 0, 0, time.Second},
		{0, 0, 3, 8 * time.Second},
		{0, 0, 5, 30 * time.Second},
		{0, 0, 1 << 40, 30 * time.Second},
		{time.Minute, time.Second, 0, time.Second},
		{100 * time.Millisecond, time.Hour, 2, 400 * time.Millisecond},
	} {
		policy := client.Backoff(test.first, test.most)
		var sum, longest time.Duration
		const rounds = 2000
		for range rounds {
			wait, ok := policy(client.Retry{Attempt: test.attempt})
			if !ok || wait < 0 || wait >= test.limit {
				t.Fatalf("Backoff(%v, %v), attempt %d: %v, %t; want below %v", test.first, test.most, test.attempt, wait, ok, test.limit)
			}
			sum, longest = sum+wait, max(longest, wait)
		}
		// The odds against a fair policy failing here are beyond 10^30.
		if mean := sum / rounds; mean < test.limit*4/10 || mean > test.limit*6/10 || longest < test.limit*9/10 {
			t.Errorf("Backoff(%v, %v), attempt %d: mean %v, longest %v; want them spread below %v", test.first, test.most, test.attempt, mean, longest, test.limit)
		}
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	c := client.New("http://hub.test", client.Options{})
	if c.State() != client.Disconnected || c.ID() != "" || c.Err() != nil {
		t.Errorf("a new client is %v, %q, %v", c.State(), c.ID(), c.Err())
	}
	if _, err := c.Invoke(t.Context(), "X"); !errors.Is(err, client.ErrNotStarted) {
		t.Errorf("Invoke = %v, want %v", err, client.ErrNotStarted)
	}
	c.Close()
	<-c.Done()
	var names []string
	for s := client.Disconnected; s <= client.Closed; s++ {
		names = append(names, s.String())
	}
	if got := strings.Join(names, " "); got != "disconnected connecting connected reconnecting closed" {
		t.Errorf("states: %s", got)
	}
}
