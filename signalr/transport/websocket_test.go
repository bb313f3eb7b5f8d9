package transport_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"rte/signalr/transport"
)

// onNetworks runs a test body over every network.
func onNetworks(t *testing.T, o transport.Options, body func(t *testing.T, s *site)) {
	t.Helper()
	on(t, networks, o, body)
}

func on(t *testing.T, networks []string, o transport.Options, body func(t *testing.T, s *site)) {
	t.Helper()
	t.Parallel()
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			body(t, newSite(t, network, o))
		})
	}
}

func TestFramesIn(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 5000) // 64-bit length, many reads
	medium := strings.Repeat("0123456789", 50)       // 16-bit length
	tests := []struct {
		name   string
		frames [][]byte
		fed    string
		pongs  []string
	}{
		{"text", [][]byte{frame(textFrame, "hello")}, "hello", nil},
		{"binary", [][]byte{frame(binaryFrame, "\x00\xff")}, "\x00\xff", nil},
		{"medium", [][]byte{frame(textFrame, medium)}, medium, nil},
		{"long", [][]byte{frame(textFrame, long)}, long, nil},
		{"empty frames between", [][]byte{frame(textFrame, ""), frame(textFrame, "a"), frame(binaryFrame, ""), frame(textFrame, "b")}, "ab", nil},
		{"many messages in a frame", [][]byte{frame(textFrame, "{}\x1e{}\x1e{}\x1e")}, "{}\x1e{}\x1e{}\x1e", nil},
		{"one message over many frames", [][]byte{frame(textFrame, "{"), frame(textFrame, "}"), frame(textFrame, "\x1e")}, "{}\x1e", nil},
		{"fragments", [][]byte{frame(textBegin, "one "), frame(middle, "two "), frame(middle, ""), frame(last, "three")}, "one two three", nil},
		{"binary fragments", [][]byte{frame(binaryBegin, "1"), frame(last, "2"), frame(binaryBegin, ""), frame(last, "")}, "12", nil},
		{"fragments cut inside a character", [][]byte{frame(textBegin, "\xe5\xae"), frame(last, "\xa2")}, "客", nil},
		{"ping", [][]byte{frame(pingFrame, "are you there")}, "", []string{"are you there"}},
		{"empty ping", [][]byte{frame(pingFrame, "")}, "", []string{""}},
		{"longest ping", [][]byte{frame(pingFrame, strings.Repeat("p", 125))}, "", []string{strings.Repeat("p", 125)}},
		{"pings inside fragments", [][]byte{frame(textBegin, "a"), frame(pingFrame, "1"), frame(middle, "b"), frame(pingFrame, "2"), frame(last, "c")}, "abc", []string{"1", "2"}},
		{"pong that nobody asked for", [][]byte{frame(pongFrame, "x"), frame(textFrame, "a")}, "a", nil},
		{"lengths longer than they need be", [][]byte{
			append([]byte{textFrame, 0x80 | 126, 0, 1, 0, 0, 0, 0}, 'a'),
			append([]byte{textFrame, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, 'b'),
		}, "ab", nil},
		{"a mask of zeros", [][]byte{maskedFrame(textFrame, [4]byte{}, []byte("a"))}, "a", nil},
	}
	onNetworks(t, transport.Options{}, func(t *testing.T, s *site) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				for _, cut := range []int{0, 1, 5} { // bytes at once; 0: all
					w, r := s.open()
					b := bytes.Join(test.frames, nil)
					if len(b) > 1000 {
						cut *= 1000
					}
					for rest := b; len(rest) > 0; {
						n := len(rest)
						if cut > 0 {
							n = min(n, cut)
						}
						w.send(rest[:n])
						rest = rest[n:]
					}
					for _, p := range test.pongs {
						w.expect(ws.OpPong, p)
					}
					w.send(frame(closeFrame, ""))
					if got := r.got(t, len(test.fed)); got != test.fed {
						t.Errorf("fed %q, want %q", got, test.fed)
					}
					w.expectClose(ws.StatusNormalClosure)
					if err := wait(t, r.closed, "the end"); err != nil || len(r.fed) > 0 {
						t.Errorf("Closed(%v) with %d pieces more, want nil and none", err, len(r.fed))
					}
				}
			})
		}
	})
}

func TestFramesBehindTheRequest(t *testing.T) {
	onNetworks(t, transport.Options{}, func(t *testing.T, s *site) {
		w, resp := s.upgrade("", nil, bytes.Join([][]byte{frame(textFrame, "early "), frame(textBegin, "bi"), frame(last, "rd")[:7]}, nil)...)
		if resp.StatusCode != 101 {
			t.Fatal(resp.Status)
		}
		r := s.next()
		w.send(frame(last, "rd")[7:])
		if got := r.got(t, 10); got != "early bird" {
			t.Errorf("fed %q, want early bird", got)
		}
	})
}

func TestBrokenFrames(t *testing.T) {
	head := func(b ...byte) []byte { return b }
	long := func(n uint64) []byte {
		return append(binary.BigEndian.AppendUint64([]byte{textFrame, 0x80 | 127}, n), 0, 0, 0, 0)
	}
	tests := []struct {
		name  string
		bytes []byte
	}{
		{"not masked", head(textFrame, 1, 'a')},
		{"not masked, empty", head(textFrame, 0)},
		{"RSV1, as compression sets it", frame(textFrame|0x40, "a")},
		{"RSV2", frame(textFrame|0x20, "a")},
		{"RSV3 on a ping", frame(pingFrame|0x10, "a")},
		{"reserved opcode 3", frame(0x83, "a")},
		{"reserved opcode 7", frame(0x87, "a")},
		{"reserved opcode 11", frame(0x8b, "a")},
		{"reserved opcode 15", frame(0x8f, "a")},
		{"long ping", frame(pingFrame, strings.Repeat("p", 126))},
		{"long close", frame(closeFrame, closeBody(1000, strings.Repeat("p", 200)))},
		{"ping in fragments", frame(0x09, "a")},
		{"close in fragments", frame(0x08, "")},
		{"continuation of nothing", frame(last, "a")},
		{"continuation behind a whole message", append(frame(textFrame, "x"), frame(middle, "a")...)},
		{"new message inside fragments", append(frame(textBegin, "x"), frame(textFrame, "a")...)},
		{"new fragments inside fragments", append(frame(textBegin, "x"), frame(binaryBegin, "a")...)},
		{"length with the top bit", long(1 << 63)},
		{"largest length", long(1<<64 - 1)},
	}
	onNetworks(t, transport.Options{}, func(t *testing.T, s *site) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				w, r := s.open()
				w.send(test.bytes)
				w.expectClose(ws.StatusProtocolError)
				w.expectEOF()
				if err := wait(t, r.closed, "the end"); !errors.Is(err, transport.ErrProtocol) {
					t.Errorf("Closed(%v), want %v", err, transport.ErrProtocol)
				}
			})
		}
	})
}

// A frame may announce as much as a 63-bit number says: nothing is set aside
// for it, and its payload is handed on as it comes.
func TestHugeAnnouncedFrame(t *testing.T) {
	onNetworks(t, transport.Options{}, func(t *testing.T, s *site) {
		w, r := s.open()
		w.send(append(binary.BigEndian.AppendUint64([]byte{textFrame, 0x80 | 127}, 1<<63-1), 0, 0, 0, 0), []byte("payload"))
		if got := r.got(t, 7); got != "payload" {
			t.Errorf("fed %q, want payload", got)
		}
		w.Close()
		if err := wait(t, r.closed, "the end"); err == nil {
			t.Error("Closed(nil), want an error: the client did not say goodbye")
		}
	})
}

func TestClientCloses(t *testing.T) {
	tests := []struct {
		name    string
		payload string
		answer  ws.StatusCode
	}{
		{"no code", "", 1000},
		{"normal", closeBody(1000, ""), 1000},
		{"going away, with a reason", closeBody(1001, "tab closed ☕"), 1001},
		{"application's own", closeBody(4242, "x"), 4242},
		{"registered", closeBody(3000, ""), 3000},
		{"half a code", "\x03", 1002},
		{"a code that may not be sent", closeBody(1005, ""), 1002},
		{"another", closeBody(1006, ""), 1002},
		{"reserved", closeBody(1004, ""), 1002},
		{"too small", closeBody(999, ""), 1002},
		{"not assigned", closeBody(2999, ""), 1002},
		{"too large", closeBody(5000, ""), 1002},
		{"reason not UTF-8", closeBody(1000, "\xff"), 1002},
	}
	onNetworks(t, transport.Options{}, func(t *testing.T, s *site) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				t.Parallel()
				w, r := s.open()
				w.send(frame(textFrame, "last words"), frame(closeFrame, test.payload), frame(textFrame, "behind the end"))
				if got := r.got(t, 10); got != "last words" {
					t.Errorf("fed %q, want last words", got)
				}
				w.expectClose(test.answer)
				w.expectEOF()
				if err := wait(t, r.closed, "the end"); err != nil || len(r.fed) > 0 {
					t.Errorf("Closed(%v) with %d pieces more, want nil and none", err, len(r.fed))
				}
			})
		}
	})
}
