package derive

import (
	"time"

	"rte/internal/event"
)

// Freshness tells which states are older than was promised: a state that its
// source repeats now and then may have an age by which it should have been said
// again. Like [Rules] it has no clock. Make it with NewFreshness; it is not safe
// for concurrent use.
type Freshness struct {
	promised map[event.Kind]moment
	topics   map[event.Topic]*silence
	wakes    agenda[*silence]
	most     int
}

// A Staleness is a change: a topic has become stale, or is so no more.
type Staleness struct {
	Topic event.Topic
	Stale bool
	Heard time.Time // when its source said it last
}

// A silence is the time since a topic was heard.
type silence struct {
	topic event.Topic
	heard moment
	wake  moment // when to look next; hearing does not move it
	stale bool
	at    int
}

func (s *silence) due() moment { return s.wake }
func (s *silence) place() *int { return &s.at }
func (s *silence) before(t *silence) bool {
	switch {
	case s.wake != t.wake:
		return s.wake < t.wake
	case s.topic.Kind != t.topic.Kind:
		return s.topic.Kind < t.topic.Kind
	case s.topic.Org != t.topic.Org:
		return compareGUID(s.topic.Org, t.topic.Org) < 0
	}
	return compareGUID(s.topic.Entity, t.topic.Entity) < 0
}

// NewFreshness makes one that has heard nothing. Promised are ages of kinds of
// state; topics of other kinds are never stale. It follows most topics at a
// time, 0: a million; those beyond are never stale.
func NewFreshness(promised map[event.Kind]time.Duration, most int) *Freshness {
	f := &Freshness{promised: map[event.Kind]moment{}, topics: map[event.Topic]*silence{}, most: most}
	for k, age := range promised {
		if age > 0 {
			f.promised[k] = span(age)
		}
	}
	if f.most <= 0 {
		f.most = 1_000_000
	}
	return f
}

// Hear takes a state event, and appends the end of its topic's staleness. What
// counts is when the store took it.
func (f *Freshness) Hear(e *event.Event, changes []Staleness) []Staleness {
	age, ok := f.promised[e.Kind]
	if !ok {
		return changes
	}
	s := f.topics[e.Topic]
	if s == nil {
		if len(f.topics) >= f.most {
			return changes
		}
		s = &silence{topic: e.Topic, heard: stamp(e)}
		s.wake = s.heard + age
		f.topics[e.Topic] = s
		f.wakes.set(s)
		return changes
	}
	s.heard = max(s.heard, stamp(e))
	if s.stale && s.heard >= s.wake {
		s.stale = false
		s.wake = s.heard + age
		f.wakes.set(s)
		changes = append(changes, s.change())
	}
	return changes
}

// Tick says what time it is, and appends what has become stale.
func (f *Freshness) Tick(now time.Time, changes []Staleness) []Staleness {
	is := momentOf(now)
	for s, ok := f.wakes.next(is); ok; s, ok = f.wakes.next(is) {
		s.wake = s.heard + f.promised[s.topic.Kind]
		if s.wake > is {
			f.wakes.set(s)
			continue
		}
		s.stale = true
		s.wake = s.heard + 1 // anything newer ends it
		f.wakes.remove(s)
		changes = append(changes, s.change())
	}
	return changes
}

// Stale tells whether a topic is, for a client that comes later.
func (f *Freshness) Stale(t event.Topic) (heard time.Time, stale bool) {
	if s := f.topics[t]; s != nil && s.stale {
		return s.heard.time(), true
	}
	return time.Time{}, false
}

// Forget drops what is known of an organization that nobody follows any more.
func (f *Freshness) Forget(org event.GUID) {
	for t, s := range f.topics {
		if t.Org == org {
			f.wakes.remove(s)
			delete(f.topics, t)
		}
	}
}

func (s *silence) change() Staleness { return Staleness{s.topic, s.stale, s.heard.time()} }
