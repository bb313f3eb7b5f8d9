package bus

import (
	"context"
	"fmt"
	"slices"
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
	taps  map[*stream][]*tap
}

func newFeeds() *feeds {
	return &feeds{byOrg: map[event.GUID][]*feed{}, taps: map[*stream][]*tap{}}
}

// hand gives an event that was stored in a stream to whoever watches its
// organization, or the stream. It never blocks.
func (f *feeds) hand(s *stream, e *event.Event, cursor string, sequence uint64) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	list, taps := f.byOrg[e.Org], f.taps[s]
	var shared *event.Event
	if len(list) > 0 || slices.ContainsFunc(taps, func(t *tap) bool { return t.wants(e.Kind) }) {
		is := *e
		is.Cursor, is.Sequence, is.Stored = cursor, sequence, time.Now().UTC()
		shared = &is
	}
	for _, one := range list {
		one.push(stored{event: shared, sequence: sequence})
	}
	for _, t := range taps {
		t.push(stored{event: shared, sequence: sequence})
	}
}

func (f *feeds) addTap(s *stream, t *tap) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taps[s] = append(slices.Clone(f.taps[s]), t)
}

func (f *feeds) removeTap(s *stream, t *tap) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taps[s] = slices.DeleteFunc(slices.Clone(f.taps[s]), func(other *tap) bool { return other == t })
}

// doubt tells every feed that something was stored that it may not have been
// given. It never blocks.
func (f *feeds) doubt() {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, list := range f.byOrg {
		for _, one := range list {
			one.doubt()
		}
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
	deliver func(stored)
	slow    func(dropped int64) // told of drops, without a lock of the feed
	doubted func()              // told of doubts, likewise

	mu      sync.Mutex
	changed *sync.Cond // on mu: any of what follows
	queue   []stored
	bytes   int
	busy    bool // the goroutine delivers
	gap     bool // something before what comes next may be missing
	dropped int64

	closed atomic.Bool // changed with mu held
}

// newFeed makes a feed; its owner runs it.
func newFeed(most int, deliver func(stored), slow func(int64), doubted func()) *feed {
	f := &feed{most: most, deliver: deliver, slow: slow, doubted: doubted}
	f.changed = sync.NewCond(&f.mu)
	return f
}

// push queues an event, or drops it when too much waits.
func (f *feed) push(r stored) {
	f.mu.Lock()
	if f.closed.Load() {
		f.mu.Unlock()
		return
	}
	if len(f.queue) >= f.most || f.bytes > pendingBytes {
		f.dropped++
		f.gap = true
		n := f.dropped
		f.mu.Unlock()
		f.slow(n)
		return
	}
	r.gap, f.gap = f.gap, false
	f.queue = append(f.queue, r)
	f.bytes += len(r.event.Data)
	first := len(f.queue) == 1
	f.mu.Unlock()
	if first {
		f.changed.Broadcast()
	}
}

// doubt marks a gap.
func (f *feed) doubt() {
	f.mu.Lock()
	f.gap = true
	f.mu.Unlock()
	f.doubted()
}

// idle tells whether all that was stored has come here and was delivered.
func (f *feed) idle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.queue) == 0 && !f.busy && !f.gap
}

// gapped tells whether something may be missing before what comes next.
func (f *feed) gapped() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gap
}

// clearGap is for who reads what lay in it from the store, from now on.
func (f *feed) clearGap() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gap = false
}

// run delivers until the feed is closed.
func (f *feed) run() {
	var batch []stored
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
		for i, r := range batch {
			if !f.closed.Load() {
				f.deliver(r)
			}
			batch[i] = stored{}
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
