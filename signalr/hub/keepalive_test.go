package hub_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr"
	"rte/signalr/hub"
)

const timedOut = `{"type":7,"error":"Connection closed with an error.","allowReconnect":true}`

func TestPingsWhenIdle(t *testing.T) {
	inBubble(t, hub.Options{}, func(s *site) {
		<-time.After(700 * time.Millisecond)
		w := s.shake()
		for range 20 {
			s.after(14*time.Second, 16*time.Second, "ping", func() { w.expect(ping) })
		}
		if got := s.hub.Stats(); got.Pings != 20 || got.Messages != 0 {
			t.Errorf("Stats = %+v, want 20 pings and no messages", got)
		}
	})
}

func TestNoPingsAmongTraffic(t *testing.T) {
	inBubble(t, hub.Options{Methods: map[string]hub.Method{"Echo": echo}}, func(s *site) {
		w := s.shake()
		for range 100 {
			<-time.After(13 * time.Second)
			w.send(call("1", "Echo", `"a"`))
			w.expect(result("1", `"a"`))
		}
	})
}

func TestClientTimeout(t *testing.T) {
	for _, detailed := range []bool{false, true} {
		inBubbleNamed(t, "", hub.Options{DetailedErrors: detailed, KeepAlive: time.Hour}, func(s *site) {
			<-time.After(400 * time.Millisecond)
			w := s.shake()
			<-time.After(100 * time.Second) // it does not ping yet, so its silence means nothing
			w.send(ping)
			want := timedOut
			if detailed {
				want = `{"type":7,"error":"Connection closed with an error. OperationCanceledException: Client hasn't sent a message/ping within the configured ClientTimeoutInterval.","allowReconnect":true}`
			}
			s.after(30*time.Second, 31*time.Second, "closed", func() { w.expect(want, "status 1000", "end") })
			synctest.Wait()
			if got := s.hub.Stats().Closes[hub.Timeout]; got != 1 {
				t.Errorf("%d timeouts, want 1", got)
			}
		})
	}
}

// inBubbleNamed is inBubble as a subtest.
func inBubbleNamed(t *testing.T, name string, o hub.Options, body func(s *site)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { inBubble(t, o, body) })
}

func TestNeverPingingClientLives(t *testing.T) {
	inBubble(t, hub.Options{Methods: map[string]hub.Method{"Echo": echo}}, func(s *site) {
		w := s.shake()
		go func() {
			<-time.After(time.Hour)
			w.send(call("1", "Echo", `"still here"`))
		}()
		got := w.receive()
		for got == ping {
			got = w.receive()
		}
		if want := result("1", `"still here"`); got != want {
			t.Errorf("after an hour received %s, want %s", got, want)
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
		"unknown type":     `{"type":99}`,
		"half, then whole": "",
	}
	for name, m := range messages {
		inBubbleNamed(t, name, hub.Options{KeepAlive: time.Hour}, func(s *site) {
			w := s.shake()
			w.send(ping)
			for range 20 {
				<-time.After(29 * time.Second)
				if m == "" {
					w.raw(`{"type"`)
					w.raw(":6}\x1e")
					continue
				}
				w.send(m)
			}
			// Its silence still counts.
			s.after(30*time.Second, 31*time.Second, "closed", func() { w.expect(timedOut) })
		})
	}
}

// While the hub does not read, a client cannot be heard: that is no silence.
func TestTimeoutWaitsForTheHub(t *testing.T) {
	t.Parallel()
	for range 50 { // the clock's tick and the release come at once: in either order
		synctest.Test(t, timeoutWaits)
	}
}

func timeoutWaits(t *testing.T) {
	release := make(chan struct{})
	block := func(context.Context, *hub.Call) (signalr.Value, error) {
		<-release
		return nil, nil
	}
	s := newSite(t, hub.Options{Methods: map[string]hub.Method{"Block": block, "Echo": echo}})
	w := s.shake()
	w.send(ping)
	for range 100 { // more than may wait: the hub stops reading
		w.send(call("", "Block"))
	}
	for range 20 {
		<-time.After(10 * time.Second)
		w.send(ping)
	}
	close(release)
	for range 3 {
		<-time.After(10 * time.Second)
		w.send(ping)
	}
	w.send(call("1", "Echo", `"alive"`))
	got := w.receive()
	for got == ping {
		got = w.receive()
	}
	if want := result("1", `"alive"`); got != want {
		t.Errorf("received %s, want %s", got, want)
	}
}
