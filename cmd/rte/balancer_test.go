package main

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A balancer stands in front of nodes as a dumb one does: each connection goes
// to the next node that takes it. It can make the way long and slow, and cut
// it.
type balancer struct {
	addr string

	latency atomic.Int64 // nanoseconds, each way
	slow    atomic.Int64 // connections in a hundred that get slowRate
	cut     atomic.Bool  // nothing passes, nothing is told

	mu       sync.Mutex
	backends []string
	turn     int
	chance   *rand.Rand
	conns    map[net.Conn]struct{}
}

// slowRate is what a slow connection lets through, in bytes a second.
const slowRate = 20_000

func newBalancer(t *testing.T, chance *rand.Rand, backends ...string) *balancer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{
		addr: l.Addr().String(), backends: backends, conns: map[net.Conn]struct{}{},
		chance: rand.New(rand.NewPCG(chance.Uint64(), 1)), //nolint:gosec // no secret is made of it
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { b.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close() //nolint:errcheck // of a test
		b.drop()
		running.Wait()
	})
	return b
}

// drop cuts every connection.
func (b *balancer) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		c.Close() //nolint:errcheck // of a test
	}
}

// dial takes the next node that answers.
func (b *balancer) dial() net.Conn {
	b.mu.Lock()
	order := append(append([]string(nil), b.backends[b.turn:]...), b.backends[:b.turn]...)
	b.turn = (b.turn + 1) % len(b.backends)
	b.mu.Unlock()
	for _, addr := range order {
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			return c
		}
	}
	return nil
}

func (b *balancer) serve(client net.Conn) {
	defer client.Close() //nolint:errcheck // of a test
	if b.cut.Load() {
		return
	}
	node := b.dial()
	if node == nil {
		return
	}
	defer node.Close() //nolint:errcheck // of a test
	b.mu.Lock()
	b.conns[client], b.conns[node] = struct{}{}, struct{}{}
	slow := int64(b.chance.IntN(100)) < b.slow.Load()
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.conns, client)
		delete(b.conns, node)
	}()
	var both sync.WaitGroup
	both.Go(func() { b.carry(node, client, slow) })
	both.Go(func() { b.carry(client, node, slow) })
	both.Wait()
}

// A parcel is what was read at once, and when it may go on.
type parcel struct {
	bytes []byte
	due   time.Time
}

// carry takes bytes one way, with the balancer's latency.
func (b *balancer) carry(to, from net.Conn, slow bool) {
	parcels := make(chan parcel, 256)
	var writing sync.WaitGroup
	writing.Go(func() {
		defer from.Close() //nolint:errcheck // ends the reading, too
		defer to.Close()   //nolint:errcheck // of a test
		for p := range parcels {
			pause := time.Until(p.due)
			if slow {
				pause += time.Duration(len(p.bytes)) * time.Second / slowRate
			}
			for pause > 0 || b.cut.Load() {
				<-time.After(max(pause, 10*time.Millisecond))
				pause = 0
			}
			if _, err := to.Write(p.bytes); err != nil {
				return
			}
		}
	})
	for {
		buf := make([]byte, 16<<10)
		n, err := from.Read(buf)
		if n > 0 {
			select {
			case parcels <- parcel{buf[:n], time.Now().Add(time.Duration(b.latency.Load()))}:
			case <-time.After(time.Minute): // the other side has long gone
				err = io.ErrClosedPipe
			}
		}
		if err != nil {
			break
		}
	}
	close(parcels)
	writing.Wait()
}
