package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rte/signalr/hub"
)

func TestHandshake(t *testing.T) {
	const unexpected = `{"error":"An unexpected error occurred during connection handshake."}`
	const canceled = `{"error":"Handshake was canceled."}`
	tests := []struct{ name, text, want string }{
		{"version 1", handshake, "{}"},
		{"version 2", `{"protocol":"json","version":2}`, "{}"},
		{"version 0, as the released server takes it", `{"protocol":"json","version":0}`, "{}"},
		{"further members", `{"x":[1],"version":1,"protocol":"json","features":{}}`, "{}"},
		{"version 3", `{"protocol":"json","version":3}`, `{"error":"The server does not support version 3 of the 'json' protocol."}`},
		{"unknown protocol", `{"protocol":"xml","version":1}`, `{"error":"The protocol 'xml' is not supported."}`},
		{"protocol in another case", `{"protocol":"JSON","version":1}`, `{"error":"The protocol 'JSON' is not supported."}`},
		{"protocol that must be escaped", `{"protocol":"a\"\u001e<","version":1}`, `{"error":"The protocol 'a\"\u001e<' is not supported."}`},
		{"an invocation", call("1", "Echo", `"x"`), unexpected},
		{"a ping", ping, unexpected},
		{"no JSON", "hello", unexpected},
		{"nothing", "", unexpected},
		{"bad UTF-8", "{\"protocol\":\"\xff\",\"version\":1}", unexpected},
		{"no version", `{"protocol":"json"}`, unexpected},
		{"as large as may be", handshake + strings.Repeat(" ", 1023-len(handshake)), "{}"},
		{"one byte too large", handshake + strings.Repeat(" ", 1024-len(handshake)), canceled},
		{"much too large", strings.Repeat("x", 100_000), canceled},
	}
	for _, test := range tests {
		for _, size := range []int{0, 1, 100} { // bytes in a frame; 0: all
			if size == 1 && len(test.text) > 5000 {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", test.name, size), func(t *testing.T) {
				o := hub.Options{MaxMessageBytes: 1024, Methods: map[string]hub.Method{"Echo": echo}}
				inBubble(t, o, func(s *site) {
					w := s.open()
					for rest := test.text + "\x1e"; rest != ""; {
						n := len(rest)
						if size > 0 {
							n = min(n, size)
						}
						w.raw(rest[:n])
						rest = rest[n:]
					}
					w.expect(test.want)
					if test.want != "{}" { // no Close message follows
						w.expect("status 1000", "end")
						return
					}
					w.send(call("1", "Echo", `"x"`))
					w.expect(result("1", `"x"`))
				})
			})
		}
	}
}

func TestHandshakeWithFirstCalls(t *testing.T) {
	inBubble(t, hub.Options{Methods: map[string]hub.Method{"Echo": echo}}, func(s *site) {
		w := s.open()
		w.send(handshake, call("1", "Echo", `"a"`), ping, call("2", "Echo", `"b"`))
		w.expect("{}", result("1", `"a"`), result("2", `"b"`))

		w = s.open()
		all := handshake + "\x1e" + call("1", "Echo", `"a"`) + "\x1e" + call("2", "Echo", `"b"`) + "\x1e"
		for _, b := range []byte(all) {
			w.raw(string(b))
		}
		w.expect("{}", result("1", `"a"`), result("2", `"b"`))
	})
}

func TestRefusedHandshakeRunsNothing(t *testing.T) {
	inBubble(t, hub.Options{Methods: map[string]hub.Method{"Echo": echo}}, func(s *site) {
		w := s.open()
		w.send(`{"protocol":"xml","version":1}`, handshake, call("1", "Echo", `"a"`))
		w.expect(`{"error":"The protocol 'xml' is not supported."}`, "status 1000", "end")
		if n := s.hub.Stats().Invocations; n != 0 {
			t.Errorf("%d invocations taken, want none", n)
		}
	})
}

func TestHandshakeTimeout(t *testing.T) {
	for _, said := range []string{"", "{", handshake} {
		t.Run(said, func(t *testing.T) {
			inBubble(t, hub.Options{}, func(s *site) {
				<-time.After(300 * time.Millisecond) // not on the clock's tick
				w := s.open()
				if said != "" {
					w.raw(said) // never its end
				}
				s.after(15*time.Second, 16*time.Second, "refused", func() {
					w.expect(`{"error":"Handshake was canceled."}`, "status 1000", "end")
				})
				synctest.Wait()
				if got := s.hub.Stats().Closes[hub.Refused]; got != 1 {
					t.Errorf("%d connections refused, want 1", got)
				}
			})
		})
	}
}
