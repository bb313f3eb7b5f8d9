package hub_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr"
	"rte/signalr/hub"
)

// methods of every kind of outcome.
func methods() map[string]hub.Method {
	return map[string]hub.Method{
		"Echo":    echo,
		"Nothing": func(_ context.Context, c *hub.Call) (signalr.Value, error) { return nil, c.Bind() },
		"Add": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
			var a, b int
			if err := c.Bind(&a, &b); err != nil {
				return nil, err
			}
			return signalr.Any(a + b), nil
		},
		"Fail":     func(context.Context, *hub.Call) (signalr.Value, error) { return nil, errSecret },
		"FailOpen": func(context.Context, *hub.Call) (signalr.Value, error) { return nil, &hub.Error{Text: "not today"} },
		"FailDeep": func(context.Context, *hub.Call) (signalr.Value, error) {
			return nil, fmt.Errorf("deep: %w", &hub.Error{Text: "not today"})
		},
		"FailArgs":  func(context.Context, *hub.Call) (signalr.Value, error) { return nil, hub.BadArguments() },
		"Panic":     func(context.Context, *hub.Call) (signalr.Value, error) { panic("secret panic") },
		"PanicNil":  func(context.Context, *hub.Call) (signalr.Value, error) { return nil, c0.method() },
		"HasResult": func(context.Context, *hub.Call) (signalr.Value, error) { return signalr.Any([]int{1}), nil },
	}
}

type thing struct{ err error }

func (t *thing) method() error { return t.err }

// c0 is nothing: a method that uses it panics in the runtime's own way.
var c0 *thing

func TestCallOutcomes(t *testing.T) {
	const (
		failed = "Failed to invoke '%s' due to an error on the server."
		broke  = "An unexpected error occurred invoking '%s' on the server."
		counts = " InvalidDataException: Invocation provides %d argument(s) but target expects %d."
		types  = " InvalidDataException: Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."
	)
	say := func(format string, args ...any) string { return failure("1", fmt.Sprintf(format, args...)) }
	tests := []struct {
		name, call     string
		want, detailed string // detailed "" is the same
	}{
		{"result", call("1", "Echo", `"x"`), result("1", `"x"`), ""},
		{"method in another case", call("1", "eCHO", `"x"`), result("1", `"x"`), ""},
		{"two arguments", call("1", "Add", "1", "2"), result("1", "3"), ""},
		{"no result is null", call("1", "Nothing"), result("1", "null"), ""},
		{"unknown method keeps the client's spelling", call("1", "nOpE"), say(failed+" HubException: Method does not exist.", "nOpE"), ""},
		{"too few arguments", call("1", "add", "1"), say(failed, "add"), say(failed+counts, "add", 1, 2)},
		{"too many arguments", call("1", "Nothing", "1"), say(failed, "Nothing"), say(failed+counts, "Nothing", 1, 0)},
		{"argument of another type", call("1", "Echo", "1"), say(failed, "Echo"), say(failed+types, "Echo")},
		{"second argument of another type", call("1", "Add", "1", `"2"`), say(failed, "Add"), say(failed+types, "Add")},
		{"method that reads arguments itself", call("1", "FailArgs"), say(failed, "FailArgs"), say(failed+types, "FailArgs")},
		{"error hides its details", call("1", "Fail"), say(broke, "Fail"), say(broke+" Error: secret detail", "Fail")},
		{"error for the client", call("1", "FailOpen"), say(broke+" HubException: not today", "FailOpen"), ""},
		{"error for the client, wrapped", call("1", "FailDeep"), say(broke+" HubException: not today", "FailDeep"), ""},
		{"panic", call("1", "Panic"), say(broke, "Panic"), say(broke+" Error: method panicked: secret panic", "Panic")},
		{"runtime panic", call("1", "PanicNil"), say(broke, "PanicNil"), say(broke+" Error: method panicked: runtime error: invalid memory address or nil pointer dereference", "PanicNil")},
		{"stream of a plain method", `{"type":4,"invocationId":"1","target":"echo","arguments":["x"]}`, say("The client attempted to invoke the non-streaming '%s' method with a streaming invocation.", "echo"), ""},
		{"stream of an unknown method", `{"type":4,"invocationId":"1","target":"x","arguments":[]}`, say(failed+" HubException: Method does not exist.", "x"), ""},
		{"streams that nobody wants", `{"type":1,"invocationId":"1","target":"Echo","arguments":["x"],"streamIds":["7","8"]}`, say(broke+" HubException: Client sent 2 stream(s), Hub method expects 0.", "Echo"), ""},
		{"id that must be escaped", `{"type":1,"invocationId":"\"\u001e","target":"Nothing","arguments":[]}`, `{"type":3,"invocationId":"\"\u001e","result":null}`, ""},
	}
	for _, detailed := range []bool{false, true} {
		for _, test := range tests {
			t.Run(fmt.Sprintf("%s/%t", test.name, detailed), func(t *testing.T) {
				everywhere(t, func() hub.Options { return hub.Options{Methods: methods(), DetailedErrors: detailed} }, func(s *site) {
					want := test.want
					if detailed && test.detailed != "" {
						want = test.detailed
					}
					w := s.meet()
					w.send(test.call)
					w.expect(want)
					// The connection lives on, and without an id nothing is
					// ever answered.
					if !strings.Contains(test.call, `"type":4`) {
						w.send(strings.Replace(test.call, `,"invocationId":"1"`, "", 1))
					}
					w.send(call("2", "Echo", `"on"`))
					if got := w.receive(); got != result("2", `"on"`) && !strings.Contains(test.name, "escaped") {
						s.Errorf("behind it received %s, want the next answer", got)
					}
				})
			})
		}
	}
}

// A number that only JSON can write.
func TestNumberTooLarge(t *testing.T) {
	inBubble(t, hub.Options{Methods: methods()}, func(s *site) {
		w := s.shake()
		w.send(call("1", "Add", "1", "1e400"))
		w.expect(failure("1", "Failed to invoke 'Add' due to an error on the server."))
	})
}

func TestCallsRunInOrder(t *testing.T) {
	options := func() hub.Options {
		running := 0 // without a lock: the race detector sees to it that calls do not overlap
		return hub.Options{Methods: map[string]hub.Method{"Slow": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
			var took time.Duration
			if err := c.Bind(&took); err != nil {
				return nil, err
			}
			if running++; running > 1 {
				t.Error("calls run at once")
			}
			<-time.After(took)
			running--
			return signalr.Any(took), nil
		}}}
	}
	everywhere(t, options, func(s *site) {
		w := s.meet()
		var want []string
		for i := range 12 {
			took := fmt.Sprint(int64(time.Duration(12-i) * 100 * time.Millisecond))
			w.send(call(fmt.Sprint(i), "Slow", took))
			want = append(want, result(fmt.Sprint(i), took))
		}
		s.after(7800*time.Millisecond, 7800*time.Millisecond, "answered", func() { w.expect(want...) })
	})
}

// A slow method of one client is nothing to another.
func TestSlowCallHoldsNobodyElse(t *testing.T) {
	options := func() hub.Options {
		return hub.Options{Methods: map[string]hub.Method{
			"Echo": echo,
			"Slow": func(ctx context.Context, _ *hub.Call) (signalr.Value, error) {
				<-ctx.Done()
				return nil, nil
			},
		}}
	}
	everywhere(t, options, func(s *site) {
		s.meet().send(call("1", "Slow"))
		s.after(0, 0, "answered", func() {
			w := s.meet()
			w.send(call("1", "Echo", `"a"`))
			w.expect(result("1", `"a"`))
		})
	})
}

func TestPushBeforeAnswer(t *testing.T) {
	options := func() hub.Options {
		return hub.Options{Methods: pushing()}
	}
	everywhere(t, options, func(s *site) {
		w := s.meet()
		w.send(call("1", "Push"), call("2", "PushAndFail"))
		w.expect(pushed("0"), pushed("1"), pushed("2"), result("1", `"done"`))
		w.expect(pushed("0"), failure("2", "An unexpected error occurred invoking 'PushAndFail' on the server. HubException: sorry"))
	})
}

// pushing are methods that push before they answer.
func pushing() map[string]hub.Method {
	return map[string]hub.Method{
		"Push": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
			for i := range 3 {
				c.Conn.Send(push(fmt.Sprint(i)))
			}
			return signalr.Any("done"), nil
		},
		"PushAndFail": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
			c.Conn.Send(push("0"))
			return nil, &hub.Error{Text: "sorry"}
		},
	}
}

func TestCompleteEarly(t *testing.T) {
	everyBubble(t, func(_ *testing.T, at func(hub.Options) *site) {
		late := make(chan *hub.Call, 10)
		s := at(hub.Options{Methods: map[string]hub.Method{
			"Join": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
				c.Conn.Send(push("before"))
				c.Complete(signalr.Any("first"))
				c.Complete(signalr.Any("second"))
				c.Conn.Send(push("behind"))
				late <- c
				return signalr.Any("ignored"), errors.New("ignored, too")
			},
			"Null": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
				c.Complete(nil)
				return nil, nil
			},
		}})
		w := s.meet()
		w.send(call("1", "Join"), call("", "Join"), call("2", "Null"))
		w.expect(pushed("before"), result("1", `"first"`), pushed("behind"))
		w.expect(pushed("before"), pushed("behind"))
		w.expect(`{"type":3,"invocationId":"2"}`)
		synctest.Wait()
		for range len(late) {
			(<-late).Complete(signalr.Any("much too late"))
		}
		w.send(call("3", "Null"))
		w.expect(`{"type":3,"invocationId":"3"}`)
	})
}

func TestContextEndsWithTheConnection(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		ended := make(chan time.Time, 2)
		wait := func(ctx context.Context) {
			<-ctx.Done()
			ended <- time.Now()
		}
		s := at(hub.Options{
			Methods: map[string]hub.Method{"Wait": func(ctx context.Context, _ *hub.Call) (signalr.Value, error) {
				wait(ctx)
				return nil, nil
			}},
			OnConnected: func(ctx context.Context, _ *hub.Conn) error {
				go wait(ctx) // it lives as long as the connection, not as the call
				return nil
			},
		})
		w := s.meet()
		w.send(call("1", "Wait"))
		<-time.After(s.while())
		if len(ended) > 0 {
			t.Error("the context ended while the connection lived")
		}
		after, _, _ := s.lost()
		if s.polls() {
			after -= s.while() // that long it has not polled
		}
		end := time.Now().Add(after)
		w.vanish()
		for range 2 {
			if at := <-ended; !at.Equal(end) {
				t.Errorf("the context ended %v after the connection", at.Sub(end))
			}
		}
	})
}

func TestCallKnowsItsConnection(t *testing.T) {
	options := hub.Options{
		Methods: map[string]hub.Method{"Who": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
			return signalr.Any([]any{c.Conn.ID(), c.Conn.Value, c.Conn.User(), c.Conn.ProtocolName(), c.Conn.Transport().Transport().String(), c.Invocation.Target, c.Conn.Reason()}), nil
		}},
		OnConnected: func(_ context.Context, c *hub.Conn) error {
			c.Value = "mine"
			return nil
		},
	}
	everywhere(t, func() hub.Options { return options }, func(s *site) {
		c := s.dial(nil)
		v, err := c.Invoke(s.Context(), "who")
		if err != nil {
			s.Fatal(err)
		}
		b, _ := v.AppendJSON(nil)
		if want := fmt.Sprintf(`[%q,"mine",null,%q,%q,"who",""]`, c.ID(), s.protocol.Name(), s.way); string(b) != want {
			s.Errorf("got %s, want %s", b, want)
		}
	})
}
