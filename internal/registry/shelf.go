package registry

import (
	"context"
	"fmt"
	"sync"
	"time"

	"rte/internal/bus"
	"rte/internal/event"
)

// A shelf is values of one sort, kept in the store and taken by every node.
type shelf[V any] struct {
	kv   *bus.KV[V]
	stop func()

	mu    sync.Mutex
	taken uint64        // revision taken last
	moved chan struct{} // closed when it changes
}

// openShelf returns when take has been given all that is there.
func openShelf[V any](ctx context.Context, b *bus.Bus, name string, take func(bus.Entry[V])) (*shelf[V], error) {
	kv, err := bus.OpenKV[V](ctx, b, name)
	if err != nil {
		return nil, err
	}
	s := &shelf[V]{kv: kv, moved: make(chan struct{})}
	s.stop, err = kv.Watch(ctx, func(e bus.Entry[V]) {
		take(e)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.taken = e.Revision
		close(s.moved)
		s.moved = make(chan struct{})
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// comeBack is how long a change may take until it is stored and has come back.
const comeBack = 6 * time.Second

// change changes a value, and returns when it holds on this node.
func (s *shelf[V]) change(ctx context.Context, key string, change func(v V, ok bool) (next V, keep bool, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, comeBack)
	defer cancel()
	revision, err := s.kv.Change(ctx, key, change)
	if err != nil {
		return err
	}
	for {
		s.mu.Lock()
		taken, moved := s.taken, s.moved
		s.mu.Unlock()
		if taken >= revision {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("%w: it is stored, but has not come back yet: %w", event.ErrUnavailable, ctx.Err())
		}
	}
}
