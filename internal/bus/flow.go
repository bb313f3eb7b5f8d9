package bus

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"rte/internal/event"
)

// Follow gives an organization's events to sink, whole: first the newest value
// of each state pair and every event of the other kinds that was stored within
// the last window, then all that is stored from then on. Within each pair they
// come in the order of the store, none twice and none left out, whatever the
// live lane loses; between pairs there is no order. Of a state pair whose live
// messages were lost only the newest can come: the store has no other.
//
// sink is called one call at a time. The events are shared and immutable. It
// should not block for long: what waits for it is bounded, and beyond is read
// from the store again. Its errors are counted and the first of a row is
// logged. Its context ends with the flow.
//
// Follow returns when all that was there at its call has been given to sink. It
// tries until ctx ends; then its error wraps [event.ErrUnavailable], and sink is
// not called any more.
//
// If the store is wiped while the flow goes on, all that the new one has is
// given to sink, and the flow's figures begin anew.
func (b *Bus) Follow(ctx context.Context, org event.GUID, window time.Duration, sink event.Sink) (*Flow, error) {
	life, cancel := context.WithCancel(context.Background())
	w := &watch{bus: b, org: org, sink: sink, prefix: livePrefix(org), ctx: life, cancel: cancel, done: make(chan struct{})}
	f := &Flow{bus: b, org: org, watch: w, wake: make(chan struct{}, 1)}
	f.ctx, f.cancel = context.WithCancel(b.life)
	for _, lane := range []Lane{StateLane, EventLane} {
		f.lanes[lane] = newFlowLane(b.streams[lane][partitionOf(org, partitions)])
	}
	w.take, w.doubt = f.take, f.suspect
	if err := f.begin(ctx, window); err != nil {
		return nil, fmt.Errorf("follow organization %s: %w", org, err)
	}
	return f, nil
}

// A Flow is an organization's events on their way to a sink. It is safe for
// concurrent use.
type Flow struct {
	bus   *Bus
	org   event.GUID
	watch *watch
	wake  chan struct{} // what was heard is to be checked; it holds one

	ctx    context.Context // ends with the flow, or when Close of the bus begins: nothing is read any more
	cancel context.CancelFunc
	oldest atomic.Uint64
	work   sync.WaitGroup // the checks and the refills

	mu      sync.Mutex // held over calls of the sink, so that they come one at a time
	lanes   [2]flowLane
	refills []refill // to be done
	workers int      // that do them
}

// begin starts to listen, loads what is there and lets the rest come.
func (f *Flow) begin(ctx context.Context, window time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.bus.life, cancel)()
	began, err := f.bus.lookPatiently(ctx, f.lanes[EventLane].stream)
	if err != nil {
		f.cancel()
		f.watch.cancel()
		return err
	}
	// What comes meanwhile waits before mu, bounded as for a slow sink.
	f.mu.Lock()
	if err = f.watch.start(); err == nil {
		err = f.load(ctx, began, window)
	}
	if err == nil {
		err = f.bus.addFlow(f)
	}
	if err != nil {
		f.end() // what waits is not for the sink
	}
	f.mu.Unlock()
	if err != nil {
		f.Stop()
	}
	return err
}

// Floor is a place in the stream of states, or in that of the other events:
// every event of the organization up to it has been given to the sink. It only
// grows, unless the store is wiped. What was given since is behind it.
func (f *Flow) Floor(state bool) uint64 {
	l := &f.lanes[EventLane]
	if state {
		l = &f.lanes[StateLane]
	}
	if f.watch.feed != nil {
		// What has been stored up to now stands in the feed, in this order.
		if n := f.bus.lanes.newest(l.stream); f.watch.feed.idle() {
			raise(&l.floor, n)
		}
	}
	return l.floor.Load()
}

// Oldest is the place in the Events stream behind which Follow began: every
// event behind it that is in the store, or was at the call, has been given to
// the sink.
func (f *Flow) Oldest() uint64 { return f.oldest.Load() }

// Stop ends the flow: what was not yet given to the sink is left out. It waits
// until the last call has returned, so the sink must not call it. It may be
// called twice; [Bus.Close] does the same.
func (f *Flow) Stop() {
	f.end()
	f.idle()
	f.work.Wait()
	f.watch.stop()
	f.bus.removeFlow(f)
}

// end asks the flow to stop, without waiting.
func (f *Flow) end() {
	f.cancel()
	f.watch.end()
}

// idle waits until who is at work has gone; who comes now sees that the flow
// has ended, and begins nothing.
func (f *Flow) idle() {
	f.mu.Lock()
	defer f.mu.Unlock()
}

// ended tells whether nothing may begin any more.
func (f *Flow) ended() bool { return f.watch.ctx.Err() != nil }

// addFlow makes a flow known, and lets its checks begin.
func (b *Bus) addFlow(f *Flow) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return errClosed
	}
	b.flows[f] = struct{}{}
	f.work.Add(1)
	go f.check()
	return nil
}

func (b *Bus) removeFlow(f *Flow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.flows, f)
}

// allFlows are those that go on now.
func (b *Bus) allFlows() []*Flow {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]*Flow, 0, len(b.flows))
	for f := range b.flows {
		all = append(all, f)
	}
	return all
}

// raise makes a figure larger, never smaller.
func raise(figure *atomic.Uint64, to uint64) {
	for {
		now := figure.Load()
		if to <= now || figure.CompareAndSwap(now, to) {
			return
		}
	}
}
