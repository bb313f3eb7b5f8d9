package signalrtest

import (
	"io"
	"net"
	"os"
	"time"
)

// DefaultBuffer is how many bytes a connection takes in each direction before
// a writer has to wait.
const DefaultBuffer = 64 << 10

// A Conn is one end of a connection in memory. Safe for concurrent use.
type Conn struct {
	in, out       *stream
	local, remote addr
	readBy        deadline
	writeBy       deadline
}

// Pipe makes the two ends of a connection. Each direction takes buffer bytes
// before a writer has to wait; 0 means [DefaultBuffer].
func Pipe(buffer int) (a, b *Conn) { return pipe(buffer, "a", "b") }

func pipe(buffer int, left, right addr) (a, b *Conn) {
	if buffer == 0 {
		buffer = DefaultBuffer
	}
	ab, ba := newStream(buffer), newStream(buffer)
	a = &Conn{in: ba, out: ab, local: left, remote: right}
	b = &Conn{in: ab, out: ba, local: right, remote: left}
	return a, b
}

// Read waits for bytes. It returns io.EOF once the other end has closed and
// everything has been read.
func (c *Conn) Read(p []byte) (int, error) {
	for {
		moved, expired := c.readBy.wait()
		if expired {
			return 0, os.ErrDeadlineExceeded
		}
		n, changed, err := c.in.read(p)
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
		select {
		case <-changed:
		case <-moved:
		}
	}
}

// Write waits until the connection has taken all of p.
func (c *Conn) Write(p []byte) (n int, err error) {
	for {
		moved, expired := c.writeBy.wait()
		if expired {
			return n, os.ErrDeadlineExceeded
		}
		m, changed, err := c.out.write(p[n:])
		n += m
		if n == len(p) || err != nil {
			return n, err
		}
		select {
		case <-changed:
		case <-moved:
		}
	}
}

// TryWrite writes what the connection takes at once; n < len(p) without an
// error means that it is full. As with a socket, it fails behind the write
// deadline.
func (c *Conn) TryWrite(p []byte) (n int, err error) {
	if _, expired := c.writeBy.wait(); expired {
		return 0, os.ErrDeadlineExceeded
	}
	n, _, err = c.out.write(p)
	return n, err
}

// CloseWrite ends the direction away from this end: the other end reads what
// is left and then io.EOF. This end can still read.
func (c *Conn) CloseWrite() error {
	c.out.endWriting()
	return nil
}

// Close ends both directions. What has been written can still be read.
func (c *Conn) Close() error {
	c.out.endWriting()
	c.in.endReading()
	return nil
}

// LocalAddr names this end.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr names the other end.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	c.readBy.set(t)
	c.writeBy.set(t)
	return nil
}

// SetReadDeadline bounds waiting reads, also those that wait already; the zero
// time means none.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.readBy.set(t)
	return nil
}

// SetWriteDeadline does the same for writes.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.writeBy.set(t)
	return nil
}

// addr is a name on the network.
type addr string

func (addr) Network() string  { return "memory" }
func (a addr) String() string { return string(a) }

var (
	_ net.Conn  = (*Conn)(nil)
	_ io.Writer = (*Conn)(nil)
)
