package fanout

import (
	"context"
	"sync/atomic"
	"time"

	"rte/internal/event"
	"rte/internal/journal"
	"rte/signalr"
)

// A catching is a pair whose client has missed more than can be sent at once:
// it follows as fast as the client takes it, and when nothing is left the pair
// is joined. What happens meanwhile waits in the log and the store, not in the
// client's queue.
type catching struct {
	Join
	place uint64      // of the last event that was sent
	over  atomic.Bool // not wanted any more
}

// some is how many events are taken out of the log at once.
const some = 64

// await notes that a pair is being caught up. The caller holds the
// organization's lock.
func (m *Member) await(c *catching) {
	if m.catching == nil {
		m.catching = map[event.Pair]*catching{}
		m.life, m.quit = context.WithCancel(m.index.life)
	}
	m.catching[c.Pair] = c
	m.org.subscriptions++
}

// catch begins to catch up with pairs that are awaited, one after the other.
func (m *Member) catch(ctx context.Context, list []*catching) {
	m.index.running.Go(func() {
		for _, c := range list {
			if !m.catchUp(ctx, c) {
				return
			}
		}
	})
}

// giveUp ends the catching up of a pair. The caller holds the organization's
// lock.
func (m *Member) giveUp(c *catching) {
	c.over.Store(true)
	delete(m.catching, c.Pair)
	m.org.subscriptions--
	m.hold(-1)
}

// catchUp sends what a pair's client has missed, and joins it. It reports
// whether the client is still there.
func (m *Member) catchUp(ctx context.Context, c *catching) bool {
	for {
		list, oldest, whole := m.missed(c)
		switch {
		case whole && list == nil:
			return true
		case !whole:
			var reaches, more bool
			if list, more, reaches = m.page(ctx, c, oldest); more {
				oldest = 0
			}
			if !reaches {
				if ctx.Err() == nil && m.index.o.Behind != nil {
					m.index.o.Behind(m.to)
				}
				return false
			}
		}
		if wanted, there := m.send(ctx, c, list); !wanted || !there {
			return there
		}
		if !whole {
			c.place = max(c.place, oldest)
		}
	}
}

// send offers the client what is next, and remembers how far it came. It
// reports whether the pair is still wanted, and the client still there.
func (m *Member) send(ctx context.Context, c *catching, list []*journal.Entry[*signalr.Frame]) (wanted, there bool) {
	for _, n := range list {
		if c.over.Load() {
			return false, true
		}
		c.place = n.Event.Sequence
		if !c.replays(m.index, n.Event, time.Now()) {
			continue
		}
		if m.to.Offer(ctx, n.Frame) != nil {
			return true, false
		}
		m.index.replayed.Add(1)
	}
	return true, true
}

// missed is what is next for the client, with its frames. Nothing and whole
// mean that the pair is joined, or not wanted any more; not whole that the next
// is only in the store.
func (m *Member) missed(c *catching) (list []*journal.Entry[*signalr.Frame], oldest uint64, whole bool) {
	o := m.org
	o.mu.Lock()
	defer o.mu.Unlock()
	if c.over.Load() {
		return nil, 0, true
	}
	if !o.log.Reaches(c.Pair, c.place) {
		return nil, o.log.Oldest(), false
	}
	list, _ = o.log.Since(nil, c.Pair, c.place)
	if len(list) == 0 {
		delete(m.catching, c.Pair)
		o.subscriptions-- // enter counts it
		m.enter(c.Pair).skip(m, c.place, o.log.Last(c.Pair))
		return nil, 0, true
	}
	list = list[:min(len(list), some)]
	for _, n := range list {
		m.index.frame(n)
	}
	return list, 0, true
}

// readPause is how long a store that cannot be read is left alone.
const readPause = time.Second

// page reads what is next from the store, up to oldest: the log remembers
// everything behind that. more tells that there is another page, reaches is
// false when the store has forgotten what is next.
func (m *Member) page(ctx context.Context, c *catching, oldest uint64) (list []*journal.Entry[*signalr.Frame], more, reaches bool) {
	for {
		m.index.fetched.Add(1)
		events, whole, more, err := m.index.o.Store.Read(ctx, m.topic(c.Pair), c.place, oldest, page)
		switch {
		case err != nil:
			select {
			case <-time.After(readPause):
				continue
			case <-ctx.Done():
				return nil, false, false
			}
		case !whole:
			return nil, false, false
		}
		for _, e := range events {
			list = append(list, &journal.Entry[*signalr.Frame]{Event: e, Frame: m.index.push(e)})
		}
		return list, more, true
	}
}
