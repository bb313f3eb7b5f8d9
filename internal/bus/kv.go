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
}

// kvWait bounds one operation whose context has no earlier end.
const kvWait = 5 * time.Second

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
