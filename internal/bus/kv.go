package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"rte/internal/event"
)

// A KV holds values by key that every node sees and that outlive them all:
// the newest of each key, for ever, until it is deleted. It is for what an
// operator has said (rights, revocations, lists), not for events. V is kept
// as JSON. It is safe for concurrent use.
type KV[V any] struct {
	bus    *Bus
	name   string
	bucket jetstream.KeyValue
}

// An Entry is one value of a KV, or what is left of it.
type Entry[V any] struct {
	Key     string
	Value   V // zero if deleted
	Deleted bool
	// Revision grows with every change of any key; see [KV.Change].
	Revision uint64
}

// kvWait bounds one operation whose context has no earlier end.
const kvWait = 5 * time.Second

// watchWait bounds the reading of all that is there, which may be much.
const watchWait = 30 * time.Second

// OpenKV opens a KV, and makes it if it is not there yet. name is a word of
// letters, digits and hyphens that no other KV has; any other panics. Its
// bucket in JetStream is RTE_NAME.
func OpenKV[V any](ctx context.Context, b *Bus, name string) (*KV[V], error) {
	mustBeWord(name)
	k := &KV[V]{bus: b, name: name}
	storage := jetstream.FileStorage
	if b.inMemory {
		storage = jetstream.MemoryStorage
	}
	ctx, cancel := context.WithTimeout(ctx, openWait)
	defer cancel()
	c := jetstream.KeyValueConfig{
		Bucket: "RTE_" + strings.ToUpper(name), Description: "RTE: " + name, Storage: storage, Replicas: b.replicas(), History: 1,
	}
	err := b.patiently(ctx, func(ctx context.Context) (err error) {
		k.bucket, err = b.js.KeyValue(ctx, c.Bucket)
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			k.bucket, err = b.js.CreateKeyValue(ctx, c)
		}
		if errors.Is(err, jetstream.ErrBucketExists) { // another node was quicker, with other settings
			k.bucket, err = b.js.KeyValue(ctx, c.Bucket)
		}
		if err == nil {
			err = b.replicate(ctx, "KV_"+c.Bucket)
		}
		if errors.Is(err, jetstream.ErrStreamNotFound) { // another node is just making it, and not all servers know
			err = fmt.Errorf("%w: %w", errNotYet, err)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open the store of %s: %w", name, err)
	}
	return k, nil
}

// replicate gives a stream as many replicas as State has; more it keeps,
// unless the number was asked for.
func (b *Bus) replicate(ctx context.Context, name string) error {
	s, err := b.js.Stream(ctx, name)
	if err != nil {
		return err
	}
	c := s.CachedInfo().Config
	want := b.replicas()
	if c.Replicas == want || c.Replicas > want && b.external.Replicas == 0 {
		return nil
	}
	c.Replicas = want
	_, err = b.js.UpdateStream(ctx, c)
	return err
}

// Put keeps a value. Keys are of letters, digits and - / _ = . with no dot at
// either end. It returns when the value is stored; errors that wrap
// [event.ErrUnavailable] may pass.
func (k *KV[V]) Put(ctx context.Context, key string, v V) error {
	body, err := json.Marshal(v)
	if err != nil {
		return k.failed("put", err)
	}
	ctx, cancel := context.WithTimeout(ctx, kvWait)
	defer cancel()
	_, err = k.bucket.Put(ctx, key, body)
	return k.storeFailed("put", err)
}

// changeTries is how often Change begins again because another was quicker.
const changeTries = 20

// Change makes a value of the one that there is (ok false: none), or leaves it
// with keep. Nobody else changes it in between: then change is called again
// with what is there by then. It returns when the value is stored, with its
// revision; a [KV.Watch] has taken the value when it has taken that revision or
// a later one. Errors of change are returned as they are; those that wrap
// [event.ErrUnavailable] may pass.
func (k *KV[V]) Change(ctx context.Context, key string, change func(v V, ok bool) (next V, keep bool, err error)) (revision uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, kvWait)
	defer cancel()
	for try := 0; ; try++ {
		var v V
		var last uint64
		e, err := k.bucket.Get(ctx, key)
		switch {
		case err == nil:
			last = e.Revision()
			if err := json.Unmarshal(e.Value(), &v); err != nil {
				return 0, k.failed("change", err)
			}
		case !errors.Is(err, jetstream.ErrKeyNotFound):
			return 0, k.storeFailed("change", err)
		}
		next, keep, err := change(v, last != 0)
		if err != nil || keep {
			return last, err
		}
		body, err := json.Marshal(next)
		if err != nil {
			return 0, k.failed("change", err)
		}
		if last == 0 {
			revision, err = k.bucket.Create(ctx, key, body)
		} else {
			revision, err = k.bucket.Update(ctx, key, body, last)
		}
		if err == nil || !quicker(err) || try == changeTries {
			return revision, k.storeFailed("change", err)
		}
	}
}

// quicker tells whether somebody else has changed the key meanwhile.
func quicker(err error) bool {
	e, ok := errors.AsType[jetstream.JetStreamError](err)
	return errors.Is(err, jetstream.ErrKeyExists) || ok && e.APIError() != nil && e.APIError().ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}

// First keeps a value unless there is one, and gives what there is then: the
// same to all who ask at once.
func (k *KV[V]) First(ctx context.Context, key string, v V) (there V, err error) {
	body, err := json.Marshal(v)
	if err != nil {
		return v, k.failed("put", err)
	}
	ctx, cancel := context.WithTimeout(ctx, kvWait)
	defer cancel()
	for {
		_, err := k.bucket.Create(ctx, key, body)
		if err == nil {
			return v, nil
		}
		if !errors.Is(err, jetstream.ErrKeyExists) {
			return v, k.storeFailed("put", err)
		}
		there, ok, err := k.Get(ctx, key)
		if ok || err != nil {
			return there, err
		}
		pause(ctx, openPause) // a replica answers that does not have it yet
	}
}

// Get reads a value; ok is false if there is none.
func (k *KV[V]) Get(ctx context.Context, key string) (v V, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, kvWait)
	defer cancel()
	e, err := k.bucket.Get(ctx, key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return v, false, nil
	case err != nil:
		return v, false, k.storeFailed("get", err)
	}
	if err := json.Unmarshal(e.Value(), &v); err != nil {
		return v, false, k.failed("get", err)
	}
	return v, true, nil
}

// Delete forgets a value. One that is not there is no error.
func (k *KV[V]) Delete(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, kvWait)
	defer cancel()
	return k.storeFailed("delete", k.bucket.Delete(ctx, key))
}

// DeleteAt forgets a value if it has that revision still, else nothing happens.
func (k *KV[V]) DeleteAt(ctx context.Context, key string, revision uint64) error {
	ctx, cancel := context.WithTimeout(ctx, kvWait)
	defer cancel()
	err := k.bucket.Delete(ctx, key, jetstream.LastRevision(revision))
	if quicker(err) {
		return nil
	}
	return k.storeFailed("delete", err)
}

// failed adds to an error what was done.
func (k *KV[V]) failed(act string, err error) error {
	return fmt.Errorf("%s a value of %s: %w", act, k.name, err)
}

// storeFailed is failed for an error of the store, nil for none; it tells
// whether another try may go well.
func (k *KV[V]) storeFailed(act string, err error) error {
	if err == nil {
		return nil
	}
	final := errors.Is(err, jetstream.ErrInvalidKey)
	if e, ok := errors.AsType[jetstream.JetStreamError](err); ok && e.APIError() != nil {
		final = final || !passing(e.APIError().Code)
	}
	if !final {
		err = fmt.Errorf("%w: %w", event.ErrUnavailable, err)
	}
	return k.failed(act, err)
}
