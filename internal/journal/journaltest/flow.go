package journaltest

import (
	"context"
	"sync"

	"rte/internal/event"
)

// A flow is one organization's way to one sink.
type flow struct {
	store *Store
	org   event.GUID
	sink  event.Sink

	calls sync.Mutex // held over calls of the sink

	mu     sync.Mutex
	queue  []*event.Event
	oldest uint64
	floor  [2]uint64
	over   bool
}

func (f *flow) push(e *event.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, e)
}

func (f *flow) drain() {
	f.calls.Lock()
	defer f.calls.Unlock()
	for {
		f.mu.Lock()
		if len(f.queue) == 0 || f.over {
			f.mu.Unlock()
			return
		}
		e := f.queue[0]
		f.queue = f.queue[1:]
		f.mu.Unlock()
		f.sink(context.Background(), e) //nolint:errcheck // it returns none
		f.mu.Lock()
		n := lane(f.store.keeps(e.Kind))
		f.floor[n] = max(f.floor[n], e.Sequence)
		f.mu.Unlock()
	}
}

// Floor is how far the flow has come (journal.Flow).
func (f *flow) Floor(state bool) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) > 0 { // an earlier one may wait
		for _, e := range f.queue {
			if f.store.keeps(e.Kind) == state {
				return min(f.floor[lane(state)], e.Sequence-1)
			}
		}
	}
	return f.floor[lane(state)]
}

// Oldest is where the flow began (journal.Flow).
func (f *flow) Oldest() uint64 { return f.oldest }

// Stop ends the flow (journal.Flow).
func (f *flow) Stop() {
	f.store.mu.Lock()
	delete(f.store.flows[f.org], f)
	f.store.mu.Unlock()
	f.mu.Lock()
	f.over = true
	f.mu.Unlock()
	f.calls.Lock() // waits for the last call
	defer f.calls.Unlock()
}
