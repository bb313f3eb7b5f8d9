package node

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"rte/internal/bus"
	"rte/internal/derive"
	"rte/internal/event"
	"rte/internal/owner"
)

// Consequences are what follows from events, as this node has to do with it:
// it wants to own each partition, and it knows everybody's alerts and figures
// for those who ask. Safe for concurrent use.
type consequences struct {
	shelf  *shelf
	rules  derive.Options
	owners []*owner.Owner
	closes []func() // in this order
	life   context.Context
	work   sync.WaitGroup // what is done in life

	placing sync.Mutex // one place of an alert is taken or given back at a time

	mu      sync.Mutex
	alerts  alertBook
	figures map[event.GUID]map[event.GUID]derive.Figures // by organization and queue
}

// ownPause is the time between two tries of an owner that cannot work.
const ownPause = 5 * time.Second

// conclude begins to draw conclusions.
func (n *Node) conclude(ctx context.Context) error {
	rules, err := n.cfg.options()
	if err != nil {
		return err
	}
	rules.Allowed = n.mayFire
	c := &consequences{rules: rules, figures: map[event.GUID]map[event.GUID]derive.Figures{}}
	if c.shelf, err = openShelf(ctx, n.bus); err != nil {
		return err
	}
	life, end := context.WithCancel(context.Background())
	c.life, c.closes = life, []func(){func() {
		c.mu.Lock() // later begins nothing from now on
		end()
		c.mu.Unlock()
		c.work.Wait()
	}}
	n.consequences = c
	for _, watch := range []func() (func(), error){
		func() (func(), error) { return c.shelf.alerts.Watch(ctx, c.told) },
		func() (func(), error) { return c.shelf.figures.Watch(ctx, entry(&c.mu, c.figures)) },
	} {
		stop, err := watch()
		if err != nil {
			return err
		}
		c.closes = append(c.closes, stop)
	}
	// Streams are made here and not by the owner's goroutine: a node that is
	// stopped at once must not end in the middle of that.
	if _, err := bus.OpenKV[json.RawMessage](ctx, n.bus, "lease"); err != nil {
		return err
	}
	items := make([]*bus.Items, bus.Partitions)
	for p := range items {
		if items[p], err = n.bus.OpenItems(ctx, p); err != nil {
			return err
		}
	}
	for p := range bus.Partitions {
		w := owner.New(owner.Options{Catalog: n.cat, Store: &partition{c.shelf, n.registry, p, items[p]}, Rules: rules, Logger: n.log})
		c.owners = append(c.owners, w)
		c.work.Go(func() {
			err := n.bus.Own(life, fmt.Sprintf("rules-%d", p), func(ctx context.Context, _ uint64) {
				if err := w.Run(ctx); err != nil {
					n.log.Error("nothing follows from events for now", "err", err)
					pause := time.NewTimer(ownPause)
					defer pause.Stop()
					select {
					case <-pause.C:
					case <-ctx.Done():
					}
				}
			})
			if err != nil {
				n.log.Error("this node owns no partition", "err", err)
			}
		})
	}
	return nil
}

// close ends what conclude has begun; nil had nothing.
func (c *consequences) close() {
	if c == nil {
		return
	}
	for _, stop := range c.closes {
		stop()
	}
}

// later does something that nobody waits for.
func (c *consequences) later(do func(context.Context)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life.Err() == nil { // close waits only for what has begun before
		c.work.Go(func() { do(c.life) })
	}
}

// entry keeps the values of a shelf by organization and id.
func entry[V any](mu *sync.Mutex, all map[event.GUID]map[event.GUID]V) func(bus.Entry[V]) {
	return func(e bus.Entry[V]) {
		org, id, ok := readKey(e.Key)
		if !ok {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		switch {
		case e.Deleted:
			delete(all[org], id)
			return
		case all[org] == nil:
			all[org] = map[event.GUID]V{}
		}
		all[org][id] = e.Value
	}
}

// today are the day figures of the queues that are named, or of all that may be
// seen, in the order of names and ids.
func (c *consequences) today(org event.GUID, now time.Time, see func(queue event.GUID) bool, named map[event.GUID]bool) []derive.Today {
	c.mu.Lock()
	defer c.mu.Unlock()
	queues := maps.Clone(named)
	if len(named) == 0 {
		queues = map[event.GUID]bool{}
		for id := range c.figures[org] {
			queues[id] = see(id)
		}
	}
	list := []derive.Today{}
	for id, shown := range queues {
		if shown {
			f := c.figures[org][id]
			f.QueueID = id
			list = append(list, f.At(now, c.rules.Zone(org), c.rules.Threshold(org, id)))
		}
	}
	slices.SortFunc(list, func(a, b derive.Today) int {
		return cmp.Or(cmp.Compare(a.QueueName, b.QueueName), cmp.Compare(a.QueueID.String(), b.QueueID.String()))
	})
	return list
}
