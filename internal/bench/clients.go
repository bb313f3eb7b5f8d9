package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"rte/signalr"
)

// inTurn runs a function for all of a list, so many at a time. The first error
// ends it: no further ones begin, and ctx ends for those under way.
func inTurn[T any](ctx context.Context, most int, list []T, do func(context.Context, T) error) error {
	first, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan T)
	var running sync.WaitGroup
	for range min(most, len(list)) {
		running.Go(func() {
			for one := range todo {
				if err := do(first, one); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, one := range list {
		select {
		case todo <- one:
		case <-first.Done():
		}
	}
	close(todo)
	running.Wait()
	return context.Cause(first)
}

// closeAll ends the connections of clients, all at once.
func closeAll[T interface{ close() }](list []T) {
	var running sync.WaitGroup
	for _, one := range list {
		running.Go(one.close)
	}
	running.Wait()
}

// answer is what the hub says of an item of Subscribe.
type answer struct {
	Subscribed bool
	Message    string
	Recovered  *bool
	Cursor     *string
}

// errNoCursors means that the hub does not know After.
var errNoCursors = errors.New("the hub gives no cursors (the member recovered is missing); it is no RTE of this kind")

// readAnswers reads what the hub says of n items.
func readAnswers(value signalr.Value, n int) (answers []answer, err error) {
	if err := signalr.Decode(value, &answers); err != nil {
		return nil, fmt.Errorf("read the answer of Subscribe: %w", err)
	}
	if len(answers) != n {
		return nil, fmt.Errorf("subscribe: %d answers to %d items", len(answers), n)
	}
	return answers, nil
}
