package hub_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/signalr"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

var (
	rounds = flag.Int("resume.rounds", 60, "how many random lives of connections with stateful reconnect are played")
	seed   = flag.Uint64("resume.seed", 0, "the seed of the first; 0 takes one from the clock")
)

// TestRandomLives plays connections whose socket is cut at any moment, with
// messages under way in both directions, and compares with the simplest model:
// two lists, each of which must arrive whole, in order and once.
func TestRandomLives(t *testing.T) {
	t.Parallel()
	first := *seed
	if first == 0 {
		first = uint64(time.Now().UnixNano())
	}
	for i := range *rounds {
		t.Run(fmt.Sprint(first+uint64(i)), func(t *testing.T) { // the seed is the name
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { playLife(t, rand.New(rand.NewPCG(first+uint64(i), 0))) })
		})
	}
}

// A life is a client as the released ones are, with its own books.
type life struct {
	*site
	rand  *rand.Rand
	query string
	conn  net.Conn  // nil while there is none
	in    io.Reader // conn, with what came with the upgrade's answer before it

	// what the client has sent
	calls  int      // counted so far
	unsure []string // those not acknowledged
	// what it has received
	next, seen int
	awaiting   bool
	pushes     []string
	answers    []string

	pushed  int
	handled []string // by the hub
}

func playLife(t *testing.T, r *rand.Rand) {
	l := &life{rand: r, next: 1}
	h := hub.New(hub.Options{ReplayBytes: 300 + r.IntN(5000), Methods: map[string]hub.Method{
		"Note": func(_ context.Context, c *hub.Call) (signalr.Value, error) {
			var text string
			if err := c.Bind(&text); err != nil {
				return nil, err
			}
			l.handled = append(l.handled, text)
			return signalr.Any(text), nil
		},
	}})
	l.site = serve(t, h, transport.NewHandler(h.Accept, transport.Options{StatefulReconnect: true}))
	l.query = l.negotiates()
	w := l.socket(l.query)
	w.send(handshake2)
	w.expect("{}")
	w.send(ping)
	l.conn, l.in = w.conn, w.in

	for range 30 + r.IntN(100) {
		switch r.IntN(10) {
		case 0, 1, 2:
			l.push(1 + r.IntN(5))
		case 3, 4:
			l.call(1 + r.IntN(3))
		case 5, 6:
			l.read(1 + r.IntN(8))
		case 7:
			l.say(ack(l.seen))
		case 8:
			time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
		case 9:
			l.cut()
		}
		if l.conn == nil && r.IntN(3) > 0 {
			l.comeBack()
		}
	}
	l.settle()

	var wantPushes, wantCalls []string
	for i := range l.pushed {
		wantPushes = append(wantPushes, fmt.Sprint("s", i))
	}
	for i := range l.calls {
		wantCalls = append(wantCalls, fmt.Sprint("c", i))
	}
	for what, pair := range map[string][2][]string{"pushes": {wantPushes, l.pushes}, "calls": {wantCalls, l.handled}, "answers": {wantCalls, l.answers}} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func (l *life) push(n int) {
	for range n {
		l.hub.All().Send(push(fmt.Sprint("s", l.pushed)))
		l.pushed++
	}
}

func (l *life) call(n int) {
	for range n {
		text := fmt.Sprint("c", l.calls)
		l.calls++
		record := call(text, "Note", `"`+text+`"`)
		l.unsure = append(l.unsure, record)
		l.say(record)
	}
}

// say sends a record, if there is a socket.
func (l *life) say(record string) {
	if l.conn != nil {
		l.write(frameOf(record))
	}
}

func frameOf(record string) []byte {
	b := []byte(record + "\x1e")
	frame := []byte{0x81, 0x80 | 126, byte(len(b) >> 8), byte(len(b)), 0, 0, 0, 0} // a mask of zeros
	return append(frame, b...)
}

// write loses the socket when the server has.
func (l *life) write(b []byte) {
	l.conn.SetWriteDeadline(time.Now().Add(time.Minute))
	if _, err := l.conn.Write(b); err != nil {
		l.lose()
	}
}

func (l *life) lose() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
	l.awaiting = true
}

// read takes what has come, up to some frames.
func (l *life) read(frames int) {
	for range frames {
		if l.conn == nil {
			return
		}
		l.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		f, err := readFrame(l.in)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			l.lose()
			return
		}
		for record := range strings.SplitSeq(strings.TrimSuffix(string(f.Payload), "\x1e"), "\x1e") {
			l.take(record)
		}
	}
}

func (l *life) take(record string) {
	var id int
	if n, _ := fmt.Sscanf(record, `{"type":9,"sequenceId":%d}`, &id); n == 1 {
		if id > l.next {
			l.Fatalf("Sequence %d, expected at most %d", id, l.next)
		}
		l.next, l.awaiting = id, false
		return
	}
	if l.awaiting {
		l.Fatalf("%s before Sequence", record)
	}
	if n, _ := fmt.Sscanf(record, `{"type":8,"sequenceId":%d}`, &id); n == 1 {
		l.unsure = slices.Clone(l.unsure[max(0, id-(l.calls-len(l.unsure))):])
		return
	}
	if record == ping {
		return
	}
	l.next++
	if l.next-1 <= l.seen {
		return
	}
	l.seen = l.next - 1
	if text, ok := strings.CutPrefix(record, `{"type":1,"target":"Push","arguments":["`); ok {
		l.pushes = append(l.pushes, strings.TrimSuffix(text, `"]}`))
		return
	}
	m, err := signalr.JSON{}.Parse([]byte(record))
	answer, ok := m.(*signalr.Completion)
	if err != nil || !ok {
		l.Fatalf("received %s, %v", record, err)
	}
	l.answers = append(l.answers, answer.ID)
}

// cut ends the socket: with half a frame under way, without a word, or, what
// the server cannot see, by another socket.
func (l *life) cut() {
	if l.conn == nil {
		return
	}
	switch l.rand.IntN(3) {
	case 0:
		half := frameOf(call("x", "Note", `"never"`))
		l.write(half[:1+l.rand.IntN(len(half)-1)])
		l.lose()
	case 1:
		l.lose()
	case 2:
		old := l.conn
		l.conn = nil
		l.awaiting = true
		l.comeBack()
		old.Close()
	}
}

// comeBack opens another socket and goes on.
func (l *life) comeBack() {
	w := l.socket(l.query)
	l.conn, l.in, l.awaiting = w.conn, w.in, true
	l.say(sequence(l.calls - len(l.unsure) + 1))
	for _, record := range l.unsure {
		l.say(record)
	}
}

// settle lets everything arrive.
func (l *life) settle() {
	for range 2000 {
		if l.conn == nil {
			l.comeBack()
		}
		l.read(100)
		l.say(ack(l.seen))
		if len(l.pushes) >= l.pushed && len(l.answers) >= l.calls {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(3 * time.Second)
	l.read(1000) // nothing may come twice
	synctest.Wait()
}
