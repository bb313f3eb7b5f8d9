package node_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"rte/internal/node"
)

// TestSendBufferIsBounded: for a client that does not read, the system holds
// little, so that what a slow client costs is what its queue may hold. Left to
// the system, a socket on loopback takes some MiB.
func TestSendBufferIsBounded(t *testing.T) {
	t.Parallel()
	l, err := node.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String()) //nolint:noctx // it is on this machine
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const window = 64 << 10
	if err := client.(*net.TCPConn).SetReadBuffer(window); err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()

	taken := 0
	for piece := make([]byte, 16<<10); ; {
		server.SetWriteDeadline(time.Now().Add(500 * time.Millisecond)) //nolint:errcheck // the write tells
		n, err := server.Write(piece)
		taken += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// The system doubles what it is told, on both sides.
	if most := 2*(128<<10) + 2*window + 128<<10; taken < 64<<10 || taken > most {
		t.Errorf("the system took %d bytes for a client that reads nothing, want at most %d", taken, most)
	}
	// And who reads again gets all of it.
	client.SetReadDeadline(time.Now().Add(10 * time.Second)) //nolint:errcheck // the read tells
	if n, err := io.CopyN(io.Discard, client, int64(taken)); err != nil {
		t.Errorf("read %d of %d bytes: %v", n, taken, err)
	}
}
