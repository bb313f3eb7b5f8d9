package bus

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rte/internal/event"
)

// Items keeps what a partition's owner must remember of each item of a list,
// such as a callback: the newest record of each, for ever, on the subject
// rte.item.<partition>.<organizationId>.<list>.<item>. It is safe for concurrent
// use, but two puts of one item must not run at the same time.
type Items struct {
	bus    *Bus
	prefix string // "rte.item.0."
	stream *stream
}

// An Item is the record of one.
type Item struct {
	Org, List, ID event.GUID
	Record        []byte // none: the item is forgotten
}

// itemWait bounds one put.
const itemWait = 10 * time.Second

// OpenItems opens the items of a partition, and makes their stream if it is
// not there yet.
func (b *Bus) OpenItems(ctx context.Context, partition int) (*Items, error) {
	p := strconv.Itoa(partition)
	c := jetstream.StreamConfig{
		Name: "RTE_ITEM_" + p, Subjects: []string{"rte.item." + p + ".>"}, Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld,
		MaxMsgsPerSubject: 1, AllowDirect: true, MaxBytes: -1, Metadata: map[string]string{formatKey: format},
	}
	if b.inMemory {
		c.Storage = jetstream.MemoryStorage
	}
	i := &Items{bus: b, prefix: strings.TrimSuffix(c.Subjects[0], ">"), stream: &stream{name: c.Name}}
	err := b.patiently(ctx, func(ctx context.Context) (err error) {
		i.stream.handle, err = b.provision(ctx, c, max(b.external.Replicas, b.cluster.Replicas))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", c.Name, err)
	}
	i.stream.replicas.Store(int32(i.stream.handle.CachedInfo().Config.Replicas))
	return i, nil
}

// Load gives take every item that is kept, in the order of their last puts.
func (i *Items) Load(ctx context.Context, take func(Item) error) error {
	err := i.load(ctx, take)
	if err != nil {
		return fmt.Errorf("load items: %w", err)
	}
	return nil
}

func (i *Items) load(ctx context.Context, take func(Item) error) error {
	now, err := i.bus.lookPatiently(ctx, i.stream)
	if err != nil {
		return err
	}
	i.stream.replicas.Store(int32(now.replicas)) // they may have become more
	next := reading{filter: ">", from: 1, upTo: now.last}
	for whole := now.last == 0; !whole; {
		var list []*nats.Msg
		if list, next.from, whole, err = i.bus.orderedMessages(ctx, i.bus.getter, i.stream, next); err != nil {
			return err
		}
		for _, m := range list {
			subject := header(m, headerSubject)
			item, err := i.read(subject, m.Data)
			if err == nil && len(item.Record) > 0 {
				err = take(item)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", subject, err)
			}
		}
	}
	return nil
}

// read makes the item of a message.
func (i *Items) read(subject string, record []byte) (item Item, err error) {
	rest, ok := strings.CutPrefix(subject, i.prefix)
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 3 {
		return item, fmt.Errorf("%w: subject", errMessage)
	}
	for n, to := range []*event.GUID{&item.Org, &item.List, &item.ID} {
		if *to, err = event.ParseGUID(parts[n]); err != nil {
			return item, fmt.Errorf("%w: subject: %w", errMessage, err)
		}
	}
	item.Record = record
	return item, nil
}

// Put keeps items, each once in one call; it returns when all are stored.
// After an error, which wraps [event.ErrUnavailable], some may be; putting them
// again does no harm.
func (i *Items) Put(ctx context.Context, items []Item) error {
	if err := i.put(ctx, items); err != nil {
		return fmt.Errorf("keep items: %w: %w", event.ErrUnavailable, err)
	}
	return nil
}

func (i *Items) put(ctx context.Context, items []Item) error {
	ctx, cancel := context.WithTimeout(ctx, itemWait)
	defer cancel()
	var stored []jetstream.PubAckFuture
	for n := range items {
		subject := pairSubject(i.prefix, items[n].Org, items[n].List.String(), items[n].ID)
		if len(items[n].Record) == 0 {
			if err := i.stream.handle.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
				return err
			}
			continue
		}
		f, err := i.bus.js.PublishAsync(subject, items[n].Record)
		if err != nil {
			return err
		}
		stored = append(stored, f)
	}
	for _, f := range stored {
		select {
		case <-f.Ok():
		case err := <-f.Err():
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
