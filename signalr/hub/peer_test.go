package hub_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"rte/signalr"
)

// A peer is a model of a client with stateful reconnect, made after the released
// clients' message buffer: it counts both ways, keeps what was not acknowledged,
// and checks that each kind of numbered message comes once and in order.
//
// One goroutine, the test's, does and writes; another reads each socket.
type peer struct {
	*site
	rng      *rand.Rand
	protocol signalr.Protocol
	query    string
	// released peers give up when the hub goes on behind what they have counted.
	// It may, when a socket was lost before all had come again that they had
	// acknowledged. Others look at what they have had, as signalr/client does.
	released bool

	sock    *cutConn
	readers sync.WaitGroup

	mu     sync.Mutex
	total  int      // messages sent so far
	unsure [][]byte // those not acknowledged; the last is number total
	next   int64    // what the next message is counted as
	latest int64    // highest that was taken
	due    bool     // something has come that is to be acknowledged
	awaits bool     // on a new socket nothing counts before Sequence
	down   bool     // the newest socket is known to be lost
	slow   time.Duration
	heard  map[string]int // of each kind, the highest number
	over   string         // why the connection has ended, "" while it lives
	wrong  []string       // what must not be
}

// shakes makes the peer's first socket.
func (p *peer) shakes() {
	p.Helper()
	p.query = p.negotiates()
	w := p.socket(p.query)
	if err := w.frame(ws.NewTextFrame(signalr.AppendHandshakeRequest(nil, signalr.HandshakeRequest{Protocol: p.protocol.Name(), Version: 2}))); err != nil {
		p.Fatal(err)
	}
	if f, err := readFrame(w.in); err != nil || string(f.Payload) != "{}\x1e" {
		p.Fatalf("handshake answered by %q, %v", f.Payload, err)
	}
	p.next, p.heard = 1, map[string]int{}
	p.begin(w.conn, w.in)
}

// begin reads a new socket by way of in.
func (p *peer) begin(conn net.Conn, in io.Reader) {
	sock := &cutConn{Conn: conn, in: in, left: -1}
	p.mu.Lock()
	p.sock, p.down = sock, false
	p.mu.Unlock()
	p.readers.Go(func() { p.read(sock) })
}

// comes back with a new socket, whatever the old one does. It reports false when
// the connection has ended.
func (p *peer) comes() bool {
	d := ws.Dialer{NetDial: p.server.Network.Dial}
	conn, early, _, err := d.Dial(p.Context(), "ws://hub.test/hub"+p.query)
	if err != nil {
		p.ends(fmt.Sprint("upgrade: ", err))
		return false
	}
	p.sock.Close() // if the hub has not done that
	p.readers.Wait()
	p.mu.Lock()
	p.awaits = true
	over := p.over != "" // a Close has come
	again := append([][]byte(nil), p.unsure...)
	sequence, _ := p.protocol.Append(nil, &signalr.Sequence{ID: int64(p.total - len(again) + 1)})
	p.mu.Unlock()
	if over {
		conn.Close()
		return false
	}
	var in io.Reader = conn
	if early != nil {
		in = early
	}
	p.begin(conn, in)
	if p.rng.IntN(3) == 0 {
		p.sock.cutAfter(1 + p.rng.IntN(3000))
	}
	p.write(append([][]byte{sequence}, again...)...)
	if p.rng.IntN(2) == 0 {
		p.acknowledges()
	}
	return true
}

// says sends messages that are counted.
func (p *peer) says(messages ...signalr.Message) {
	p.Helper()
	var records [][]byte
	for _, m := range messages {
		b, err := p.protocol.Append(nil, m)
		if err != nil {
			p.Fatal(err)
		}
		records = append(records, b)
	}
	p.mu.Lock()
	p.total += len(records)
	p.unsure = append(p.unsure, records...)
	p.mu.Unlock()
	p.write(records...)
}

// acknowledges tells the hub what has come, if anything has.
func (p *peer) acknowledges() {
	p.mu.Lock()
	b, _ := p.protocol.Append(nil, &signalr.Ack{ID: p.latest})
	due := p.due && !p.awaits
	p.due = p.due && !due
	p.mu.Unlock()
	if due {
		p.write(b)
	}
}

// write writes records in one frame or in many. A socket that takes nothing for
// a second is given up.
func (p *peer) write(records ...[]byte) {
	for len(records) > 0 {
		n := 1 + p.rng.IntN(len(records))
		f := ws.NewTextFrame(nil)
		if p.protocol.Binary() {
			f = ws.NewBinaryFrame(nil)
		}
		for _, r := range records[:n] {
			f.Payload = append(f.Payload, r...)
		}
		f.Header.Length = int64(len(f.Payload))
		records = records[n:]
		p.sock.SetWriteDeadline(time.Now().Add(time.Second))
		if err := ws.WriteFrame(p.sock, ws.MaskFrameInPlace(f)); err != nil {
			p.lose()
			return
		}
		if p.rng.IntN(10) == 0 {
			time.Sleep(time.Duration(p.rng.IntN(1500)) * time.Millisecond)
		}
	}
}

// lose ends the socket without a word.
func (p *peer) lose() {
	p.sock.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
}

// read takes everything that comes on a socket.
func (p *peer) read(sock *cutConn) {
	var reader signalr.Reader
	for {
		f, err := readFrame(sock)
		if err == nil && f.Header.OpCode == ws.OpClose {
			err = io.EOF
		}
		if err != nil {
			p.mu.Lock()
			p.down = p.down || sock == p.sock
			p.mu.Unlock()
			return
		}
		err = reader.Feed(p.protocol, 1<<20, f.Payload, func(b []byte) error {
			m, err := p.protocol.Parse(append([]byte(nil), b...))
			if err == nil {
				p.takes(m)
			}
			return err
		})
		p.mu.Lock()
		if err != nil {
			p.wrong = append(p.wrong, fmt.Sprintf("received %q: %v", f.Payload, err))
		}
		slow := p.slow
		p.mu.Unlock()
		if slow > 0 {
			time.Sleep(slow)
		}
	}
}

func (p *peer) ends(why string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over == "" {
		p.over = why
	}
}

// takes is a released client's message buffer.
func (p *peer) takes(m signalr.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch m := m.(type) {
	case *signalr.Sequence:
		switch {
		case m.ID <= p.next:
		case m.ID > p.latest+1:
			p.wrong = append(p.wrong, fmt.Sprintf("Sequence %d behind %d", m.ID, p.latest))
		case p.released:
			p.over = "given up"
		}
		p.next, p.awaits = m.ID, false
		return
	case *signalr.Close:
		p.over = "Close " + m.Error
		return
	case *signalr.Ack:
		if n := int(m.ID) - (p.total - len(p.unsure)); n > 0 && !p.awaits {
			p.unsure = p.unsure[min(n, len(p.unsure)):]
		}
		return
	case *signalr.Ping:
		return
	}
	if p.awaits {
		p.wrong = append(p.wrong, fmt.Sprintf("%T before Sequence", m))
		return
	}
	id := p.next
	p.next++
	p.due = p.due || id >= p.latest
	if id <= p.latest {
		return
	}
	p.latest = id
	p.notes(m)
}

// notes checks the number of a message that is new. The caller holds mu.
func (p *peer) notes(m signalr.Message) {
	kind, value := "", signalr.Value(nil)
	switch m := m.(type) {
	case *signalr.Invocation:
		kind, value = "push", m.Arguments[0]
	case *signalr.StreamItem:
		kind, value = "item", m.Item
	case *signalr.Completion:
		kind, value = "answer", m.Result
		if m.Error != "" {
			p.wrong = append(p.wrong, "a call failed: "+m.Error)
		}
		if value == nil { // the end of a stream
			kind, value = "end", signalr.RawJSON([]byte(`"1"`))
		}
	}
	n, text := 0, "" // the number, with padding behind it
	if err := signalr.Decode(value, &text); err != nil {
		p.wrong = append(p.wrong, fmt.Sprintf("%s: %v", kind, err))
	}
	fmt.Sscan(text, &n) // 0 will not do
	if p.heard[kind]++; p.heard[kind] != n {
		p.wrong = append(p.wrong, fmt.Sprintf("%s %d where %d is next", kind, n, p.heard[kind]))
		p.heard[kind] = n
	}
}

// settled reports whether the peer knows of nothing that is still on its way.
// The caller holds mu.
func (p *peer) settled() bool {
	return !p.down && !p.awaits && len(p.unsure) == 0
}
