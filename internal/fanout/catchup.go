package fanout

import (
	"context"
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
	state  bool
	place  uint64          // of the last event that was sent
	live   uint64          // what is behind has happened since it was asked for
	wiped  int             // organization.wiped when place was read
	ctx    context.Context //nolint:containedctx // ends when it is not wanted any more
	cancel context.CancelFunc
	read   bool // up to place everything was read from the store
	asked  int  // how often the store was, for a state that is not remembered
}

// await notes that a pair is being caught up. The caller holds the
// organization's lock.
func (m *Member) await(p *plan) *catching {
	if m.catching == nil {
		m.catching = map[event.Pair]*catching{}
		m.life, m.quit = context.WithCancel(m.index.life)
	}
	c := &catching{Join: p.Join, state: p.state, place: p.place, live: m.org.log.Last(p.Pair), wiped: m.org.wiped}
	c.ctx, c.cancel = context.WithCancel(m.life)
	m.catching[c.Pair] = c
	m.org.subscriptions++
	m.org.awaited[c.Pair]++
	return c
}

// catch begins to catch up with pairs that are awaited, one after the other.
func (m *Member) catch(ctx context.Context, list []*catching) {
	m.index.running.Go(func() {
		for _, c := range list {
			m.catchUp(c)
			c.cancel()
			if ctx.Err() != nil {
				return
			}
		}
	})
}

// giveUp ends the catching up of a pair: what is not in the client's queue yet
// will not be. The caller holds the organization's lock.
func (m *Member) giveUp(c *catching) {
	c.cancel()
	m.forgo(c)
	m.hold(-1)
}

// forgo takes a pair from those that are caught up. The caller holds the
// organization's lock.
func (m *Member) forgo(c *catching) {
	o := m.org
	delete(m.catching, c.Pair)
	o.subscriptions--
	if o.awaited[c.Pair]--; o.awaited[c.Pair] == 0 {
		delete(o.awaited, c.Pair)
	}
}

// catchUp sends what a pair's client has missed, and joins it.
func (m *Member) catchUp(c *catching) {
	for {
		n := m.next(c)
		if !n.whole && !n.lost {
			n.list, n.upTo, n.lost = m.page(c, n.upTo)
		}
		if n.lost {
			if c.ctx.Err() == nil && m.index.o.Behind != nil {
				m.index.o.Behind(m.to)
			}
			return
		}
		if n.joined || c.ctx.Err() != nil {
			return
		}
		for _, e := range n.list {
			c.place = e.Event.Sequence
			if !c.sends(m.index, e.Event) {
				continue
			}
			if m.to.Offer(c.ctx, e.Frame) != nil {
				return // it is not wanted any more, or the client has gone
			}
			m.index.replayed.Add(1)
		}
		c.place = max(c.place, n.upTo)
		c.read = c.read && (n.whole || n.upTo > 0) // else there is another page
	}
}

// sends tells whether the client shall have an event: what has happened since
// it asked is not late for it.
func (c *catching) sends(x *Index, e *event.Event) bool {
	now := time.Now()
	if c.state {
		return true
	}
	if e.Sequence > c.live {
		return !x.outdated(e, now)
	}
	return c.replays(x, e, now)
}

// A batch is what is next for a client.
type batch struct {
	list   []*journal.Entry[*signalr.Frame] // with frames
	upTo   uint64                           // nothing else lies up to it
	whole  bool                             // if not, it is in the store up to upTo
	joined bool                             // nothing is left
	lost   bool                             // it is not to be had any more
}

// some is how many events are taken out of the log at once.
const some = 64

// next is what is next for the client; when nothing is left, the pair is joined.
func (m *Member) next(c *catching) (n batch) {
	o := m.org
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case c.ctx.Err() != nil:
		return batch{whole: true}
	case c.wiped != o.wiped:
		return batch{whole: true, lost: true}
	case c.state:
		e, ok := o.log.State(c.Pair)
		if last := o.log.Last(c.Pair); !ok && (last > c.place || last == 0 && c.asked == 0) {
			c.asked++
			return batch{upTo: maxSequence, lost: c.asked > mostAsked}
		}
		if e != nil && e.Event.Sequence > c.place {
			n.list = append(n.list, e)
		}
	case c.read && o.log.Last(c.Pair) <= c.place:
		// Nothing has happened since it was read; the log may have no room to
		// say so of the whole stream.
	case !o.log.Reaches(c.Pair, c.place):
		c.read = true
		return batch{upTo: o.log.Oldest()}
	default:
		n.list, _ = o.log.Since(nil, c.Pair, c.place)
		n.list = n.list[:min(len(n.list), some)]
	}
	n.whole = true
	if len(n.list) == 0 {
		m.forgo(c)
		m.enter(c.Pair).skip(m, c.place, o.log.Last(c.Pair))
		n.joined = true
	}
	for _, e := range n.list {
		m.index.frame(e)
	}
	return n
}

// readPause is how long a store that cannot be read is left alone.
const readPause = time.Second

// page reads what is next from the store, up to a place: the log remembers
// everything behind that. It returns up to where that is all; lost tells that the
// store has forgotten what is next.
func (m *Member) page(c *catching, upTo uint64) (list []*journal.Entry[*signalr.Frame], all uint64, lost bool) {
	for {
		m.index.fetched.Add(1)
		events, whole, more, err := m.index.o.Store.Read(c.ctx, m.topic(c.Pair), c.place, upTo, page)
		switch {
		case err != nil:
			select {
			case <-time.After(readPause):
				continue
			case <-c.ctx.Done():
				return nil, 0, false
			}
		case !whole:
			return nil, 0, true
		case len(events) > 0:
			c.asked = 0
		}
		for _, e := range events {
			list = append(list, &journal.Entry[*signalr.Frame]{Event: e, Frame: m.index.push(e)})
		}
		if more || c.state {
			upTo = 0
		}
		return list, upTo, false
	}
}
