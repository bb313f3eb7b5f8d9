package client_test

import (
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/gobwas/ws"

	"rte/signalr"
	"rte/signalr/client"
)

func TestHostileServer(t *testing.T) {
	head := func(b ...byte) []byte { return b }
	tests := []struct {
		name  string
		bytes []byte
		want  string
	}{
		{"masked", append(head(0x81, 0x81, 1, 2, 3, 4), 'a'), "must be not masked"},
		{"compressed", append(head(0xc1, 1), 'a'), "non-zero rsv bits"},
		{"reserved opcode", head(0x83, 0), "reserved op code"},
		{"long ping", append(head(0x89, 126, 0, 200), make([]byte, 200)...), "control frame payload limit"},
		{"length with the top bit", head(0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0), "most significant bit"},
		{"bad message", append(head(0x81, 2), "x\x1e"...), "not JSON"},
		{"half a frame", append(head(0x81, 5), "x"...), "EOF"},
		{"close", append(head(0x88, 5), binary.BigEndian.AppendUint16(nil, 1001)[0], binary.BigEndian.AppendUint16(nil, 1001)[1], 'b', 'y', 'e'), "status 1001 bye"},
		{"nothing", nil, "EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c, conn, err := newFake(t).dial("{}\x1e", client.Options{})
				if err != nil {
					t.Fatal(err)
				}
				conn.Write(test.bytes)
				conn.(interface{ CloseWrite() error }).CloseWrite()
				<-c.Done()
				if err := c.Err(); err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("ended with %v, want %s", err, test.want)
				}
			})
		})
	}
}

// A frame may announce any length; memory is only for what comes, and no more
// than the largest message. Not parallel: it reads the allocator's own count.
func TestHugeFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, conn, err := newFake(t).dial("{}\x1e", client.Options{MaxMessageBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		conn.Write(binary.BigEndian.AppendUint64([]byte{0x81, 127}, 1<<62))
		go func() {
			for { // without an end
				if _, err := conn.Write([]byte(strings.Repeat("x", 10_000))); err != nil {
					return
				}
			}
		}()
		<-c.Done()
		runtime.ReadMemStats(&after)
		if !errors.Is(c.Err(), signalr.ErrTooLarge) {
			t.Errorf("ended with %v, want %v", c.Err(), signalr.ErrTooLarge)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20 {
			t.Errorf("it allocated %d bytes for messages of 1 MiB at most", n)
		}
	})
}

// Frames cut and joined in every way.
func TestFramesIn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, conn, err := newFake(t).dial("{}\x1e{\"type\":1,\"targ", client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan string, 10)
		c.On("Push", func(args []signalr.Value) { got <- text(t, args[0]) })
		long := strings.Repeat("y", 100_000)
		for _, f := range []ws.Frame{
			ws.NewFrame(ws.OpText, false, []byte(`et":"Push","argu`)),
			ws.NewPingFrame([]byte("inside")),
			ws.NewFrame(ws.OpContinuation, false, nil),
			ws.NewFrame(ws.OpContinuation, true, []byte("ments\":[\"x\"]}\x1e{\"type\":6}\x1e")),
			ws.NewBinaryFrame([]byte(`{"type":1,"target":"Push","arguments":["` + long + "\"]}\x1e")),
		} {
			if err := ws.WriteFrame(conn, f); err != nil {
				t.Fatal(err)
			}
		}
		if a, b := <-got, <-got; a != "x" || b != long {
			t.Errorf("got %.20s and %.20s", a, b)
		}
	})
}
