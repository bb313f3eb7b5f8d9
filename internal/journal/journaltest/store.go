// Package journaltest is a store in memory, for tests of what stands on a
// journal: it keeps every promise of journal.Store, and lets a test say when
// it forgets, fails, or is late.
package journaltest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rte/internal/event"
	"rte/internal/journal"
)

// A Store is a journal.Store in memory. Safe for concurrent use.
type Store struct {
	cat *event.Catalog

	mu     sync.Mutex
	name   string                            // of this store; another one after Wipe
	states map[event.Topic]*event.Event      // newest values
	others []*event.Event                    // from first on
	first  uint64                            // number of the oldest event that is kept
	next   [2]uint64                         // numbers, by whether it is a state
	flows  map[event.GUID]map[*flow]struct{} // by organization
	err    error                             // of every call
	reads  int
	began  int           // flows, ever
	gate   chan struct{} // not nil: flows wait
}

// New makes an empty store.
func New(cat *event.Catalog) *Store {
	return &Store{cat: cat, name: "a", states: map[event.Topic]*event.Event{}, first: 1, flows: map[event.GUID]map[*flow]struct{}{}}
}

func lane(state bool) int {
	if state {
		return 1
	}
	return 0
}

func (s *Store) keeps(k event.Kind) bool { return s.cat.Type(k).Keeps() }

// Publish stores an event and gives it to who follows its organization, before
// it returns unless flows are held. It fills in Sequence, and where they are
// zero Cursor, Stored and Time.
func (s *Store) Publish(e *event.Event) {
	s.mu.Lock()
	state := s.keeps(e.Kind)
	s.next[lane(state)]++
	e.Sequence = s.next[lane(state)]
	if e.Cursor == "" {
		e.Cursor = s.cursor(state, e.Sequence)
	}
	if e.Stored.IsZero() {
		e.Stored = time.Now().UTC()
	}
	if e.Time.IsZero() {
		e.Time = e.Stored
	}
	if state {
		s.states[e.Topic] = e
	} else {
		s.others = append(s.others, e)
	}
	flows := make([]*flow, 0, 1)
	for f := range s.flows[e.Org] {
		f.push(e)
		flows = append(flows, f)
	}
	held := s.gate != nil
	s.mu.Unlock()
	if held {
		return
	}
	for _, f := range flows {
		f.drain()
	}
}

// Stray gives an event to who follows an organization, whatever organization
// the event is of: no store does that.
func (s *Store) Stray(to event.GUID, e *event.Event) {
	s.mu.Lock()
	s.next[lane(s.keeps(e.Kind))]++
	e.Sequence, e.Stored = s.next[lane(s.keeps(e.Kind))], time.Now().UTC()
	var flows []*flow
	for f := range s.flows[to] {
		f.push(e)
		flows = append(flows, f)
	}
	s.mu.Unlock()
	for _, f := range flows {
		f.drain()
	}
}

// Hold lets what is published wait before it is heard; the store has it.
func (s *Store) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = make(chan struct{})
}

// Release ends Hold, and gives out what has waited.
func (s *Store) Release() {
	s.mu.Lock()
	s.gate = nil
	var flows []*flow
	for _, of := range s.flows {
		for f := range of {
			flows = append(flows, f)
		}
	}
	s.mu.Unlock()
	for _, f := range flows {
		f.drain()
	}
}

// Forget drops all events that are no states and were stored before t.
func (s *Store) Forget(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(s.others) && s.others[n].Stored.Before(t) {
		s.first = s.others[n].Sequence + 1
		n++
	}
	s.others = slices.Delete(s.others, 0, n)
}

// Fail lets every call fail with err; nil ends that.
func (s *Store) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Reads is how often Read was called.
func (s *Store) Reads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// Flows is how many flows there are now, and how many there ever were.
func (s *Store) Flows() (now, ever int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range s.flows {
		now += len(of)
	}
	return now, s.began
}

func (s *Store) cursor(state bool, sequence uint64) string {
	return fmt.Sprintf("%s%d.%d", s.name, lane(state), sequence)
}

// Place reads a cursor (journal.Store).
func (s *Store) Place(t event.Topic, cursor string) (sequence uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest, ok := strings.CutPrefix(cursor, fmt.Sprintf("%s%d.", s.name, lane(s.keeps(t.Kind))))
	if !ok {
		return 0, false
	}
	_, err := fmt.Sscanf(rest+"\n", "%d\n", &sequence)
	return sequence, err == nil
}

// CursorAt writes a cursor (journal.Store).
func (s *Store) CursorAt(t event.Topic, sequence uint64) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursor(s.keeps(t.Kind), sequence)
}

// Read is what the store has (journal.Store).
func (s *Store) Read(ctx context.Context, t event.Topic, after, upTo uint64, most int) (events []*event.Event, whole, more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if err := ctx.Err(); err != nil {
		return nil, false, false, err
	}
	if s.err != nil {
		return nil, false, false, s.err
	}
	if s.keeps(t.Kind) {
		if e := s.states[t]; e != nil && e.Sequence > after && e.Sequence <= upTo {
			events = append(events, e)
		}
		return events, true, false, nil
	}
	for _, e := range s.others {
		if e.Topic != t || e.Sequence <= after || e.Sequence > upTo {
			continue
		}
		if len(events) == most {
			return events, after+1 >= s.first, true, nil
		}
		events = append(events, e)
	}
	return events, after+1 >= s.first, false, nil
}

// Follow gives an organization's events to sink (journal.Store).
func (s *Store) Follow(_ context.Context, org event.GUID, window time.Duration, sink event.Sink) (journal.Flow, error) {
	s.mu.Lock()
	if s.err != nil {
		defer s.mu.Unlock()
		return nil, s.err
	}
	f := &flow{store: s, org: org, sink: sink, oldest: s.first - 1}
	for t, e := range s.states {
		if t.Org == org {
			f.push(e)
		}
	}
	for _, e := range s.others {
		switch {
		case time.Since(e.Stored) > window:
			f.oldest = e.Sequence
		case e.Org == org:
			f.push(e)
		}
	}
	f.floor = s.next
	if s.flows[org] == nil {
		s.flows[org] = map[*flow]struct{}{}
	}
	s.flows[org][f] = struct{}{}
	s.began++
	s.mu.Unlock()
	f.drain()
	return f, nil
}
