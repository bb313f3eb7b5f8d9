package transport_test

import (
	"runtime"
	"testing"
	"time"

	"rte/signalr/transport"
)

// TestIdleWebSocketsHaveNoGoroutine: 500 connections that say nothing add no
// goroutine, and each is still heard. It is not parallel: it counts.
func TestIdleWebSocketsHaveNoGoroutine(t *testing.T) { //nolint:paralleltest // as the comment says
	s := newSite(t, "tcp", transport.Options{})
	s.open() // starts the pollers
	before := runtime.NumGoroutine()
	const n = 500
	wires, receivers := make([]*wire, n), make([]*receiver, n)
	for i := range wires {
		wires[i], receivers[i] = s.open()
	}
	// The last steps of a connection's request run behind the client's answer.
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before+20; {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines more with %d idle connections", runtime.NumGoroutine()-before, n)
		}
		runtime.Gosched()
	}
	for i, w := range wires {
		w.send(frame(textFrame, "here"))
		receivers[i].got(t, len("here"))
	}
}
