package hub_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr"
	"rte/signalr/hub"
)

const timedOut = `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`

func TestNoPingsAmongTraffic(t *testing.T) {
	everywhere(t, func() hub.Options { return echoes }, func(s *site) {
		w := s.meet()
		for range 100 {
			<-time.After(13 * time.Second)
			w.send(call("1", "Echo", `"a"`))
			w.expect(result("1", `"a"`))
		}
	})
}

// What is said of silence does not hold where clients poll: their polls are their
// sign of life (TestPingsOnEveryWay).
func TestClientTimeout(t *testing.T) {
	for _, detailed := range []bool{false, true} {
		options := func() hub.Options { return hub.Options{DetailedErrors: detailed, KeepAlive: time.Hour} }
		t.Run(fmt.Sprint(detailed), func(t *testing.T) {
			wherePinged(t, options, func(s *site) {
				<-time.After(400 * time.Millisecond)
				w := s.meet()
				<-time.After(100 * time.Second) // it does not ping yet, so its silence means nothing
				w.send(ping)
				want := timedOut
				if detailed {
					want = `{"type":7,"error":"Connection closed with an error. OperationCanceledException: Client hasn't sent a message/ping within the configured ClientTimeoutInterval.","allowReconnect":true}`
				}
				s.after(30*time.Second, 31*time.Second, "closed", func() { w.expect(want) })
				w.closed(ws.StatusNormalClosure)
				synctest.Wait()
				if got := s.hub.Stats().Closes[hub.Timeout]; got != 1 {
					s.Errorf("%d timeouts, want 1", got)
				}
			})
		})
	}
}

func TestNeverPingingClientLives(t *testing.T) {
	everywhere(t, func() hub.Options { return echoes }, func(s *site) {
		w := s.meet()
		go func() {
			<-time.After(time.Hour)
			w.send(call("1", "Echo", `"still here"`))
		}()
		if got, want := w.vital(), result("1", `"still here"`); got != want {
			s.Errorf("after an hour received %s, want %s", got, want)
		}
	})
}

// Whatever a client says proves that it lives.
func TestAnyMessageResets(t *testing.T) {
	messages := map[string]string{
		"ping":             ping,
		"invocation":       call("", "Nothing"),
		"completion":       `{"type":3,"invocationId":"9"}`,
		"stream item":      `{"type":2,"invocationId":"9","item":1}`,
		"cancel":           `{"type":5,"invocationId":"9"}`,
		"ack":              `{"type":8,"sequenceId":1}`,
		"unknown type":     "",
		"half, then whole": ping,
	}
	for name, m := range messages {
		options := func() hub.Options { return hub.Options{KeepAlive: time.Hour} }
		t.Run(name, func(t *testing.T) {
			wherePinged(t, options, func(s *site) {
				w := s.meet()
				w.send(ping)
				for range 20 {
					<-time.After(29 * time.Second)
					switch {
					case m == "" && s.protocol.Binary():
						w.raw([]byte("\x02\x91\x63"))
					case m == "":
						w.raw([]byte(`{"type":99}` + "\x1e"))
					case name == "half, then whole":
						b := w.encode(m)
						w.raw(b[:2])
						w.raw(b[2:])
					default:
						w.send(m)
					}
				}
				// Its silence still counts.
				s.after(30*time.Second, 31*time.Second, "closed", func() { w.expect(timedOut) })
			})
		})
	}
}

// While the hub does not read, a client cannot be heard: that is no silence.
func TestTimeoutWaitsForTheHub(t *testing.T) {
	for i := range 10 { // the clock's tick and the release come at once: in either order
		t.Run(fmt.Sprint(i), func(t *testing.T) { bubbles(t, pinged, timeoutWaits) })
	}
}

func timeoutWaits(t *testing.T, at func(hub.Options) *site) {
	release := make(chan struct{})
	block := func(context.Context, *hub.Call) (signalr.Value, error) {
		<-release
		return nil, nil
	}
	s := at(hub.Options{Methods: map[string]hub.Method{"Block": block, "Echo": echo}})
	w := s.meet()
	calls := []string{ping}
	for range 100 { // more than may wait: the hub stops reading
		calls = append(calls, call("", "Block"))
	}
	said := make(chan struct{})
	go func() { // where a client posts, it waits until it is read
		defer close(said)
		w.send(calls...)
		for range 23 {
			w.send(ping)
			<-time.After(10 * time.Second)
		}
		w.send(call("1", "Echo", `"alive"`))
	}()
	go func() {
		<-time.After(200 * time.Second)
		close(release)
	}()
	if got, want := w.vital(), result("1", `"alive"`); got != want {
		t.Errorf("received %s, want %s", got, want)
	}
	<-said
}
