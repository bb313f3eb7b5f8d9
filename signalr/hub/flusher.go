package hub

import (
	"runtime"
	"sync"
)

// batchBytes is the most that is joined to one transport message; what is
// above goes into the next.
const batchBytes = 64 << 10

// A flusher drains connections that have something to send: a list of dirty
// connections, oldest first, and one worker per core. Oldest first, because
// newest first starves the tail (measured: it cost p99.9).
type flusher struct {
	wake    chan struct{} // one token: there is work; closed by close
	running sync.WaitGroup

	mu     sync.Mutex
	dirty  []*Conn // from head on
	head   int
	closed bool
}

func newFlusher() *flusher {
	f := &flusher{wake: make(chan struct{}, 1)}
	for range runtime.GOMAXPROCS(0) {
		f.running.Go(f.work)
	}
	return f
}

// add puts a connection on the list; the caller has marked it busy, so it is
// there only once.
func (f *flusher) add(c *Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dirty = append(f.dirty, c)
	if len(f.dirty)-f.head == 1 {
		f.signal()
	}
}

// signal leaves a token if there is none. The caller holds mu.
func (f *flusher) signal() {
	if f.closed {
		return
	}
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// share is how many connections a worker takes at once: the rest is for the
// other workers.
const share = 256

func (f *flusher) work() {
	var mine []*Conn
	var msgs [][]byte
	for range f.wake {
		for {
			f.mu.Lock()
			n := min(share, len(f.dirty)-f.head)
			mine = append(mine[:0], f.dirty[f.head:f.head+n]...)
			clear(f.dirty[f.head : f.head+n])
			f.head += n
			left := len(f.dirty) - f.head
			if f.head >= left { // move the rest down, at most once for each entry
				copy(f.dirty, f.dirty[f.head:])
				clear(f.dirty[left:])
				f.dirty, f.head = f.dirty[:left], 0
			}
			if left > 0 {
				f.signal()
			}
			f.mu.Unlock()
			if n == 0 {
				break
			}
			for _, c := range mine {
				msgs = c.drain(msgs)
			}
			clear(mine)
		}
	}
}

// close ends the workers. What is added afterwards stays where it is: its
// connection has ended.
func (f *flusher) close() {
	f.mu.Lock()
	f.closed = true
	close(f.wake)
	f.mu.Unlock()
	f.running.Wait()
}
