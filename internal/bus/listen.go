package bus

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"rte/internal/event"
)

// listen subscribes on a connection; a queue's members get each message once
// between them. It returns when the server knows. stop waits for the last
// call of take.
func (b *Bus) listen(conn *nats.Conn, subject, queue string, take nats.MsgHandler) (stop func(), err error) {
	if !b.enlist() {
		return nil, errClosed
	}
	sub, err := conn.QueueSubscribe(subject, queue, take)
	if err != nil {
		b.listeners.Done()
		return nil, fmt.Errorf("%w: %w", event.ErrUnavailable, err)
	}
	done := make(chan struct{})
	sub.SetClosedHandler(func(string) {
		close(done)
		b.listeners.Done()
	})
	var once sync.Once
	stop = func() {
		once.Do(func() { _ = sub.Unsubscribe() }) // an error means that the connection is closed, which ends it too
		<-done
	}
	if err := conn.FlushTimeout(subscribeWait); err != nil {
		stop()
		return nil, fmt.Errorf("%w: %w", event.ErrUnavailable, err)
	}
	return stop, nil
}

// enlist counts one more listener, unless the bus is closed.
func (b *Bus) enlist() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.listeners.Add(1)
	}
	return !b.closed
}

// waitListeners waits until every listener has returned; the connection is
// closed.
func (b *Bus) waitListeners() error {
	done := make(chan struct{})
	go func() {
		b.listeners.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(time.Second):
		return errors.New("a receiver of control messages did not return")
	}
}
