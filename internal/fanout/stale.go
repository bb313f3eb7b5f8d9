package fanout

import (
	"maps"
	"slices"
	"time"

	"rte/internal/derive"
	"rte/internal/event"
	"rte/signalr"
)

// What is stale, and who is told. A node sees every state of an organization with
// clients here, whoever owns the partition, so it can tell its clients by itself:
// under the organization's lock, between the values.

// stalePause is how often it is looked for states that have become stale.
const stalePause = time.Second

// noticeBytes is about what a notice takes.
const noticeBytes = 350

// hearkens tells whether clients can be told of anything.
func (x *Index) hearkens() bool { return len(x.o.Promised) > 0 && x.o.Stale != nil }

// watch begins to look for what becomes stale.
func (o *organization) watch() {
	if o.fresh != nil {
		o.looks = time.AfterFunc(stalePause, o.look)
	}
}

// unwatch ends that. The caller holds the lock.
func (o *organization) unwatch() {
	if o.looks != nil {
		o.looks.Stop()
		o.looks = nil
	}
	if o.fresh != nil {
		o.fresh.Close()
	}
}

// look finds what has become stale, and tells who still has to be told of
// something.
func (o *organization) look() {
	for again := true; again; {
		again = o.tick()
	}
}

// tick is one step of look; more tells whether there is another. The lock is
// given back between two: thousands of states may become stale together.
func (o *organization) tick() (more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.looks == nil {
		return false
	}
	changes := o.fresh.Tick(time.Now(), nil)
	for _, s := range changes {
		o.announce(s)
	}
	if len(changes) == derive.MostChanges {
		return true
	}
	for m := range o.debtors {
		m.pay()
	}
	o.looks.Reset(stalePause)
	return false
}

// hear notes that a state has come. The caller holds the lock.
func (o *organization) hear(e *event.Event) {
	if o.fresh == nil {
		return
	}
	for _, s := range o.fresh.Hear(e, nil) {
		o.announce(s)
	}
}

// announce tells a topic's members that asked. The caller holds the lock.
func (o *organization) announce(s derive.Staleness) {
	t := o.topics[s.Topic.Pair]
	if t == nil {
		return
	}
	w := word{Staleness: s}
	for _, member := range t.members {
		if m := member.member; m.notices {
			m.tell(&w, !s.Stale)
		}
	}
}

// A word is how a topic stands, and the frame that says so, made once for all.
type word struct {
	derive.Staleness
	frame *signalr.Frame
}

func (m *Member) say(w *word) {
	if w.frame == nil {
		w.frame = m.index.o.Stale(w.Staleness)
	}
	m.to.Send(w.frame)
}

// tell tells a member how a topic stands, or notes that it is to be told when it
// has taken what waits for it: one silent source may concern all its pairs. told
// is what it knows. The caller holds the organization's lock.
func (m *Member) tell(w *word, told bool) {
	if _, owed := m.owed[w.Topic.Pair]; owed {
		return
	}
	if len(m.owed) == 0 && m.to.Room() >= noticeBytes {
		m.say(w)
		return
	}
	if m.owed == nil {
		m.owed = map[event.Pair]bool{}
		if m.org.debtors == nil {
			m.org.debtors = map[*Member]struct{}{}
		}
		m.org.debtors[m] = struct{}{}
	}
	m.owed[w.Topic.Pair] = told
}

// pay tells a member what it has to be told, as far as there is room. The caller
// holds the organization's lock.
func (m *Member) pay() {
	for p, told := range m.owed {
		if s := m.org.fresh.Of(m.topic(p)); s.Stale != told {
			if m.to.Room() < noticeBytes {
				return
			}
			m.say(&word{Staleness: s})
		}
		m.acquit(p)
	}
}

// acquit forgets that a member has to be told of a pair. The caller holds the
// organization's lock.
func (m *Member) acquit(p event.Pair) {
	delete(m.owed, p)
	if len(m.owed) == 0 && m.owed != nil {
		m.owed = nil
		delete(m.org.debtors, m)
	}
}

// joined tells a member of a pair that is stale already. The caller holds the
// organization's lock.
func (m *Member) joined(p event.Pair) {
	if !m.notices || m.org.fresh == nil {
		return
	}
	if s := m.org.fresh.Of(m.topic(p)); s.Stale {
		m.tell(&word{Staleness: s}, false)
	}
}

// Notices says whether the client wants to be told when pairs of it become stale,
// and when they are so no more. It is told at once of those that are.
func (m *Member) Notices(on bool) {
	m.org.mu.Lock()
	defer m.org.mu.Unlock()
	was := m.notices
	m.notices = on
	switch {
	case !on:
		for _, p := range slices.Collect(maps.Keys(m.owed)) {
			m.acquit(p)
		}
	case !was:
		for _, l := range m.links {
			m.joined(l.topic.pair)
		}
	}
}
