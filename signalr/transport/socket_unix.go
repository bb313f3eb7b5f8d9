//go:build unix

package transport

import (
	"errors"
	"io"
	"syscall"
)

const rawSupported = true

// readRaw takes a buffer only when the socket has bytes: the runtime's poller
// calls the function again after each EAGAIN, and the buffer goes back before.
func (s *socket) readRaw(fn func([]byte) error) error {
	var buf *[]byte
	var n int
	var rerr error
	err := s.raw.Read(func(fd uintptr) bool {
		buf = s.bufs.get()
		for {
			n, rerr = syscall.Read(int(fd), (*buf)[:readSize])
			if !errors.Is(rerr, syscall.EINTR) {
				break
			}
		}
		if errors.Is(rerr, syscall.EAGAIN) {
			s.bufs.put(buf)
			buf = nil
			return false
		}
		return true
	})
	if buf == nil {
		return err
	}
	defer s.bufs.put(buf)
	switch {
	case err != nil:
		return err
	case rerr != nil:
		return rerr
	case n <= 0:
		return io.EOF
	}
	return fn((*buf)[:n])
}

func (s *socket) writeRaw(p []byte) (n int, err error) {
	var werr error
	err = s.raw.Write(func(fd uintptr) bool {
		for {
			n, werr = syscall.Write(int(fd), p)
			if !errors.Is(werr, syscall.EINTR) {
				return true
			}
		}
	})
	n = max(n, 0)
	switch {
	case err != nil:
		return n, err
	case errors.Is(werr, syscall.EAGAIN):
		return n, nil
	}
	return n, werr
}
