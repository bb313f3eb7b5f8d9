package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// known are ids of events that were stored before this process started, which
// the server has forgotten while nobody was there to ask: it counts the dedupe
// window by the clock, and a producer that got no answer waits for the node to
// come back, however long that takes. So the time the node was away does not
// count. Only Events has them: State keeps no older messages, and is settled by
// [recent]. The zero value knows nothing. Guarded by lanes.mu.
type known struct {
	until     time.Time
	sequences map[string]uint64 // by message id
}

const (
	// mostKnown bounds what is read at the start, in messages.
	mostKnown = 200_000
	// knownWait bounds how long that may take.
	knownWait = 5 * time.Second
)

// find is the sequence of an item that was stored before.
func (k *known) find(it *item) (sequence uint64, ok bool) {
	if k.sequences == nil || it.stream.lane != EventLane {
		return 0, false
	}
	if time.Now().After(k.until) {
		k.sequences = nil
		return 0, false
	}
	sequence, ok = k.sequences[it.messageID]
	return sequence, ok
}

// learn reads the ids of the last window before the store fell silent. That it
// cannot is no reason not to start.
func (b *Bus) learn(ctx context.Context, window time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, knownWait)
	defer cancel()
	ids := map[string]uint64{}
	for _, s := range b.streams[EventLane] {
		if err := s.learn(ctx, window, ids); err != nil {
			b.log.Warn("ids of earlier events cannot be read; what is sent again may be stored twice", "err", err)
		}
	}
	if len(ids) == 0 {
		return
	}
	b.lanes.mu.Lock()
	defer b.lanes.mu.Unlock()
	b.lanes.known = known{until: time.Now().Add(window), sequences: ids}
}

func (s *stream) learn(ctx context.Context, window time.Duration, ids map[string]uint64) error {
	state := s.handle.CachedInfo().State
	begin, end := state.LastTime.Add(-window), time.Now().Add(-window) // from there on the server knows them
	if state.Msgs == 0 || !begin.Before(end) {
		return nil
	}
	c, err := s.handle.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		HeadersOnly: true, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &begin,
	})
	if err != nil {
		return fmt.Errorf("read stream %s: %w", s.name, err)
	}
	messages, err := c.Messages()
	if err != nil {
		return fmt.Errorf("read stream %s: %w", s.name, err)
	}
	defer messages.Stop()
	for len(ids) < mostKnown {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("read stream %s: %w", s.name, err)
		}
		about, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read stream %s: %w", s.name, err)
		}
		if about.Timestamp.After(end) {
			return nil
		}
		if id := m.Headers().Get(headerMsgID); id != "" {
			ids[id] = about.Sequence.Stream
		}
		if about.Sequence.Stream >= state.LastSeq {
			return nil
		}
	}
	return nil
}
