package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Watch calls take with every value that is there, and returns then; after
// that with every change on any node, each key's in order. While the store is
// away changes wait; of several to one key only the newest comes then.
// Deleted keys may come as such at the beginning, too. A value that is no V is
// logged and left out.
//
// take is called one call at a time. stop waits for the last one, so take
// must not call it; [Bus.Close] does the same.
func (k *KV[V]) Watch(ctx context.Context, take func(Entry[V])) (stop func(), err error) {
	if !k.bus.enlist() {
		return nil, errClosed
	}
	life, cancel := context.WithCancel(context.Background())
	w := &kvWatch[V]{kv: k, take: take, life: life, first: make(chan struct{}), done: make(chan struct{})}
	err = w.open()
	if err != nil {
		cancel()
		k.bus.listeners.Done()
		return nil, k.storeFailed("watch", err)
	}
	go w.run()
	var once sync.Once
	stop = func() {
		once.Do(cancel)
		<-w.done
	}
	ctx, cancelWait := context.WithTimeout(ctx, watchWait)
	defer cancelWait()
	select {
	case <-w.first:
		return stop, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-w.done:
		err = errClosed
	}
	stop()
	return nil, k.storeFailed("watch", err)
}

// A kvWatch is one watch of a KV; its goroutine owns it.
type kvWatch[V any] struct {
	kv    *KV[V]
	take  func(Entry[V])
	life  context.Context // the watch's lifetime
	first chan struct{}   // closed when all that was there has been taken
	done  chan struct{}   // closed after the last call of take

	updates  jetstream.KeyWatcher
	back     <-chan struct{} // closed when updates is no longer to be trusted
	revision uint64          // of the entry taken last
	caughtUp bool            // first is closed
}

// open begins to read where it ended last.
func (w *kvWatch[V]) open() (err error) {
	w.back = w.kv.bus.nextReconnect()
	var o []jetstream.WatchOpt
	if w.revision > 0 {
		o = append(o, jetstream.ResumeFromRevision(w.revision+1))
	}
	w.updates, err = w.kv.bucket.WatchAll(w.life, o...)
	return err
}

// run takes entries. After each break of the connection it begins anew: the
// client's own repair waits for heartbeats that do not come, which takes
// longer than a right may.
func (w *kvWatch[V]) run() {
	defer w.kv.bus.listeners.Done()
	defer close(w.done)
	for {
		again := w.takeAll()
		// What is still on its way would be read again.
		_ = w.updates.Stop() // an error means that the connection is closed
		for range w.updates.Updates() {
			continue
		}
		for again {
			if w.kv.bus.conn.IsClosed() {
				return
			}
			err := w.open()
			if err == nil {
				break
			}
			w.kv.bus.log.Warn("cannot watch yet", "topic", w.kv.name, "err", err)
			select {
			case <-w.life.Done():
				return
			case <-time.After(openPause):
			}
		}
		if !again {
			return
		}
	}
}

// takeAll takes what comes until the connection was broken (true) or the
// watch has ended.
func (w *kvWatch[V]) takeAll() (again bool) {
	for {
		select {
		case <-w.life.Done():
			return false
		case <-w.back:
			return true
		case e, ok := <-w.updates.Updates():
			switch {
			case !ok:
				return true
			case e == nil:
				if !w.caughtUp {
					w.caughtUp = true
					close(w.first)
				}
			case e.Revision() > w.revision:
				w.revision = e.Revision()
				w.entry(e)
			}
		}
	}
}

func (w *kvWatch[V]) entry(e jetstream.KeyValueEntry) {
	entry := Entry[V]{Key: e.Key(), Deleted: e.Operation() != jetstream.KeyValuePut, Revision: e.Revision()}
	if !entry.Deleted {
		if err := json.Unmarshal(e.Value(), &entry.Value); err != nil {
			w.kv.bus.log.Warn("value left out", "topic", w.kv.name, "reason", "unreadable", "err", fmt.Errorf("key %s: %w", e.Key(), err))
			return
		}
	}
	w.take(entry)
}

// nextReconnect is closed when the connection is back after the next break.
func (b *Bus) nextReconnect() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.back
}
