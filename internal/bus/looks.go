package bus

import (
	"context"
	"fmt"
	"sync"

	"rte/internal/event"
)

// looks share answers of a stream's leader: whoever asks gets one that was
// asked for after that, and all who wait get the same. When ten thousand flows
// are checked at once, this is not ten thousand questions. The zero value is
// ready.
type looks struct {
	mu      sync.Mutex
	running bool
	next    *sharedLook // asked for behind the one that runs; nil if nobody waits for it
}

// A sharedLook is one question and its answer.
type sharedLook struct {
	done chan struct{} // closed when there is one
	look look
	err  error
}

// share waits for an answer, or until ctx ends. ask is called without ctx: it
// is for all who wait.
func (l *looks) share(ctx context.Context, ask func() (look, error)) (look, error) {
	l.mu.Lock()
	if l.next == nil {
		l.next = &sharedLook{done: make(chan struct{})}
	}
	mine := l.next
	if !l.running {
		l.running = true
		go l.run(ask)
	}
	l.mu.Unlock()
	select {
	case <-mine.done:
		return mine.look, mine.err
	case <-ctx.Done():
		return look{}, fmt.Errorf("%w: %w", event.ErrUnavailable, context.Cause(ctx))
	}
}

// run asks as long as somebody waits.
func (l *looks) run(ask func() (look, error)) {
	for {
		l.mu.Lock()
		one := l.next
		l.next, l.running = nil, one != nil
		l.mu.Unlock()
		if one == nil {
			return
		}
		one.look, one.err = ask()
		close(one.done)
	}
}
