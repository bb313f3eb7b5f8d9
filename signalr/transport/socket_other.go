//go:build !unix

package transport

const rawSupported = false

func (s *socket) readRaw(fn func([]byte) error) error { panic("transport: no raw sockets here") }

func (s *socket) readReady(func([]byte) error, func() bool) error {
	panic("transport: no raw sockets here")
}

func (s *socket) writeRaw(p []byte) (int, error) { panic("transport: no raw sockets here") }
