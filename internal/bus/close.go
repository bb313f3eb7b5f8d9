package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Close ends the bus: calls of Publish under way are answered, sinks get what
// was stored before, the store is written out. When ctx ends first, it stops
// waiting and closes; the error then wraps ctx's. A second Close does nothing.
func (b *Bus) Close(ctx context.Context) error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	b.mu.Unlock()
	b.endLife()
	if err := errors.Join(b.waitOwners(ctx), b.lanes.close(ctx), b.drain(ctx), b.stopWatches(ctx), b.end()); err != nil {
		return fmt.Errorf("close bus: %w", err)
	}
	return nil
}

// drain waits until the sinks have been given all that has arrived. Nothing
// comes behind it: a live message is always before the answer to its publish.
func (b *Bus) drain(ctx context.Context) error {
	done := make(chan struct{})
	if err := b.conn.Barrier(func() { close(done) }); err != nil {
		return err
	}
	select {
	case <-done:
	case <-ctx.Done():
		return fmt.Errorf("sinks are still busy: %w", context.Cause(ctx))
	}
	b.mu.Lock()
	watches := slices.Collect(maps.Keys(b.watches))
	b.mu.Unlock()
	for _, w := range watches {
		if w.feed == nil {
			continue
		}
		if err := w.feed.drained(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stopWatches ends every watch. After ctx has ended a sink has one second
// left to heed its own context.
func (b *Bus) stopWatches(ctx context.Context) error {
	b.mu.Lock()
	watches := slices.Collect(maps.Keys(b.watches))
	b.mu.Unlock()
	flows := b.allFlows()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, w := range watches { // those of flows are among them
			w.end()
		}
		for _, f := range flows {
			f.Stop()
		}
		for _, w := range watches {
			w.stop()
		}
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-done:
		return nil
	case <-time.After(time.Second):
		return errors.New("a sink did not return")
	}
}

// end stops what was started, in the opposite order.
func (b *Bus) end() (err error) {
	b.endLife()
	if b.keeper != nil {
		b.keeper.close()
	}
	if b.door != nil {
		_ = b.door.FlushTimeout(answerWait) // what producers have not got by then, they ask for again
		b.door.Close()
	}
	if b.conn != nil {
		b.conn.Close()
		err = b.waitListeners()
	}
	if b.gate != nil {
		b.gate.close()
	}
	if b.server != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
	if b.folder != nil {
		err = errors.Join(err, b.folder.close())
	}
	return err
}
