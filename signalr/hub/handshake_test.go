package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr/hub"
)

func TestHandshake(t *testing.T) {
	const unexpected = `{"error":"An unexpected error occurred during connection handshake."}`
	const canceled = `{"error":"Handshake was canceled."}`
	// P is the protocol that the client speaks.
	tests := []struct{ name, text, want string }{
		{"version 1", `{"protocol":"P","version":1}`, "{}"},
		{"version 2", `{"protocol":"P","version":2}`, "{}"},
		{"version 0, as the released server takes it", `{"protocol":"P","version":0}`, "{}"},
		{"further members", `{"x":[1],"version":1,"protocol":"P","features":{}}`, "{}"},
		{"version 3", `{"protocol":"P","version":3}`, `{"error":"The server does not support version 3 of the 'P' protocol."}`},
		{"unknown protocol", `{"protocol":"xml","version":1}`, `{"error":"The protocol 'xml' is not supported."}`},
		{"protocol in another case", `{"protocol":"JSON","version":1}`, `{"error":"The protocol 'JSON' is not supported."}`},
		{"protocol that must be escaped", `{"protocol":"a\"\u001e<","version":1}`, `{"error":"The protocol 'a\"\u001e<' is not supported."}`},
		{"an invocation", call("1", "Echo", `"x"`), unexpected},
		{"a ping", ping, unexpected},
		{"no JSON", "hello", unexpected},
		{"nothing", "", unexpected},
		{"bad UTF-8", "{\"protocol\":\"\xff\",\"version\":1}", unexpected},
		{"no version", `{"protocol":"P"}`, unexpected},
		{"as large as may be", "FILL", "{}"},
		{"one byte too large", "FILL ", canceled},
		{"much too large", strings.Repeat("x", 100_000), canceled},
	}
	options := func() hub.Options { return hub.Options{MaxMessageBytes: 1024, Methods: echoes.Methods} }
	for _, test := range tests {
		for _, size := range []int{1 << 20, 1, 100} { // bytes in a transport message
			if size == 1 && (len(test.text) > 200 || strings.Contains(test.text, "FILL")) {
				continue // many requests, and nothing new
			}
			everywhereNamed(t, fmt.Sprintf("%s/%d", test.name, size), options, func(s *site) {
				in := func(text string) string {
					whole := `{"protocol":"P","version":1}`
					text = strings.Replace(text, "FILL", whole+strings.Repeat(" ", 1023-len(whole)+1-len(s.protocol.Name())), 1)
					return strings.Replace(text, "P", s.protocol.Name(), 1)
				}
				w := s.arrive()
				for piece := range slices.Chunk([]byte(in(test.text)+"\x1e"), size) {
					if w.write(piece) != nil {
						break // refused already
					}
				}
				w.expect(in(test.want))
				if test.want != "{}" { // no Close message follows
					w.closed(ws.StatusNormalClosure)
					return
				}
				w.send(call("1", "Echo", `"x"`))
				w.expect(result("1", `"x"`))
			})
		}
	}
}

func TestHandshakeWithFirstCalls(t *testing.T) {
	everywhere(t, func() hub.Options { return echoes }, func(s *site) {
		w := s.arrive()
		w.greet(call("1", "Echo", `"a"`), ping, call("2", "Echo", `"b"`))
		w.expect("{}", result("1", `"a"`), result("2", `"b"`))

		w = s.arrive()
		all := slices.Concat([]byte(strings.Replace(handshake, "json", s.protocol.Name(), 1)+"\x1e"), w.encode(call("1", "Echo", `"a"`), call("2", "Echo", `"b"`)))
		for _, b := range all {
			w.raw([]byte{b})
		}
		w.expect("{}", result("1", `"a"`), result("2", `"b"`))
	})
}

func TestRefusedHandshakeRunsNothing(t *testing.T) {
	everywhere(t, func() hub.Options { return echoes }, func(s *site) {
		w := s.arrive()
		w.raw(slices.Concat([]byte(`{"protocol":"xml","version":1}`+"\x1e"+handshake+"\x1e"), w.encode(call("1", "Echo", `"a"`))))
		w.expect(`{"error":"The protocol 'xml' is not supported."}`)
		w.closed(ws.StatusNormalClosure)
		if n := s.hub.Stats().Invocations; n != 0 {
			s.Errorf("%d invocations taken, want none", n)
		}
	})
}

func TestHandshakeTimeout(t *testing.T) {
	for _, said := range []string{"", "{", handshake} {
		everywhereNamed(t, said, func() hub.Options { return hub.Options{} }, func(s *site) {
			<-time.After(300 * time.Millisecond) // not on the clock's tick
			w := s.arrive()
			if said != "" {
				w.raw([]byte(said)) // never its end
			}
			s.after(15*time.Second, 16*time.Second, "refused", func() {
				w.expect(`{"error":"Handshake was canceled."}`)
				w.closed(ws.StatusNormalClosure)
			})
			synctest.Wait()
			if got := s.hub.Stats().Closes[hub.Refused]; got != 1 {
				s.Errorf("%d connections refused, want 1", got)
			}
		})
	}
}
