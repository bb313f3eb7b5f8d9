package node

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"rte/internal/bus"
	"rte/internal/derive"
	"rte/internal/event"
	"rte/internal/owner"
	"rte/internal/registry"
)

// A shelf is what is kept beside the events for the rules: what users have said,
// and what an owner must remember. The first two are read by every node.
type shelf struct {
	bus     *bus.Bus
	alerts  *bus.KV[derive.Alert]
	figures *bus.KV[derive.Figures]
	states  *bus.KV[derive.AlertState]
	places  *bus.KV[uint64]

	takenPlaces *bus.KV[places] // of alerts, by user
}

func openShelf(ctx context.Context, b *bus.Bus) (s *shelf, err error) {
	s = &shelf{bus: b}
	if s.alerts, err = bus.OpenKV[derive.Alert](ctx, b, "alerts"); err != nil {
		return nil, err
	}
	if s.figures, err = bus.OpenKV[derive.Figures](ctx, b, "figures"); err != nil {
		return nil, err
	}
	if s.states, err = bus.OpenKV[derive.AlertState](ctx, b, "alert-states"); err != nil {
		return nil, err
	}
	if s.places, err = bus.OpenKV[uint64](ctx, b, "places"); err != nil {
		return nil, err
	}
	if s.takenPlaces, err = bus.OpenKV[places](ctx, b, "alert-places"); err != nil {
		return nil, err
	}
	return s, nil
}

// shelfKey is the key of an organization's entity or user.
func shelfKey(org, id event.GUID) string { return org.String() + "." + id.String() }

// readKey is what shelfKey has made.
func readKey(key string) (org, id event.GUID, ok bool) {
	first, second, _ := strings.Cut(key, ".")
	org, err1 := event.ParseGUID(first)
	id, err2 := event.ParseGUID(second)
	return org, id, err1 == nil && err2 == nil
}

// A partition is the store of one partition's owner (owner.Store).
type partition struct {
	*shelf
	registry *registry.Registry
	number   int
	items    *bus.Items
}

func (p *partition) mine(org event.GUID) bool { return bus.PartitionFor(org) == p.number }

func (p *partition) States(ctx context.Context, sink event.Sink, caught func()) error {
	return p.bus.Tail(ctx, bus.Tail{Partition: p.number, Lane: bus.StateLane}, sink, caught)
}

func (p *partition) Events(ctx context.Context, after uint64, kinds []event.Kind, sink event.Sink, caught func()) error {
	return p.bus.Tail(ctx, bus.Tail{Partition: p.number, Lane: bus.EventLane, After: after, Kinds: kinds}, sink, caught)
}

func (p *partition) Publish(ctx context.Context, events []*event.Event) []error {
	return p.bus.Publish(ctx, events)
}

func (p *partition) Last(ctx context.Context, t event.Topic) (*event.Event, error) {
	return p.bus.Last(ctx, t)
}

// Sequence reads a cursor of the event lane.
func (p *partition) Sequence(cursor string) (uint64, bool) {
	c, err := bus.ParseCursor(cursor)
	return c.Sequence, err == nil && c.Lane == bus.EventLane
}

func (p *partition) Callbacks(ctx context.Context, take func(derive.Callback) error) error {
	return p.items.Load(ctx, func(i bus.Item) error {
		return take(derive.Callback{Organization: i.Org, List: i.List, ID: i.ID, Record: i.Record})
	})
}

func (p *partition) Keep(ctx context.Context, callbacks []derive.Callback) error {
	items := make([]bus.Item, len(callbacks))
	for i, c := range callbacks {
		items[i] = bus.Item{Org: c.Organization, List: c.List, ID: c.ID, Record: c.Record}
	}
	return p.items.Put(ctx, items)
}

func (p *partition) Figures(ctx context.Context, take func(*derive.Figures) error) error {
	return every(ctx, p, p.figures, take)
}

func (p *partition) KeepFigures(ctx context.Context, f *derive.Figures) error {
	return p.figures.Put(ctx, shelfKey(f.OrganizationID, f.QueueID), *f)
}

func (p *partition) AlertStates(ctx context.Context, take func(*derive.AlertState) error) error {
	return every(ctx, p, p.states, take)
}

func (p *partition) KeepAlertState(ctx context.Context, s *derive.AlertState) error {
	return p.states.Put(ctx, shelfKey(s.Organization, s.ID), *s)
}

func (p *partition) ForgetAlertState(ctx context.Context, org, id event.GUID) error {
	return p.states.Delete(ctx, shelfKey(org, id))
}

// every gives take all values of the partition's organizations.
func every[V any](ctx context.Context, p *partition, kv *bus.KV[V], take func(*V) error) error {
	var failed error
	stop, err := kv.Watch(ctx, func(e bus.Entry[V]) {
		if org, _, ok := readKey(e.Key); ok && !e.Deleted && p.mine(org) && failed == nil {
			failed = take(&e.Value)
		}
	})
	if err != nil {
		return err
	}
	stop()
	return failed
}

func (p *partition) placeKey() string { return fmt.Sprintf("partition-%d", p.number) }

// Place is 0 where the stream has been made anew: then all there is must be
// read.
func (p *partition) Place(ctx context.Context) (uint64, error) {
	at, _, err := p.places.Get(ctx, p.placeKey())
	return at, err
}

func (p *partition) KeepPlace(ctx context.Context, sequence uint64) error {
	return p.places.Put(ctx, p.placeKey(), sequence)
}

// Watch gives take the lists and the alerts.
func (p *partition) Watch(ctx context.Context, take func(owner.Change)) (stop func(), err error) {
	var one sync.Mutex // take is called one call at a time
	say := func(org event.GUID, c owner.Change) {
		if p.mine(org) {
			one.Lock()
			defer one.Unlock()
			take(c)
		}
	}
	alerts, err := p.alerts.Watch(ctx, func(e bus.Entry[derive.Alert]) {
		org, id, ok := readKey(e.Key)
		switch {
		case !ok:
		case e.Deleted:
			say(org, owner.Change{Alert: &derive.Alert{Organization: org, ID: id}, Gone: true})
		default:
			a := e.Value
			a.Organization, a.ID = org, id
			say(org, owner.Change{Alert: &a})
		}
	})
	if err != nil {
		return nil, err
	}
	lists := p.registry.WatchLists(func(l registry.ListChange) {
		say(l.Organization, owner.Change{List: &owner.List{Organization: l.Organization, ID: l.ID, Gone: l.Gone, AutoAllocate: l.AutoAllocate, Agents: l.Agents}})
	})
	return func() { lists(); alerts() }, nil
}
