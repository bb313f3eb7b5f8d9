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

// readsAtOnce is how often one ready socket is read before others have their
// turn.
const readsAtOnce = 4

// readReady gives to fn what the socket has, and does not wait for more. It
// stops early when fn is not to be given more now.
func (s *socket) readReady(fn func([]byte) error, more func() bool) error {
	buf := s.bufs.get()
	defer s.bufs.put(buf)
	for range readsAtOnce {
		n, err := s.readOnce((*buf)[:readSize])
		if n > 0 {
			if ferr := fn((*buf)[:n]); ferr != nil {
				return ferr
			}
		}
		if err != nil || n < readSize || !more() {
			return err
		}
	}
	return nil
}

// readOnce reads without waiting; 0 bytes mean that there are none now.
func (s *socket) readOnce(p []byte) (n int, err error) {
	var rerr error
	err = s.raw.Read(func(fd uintptr) bool {
		for {
			n, rerr = syscall.Read(int(fd), p)
			if !errors.Is(rerr, syscall.EINTR) {
				return true
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case errors.Is(rerr, syscall.EAGAIN):
		return 0, nil
	case rerr != nil:
		return 0, rerr
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
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
