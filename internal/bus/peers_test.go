package bus_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"time"

	"rte/internal/bus"
)

// peersOf are those of two nodes on one server that know each other; the
// second has what is called "mine".
func peersOf(t *testing.T) (a, b *bus.Peers, nodes [2]*fixture) {
	t.Helper()
	s := natsServer(t, nil)
	var all [2]*bus.Peers
	for i := range all {
		nodes[i] = open(t, at(s))
		p, err := nodes[i].Peers(func(id string) bool { return i == 1 && id == "mine" })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() }) //nolint:errcheck // it has none
		all[i] = p
	}
	for _, p := range all {
		eventually(t, "they know each other", func() bool { return p.Stats().Others == 1 })
	}
	return all[0], all[1], nodes
}

// TestPeersFind: the one that has it says so, and "none" comes as soon as all
// have answered; who has gone is not waited for.
func TestPeersFind(t *testing.T) {
	t.Parallel()
	a, b, _ := peersOf(t)
	if node, err := a.Find(t.Context(), "mine"); err != nil || node != b.Addr().String() {
		t.Errorf("Find: %q, %v, want the other node", node, err)
	}
	began := time.Now()
	if node, err := a.Find(t.Context(), "nobody's"); err != nil || node != "" {
		t.Errorf("Find of nobody's: %q, %v", node, err)
	}
	if node, err := b.Find(t.Context(), "mine"); err != nil || node != "" {
		t.Errorf("Find by the one that has it: %q, %v, want no other", node, err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("two answers of all nodes took %v", took)
	}
	b.Close() //nolint:errcheck // it has none
	eventually(t, "the other has taken leave", func() bool { return a.Stats().Others == 0 })
	if _, err := a.Dial(t.Context(), b.Addr().String()); err == nil {
		t.Error("Dial of a node that has gone went well")
	}
}

// connected are both ends of a connection.
func connected(t *testing.T, a, b *bus.Peers) (from, to net.Conn) {
	t.Helper()
	from, err := a.Dial(t.Context(), b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if to, err = b.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { from.Close(); to.Close() }) //nolint:errcheck // most are closed
	return from, to
}

// TestTunnelOfDeadNode: a node that goes without a word ends its connections soon,
// long before its silence would.
func TestTunnelOfDeadNode(t *testing.T) {
	t.Parallel()
	nodes := openCluster(t, clusterOptions(t, 3))
	var all []*bus.Peers
	for _, f := range nodes {
		p, err := f.Peers(func(string) bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	defer all[0].Close() //nolint:errcheck // it has none
	defer all[1].Close() //nolint:errcheck // likewise
	defer all[2].Close() //nolint:errcheck // likewise
	eventually(t, "they know each other", func() bool { return all[0].Stats().Others == 2 })
	from, _ := connected(t, all[0], all[1])
	if err := from.SetReadDeadline(time.Now().Add(12 * time.Second)); err != nil {
		t.Fatal(err)
	}
	nodes[1].close() // and nobody has called Close of its Peers
	if _, err := from.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read from a dead node: %v, want that the connection is broken", err)
	}
}

// TestTunnel: bytes arrive whole and in order, both ways at once, whatever the
// sizes; what was written before the end arrives, and then the end.
func TestTunnel(t *testing.T) {
	t.Parallel()
	a, b, _ := peersOf(t)
	from, to := connected(t, a, b)
	chance := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret is made of it
	data := make([]byte, 5<<20)
	for i := range data {
		data[i] = byte(chance.Uint32())
	}
	want := sha256.Sum256(data)
	sums := make(chan [32]byte, 2)
	for _, end := range []struct{ r, w net.Conn }{{from, to}, {to, from}} {
		go func() {
			h := sha256.New()
			if _, err := io.CopyN(h, end.r, int64(len(data))); err != nil {
				t.Errorf("read: %v", err)
			}
			sums <- [32]byte(h.Sum(nil))
		}()
		sizes := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // likewise
		go func() {
			for rest := data; len(rest) > 0; {
				n := min(1+sizes.IntN(100_000), len(rest))
				if _, err := end.w.Write(rest[:n]); err != nil {
					t.Errorf("write: %v", err)
					return
				}
				rest = rest[n:]
			}
		}()
	}
	for range 2 {
		if next(t, sums, "sum") != want {
			t.Error("other bytes arrived than were sent")
		}
	}
	if _, err := from.Write([]byte("last words")); err != nil {
		t.Fatal(err)
	}
	if err := from.Close(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(to); err != nil || !bytes.Equal(rest, []byte("last words")) {
		t.Errorf("read %q, %v", rest, err)
	}
	if _, err := to.Write([]byte("x")); err == nil {
		t.Error("Write to an end that has closed went well")
	}
	if _, err := from.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read after Close: %v", err)
	}
}

// TestTunnelWaits: a writer waits for a reader that does not read, up to its
// deadline; so does a reader; a deadline that is moved lets go on.
func TestTunnelWaits(t *testing.T) {
	t.Parallel()
	a, b, _ := peersOf(t)
	from, to := connected(t, a, b)
	if err := from.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, err := from.Write(make([]byte, 8<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n > 1<<20 {
		t.Errorf("Write without a reader: %d, %v, want some and that the time ran out", n, err)
	}
	if err := from.SetReadDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := from.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read without a writer: %v, want that the time ran out", err)
	}
	if err := from.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	go io.CopyN(io.Discard, to, int64(n)+1) //nolint:errcheck // the write tells
	if _, err := from.Write([]byte("x")); err != nil {
		t.Errorf("Write when there is room again: %v", err)
	}
}

// TestTunnelLosesNothingInSilence: when a message is lost on the way the
// connection breaks; it never goes on with a gap.
func TestTunnelLosesNothingInSilence(t *testing.T) {
	t.Parallel()
	a, b, nodes := peersOf(t)
	from, to := connected(t, a, b)
	if _, err := from.Write([]byte("one")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(to, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	if err := nodes[1].LoseNext(b); err != nil {
		t.Fatal(err)
	}
	if _, err := from.Write([]byte("two")); err != nil {
		t.Fatal(err)
	}
	if err := nodes[0].Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	if err := nodes[1].HearAgain(b); err != nil {
		t.Fatal(err)
	}
	_, _ = from.Write([]byte("three")) // it may know already
	if got, err := io.ReadAll(to); err == nil || len(got) != 0 {
		t.Errorf("read %q, %v, want an error and nothing", got, err)
	}
}
