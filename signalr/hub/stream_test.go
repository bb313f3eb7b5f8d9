package hub_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"rte/signalr"
	"rte/signalr/hub"
)

// stream is the record of a streaming invocation, item and done are its
// answers, or an upload's items and end, and cancel ends it.
func stream(id, target string, args ...string) string {
	return `{"type":4,"invocationId":"` + id + `","target":"` + target + `","arguments":[` + strings.Join(args, ",") + `]}`
}
func item(id, value string) string {
	return `{"type":2,"invocationId":"` + id + `","item":` + value + `}`
}
func done(id string) string   { return `{"type":3,"invocationId":"` + id + `"}` }
func cancel(id string) string { return `{"type":5,"invocationId":"` + id + `"}` }

type sender = func(signalr.Value) error

func count(_ context.Context, c *hub.Call, send sender) error {
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

// forever sends one item and waits for its end.
func forever(ctx context.Context, _ *hub.Call, send sender) error {
	if err := send(signalr.Any("on")); err != nil {
		return err
	}
	<-ctx.Done()
	return send(signalr.Any("too late"))
}

// packedWords are those that details have in MessagePack only.
var packedWords = strings.NewReplacer("2097192", "2097166", "json: unsupported type: func()", "msgpack: Encode(unsupported func())")

func TestStreamOutcomes(t *testing.T) {
	failing := func(items int, err error) hub.Stream {
		return func(_ context.Context, _ *hub.Call, send sender) error {
			for range items {
				if err := send(nil); err != nil {
					return err
				}
			}
			if err == nil {
				panic("secret panic")
			}
			return err
		}
	}
	streams := map[string]hub.Stream{
		"Count": count, "Fail": failing(0, errSecret), "FailOpen": failing(0, &hub.Error{Text: "not today"}),
		"Break": failing(1, errSecret), "BreakOpen": failing(1, &hub.Error{Text: "not today"}),
		"Panic": failing(0, nil), "BreakPanic": failing(1, nil),
		"Large": func(_ context.Context, _ *hub.Call, send sender) error {
			return send(signalr.Any(strings.Repeat("x", 2<<20)))
		},
		"Strange": func(_ context.Context, _ *hub.Call, send sender) error { return send(signalr.Any(func() {})) },
	}
	const (
		broke = "An unexpected error occurred invoking '%s' on the server."
		midst = "An error occurred on the server while streaming results."
	)
	fail := func(format string, args ...any) string { return failure("1", fmt.Sprintf(format, args...)) }
	null := item("1", "null")
	tests := []struct {
		name, call     string
		want, detailed []string // detailed nil is the same
	}{
		{"items", stream("1", "cOUNT", "2"), []string{item("1", "0"), item("1", "1"), done("1")}, nil},
		{"no items", stream("1", "Count", "0"), []string{done("1")}, nil},
		{"arguments", stream("1", "count"), []string{fail("Failed to invoke 'count' due to an error on the server.")}, []string{fail("Failed to invoke 'count' due to an error on the server. InvalidDataException: Invocation provides 0 argument(s) but target expects 1.")}},
		{"error before the first item", stream("1", "Fail"), []string{fail(broke, "Fail")}, []string{fail(broke+" Error: secret detail", "Fail")}},
		{"error for the client", stream("1", "FailOpen"), []string{fail(broke+" HubException: not today", "FailOpen")}, nil},
		{"error behind an item", stream("1", "Break"), []string{null, fail(midst)}, []string{null, fail(midst + " Error: secret detail")}},
		{"error for the client behind an item", stream("1", "BreakOpen"), []string{null, fail(midst + " HubException: not today")}, nil},
		{"panic", stream("1", "Panic"), []string{fail(broke, "Panic")}, []string{fail(broke+" Error: method panicked: secret panic", "Panic")}},
		{"panic behind an item", stream("1", "BreakPanic"), []string{null, fail(midst)}, []string{null, fail(midst + " Error: method panicked: secret panic")}},
		{"invoke", call("1", "count", "2"), []string{fail("The client attempted to invoke the streaming 'count' method with a non-streaming invocation.")}, nil},
		{"uploads that nobody wants", strings.Replace(stream("1", "Count", "2"), "}", `,"streamIds":["9"]}`, 1), []string{fail(broke+" HubException: Client sent 1 stream(s), Hub method expects 0.", "Count")}, nil},
		{"item larger than the queue", stream("1", "Large"), []string{fail(broke, "Large")}, []string{fail(broke+" Error: send item: hub: a message of 2097192 bytes is larger than the queue", "Large")}},
		{"item that cannot be encoded", stream("1", "Strange"), []string{fail(broke, "Strange")}, []string{fail(broke+" Error: send item: encode *signalr.StreamItem: encode value: json: unsupported type: func()", "Strange")}},
	}
	for _, detailed := range []bool{false, true} {
		for _, test := range tests {
			t.Run(fmt.Sprintf("%s/%t", test.name, detailed), func(t *testing.T) {
				everywhere(t, func() hub.Options { return hub.Options{Methods: methods(), Streams: streams, DetailedErrors: detailed} }, func(s *site) {
					want := slices.Clone(test.want)
					if detailed && test.detailed != nil {
						want = slices.Clone(test.detailed)
					}
					if s.protocol.Binary() {
						for i := range want {
							want[i] = packedWords.Replace(want[i])
						}
					}
					w := s.meet()
					for range 2 { // the id is free again
						w.send(test.call)
						w.expect(want...)
					}
					w.send(call("2", "Echo", `"on"`))
					w.expect(result("2", `"on"`))
				})
			})
		}
	}
}

func TestStreamRunsBesideCalls(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		gate := make(chan struct{}, 1)
		s := at(hub.Options{
			Methods: map[string]hub.Method{"Echo": echo, "Block": func(ctx context.Context, _ *hub.Call) (signalr.Value, error) {
				<-ctx.Done()
				return nil, nil
			}},
			Streams: map[string]hub.Stream{"Forever": forever},
			OnConnected: func(_ context.Context, c *hub.Conn) error {
				<-gate
				c.Send(push("first"))
				return nil
			},
		})
		w := s.meet()
		// All of it comes before OnConnected has returned; then the streams
		// wait for no call, nor calls for them.
		w.send(stream("1", "Forever"), call("2", "Echo", `"x"`))
		synctest.Wait()
		gate <- struct{}{}
		w.expect(pushed("first"))
		if got := w.receive() + w.receive(); got != item("1", `"on"`)+result("2", `"x"`) && got != result("2", `"x"`)+item("1", `"on"`) {
			t.Errorf("received %s", got)
		}
		w.send(call("3", "Block"), stream("1", "Forever"))
		w.expect(failure("1", "Invocation ID '1' is already in use."))
		w.send(stream("4", "Forever"))
		w.expect(item("4", `"on"`))
		w.send(cancel("unknown"), cancel("3"), cancel("1"))
		w.expect(done("1"))
		w.send(cancel("1"), stream("1", "Forever"))
		w.expect(item("1", `"on"`))
	})
}

// The end of a connection ends its streams, and OnDisconnected is behind them.
func TestStreamEndsWithConnection(t *testing.T) {
	everyBubble(t, func(t *testing.T, at func(hub.Options) *site) {
		ended := make(chan string, 9)
		s := at(hub.Options{
			Streams: map[string]hub.Stream{"Forever": func(ctx context.Context, c *hub.Call, send sender) error {
				err := forever(ctx, c, send)
				ended <- fmt.Sprint(err)
				return err
			}},
			OnDisconnected: func(*hub.Conn, error) { ended <- "disconnected" },
		})
		w := s.meet()
		w.send(stream("1", "Forever"))
		w.expect(item("1", `"on"`))
		w.vanish()
		if got := <-ended; got != "send item: context canceled" {
			t.Errorf("the stream got %s", got)
		}
		if got := <-ended; got != "disconnected" {
			t.Errorf("then %s", got)
		}
	})
}

// Streams wait for a client that does not read, and it is not closed.
func TestStreamsWaitForSlowClient(t *testing.T) {
	options := func() hub.Options {
		return hub.Options{Streams: map[string]hub.Stream{"Count": count}, QueueBytes: 1000}
	}
	everywhere(t, options, func(s *site) {
		s.server.Network.Buffer = 4 << 10
		w := s.meet()
		const streams, items = 5, 300
		for i := range streams {
			w.send(stream(fmt.Sprint(i), "Count", fmt.Sprint(items)))
		}
		synctest.Wait() // everything is full
		if n := s.hub.Stats().Messages; n == 0 || n > streams*items/2 {
			s.Errorf("%d messages were queued for a client that does not read", n)
		}
		next := map[string]int{}
		for next["done"] < streams {
			got := w.receive()
			id := strings.Split(got, `"`)[5]
			switch got {
			case item(id, fmt.Sprint(next[id])):
				next[id]++
			case done(id):
				if next[id] != items {
					s.Fatalf("stream %s ends behind %d items", id, next[id])
				}
				next["done"]++
			default:
				s.Fatalf("received %s, want item %d", got, next[id])
			}
		}
	})
}

func TestTooManyStreams(t *testing.T) {
	everywhere(t, func() hub.Options {
		return hub.Options{Streams: map[string]hub.Stream{"Forever": forever}, MaxStreams: 2}
	}, func(s *site) {
		w := s.meet()
		for i := range 50 {
			id := fmt.Sprint(i)
			w.send(stream(id, "Forever"))
			if i < 2 {
				w.expect(item(id, `"on"`))
				continue
			}
			w.expect(failure(id, "An unexpected error occurred invoking 'Forever' on the server. HubException: No more than 2 streams may be active."))
		}
		for i := range 50 { // one goes, one comes
			w.send(cancel(fmt.Sprint(i)))
			w.expect(done(fmt.Sprint(i)))
			w.send(stream(fmt.Sprint(i+2), "Forever"))
			w.expect(item(fmt.Sprint(i+2), `"on"`))
		}
	})
}
