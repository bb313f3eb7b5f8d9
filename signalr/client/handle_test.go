package client_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr"
	"rte/signalr/client"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// What the hub is told when it calls the client.
func TestHandle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		heard := make(chan string, 10)
		c := client.New(f.server.URL, client.Options{HTTPClient: f.server.Client(), Handlers: map[string]client.Handler{
			"Upper": func(_ context.Context, args []signalr.Value) (signalr.Value, error) {
				return signalr.Any(text(t, args[0]) + "!"), nil
			},
			"Nothing": func(context.Context, []signalr.Value) (signalr.Value, error) { return nil, nil },
			"Fail": func(context.Context, []signalr.Value) (signalr.Value, error) {
				return signalr.Any("not this"), errors.New("no paper")
			},
			"Blank":   func(context.Context, []signalr.Value) (signalr.Value, error) { return nil, errors.New("") },
			"Strange": func(context.Context, []signalr.Value) (signalr.Value, error) { return signalr.Any(func() {}), nil },
			"Both": func(context.Context, []signalr.Value) (signalr.Value, error) {
				heard <- "Handle"
				return signalr.Any(1), nil
			},
			"Old": func(context.Context, []signalr.Value) (signalr.Value, error) { return signalr.Any("old"), nil },
			"Off": func(context.Context, []signalr.Value) (signalr.Value, error) { return signalr.Any("on"), nil },
		}})
		c.On("both", func([]signalr.Value) { heard <- "On" })
		c.On("OnlyOn", func([]signalr.Value) { heard <- "OnlyOn" })
		c.Handle("OLD", func(context.Context, []signalr.Value) (signalr.Value, error) { return signalr.Any("new"), nil })
		c.Handle("Off", nil)
		p := f.connect(c, 1)
		for _, test := range []struct{ call, want, heard string }{
			{`"invocationId":"1","target":"uPPER","arguments":["x"]`, `{"type":3,"invocationId":"1","result":"x!"}`, ""},
			{`"invocationId":"2","target":"Nothing","arguments":[]`, `{"type":3,"invocationId":"2","result":null}`, ""},
			{`"invocationId":"3","target":"Fail","arguments":[]`, `{"type":3,"invocationId":"3","error":"no paper"}`, ""},
			{`"invocationId":"4","target":"Blank","arguments":[]`, `{"type":3,"invocationId":"4","error":"error"}`, ""},
			{`"invocationId":"5","target":"Strange","arguments":[]`, `{"type":3,"invocationId":"5","error":"encode *signalr.Completion: encode value: json: unsupported type: func()"}`, ""},
			{`"invocationId":"6","target":"Both","arguments":[]`, `{"type":3,"invocationId":"6","result":1}`, "On Handle"},
			{`"invocationId":"7","target":"OnlyOn","arguments":[]`, `{"type":3,"invocationId":"7","error":"Client didn't provide a result."}`, "OnlyOn"},
			{`"invocationId":"8","target":"Nobody","arguments":[]`, `{"type":3,"invocationId":"8","error":"Client didn't provide a result."}`, ""},
			{`"invocationId":"9","target":"Old","arguments":[]`, `{"type":3,"invocationId":"9","result":"new"}`, ""},
			{`"invocationId":"10","target":"Off","arguments":[]`, `{"type":3,"invocationId":"10","error":"Client didn't provide a result."}`, ""},
			// Without an id there is no answer, whatever it was.
			{`"target":"Both","arguments":[]`, "", "On Handle"},
			{`"target":"Fail","arguments":[]`, "", ""},
			{`"target":"Nobody","arguments":[]`, "", ""},
			{`"invocationId":"11","target":"Nothing","arguments":[]`, `{"type":3,"invocationId":"11","result":null}`, ""},
		} {
			p.say(`{"type":1,` + test.call + `}`)
			if test.want != "" {
				p.expect(test.want)
			}
			synctest.Wait()
			got := ""
			for range len(heard) {
				if got != "" {
					got += " "
				}
				got += <-heard
			}
			if got != test.heard {
				t.Errorf("%s was heard by %q, want %q", test.call, got, test.heard)
			}
		}
	})
}

// A handler may use the client, and ends with the connection.
func TestHandlerUsesTheClient(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ended := make(chan error, 1)
		s := newSite(t, hub.Options{Parallel: 3, Methods: map[string]hub.Method{
			"Echo": echo,
			"Ask": func(ctx context.Context, c *hub.Call) (signalr.Value, error) {
				return c.Conn.Invoke(ctx, text(t, c.Invocation.Arguments[0]), signalr.Any("deep"))
			},
		}}, transport.Options{})
		c := s.dial(nil, client.Options{})
		c.Handle("Back", func(ctx context.Context, args []signalr.Value) (signalr.Value, error) {
			return c.Invoke(ctx, "Echo", args[0])
		})
		c.Handle("Wait", func(ctx context.Context, _ []signalr.Value) (signalr.Value, error) {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil, ctx.Err()
		})
		if v, err := c.Invoke(t.Context(), "Ask", "Back"); err != nil || text(t, v) != "deep" {
			t.Errorf("Ask = %v, %v", v, err)
		}
		go c.Send(t.Context(), "Ask", "Wait")
		synctest.Wait()
		c.Close()
		if err := <-ended; !errors.Is(err, client.ErrClosed) {
			t.Errorf("the handler's context ended with %v, want %v", err, client.ErrClosed)
		}
	})
}

// So many calls of the hub are answered at a time, no more; when none is
// answered for too long, the connection ends.
func TestTooManyCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		gate := make(chan struct{})
		running := make(chan struct{}, 100)
		c := client.New(f.server.URL, client.Options{HTTPClient: f.server.Client(), MaxHandlers: 3, Handlers: map[string]client.Handler{
			"Wait": func(context.Context, []signalr.Value) (signalr.Value, error) {
				running <- struct{}{}
				<-gate
				<-running
				return nil, nil
			},
		}})
		p := f.connect(c, 1)
		call := func(i int) string {
			return fmt.Sprintf(`{"type":1,"invocationId":"%d","target":"Wait","arguments":[]}`, i)
		}
		for i := range 5 {
			p.say(call(i))
		}
		synctest.Wait()
		if n := len(running); n != 3 {
			t.Errorf("%d handlers run, want 3", n)
		}
		<-time.After(20 * time.Second) // they take their time; the hub's silence is theirs
		for range 5 {
			gate <- struct{}{}
			p.hear()
		}
		synctest.Wait()
		if n := len(running); n != 0 || c.Err() != nil {
			t.Errorf("%d handlers run, and the client ended with %v", n, c.Err())
		}
		begin := time.Now()
		for i := range 5 {
			p.say(call(i))
		}
		for done := false; !done; {
			select {
			case <-c.Done():
				done = true
			case <-time.After(10 * time.Second):
				if time.Since(begin) > time.Minute {
					t.Fatal("the client goes on, though nothing is answered")
				}
			}
		}
		if !errors.Is(c.Err(), client.ErrOverrun) {
			t.Errorf("ended with %v, want %v", c.Err(), client.ErrOverrun)
		}
		close(gate)
	})
}
