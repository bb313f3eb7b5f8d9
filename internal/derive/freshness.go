package derive

import (
	"sync/atomic"
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
	room     *Room
}

// A Room bounds how many topics several Freshness follow together; those beyond
// are never stale. Make it with NewRoom; it is safe for concurrent use.
type Room struct {
	most                     int64
	followed, stale, refused atomic.Int64
}

// NewRoom has a bound; 0: a million.
func NewRoom(most int) *Room {
	if most <= 0 {
		most = defaultTopics
	}
	return &Room{most: int64(most)}
}

// RoomStats are figures of a Room.
type RoomStats struct {
	Followed int    // topics
	Stale    int    // of these
	Refused  uint64 // events of topics beyond the bound
}

// Stats are its figures.
func (r *Room) Stats() RoomStats {
	return RoomStats{int(r.followed.Load()), int(r.stale.Load()), uint64(r.refused.Load())}
}

// enter takes a place, if there is one.
func (r *Room) enter() bool {
	if r.followed.Add(1) > r.most {
		r.followed.Add(-1)
		r.refused.Add(1)
		return false
	}
	return true
}

// A Staleness says how a topic stands: it is stale, or not.
type Staleness struct {
	Topic    event.Topic
	Stale    bool
	Heard    time.Time     // when its source said it last; zero: never
	Promised time.Duration // by when it should say it again
}

const (
	defaultTopics = 1_000_000
	// MostChanges is how many topics become stale by one tick, at most.
	MostChanges = 1000
)

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
// state; topics of other kinds are never stale.
func NewFreshness(promised map[event.Kind]time.Duration, room *Room) *Freshness {
	f := &Freshness{promised: map[event.Kind]moment{}, topics: map[event.Topic]*silence{}, room: room}
	for k, age := range promised {
		if age > 0 {
			f.promised[k] = span(age)
		}
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
		if !f.room.enter() {
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
		f.room.stale.Add(-1)
		s.wake = s.heard + age
		f.wakes.set(s)
		changes = append(changes, f.say(s))
	}
	return changes
}

// Tick says what time it is, and appends what has become stale, at most
// MostChanges; then it is to be asked again.
func (f *Freshness) Tick(now time.Time, changes []Staleness) []Staleness {
	is, most := momentOf(now), len(changes)+MostChanges
	for s, ok := f.wakes.next(is); ok && len(changes) < most; s, ok = f.wakes.next(is) {
		s.wake = s.heard + f.promised[s.topic.Kind]
		if s.wake > is {
			f.wakes.set(s)
			continue
		}
		s.stale = true
		f.room.stale.Add(1)
		s.wake = s.heard + 1 // anything newer ends it
		f.wakes.remove(s)
		changes = append(changes, f.say(s))
	}
	return changes
}

// Of says how a topic stands, for a client that comes later.
func (f *Freshness) Of(t event.Topic) Staleness {
	if s := f.topics[t]; s != nil {
		return f.say(s)
	}
	return Staleness{Topic: t}
}

// Close forgets everything and gives the room back.
func (f *Freshness) Close() {
	for _, s := range f.topics {
		if s.stale {
			f.room.stale.Add(-1)
		}
	}
	f.room.followed.Add(-int64(len(f.topics)))
	f.topics, f.wakes = map[event.Topic]*silence{}, nil
}

func (f *Freshness) say(s *silence) Staleness {
	age := time.Duration(f.promised[s.topic.Kind]) * time.Microsecond
	return Staleness{s.topic, s.stale, s.heard.time(), age}
}
