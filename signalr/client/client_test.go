package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr"
	"rte/signalr/client"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

func echo(_ context.Context, c *hub.Call) (signalr.Value, error) {
	var s string
	err := c.Bind(&s)
	return signalr.Any(s), err
}

// never is a method that ends with its connection.
func never(ctx context.Context, _ *hub.Call) (signalr.Value, error) {
	<-ctx.Done()
	return nil, nil
}

func TestInvoke(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t, hub.Options{Methods: map[string]hub.Method{
			"Echo":    echo,
			"Nothing": func(context.Context, *hub.Call) (signalr.Value, error) { return nil, nil },
			"Fail":    func(context.Context, *hub.Call) (signalr.Value, error) { return nil, &hub.Error{Text: "no"} },
			"Early":   func(_ context.Context, c *hub.Call) (signalr.Value, error) { c.Complete(nil); return nil, nil },
		}}, transport.Options{})
		c := s.dial(nil, client.Options{})
		if v, err := c.Invoke(t.Context(), "eCHo", signalr.Any("客\x1e")); err != nil || text(t, v) != "客\x1e" {
			t.Errorf("Echo = %v, %v", v, err)
		}
		if v, err := c.Invoke(t.Context(), "Nothing"); err != nil || string(v.(signalr.Raw).Bytes()) != "null" {
			t.Errorf("Nothing = %v, %v, want null", v, err)
		}
		if v, err := c.Invoke(t.Context(), "Early"); err != nil || v != nil {
			t.Errorf("Early = %v, %v, want no result", v, err)
		}
		_, err := c.Invoke(t.Context(), "Fail")
		if e, ok := errors.AsType[*client.ServerError](err); !ok || e.Close || e.Text != "An unexpected error occurred invoking 'Fail' on the server. HubException: no" {
			t.Errorf("Fail = %v", err)
		}
		if _, err := c.Invoke(t.Context(), "Echo", make(chan int)); err == nil {
			t.Error("an argument that cannot be encoded: no error")
		}
		if err := c.Send(t.Context(), "Echo", func() {}); err == nil || c.Err() != nil {
			t.Errorf("Send = %v, and the client ended with %v, want an error and no end", err, c.Err())
		}
	})
}

func TestConcurrentInvokes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t, hub.Options{Methods: map[string]hub.Method{"Echo": echo}}, transport.Options{})
		c := s.dial(nil, client.Options{})
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				for j := range 50 {
					want := fmt.Sprint(i, j)
					if v, err := c.Invoke(t.Context(), "Echo", want); err != nil || text(t, v) != want {
						t.Errorf("Echo(%s) = %v, %v", want, v, err)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestInvokeContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t, hub.Options{Methods: map[string]hub.Method{"Never": never}}, transport.Options{})
		c := s.dial(nil, client.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		if _, err := c.Invoke(ctx, "Never"); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Minute {
			t.Errorf("Invoke = %v after %v, want a timeout after a minute", err, time.Since(begin))
		}
		if c.Err() != nil {
			t.Errorf("the client ended with %v, want it to live on", c.Err())
		}
		ended := make(chan error)
		go func() {
			_, err := c.Invoke(t.Context(), "Never")
			ended <- err
		}()
		synctest.Wait()
		c.Close()
		if err := <-ended; !errors.Is(err, client.ErrClosed) {
			t.Errorf("Invoke of a closed client = %v, want %v", err, client.ErrClosed)
		}
		if _, err := c.Invoke(t.Context(), "Never"); !errors.Is(err, client.ErrClosed) {
			t.Errorf("Invoke behind Close = %v, want %v", err, client.ErrClosed)
		}
		if err := c.Send(t.Context(), "Never"); !errors.Is(err, client.ErrClosed) {
			t.Errorf("Send behind Close = %v, want %v", err, client.ErrClosed)
		}
	})
}

func TestPushes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t, hub.Options{OnConnected: func(_ context.Context, c *hub.Conn) error {
			for i := range 100 {
				c.Send(signalr.NewFrame(&signalr.Invocation{Target: "pUsH", Arguments: []signalr.Value{signalr.Any(fmt.Sprint(i))}}))
			}
			c.Send(signalr.NewFrame(&signalr.Invocation{Target: "Nobody", Arguments: nil}))
			c.Send(signalr.NewFrame(&signalr.Invocation{ID: "7", Target: "Push", Arguments: []signalr.Value{signalr.Any("last")}}))
			return nil
		}}, transport.Options{})
		got := make(chan string, 200)
		c := s.dial(map[string]func([]signalr.Value){"Push": func(args []signalr.Value) { got <- text(t, args[0]) }}, client.Options{})
		for i := range 100 {
			if g := <-got; g != fmt.Sprint(i) {
				t.Fatalf("push %d is %s", i, g)
			}
		}
		if g := <-got; g != "last" {
			t.Fatalf("got %s, want last", g)
		}
		c.On("push", func([]signalr.Value) {}) // a second one, while it runs
	})
}

func TestServerCloses(t *testing.T) {
	for _, want := range []client.ServerError{{Close: true}, {Close: true, AllowReconnect: true}, {Text: "limit", Close: true}, {Text: "slow", Close: true, AllowReconnect: true}} {
		t.Run(want.Error(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newSite(t, hub.Options{Methods: map[string]hub.Method{"Bye": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
					c.Conn.Close("test", want.Text, want.AllowReconnect)
					return nil, nil
				}}}, transport.Options{})
				c := s.dial(nil, client.Options{})
				_, err := c.Invoke(t.Context(), "Bye")
				<-c.Done()
				for _, err := range []error{err, c.Err(), c.Send(t.Context(), "Bye")} {
					if got, ok := errors.AsType[*client.ServerError](err); !ok || *got != want {
						t.Errorf("got %v, want %v", err, &want)
					}
				}
			})
		})
	}
}

// Close says goodbye by the hub's protocol, once, and by the transport's own.
func TestGoodbye(t *testing.T) {
	for way, want := range map[client.Transport]string{
		client.WebSockets: "", client.ServerSentEvents: "POST POST POST", client.LongPolling: "POST POST DELETE", // handshake, ping, Close
	} {
		t.Run(string(way), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var mu sync.Mutex
				var methods []string
				ended := make(chan error, 1)
				s := newSiteBehind(t, hub.Options{OnConnected: func(context.Context, *hub.Conn) error { return nil }, OnDisconnected: func(_ *hub.Conn, err error) { ended <- err }}, transport.Options{}, func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/negotiate") {
							mu.Lock()
							methods = append(methods, r.Method)
							mu.Unlock()
						}
						next.ServeHTTP(w, r)
					})
				})
				c := s.dial(nil, client.Options{Transport: way})
				synctest.Wait()
				begin := time.Now()
				c.Close()
				if err := <-ended; err != nil || time.Since(begin) > 0 {
					t.Errorf("the hub saw the end as %v, and Close took %v", err, time.Since(begin))
				}
				if got := strings.Join(methods, " "); got != want {
					t.Errorf("requests: %s, want %s", got, want)
				}
			})
		})
	}
}

func TestKeepAlive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t, hub.Options{}, transport.Options{})
		c := s.dial(nil, client.Options{})
		<-time.After(time.Hour) // pings of both sides keep it alive
		if c.Err() != nil {
			t.Errorf("ended with %v, want it alive after an hour", c.Err())
		}
		if st := s.hub.Stats(); len(st.Closes) > 0 || st.Pings < 200 {
			t.Errorf("Stats = %+v", st)
		}
	})
}

func TestServerTimeout(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, conn, err := newFake(t).dial("{}\x1e{\"type\":6}\x1e", client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, conn)
		<-time.After(20 * time.Second)
		ws.WriteFrame(conn, ws.NewTextFrame([]byte("{\"type\":6}\x1e")))
		begin := time.Now()
		<-c.Done()
		if !errors.Is(c.Err(), client.ErrServerTimeout) || time.Since(begin) != 30*time.Second {
			t.Errorf("ended with %v after %v, want %v after 30 s", c.Err(), time.Since(begin), client.ErrServerTimeout)
		}
	})
}

// A handler that takes its time is no silence of the server.
func TestSlowHandler(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t, hub.Options{OnConnected: func(_ context.Context, c *hub.Conn) error {
			c.Send(signalr.NewFrame(&signalr.Invocation{Target: "Push"}))
			return nil
		}}, transport.Options{})
		handled := make(chan struct{})
		c := s.dial(map[string]func([]signalr.Value){"push": func([]signalr.Value) {
			<-time.After(5 * time.Minute)
			close(handled)
		}}, client.Options{})
		<-handled
		<-time.After(time.Minute)
		if c.Err() != nil {
			t.Errorf("ended with %v", c.Err())
		}
	})
}

// A server that takes nothing more neither holds up the caller for ever nor
// Close.
func TestStuckServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, _, err := newFake(t).dial("{}\x1e", client.Options{ServerTimeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		blocked := make(chan error)
		go func() {
			for {
				if err := c.Send(t.Context(), "X", strings.Repeat("x", 10_000)); err != nil {
					blocked <- err
					return
				}
			}
		}()
		synctest.Wait()
		begin := time.Now()
		c.Close()
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("Close took %v, want no more than its last words", took)
		}
		if err := <-blocked; !errors.Is(err, client.ErrClosed) {
			t.Errorf("Send = %v, want %v", err, client.ErrClosed)
		}
	})
}
