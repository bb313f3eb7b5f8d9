package hub_test

import (
	"errors"
	"io"
	"net"
	"sync"
)

// A cutConn is a connection that can be cut after a number of bytes, in the
// midst of a frame.
type cutConn struct {
	net.Conn
	in   io.Reader
	mu   sync.Mutex
	left int // bytes in both directions; negative: any number
}

var errCut = errors.New("cut")

func (c *cutConn) cutAfter(bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = bytes
}

// spend says how many of n bytes may pass.
func (c *cutConn) spend(n int) (most int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left < 0 {
		return n, nil
	}
	most = min(n, c.left)
	if c.left -= most; c.left == 0 {
		return most, errCut
	}
	return most, nil
}

func (c *cutConn) Read(b []byte) (n int, err error) {
	if n, err = c.in.Read(b); err != nil {
		return n, err
	}
	if n, err = c.spend(n); err != nil {
		c.Close()
	}
	return n, err
}

func (c *cutConn) Write(b []byte) (int, error) {
	most, cut := c.spend(len(b))
	n, err := c.Conn.Write(b[:most])
	if cut != nil {
		c.Close()
	}
	return n, errors.Join(err, cut)
}
