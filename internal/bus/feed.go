package bus

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"rte/internal/event"
)

// feeds hand what this process has stored to its own watches. They stand in
// for the live lane where the store is inside: nobody else writes to it, so
// what it answers is all there is to hear. Safe for concurrent use; a lock of
// lanes may be held around theirs, never the other way round.
type feeds struct {
	mu    sync.RWMutex
	byOrg map[event.GUID][]*feed
}

func newFeeds() *feeds { return &feeds{byOrg: map[event.GUID][]*feed{}} }

// hand gives a stored event to whoever watches its organization. It never
// blocks.
func (f *feeds) hand(stored event.Event, cursor string, sequence uint64) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	list := f.byOrg[stored.Org]
	if len(list) == 0 {
		return
	}
	e := stored
	e.Cursor, e.Sequence, e.Stored = cursor, sequence, time.Now().UTC()
	for _, one := range list {
		one.push(&e)
	}
}

func (f *feeds) add(org event.GUID, one *feed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byOrg[org] = append(f.byOrg[org], one)
}

func (f *feeds) remove(org event.GUID, one *feed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.byOrg[org]
	kept := make([]*feed, 0, len(list))
	for _, other := range list {
		if other != one {
			kept = append(kept, other)
		}
	}
	if f.byOrg[org] = kept; len(kept) == 0 {
		delete(f.byOrg, org)
	}
}

// A feed is the queue before one watch, and the goroutine that empties it.
type feed struct {
	most    int // events that may wait
	deliver func(*event.Event)
	slow    func(dropped int64) // told of drops, without a lock

	mu      sync.Mutex
	changed *sync.Cond // on mu: any of what follows
	queue   []*event.Event
	bytes   int
	busy    bool // the goroutine delivers
	dropped int64

	closed atomic.Bool // changed with mu held
}

// newFeed makes a feed; its owner runs it.
func newFeed(most int, deliver func(*event.Event), slow func(int64)) *feed {
	f := &feed{most: most, deliver: deliver, slow: slow}
	f.changed = sync.NewCond(&f.mu)
	return f
}

// push queues an event, or drops it when too much waits.
func (f *feed) push(e *event.Event) {
	f.mu.Lock()
	if f.closed.Load() {
		f.mu.Unlock()
		return
	}
	if len(f.queue) >= f.most || f.bytes > pendingBytes {
		f.dropped++
		n := f.dropped
		f.mu.Unlock()
		f.slow(n)
		return
	}
	f.queue = append(f.queue, e)
	f.bytes += len(e.Data)
	first := len(f.queue) == 1
	f.mu.Unlock()
	if first {
		f.changed.Broadcast()
	}
}

// run delivers until the feed is closed.
func (f *feed) run() {
	var batch []*event.Event
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		for len(f.queue) == 0 && !f.closed.Load() {
			f.changed.Wait()
		}
		if f.closed.Load() {
			return
		}
		batch, f.queue = f.queue, batch[:0]
		f.bytes, f.busy = 0, true
		f.mu.Unlock()
		for i, e := range batch {
			if !f.closed.Load() {
				f.deliver(e)
			}
			batch[i] = nil
		}
		f.mu.Lock()
		f.busy = false
		f.changed.Broadcast()
	}
}

// close ends run; what waits is left out.
func (f *feed) close() {
	f.mu.Lock()
	f.closed.Store(true)
	f.queue = nil
	f.mu.Unlock()
	f.changed.Broadcast()
}

// drained waits until all that has come was delivered.
func (f *feed) drained(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		f.mu.Lock() // so that it cannot come between the test and the wait
		defer f.mu.Unlock()
		f.changed.Broadcast()
	})
	defer stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for (len(f.queue) > 0 || f.busy) && !f.closed.Load() {
		if ctx.Err() != nil {
			return fmt.Errorf("sinks are still busy: %w", context.Cause(ctx))
		}
		f.changed.Wait()
	}
	return nil
}

func (f *feed) drops() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.dropped
}
