package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go/jetstream"

	"rte/internal/event"
)

// Own runs take while this node, of all that share the store, is the one owner
// of name: a word as for [OpenKV]. It waits for its turn, runs take, and waits
// again, until ctx ends or the bus is closed; that is no error.
//
// epoch is one more with each owner, over all nodes and restarts: what an owner
// writes can carry it, and who reads can pass over what is of a lower one. The
// context of take ends when ctx does, or when this node could not say for four
// seconds that it is alive; another may follow a second later, so take must
// return soon, and whatever it does must look at the context first. A process
// that was stopped and goes on sees at once that it has ended. When take
// returns while it is owner, another node may be the next.
//
// A node that ends politely is followed within half a second, one that was
// killed within six; while the store has no leader there is no owner.
func (b *Bus) Own(ctx context.Context, name string, take func(ctx context.Context, epoch uint64)) error {
	return b.own(ctx, name, func() {}, func(ctx, _ context.Context, epoch uint64) { take(ctx, epoch) })
}

// own is Own; held ends only when the lease is lost, so that take can finish
// what it has begun when it is asked to go. behind is called when it has to
// wait for its turn.
func (b *Bus) own(ctx context.Context, name string, behind func(), take func(ctx, held context.Context, epoch uint64)) error {
	mustBeWord(name)
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return errClosed
	}
	b.owners.Add(1)
	b.mu.Unlock()
	defer b.owners.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(b.life, cancel)
	defer stop()
	kv, err := OpenKV[claim](ctx, b, "lease")
	for err != nil && ctx.Err() == nil && errors.Is(err, event.ErrUnavailable) {
		b.log.Warn("cannot see yet who owns something", "topic", name, "err", err)
		pause(ctx, leaseBeat)
		kv, err = OpenKV[claim](ctx, b, "lease")
	}
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	}
	t := &tenancy{
		name: name, self: b.self, alone: !b.shared, register: &kvRegister{kv.bucket, name}, log: b.log, behind: behind,
		told: func(epoch uint64, owner bool) { b.owned.set(name, epoch, owner) },
	}
	t.own(ctx, take)
	return nil
}

// A kvRegister keeps a claim in a bucket (register).
type kvRegister struct {
	bucket jetstream.KeyValue
	key    string
}

func (r *kvRegister) Read(ctx context.Context) (c claim, revision uint64, err error) {
	e, err := r.bucket.Get(ctx, r.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return c, 0, nil
	}
	if err != nil {
		return c, 0, fmt.Errorf("read the lease of %s: %w", r.key, err)
	}
	if err := json.Unmarshal(e.Value(), &c); err != nil {
		return c, 0, fmt.Errorf("read the lease of %s: %w", r.key, err)
	}
	return c, e.Revision(), nil
}

func (r *kvRegister) Swap(ctx context.Context, c claim, revision uint64) (uint64, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return 0, err
	}
	next, err := r.bucket.Update(ctx, r.key, body, revision) // 0: there must be none
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return 0, errTaken
	}
	return next, err
}

// owned is what this node owns. The zero value is nothing.
type owned struct {
	mu     sync.Mutex
	leases map[string]LeaseStats
}

func (o *owned) set(name string, epoch uint64, owner bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.leases == nil {
		o.leases = map[string]LeaseStats{}
	}
	o.leases[name] = LeaseStats{Name: name, Epoch: epoch, Owner: owner}
}

func (o *owned) list() (all []LeaseStats) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.leases {
		all = append(all, l)
	}
	return all
}

// waitOwners waits for calls of Own, whose time has ended.
func (b *Bus) waitOwners(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		b.owners.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("an owner has not returned: %w", context.Cause(ctx))
	}
}
