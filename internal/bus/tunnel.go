package bus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A tunnel is a connection of bytes between two nodes, by messages (net.Conn).
// Messages are numbered: the servers drop some rather than wait, and then the
// tunnel breaks, as a connection of the network would. What may be under way
// is bounded.
type tunnel struct {
	id     string
	send   func(frame []byte) error // to the other end
	ping   func(frame []byte) error // likewise; if nobody is there, [tunnel.gone] is called
	forget func()                   // called once, when it has ended
	remote string                   // node of the other end

	mu      sync.Mutex
	changed *sync.Cond // on mu: any of what follows

	in       bytes.Buffer
	expected uint64 // number of the next message
	eaten    int    // bytes that were read and not yet told
	heard    time.Time
	inEnd    error // why nothing more comes

	out    uint64 // number of the last message
	flight int    // bytes under way
	outEnd error  // why nothing more can be sent

	readBy, writeBy time.Time // deadlines; zero: none
	readWake        *time.Timer
	writeWake       *time.Timer

	closed bool // Close was called
	left   bool // the other end was told that this one has ended, and forget was called
}

// Frames: a kind, a number of eight bytes, data.
const (
	frameData  = 'd' // numbered from 1
	frameEaten = 'e' // the number says how many bytes were read
	frameEnd   = 'x' // the other end has closed
	framePing  = 'p'
	frameHead  = 9
)

// Figures of tunnels.
const (
	tunnelWindow   = 256 << 10        // bytes that may be under way
	tunnelPiece    = 32 << 10         // bytes of one message
	tunnelPatience = 15 * time.Second // without any message the other end is dead
)

var (
	errTunnelBroken = errors.New("the connection to the other node is broken")
	errTunnelClosed = net.ErrClosed
)

func newTunnel(id, remote string, send, ping func([]byte) error, forget func()) *tunnel {
	t := &tunnel{id: id, remote: remote, send: send, ping: ping, forget: forget, expected: 1, heard: time.Now()}
	t.changed = sync.NewCond(&t.mu)
	return t
}

func appendFrame(dst []byte, kind byte, number uint64, data []byte) []byte {
	dst = append(dst, kind)
	dst = binary.BigEndian.AppendUint64(dst, number)
	return append(dst, data...)
}

// take takes one message of the other end. It never blocks.
func (t *tunnel) take(frame []byte) {
	if len(frame) < frameHead {
		return
	}
	kind, number, data := frame[0], binary.BigEndian.Uint64(frame[1:]), frame[frameHead:]
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard = time.Now()
	switch kind {
	case frameData:
		if number != t.expected || t.in.Len()+len(data) > 2*tunnelWindow {
			t.fail(errTunnelBroken)
			return
		}
		t.expected++
		if !t.closed {
			t.in.Write(data)
		}
	case frameEaten:
		t.flight -= int(min(number, uint64(max(t.flight, 0)))) //nolint:gosec // bounded by flight
	case frameEnd:
		if number != t.expected {
			t.fail(errTunnelBroken)
			return
		}
		if t.inEnd == nil {
			t.inEnd = io.EOF
		}
		if t.outEnd == nil {
			t.outEnd = errTunnelBroken
		}
		t.leave()
	}
	t.changed.Broadcast()
}

// fail ends both ways. The caller holds mu.
func (t *tunnel) fail(why error) {
	if t.inEnd == nil {
		t.inEnd = why
	}
	if t.outEnd == nil {
		t.outEnd = why
	}
	t.leave()
	t.changed.Broadcast()
}

// leave tells the other end, once, that this one has ended. The caller holds
// mu.
func (t *tunnel) leave() {
	if t.left {
		return
	}
	t.left = true
	_ = t.send(appendFrame(nil, frameEnd, t.out+1, nil)) // it would find out by itself
	go t.forget()                                        // it has locks of its own
}

// tick pings, and ends a tunnel whose other end has fallen silent.
func (t *tunnel) tick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.heard) > tunnelPatience {
		t.fail(errTunnelBroken)
		return
	}
	_ = t.ping(appendFrame(nil, framePing, 0, nil)) // likewise
}

// gone ends a tunnel whose other end is not there any more: the servers say so,
// which is long before its silence would.
func (t *tunnel) gone() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fail(errTunnelBroken)
}

// Read waits for bytes (net.Conn).
func (t *tunnel) Read(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		switch {
		case t.closed:
			return 0, errTunnelClosed
		case expired(t.readBy):
			return 0, os.ErrDeadlineExceeded
		case t.in.Len() > 0:
			n, _ := t.in.Read(p)
			if t.eaten += n; t.eaten >= tunnelWindow/4 || t.in.Len() == 0 {
				_ = t.send(appendFrame(nil, frameEaten, uint64(t.eaten), nil)) //nolint:gosec // never negative
				t.eaten = 0
			}
			return n, nil
		case t.inEnd != nil:
			return 0, t.inEnd
		case len(p) == 0:
			return 0, nil
		}
		t.changed.Wait()
	}
}

// Write sends bytes, and waits while too many are under way (net.Conn).
func (t *tunnel) Write(p []byte) (n int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(p) > 0 {
		switch {
		case t.closed:
			return n, errTunnelClosed
		case t.outEnd != nil:
			return n, t.outEnd
		case expired(t.writeBy):
			return n, os.ErrDeadlineExceeded
		case t.flight >= tunnelWindow:
			t.changed.Wait()
			continue
		}
		piece := p[:min(len(p), tunnelPiece)]
		t.out++
		if err := t.send(appendFrame(nil, frameData, t.out, piece)); err != nil {
			t.fail(errTunnelBroken)
			return n, err
		}
		t.flight += len(piece)
		n += len(piece)
		p = p[len(piece):]
	}
	return n, nil
}

// Close ends both ways (net.Conn). What was written before arrives.
func (t *tunnel) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return errTunnelClosed
	}
	t.closed = true
	t.leave()
	t.changed.Broadcast()
	return nil
}

func expired(by time.Time) bool { return !by.IsZero() && !time.Now().Before(by) }

// SetDeadline is for both ways (net.Conn).
func (t *tunnel) SetDeadline(by time.Time) error {
	return errors.Join(t.SetReadDeadline(by), t.SetWriteDeadline(by))
}

// SetReadDeadline ends a Read that waits (net.Conn).
func (t *tunnel) SetReadDeadline(by time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.readBy, t.readWake = by, t.wake(t.readWake, by)
	return nil
}

// SetWriteDeadline ends a Write that waits (net.Conn).
func (t *tunnel) SetWriteDeadline(by time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writeBy, t.writeWake = by, t.wake(t.writeWake, by)
	return nil
}

// wake sets the timer of a deadline. The caller holds mu.
func (t *tunnel) wake(timer *time.Timer, by time.Time) *time.Timer {
	if timer != nil {
		timer.Stop()
	}
	t.changed.Broadcast()
	if by.IsZero() || expired(by) {
		return nil
	}
	return time.AfterFunc(time.Until(by), func() {
		t.mu.Lock() // so that it cannot come between the test and the wait
		defer t.mu.Unlock()
		t.changed.Broadcast()
	})
}

// LocalAddr is this node (net.Conn).
func (t *tunnel) LocalAddr() net.Addr { return nodeAddr("this node") }

// RemoteAddr is the other node (net.Conn).
func (t *tunnel) RemoteAddr() net.Addr { return nodeAddr(t.remote) }

// A nodeAddr is a node's name (net.Addr).
type nodeAddr string

// Network is how nodes are reached.
func (nodeAddr) Network() string { return "nats" }

func (a nodeAddr) String() string { return string(a) }
