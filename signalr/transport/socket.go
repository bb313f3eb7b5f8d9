package transport

import (
	"net"
	"sync"
	"syscall"
)

// readSize is how much is read at once. The buffer is held only while there
// are bytes in it, so it may be large.
const readSize = 16 << 10

// waitSize is how much is read at first where a buffer must be held while
// nothing comes: pings and most calls fit into it.
const waitSize = 512

// buffers holds byte slices for reading and for joining messages. Idle
// connections hold none.
type buffers struct {
	pool sync.Pool
	wait sync.Pool // of *[waitSize]byte
}

func (b *buffers) get() *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, 0, readSize)
	return &p
}

// put gives a buffer back; one that had to grow much is left to the collector.
func (b *buffers) put(p *[]byte) {
	if cap(*p) <= 8*readSize {
		*p = (*p)[:0]
		b.pool.Put(p)
	}
}

// A socket is a network connection that can be read without holding a buffer
// while waiting, and written without waiting, where the system offers that:
// plain TCP on Unix. Elsewhere (TLS) reading holds a small buffer and tryWrite
// takes nothing.
type socket struct {
	net.Conn
	raw  syscall.RawConn // nil: only net.Conn's own methods
	try  tryWriter       // nil: likewise
	bufs *buffers
	busy bool // what was read last filled its buffer; the reader's own
}

// A tryWriter is a connection that is no socket of the system's and yet can be
// written without waiting, such as one in memory.
type tryWriter interface {
	TryWrite(p []byte) (n int, err error)
}

func newSocket(nc net.Conn, bufs *buffers) socket {
	s := socket{Conn: nc, bufs: bufs}
	if sc, ok := nc.(syscall.Conn); ok && rawSupported {
		if raw, err := sc.SyscallConn(); err == nil {
			s.raw = raw
		}
	}
	s.try, _ = nc.(tryWriter)
	return s
}

// read waits for bytes and gives them to fn.
func (s *socket) read(fn func([]byte) error) error {
	if s.raw != nil {
		return s.readRaw(fn)
	}
	if !s.busy {
		wait, ok := s.bufs.wait.Get().(*[waitSize]byte)
		if !ok {
			wait = new([waitSize]byte)
		}
		defer s.bufs.wait.Put(wait)
		return s.readInto(wait[:], fn)
	}
	buf := s.bufs.get()
	defer s.bufs.put(buf)
	return s.readInto((*buf)[:readSize], fn)
}

func (s *socket) readInto(buf []byte, fn func([]byte) error) error {
	n, err := s.Read(buf)
	s.busy = n == len(buf)
	if n > 0 {
		if ferr := fn(buf[:n]); ferr != nil {
			return ferr
		}
	}
	return err
}

// tryWrite writes what the system takes at once; n < len(p) means that it
// takes no more now.
func (s *socket) tryWrite(p []byte) (n int, err error) {
	switch {
	case s.raw != nil:
		return s.writeRaw(p)
	case s.try != nil:
		return s.try.TryWrite(p)
	}
	return 0, nil
}

// cut closes the connection without a farewell: that of TLS may have to wait
// for the client.
func (s *socket) cut() {
	if tls, ok := s.Conn.(interface{ NetConn() net.Conn }); ok {
		tls.NetConn().Close()
		return
	}
	s.Close()
}
