package bus

import (
	"context"
	"time"
)

// Figures of the lookout.
const (
	// lookEvery is how often each stream's leader is asked, for the whole bus.
	lookEvery = time.Second
	// A leader that was deposed and does not know it yet has fewer messages;
	// a store that has lost some goes on having fewer. So it is believed after
	// so many looks in a row, where there is one server and where there are more.
	lessAlone, lessMany = 2, 30
)

// A lookout watches one stream: a new leader may have swallowed live messages, a
// stream may have been wiped, and a store inside may hold what was never
// answered. It belongs to the goroutine of lookOut.
type lookout struct {
	was  look   // the last one; zero before the first
	most uint64 // the highest last sequence so far
	less int    // looks in a row that were below it
}

// lookOut is the goroutine of all lookouts; it ends with the bus's life.
func (b *Bus) lookOut() {
	outs := map[*stream]*lookout{}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-b.life.Done():
			return
		case <-tick.C:
		}
		for _, lane := range b.streams {
			for _, s := range lane {
				now, err := b.look(b.life, s)
				if b.feeds == nil && b.life.Err() == nil {
					b.word.note(s, err == nil && now.led)
				}
				if err != nil {
					continue // whoever reads or publishes tells
				}
				if outs[s] == nil {
					outs[s] = &lookout{was: now}
				}
				b.compare(s, outs[s], now)
			}
		}
	}
}

// compare finds out what has happened to a stream since the last look.
func (b *Bus) compare(s *stream, o *lookout, now look) {
	was := o.was
	o.was = now
	s.replicas.Store(int32(now.replicas))
	if b.feeds != nil {
		b.lanes.heard(s, min(was.last, now.last))
		return // nothing else can happen inside; see mended
	}
	if now.last >= o.most {
		o.most, o.less = now.last, 0
	} else {
		o.less++
	}
	enough := lessMany
	if s.alone() {
		enough = lessAlone
	}
	switch id := identity(s.name, now.created); {
	case s.identity.Load() != id:
		b.log.Error("the store was wiped: what it had is gone and cursors of it are void", "stream", s.name)
		o.most, o.less = now.last, 0
		s.identity.Store(id)
		b.restart(s, 0, now.created)
	case o.less >= enough:
		b.log.Error("the store has lost its newest events", "stream", s.name, "had", o.most, "has", now.last)
		o.most, o.less = now.last, 0
		b.restart(s, now.last, now.now)
	case was.leader != now.leader:
		b.log.Info("a stream has another leader, live messages may be missing", "stream", s.name, "node", now.leader)
		b.suspectAll()
	}
}

// suspectAll lets every flow be checked.
func (b *Bus) suspectAll() {
	for _, f := range b.allFlows() {
		f.suspect()
	}
}

// restart lets the flows of a stream begin anew behind a place. What was stored
// since then they know already.
func (b *Bus) restart(s *stream, at uint64, since time.Time) {
	for _, f := range b.allFlows() {
		f.mu.Lock()
		if l := &f.lanes[s.lane]; l.stream == s {
			l.restart(at, since)
			if s.lane == EventLane {
				f.oldest.Store(at)
			}
		}
		f.mu.Unlock()
		f.suspect()
	}
}

// mended looks at a store inside that was opened again: what it has lost is
// not to be taken for heard. In a cluster the others have it all.
func (b *Bus) mended(ctx context.Context) error {
	if b.feeds == nil {
		b.suspectAll()
		return nil
	}
	for _, lane := range b.streams {
		for _, s := range lane {
			now, err := b.look(ctx, s)
			if err != nil {
				return err
			}
			if had := b.lanes.newest(s); had > now.last {
				b.log.Error("the store has lost its newest events", "stream", s.name, "had", had, "has", now.last)
				b.lanes.rewind(s, now.last)
				b.restart(s, now.last, now.now)
			}
		}
	}
	return nil
}
