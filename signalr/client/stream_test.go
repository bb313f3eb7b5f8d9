package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/signalr"
	"rte/signalr/client"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

func number(t *testing.T, v signalr.Value) (n int) {
	t.Helper()
	if err := signalr.Decode(v, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// count streams the numbers below its argument.
func count(_ context.Context, c *hub.Call, send func(signalr.Value) error) error {
	var n int
	if err := c.Bind(&n); err != nil {
		return err
	}
	for i := range n {
		if err := send(signalr.Any(i)); err != nil {
			return err
		}
	}
	return nil
}

// sum adds up an upload; it fails if the client says so.
func sum(ctx context.Context, c *hub.Call) (signalr.Value, error) {
	total := 0
	for {
		v, err := c.Uploads[0].Next(ctx)
		switch {
		case err != nil && err.Error() == "EOF":
			return signalr.Any(total), nil
		case err != nil:
			return nil, err
		}
		var n int
		if err := signalr.Decode(v, &n); err != nil {
			return nil, err
		}
		total += n
	}
}

// numbers uploads the numbers below n.
func numbers(n int) client.Upload {
	return func(_ context.Context, send func(any) error) error {
		for i := range n {
			if err := send(i); err != nil {
				return err
			}
		}
		return nil
	}
}

// TestStreamsOverEverything streams both ways over each transport and
// protocol, on real sockets.
func TestStreamsOverEverything(t *testing.T) {
	t.Parallel()
	s := hub.New(hub.Options{
		Methods: map[string]hub.Method{"Sum": sum, "Ask": func(ctx context.Context, c *hub.Call) (signalr.Value, error) {
			return c.Conn.Invoke(ctx, "Double", c.Invocation.Arguments...)
		}},
		Streams: map[string]hub.Stream{"Count": count, "Doubles": func(ctx context.Context, c *hub.Call, send func(signalr.Value) error) error {
			for {
				v, err := c.Uploads[0].Next(ctx)
				if err != nil {
					return nil
				}
				var n int
				if err := signalr.Decode(v, &n); err != nil {
					return err
				}
				if err := send(signalr.Any(2 * n)); err != nil {
					return err
				}
			}
		}},
		Uploads: map[string]int{"Sum": 1, "Doubles": 1},
	})
	h := transport.NewHandler(s.Accept, transport.Options{})
	server := httptest.NewServer(transport.Mount("/hub", h, http.NotFoundHandler()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s.Drain(ctx, 0)
		server.Close()
		if err := h.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		s.Close()
	})
	for _, o := range []client.Options{
		{Transport: client.WebSockets}, {Transport: client.WebSockets, Protocol: signalr.MessagePack{}},
		{Transport: client.ServerSentEvents},
		{Transport: client.LongPolling}, {Transport: client.LongPolling, Protocol: signalr.MessagePack{}},
	} {
		t.Run(fmt.Sprintf("%s %v", o.Transport, o.Protocol), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			o.HTTPClient = server.Client()
			o.Handlers = map[string]client.Handler{"double": func(_ context.Context, args []signalr.Value) (signalr.Value, error) {
				return signalr.Any(2 * number(t, args[0])), nil
			}}
			c, err := client.Dial(ctx, server.URL+"/hub", nil, o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			next := 0
			for v, err := range c.Stream(ctx, "Count", 500) {
				if err != nil || number(t, v) != next {
					t.Fatalf("item %d is %v, %v", next, v, err)
				}
				next++
			}
			if next != 500 {
				t.Errorf("%d items, want 500", next)
			}
			if v, err := c.Invoke(ctx, "Sum", numbers(100)); err != nil || number(t, v) != 4950 {
				t.Errorf("Sum = %v, %v, want 4950", v, err)
			}
			if v, err := c.Invoke(ctx, "Ask", 21); err != nil || number(t, v) != 42 {
				t.Errorf("Ask = %v, %v, want 42", v, err)
			}
			next = 0
			for v, err := range c.Stream(ctx, "Doubles", numbers(50)) {
				if err != nil || number(t, v) != 2*next {
					t.Fatalf("item %d is %v, %v", next, v, err)
				}
				next++
			}
			if next != 50 {
				t.Errorf("%d doubles, want 50", next)
			}
		})
	}
}

func TestStreamOutcomes(t *testing.T) {
	fail := &hub.Error{Text: "no"}
	streams := map[string]hub.Stream{
		"Count": count,
		"Fail":  func(context.Context, *hub.Call, func(signalr.Value) error) error { return fail },
		"Break": func(_ context.Context, _ *hub.Call, send func(signalr.Value) error) error {
			return errors.Join(send(signalr.Null), send(signalr.Any(1)), fail)
		},
	}
	bubble(t, func(t *testing.T) {
		s := newSite(t, hub.Options{Methods: map[string]hub.Method{"Echo": echo}, Streams: streams}, transport.Options{})
		c := s.dial(nil, client.Options{})
		for _, test := range []struct {
			target string
			args   []any
			items  int
			want   string
		}{
			{"count", []any{3}, 3, ""},
			{"Count", []any{0}, 0, ""},
			{"Fail", nil, 0, "An unexpected error occurred invoking 'Fail' on the server. HubException: no"},
			{"Break", nil, 2, "An error occurred on the server while streaming results. HubException: no"},
			{"Echo", []any{"x"}, 0, "The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation."},
			{"Count", []any{func() {}}, 0, "encode *signalr.Invocation: encode value: json: unsupported type: func()"},
		} {
			stream := c.Stream(t.Context(), test.target, test.args...)
			for range 2 { // each loop is a call of its own
				items, failure := 0, ""
				for v, err := range stream {
					if failure != "" {
						t.Errorf("%s: something came behind the error", test.target)
					}
					if err != nil {
						failure = err.Error()
						continue
					}
					if v == nil {
						t.Errorf("%s: an item is nil", test.target)
					}
					items++
				}
				if items != test.items || failure != test.want {
					t.Errorf("%s: %d items and %q, want %d and %q", test.target, items, failure, test.items, test.want)
				}
			}
		}
	})
}

// The hub hears when a stream, or an answer, is not wanted any more.
func TestCancel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		c := client.New(f.server.URL, client.Options{HTTPClient: f.server.Client()})
		p := f.connect(c, 1)

		done := async(func() {
			p.expect(`{"type":4,"invocationId":"1","target":"Count","arguments":[]}`)
			p.say(`{"type":2,"invocationId":"1","item":7}`, `{"type":2,"invocationId":"1","item":8}`)
		})
		for v, err := range c.Stream(t.Context(), "Count") {
			if err != nil || number(t, v) != 7 {
				t.Errorf("got %v, %v", v, err)
			}
			break
		}
		<-done
		p.expect(`{"type":5,"invocationId":"1"}`)
		p.say(`{"type":2,"invocationId":"1","item":9}`, `{"type":3,"invocationId":"1"}`) // too late

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		done = async(func() { p.expect(`{"type":4,"invocationId":"2","target":"Count","arguments":[]}`) })
		for v, err := range c.Stream(ctx, "Count") {
			if v != nil || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, %v, want a timeout", v, err)
			}
		}
		<-done
		p.expect(`{"type":5,"invocationId":"2"}`)

		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		done = async(func() { p.expect(`{"type":1,"invocationId":"3","target":"Slow","arguments":[]}`) })
		if _, err := c.Invoke(ctx, "Slow"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Invoke = %v, want a timeout", err)
		}
		<-done
		p.expect(`{"type":5,"invocationId":"3"}`)
		p.say(`{"type":3,"invocationId":"3","result":1}`)

		// Behind its end nothing is cancelled, and what was never sent is not either.
		done = async(func() {
			p.expect(`{"type":4,"invocationId":"4","target":"Count","arguments":[]}`)
			p.say(`{"type":3,"invocationId":"4"}`)
		})
		for v, err := range c.Stream(t.Context(), "Count") {
			t.Errorf("got %v, %v", v, err)
		}
		<-done
		cancelled, cancelNow := context.WithCancel(t.Context())
		cancelNow()
		if _, err := c.Invoke(cancelled, "Never"); !errors.Is(err, context.Canceled) {
			t.Errorf("Invoke = %v, want %v", err, context.Canceled)
		}
		if err := c.Send(t.Context(), "Last"); err != nil {
			t.Error(err)
		}
		p.expect(`{"type":1,"target":"Last","arguments":[]}`)
	})
}

// A stream that is left ends at the hub, whatever waits.
func TestStreamIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ended := make(chan error, 1)
		s := newSite(t, hub.Options{Methods: map[string]hub.Method{"Echo": echo}, Streams: map[string]hub.Stream{
			"Forever": func(ctx context.Context, _ *hub.Call, send func(signalr.Value) error) error {
				var err error
				for i := 0; err == nil; i++ {
					err = send(signalr.Any(strings.Repeat("x", 1000)))
				}
				ended <- err
				return err
			},
		}}, transport.Options{})
		c := s.dial(nil, client.Options{})
		n := 0
		for _, err := range c.Stream(t.Context(), "Forever") {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 10 {
				synctest.Wait() // everything is full
				break
			}
		}
		if err := <-ended; err == nil {
			t.Error("the hub did not hear that the stream was left")
		}
		if v, err := c.Invoke(t.Context(), "Echo", "on"); err != nil || text(t, v) != "on" {
			t.Errorf("Echo = %v, %v", v, err)
		}
	})
}

// A loop that takes its time holds the hub, and loses nothing; nor does one
// that waits for the hub in its turn.
func TestSlowLoop(t *testing.T) {
	for _, mode := range []string{"waits", "invokes", "streams"} {
		t.Run(mode, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				const items = 3000
				var sent int
				var mu sync.Mutex
				s := newSite(t, hub.Options{QueueBytes: 10_000, Methods: map[string]hub.Method{"Echo": echo}, Streams: map[string]hub.Stream{
					"Count": count,
					"Large": func(_ context.Context, _ *hub.Call, send func(signalr.Value) error) error {
						for i := range items {
							if err := send(signalr.Any(fmt.Sprintf("%01000d", i))); err != nil {
								return err
							}
							mu.Lock()
							sent++
							mu.Unlock()
						}
						return nil
					},
				}}, transport.Options{})
				c := s.dial(nil, client.Options{})
				next := 0
				for v, err := range c.Stream(t.Context(), "Large") {
					if err != nil || text(t, v) != fmt.Sprintf("%01000d", next) {
						t.Fatalf("item %d: %v, %v", next, v, err)
					}
					if next++; next%100 != 0 {
						continue
					}
					switch mode {
					case "waits":
						<-time.After(4 * time.Second)
						mu.Lock()
						if ahead := sent - next; ahead > 400 { // 64 KiB here, 64 KiB in each of two buffers, what the hub queues
							t.Fatalf("the hub is %d items ahead", ahead)
						}
						mu.Unlock()
					case "invokes":
						if v, err := c.Invoke(t.Context(), "Echo", "x"); err != nil || text(t, v) != "x" {
							t.Fatalf("Echo = %v, %v", v, err)
						}
					case "streams":
						inner := 0
						for _, err := range c.Stream(t.Context(), "Count", 100) {
							if err != nil {
								t.Fatal(err)
							}
							inner++
						}
						if inner != 100 {
							t.Fatalf("%d inner items", inner)
						}
					}
				}
				if next != items {
					t.Errorf("%d items, want %d", next, items)
				}
			})
		})
	}
}

// A stream that nobody takes, while something else is waited for, is bounded.
func TestStreamOverrun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		c := client.New(f.server.URL, client.Options{HTTPClient: f.server.Client(), MaxStreamBytes: 200_000})
		p := f.connect(c, 1)
		done := async(func() {
			p.expect(`{"type":4,"invocationId":"1","target":"Flood","arguments":[]}`)
			p.say(`{"type":2,"invocationId":"1","item":"first"}`)
			p.expect(`{"type":1,"invocationId":"2","target":"Wait","arguments":[]}`)
			for range 1000 {
				p.say(`{"type":2,"invocationId":"1","item":"` + strings.Repeat("x", 1000) + `"}`)
			}
			p.say(`{"type":3,"invocationId":"2"}`)
		})
		items, last := 0, error(nil)
		for _, err := range c.Stream(t.Context(), "Flood") {
			if last = err; err != nil {
				continue
			}
			if items++; items == 1 {
				if _, err := c.Invoke(t.Context(), "Wait"); err != nil {
					t.Error(err)
				}
			}
		}
		if !errors.Is(last, client.ErrOverrun) || items < 150 || items > 200 {
			t.Errorf("%d items, then %v; want the 200,000 bytes allowed, then %v", items, last, client.ErrOverrun)
		}
		<-done
		p.expect(`{"type":5,"invocationId":"1"}`)
	})
}

// A loop that stands still for long loses nothing either, as long as all of it
// may wait here.
func TestStuckLoop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t, hub.Options{QueueBytes: 10_000, Streams: map[string]hub.Stream{"Count": count}}, transport.Options{})
		c := s.dial(nil, client.Options{})
		next := 0
		for v, err := range c.Stream(t.Context(), "Count", 20_000) {
			if err != nil || number(t, v) != next {
				t.Fatalf("item %d: %v, %v", next, v, err)
			}
			if next++; next == 10 {
				<-time.After(10 * time.Minute)
			}
		}
		if next != 20_000 {
			t.Errorf("%d items, want 20,000", next)
		}
	})
}

// The end of the connection is behind the items that came.
func TestStreamIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		c := client.New(f.server.URL, client.Options{HTTPClient: f.server.Client()})
		p := f.connect(c, 1)
		go func() {
			p.expect(`{"type":4,"invocationId":"1","target":"Count","arguments":[]}`)
			p.say(`{"type":2,"invocationId":"1","item":1}`, `{"type":2,"invocationId":"1","item":2}`)
			p.conn.Close()
		}()
		items, last := 0, error(nil)
		for _, err := range c.Stream(t.Context(), "Count") {
			if last = err; err == nil {
				items++
				synctest.Wait()
			}
		}
		if items != 2 || !errors.Is(last, client.ErrLost) {
			t.Errorf("%d items, then %v; want 2, then %v", items, last, client.ErrLost)
		}
		for _, err := range c.Stream(t.Context(), "Count") {
			if err == nil || !errors.Is(err, c.Err()) {
				t.Errorf("a stream of an ended client: %v, want %v", err, c.Err())
			}
		}
	})
}

// What goes over the wire for uploads, and what their functions are told.
func TestUploads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		c := client.New(f.server.URL, client.Options{HTTPClient: f.server.Client()})
		p := f.connect(c, 1)
		letters := client.Upload(func(_ context.Context, send func(any) error) error {
			return errors.Join(send("a"), send(signalr.RawJSON([]byte(`{"b":null}`))), send(nil))
		})
		done := make(chan error, 1)
		go func() {
			v, err := c.Invoke(t.Context(), "Join", 1, letters, "x")
			if err == nil && text(t, v) != "good" {
				err = fmt.Errorf("it answered %v", v)
			}
			done <- err
		}()
		p.expect(
			`{"type":1,"invocationId":"1","target":"Join","arguments":[1,"x"],"streamIds":["2"]}`,
			`{"type":2,"invocationId":"2","item":"a"}`, `{"type":2,"invocationId":"2","item":{"b":null}}`, `{"type":2,"invocationId":"2","item":null}`,
			`{"type":3,"invocationId":"2"}`,
		)
		p.say(`{"type":3,"invocationId":"1","result":"good"}`)
		if err := <-done; err != nil {
			t.Error(err)
		}

		// A failing upload; Send waits for its end.
		fail := errors.New("the disk is full")
		go func() {
			done <- c.Send(t.Context(), "Take", func(_ context.Context, send func(any) error) error {
				return errors.Join(send(1), fail)
			})
		}()
		p.expect(`{"type":1,"target":"Take","arguments":[],"streamIds":["3"]}`, `{"type":2,"invocationId":"3","item":1}`, `{"type":3,"invocationId":"3","error":"the disk is full"}`)
		if err := <-done; !errors.Is(err, fail) {
			t.Errorf("Send = %v, want %v", err, fail)
		}

		// The hub answers before the upload's end.
		endless := func(ctx context.Context, send func(any) error) error {
			if err := send("on"); err != nil {
				return err
			}
			<-ctx.Done()
			if err := send("more"); err == nil {
				t.Error("send behind the end: no error")
			}
			return ctx.Err()
		}
		go func() {
			_, err := c.Invoke(t.Context(), "Enough", endless)
			done <- err
		}()
		p.expect(`{"type":1,"invocationId":"4","target":"Enough","arguments":[],"streamIds":["5"]}`, `{"type":2,"invocationId":"5","item":"on"}`)
		p.say(`{"type":3,"invocationId":"4"}`)
		if err := <-done; err != nil {
			t.Error(err)
		}
		p.expect(`{"type":3,"invocationId":"5","error":"context canceled"}`)

		// The caller gives up: the upload ends at the hub, and the call.
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			_, err := c.Invoke(ctx, "Long", endless)
			done <- err
		}()
		p.expect(`{"type":1,"invocationId":"6","target":"Long","arguments":[],"streamIds":["7"]}`, `{"type":2,"invocationId":"7","item":"on"}`)
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Invoke = %v, want %v", err, context.Canceled)
		}
		p.expect(`{"type":3,"invocationId":"7","error":"context canceled"}`, `{"type":5,"invocationId":"6"}`)

		// The connection goes.
		go func() {
			_, err := c.Invoke(t.Context(), "Lost", endless)
			done <- err
		}()
		p.expect(`{"type":1,"invocationId":"8","target":"Lost","arguments":[],"streamIds":["9"]}`, `{"type":2,"invocationId":"9","item":"on"}`)
		p.conn.Close()
		if err := <-done; !errors.Is(err, client.ErrLost) {
			t.Errorf("Invoke = %v, want %v", err, client.ErrLost)
		}
	})
}

// The hub's method is told of an upload's failure.
func TestUploadFailsAtTheHub(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newSite(t, hub.Options{Methods: map[string]hub.Method{"Sum": sum}, Uploads: map[string]int{"Sum": 1}}, transport.Options{})
		c := s.dial(nil, client.Options{})
		for _, fail := range []error{errors.New("no more paper"), errors.New("")} {
			_, err := c.Invoke(t.Context(), "Sum", client.Upload(func(context.Context, func(any) error) error { return fail }))
			want := "An unexpected error occurred invoking 'Sum' on the server. HubException: " + fail.Error()
			if fail.Error() == "" {
				want += "error"
			}
			if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
				t.Errorf("Sum (-want +got):\n%s", diff)
			}
		}
	})
}
