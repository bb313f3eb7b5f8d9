package hub_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr"
	"rte/signalr/hub"
)

// asked is the record of an invocation of the hub's.
func asked(id, target, args string) string {
	return `{"type":1,"invocationId":"` + id + `","target":"` + target + `","arguments":[` + args + `]}`
}

// ask is a method that asks the client and answers with what it said.
func ask(ctx context.Context, c *hub.Call) (signalr.Value, error) {
	return c.Conn.Invoke(ctx, "Say", signalr.Any("name"))
}

func TestClientResults(t *testing.T) {
	tests := []struct {
		name, answer, want string
	}{
		{"value", result("hub1", `{"a":[1]}`), result("1", `{"a":[1]}`)},
		{"null", result("hub1", "null"), result("1", "null")},
		{"none", done("hub1"), result("1", "null")},
		{"error", failure("hub1", "Error: no"), failure("1", "An unexpected error occurred invoking 'Ask' on the server. HubException: Error: no")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			everywhere(t, func() hub.Options { return hub.Options{Methods: map[string]hub.Method{"Ask": ask, "Echo": echo}} }, func(s *site) {
				w := s.meet()
				w.send(result("hub1", "1"), result("hub2", "1")) // nobody has asked
				w.send(call("1", "Ask"))
				w.expect(asked("hub1", "Say", `"name"`))
				w.send(result("hub2", "1"), result("1", "1"), ping, test.answer, test.answer)
				w.expect(test.want)
				w.send(call("2", "Ask"))
				w.expect(asked("hub2", "Say", `"name"`))
				w.send(result("hub2", `"x"`))
				w.expect(result("2", `"x"`))
			})
		})
	}
}

// The answer is heard although it comes behind calls that wait for it.
func TestClientResultBehindCalls(t *testing.T) {
	everywhere(t, func() hub.Options { return hub.Options{Methods: map[string]hub.Method{"Ask": ask, "Echo": echo}} }, func(s *site) {
		for _, before := range []bool{true, false} { // it is asked for before the calls come, or behind them
			w := s.meet()
			records := []string{call("0", "Ask")}
			var want []string
			for i := range 100 {
				records = append(records, call(fmt.Sprint(i), "Echo", `"x"`))
				want = append(want, result(fmt.Sprint(i), `"x"`))
			}
			if before {
				w.send(records[0])
				records = records[1:]
				w.expect(asked("hub1", "Say", `"name"`))
				w.send(records...)
			} else {
				w.send(records...)
				w.expect(asked("hub1", "Say", `"name"`))
			}
			w.send(result("hub1", `"me"`))
			w.expect(result("0", `"me"`))
			w.expect(want...)
		}
	})
}

func TestClientResultThatNeverComes(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		conns := make(chan *hub.Conn, 1)
		var early error
		s := at(hub.Options{OnConnected: func(ctx context.Context, c *hub.Conn) error {
			_, early = c.Invoke(ctx, "Say")
			conns <- c
			return nil
		}})
		w := s.meet()
		c := <-conns
		synctest.Wait()
		if !errors.Is(early, hub.ErrConnecting) || early.Error() != "Client results inside OnConnectedAsync Hub methods are not allowed." {
			t.Errorf("Invoke inside OnConnected = %v", early)
		}
		if _, err := c.Invoke(t.Context(), "Say", signalr.Any(func() {})); err == nil {
			t.Error("Invoke with an argument that cannot be encoded succeeds")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Invoke(ctx, "Say"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Invoke = %v, want %v", err, context.DeadlineExceeded)
		}
		w.expect(asked("hub2", "Say", ""))
		w.send(result("hub2", "1")) // too late
		ended := make(chan error)
		go func() {
			_, err := c.Invoke(context.Background(), "Say")
			ended <- err
		}()
		w.expect(asked("hub3", "Say", ""))
		w.vanish()
		if err := <-ended; !errors.Is(err, hub.ErrEnded) {
			t.Errorf("Invoke when the client goes = %v, want %v", err, hub.ErrEnded)
		}
		if _, err := c.Invoke(context.Background(), "Say"); !errors.Is(err, hub.ErrEnded) {
			t.Errorf("Invoke when the client has gone = %v, want %v", err, hub.ErrEnded)
		}
	})
}
