package hub_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// A script is what a client with stateful reconnect does, written in bytes, so
// that the fuzzer can write it: one for the deed, one or more for its figures.
type script struct {
	*site
	rest  []byte
	conn  *hub.Conn
	query string
	end   net.Conn // the newest socket; it may be dead
}

// The bounds of these connections, in bytes; one frame alone may be remembered
// though it is larger than ReplayBytes.
const (
	scriptQueue, scriptReplay, scriptMessage = 4000, 1500, 1000
	scriptPush                               = 255 * 10
	scriptCalls                              = 17 + 16<<10/30 // what may wait, and one piece that was read
)

func scripted() hub.Options {
	return hub.Options{
		QueueBytes: scriptQueue, ReplayBytes: scriptReplay, MaxMessageBytes: scriptMessage, MaxStreams: 4,
		Methods: map[string]hub.Method{
			"Echo": echo, "One": concat,
			"Slow": func(context.Context, *hub.Call) (signalr.Value, error) { time.Sleep(3 * time.Second); return nil, nil },
			"Ask": func(ctx context.Context, c *hub.Call) (signalr.Value, error) {
				ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
				defer cancel()
				return c.Conn.Invoke(ctx, "Say")
			},
		},
		Streams: map[string]hub.Stream{"Count": count, "Forever": forever},
		Uploads: map[string]int{"One": 1},
	}
}

// FuzzStateful: whatever a client with stateful reconnect says, however often it
// is cut and comes back: the hub does not panic, holds no more than it may, lets
// it come back as long as the connection lives, and all ends with the connection.
func FuzzStateful(f *testing.F) {
	for _, seed := range []string{
		"", "c\x01c\x02c\x03", // calls
		"c\x01xbq\x02c\x02",                        // cut, and back
		"p\x50p\x50p\x50xbq\x01a\x02p\x10r",        // an Ack before all has come again
		"c\x01c\x02c\x03w\x20xbq\x01c\x01xbq\x04c", // a replay that is cut
		"p\xffp\xffp\xffp\xffp\xffp\xff",           // too much waits
		"sc\x01sxbq\x01sc\x02w\xff", "n\x06bbbb", "h\x05bh\x09bq\x01",
		"u\x01i\x01i\x01i\x01xbq\x03i\x01e\x01", "f\x64t\x01k\x01t\x02k\x02", "gr\x05w\x40",
		"q\x7f", "q\x80a\x7fa\x80a\xffp\x01", "t\x01xw\xffw\xffb", "m\x05{\"typm\x03e\":m\x036}\x1e", "mm\x01xz",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, deeds []byte) {
		synctest.Test(t, func(t *testing.T) {
			h := hub.New(scripted())
			s := &script{site: serve(t, h, transport.NewHandler(h.Accept, transport.Options{StatefulReconnect: true})), rest: deeds}
			w, query := s.stateful()
			s.query, s.end, s.conn = query, w.conn, h.Conns()[0]
			for len(s.rest) > 0 {
				s.do()
				synctest.Wait()
				s.look()
			}
		})
	})
}

// figure is the next byte; 0 behind the last.
func (s *script) figure() (n int) {
	if len(s.rest) > 0 {
		n, s.rest = int(s.rest[0]), s.rest[1:]
	}
	return n
}

func (s *script) do() {
	deed, n := s.figure(), 0
	if strings.ContainsRune("cpawquieftknmh", rune(deed)) {
		n = s.figure()
	}
	id := fmt.Sprint(n)
	switch deed {
	case 'c':
		s.say(call(id, "Echo", `"`+strings.Repeat("x", n)+`"`))
	case 's':
		s.say(call("", "Slow"))
	case 'g':
		s.say(call("g", "Ask"))
	case 'f':
		s.say(stream(id, "Count", fmt.Sprint(n*10)))
	case 't':
		s.say(stream(id, "Forever"))
	case 'k':
		s.say(cancel(id))
	case 'u':
		s.say(with(call(id, "One"), id))
	case 'i':
		s.say(item(id, `"x"`))
	case 'e':
		s.say(done(id), result(fmt.Sprint("hub", n), "1"))
	case 'a': // of anything
		s.say(ack(int(int8(n)) << (n & 32)))
	case 'q':
		s.say(sequence(int(int8(n))))
	case 'm': // any bytes
		n = min(n, len(s.rest))
		s.write(ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame(s.rest[:n]))))
		s.rest = s.rest[n:]
	case 'n': // an endless message
		s.write(ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(strings.Repeat("x", n*10))))))
	case 'h': // half a frame
		whole := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(call("", "Echo") + "\x1e"))))
		s.write(whole[:min(n, len(whole))])
		s.end.Close()
	case 'z':
		s.say(`{"type":7}`)
	case 'y':
		s.say(ping)
	case 'p':
		s.conn.Send(push(strings.Repeat("x", n*10)))
	case 'w':
		time.Sleep(time.Duration(n) * 100 * time.Millisecond)
	case 'r':
		s.end.SetReadDeadline(time.Now().Add(time.Millisecond))
		io.Copy(io.Discard, s.end)
	case 'x':
		s.end.Close()
	case 'b':
		s.comeBack()
	}
}

func (s *script) say(records ...string) {
	s.write(ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(strings.Join(records, "\x1e") + "\x1e")))))
}

// write gives up when the hub takes no more; half a frame has gone then.
func (s *script) write(b []byte) {
	s.end.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := s.end.Write(b); errors.Is(err, os.ErrDeadlineExceeded) {
		s.end.Close()
	}
}

// comeBack is granted as long as the connection lives.
func (s *script) comeBack() {
	lives := s.conn.Reason() == ""
	d := ws.Dialer{NetDial: s.server.Network.Dial}
	end, _, _, err := d.Dial(s.Context(), "ws://hub.test/hub"+s.query)
	if err == nil {
		s.Cleanup(func() { end.Close() })
		s.end = end
	}
	if lives != (err == nil) && s.conn.Reason() == "" {
		s.Fatalf("a connection that lives: %t came back with %v", lives, err)
	}
}

// look compares what the connection holds with its bounds.
func (s *script) look() {
	queued, unsure, calls, begun := s.conn.Held()
	if queued > scriptQueue || unsure > max(scriptReplay, scriptPush+100) || calls > scriptCalls || begun > scriptMessage {
		s.Fatalf("the hub holds %d bytes in the queue, %d that were not acknowledged, %d calls, %d bytes of a message", queued, unsure, calls, begun)
	}
}
