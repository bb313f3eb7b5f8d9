package bus

import (
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"rte/internal/event"
)

// tapMost is how many messages may wait in a tap. What is over is left out: who
// reads sees that by the numbers, and has the store.
const tapMost = 1024

// A tap brings what is stored in a stream, of all organizations, in the order of
// the store, while there is room for it. One of its channels is used.
type tap struct {
	inside chan stored    // what this process has stored; without an event where nobody wants it
	live   chan *nats.Msg // of servers outside or of a cluster
	wanted []bool         // by kind; nil: all
	close  func()
}

// openTap begins to listen.
func (b *Bus) openTap(s *stream, wanted []bool) (*tap, error) {
	t := &tap{wanted: wanted}
	if b.feeds != nil {
		t.inside = make(chan stored, tapMost)
		b.feeds.addTap(s, t)
		t.close = func() { b.feeds.removeTap(s, t) }
		return t, nil
	}
	t.live = make(chan *nats.Msg, tapMost)
	var all []*nats.Subscription
	t.close = func() {
		for _, sub := range all {
			_ = sub.Unsubscribe() // an error means that the connection is closed
		}
	}
	for _, typ := range b.catalog.Events {
		if typ.Keeps() != (s.lane == StateLane) {
			continue
		}
		// All of them, though some are not wanted: their numbers show that
		// nothing is missing.
		sub, err := b.conn.ChanSubscribe("rte.live."+strconv.Itoa(int(s.partition))+".*."+typ.Key+".*", t.live)
		if err != nil {
			t.close()
			return nil, fmt.Errorf("%w: %w", event.ErrUnavailable, err)
		}
		all = append(all, sub)
	}
	// Until the server knows of them, it drops what it stores; the first check
	// finds that, should this fail.
	if err := b.conn.FlushTimeout(subscribeWait); err != nil {
		b.log.Warn("a partition is not heard yet", "topic", s.name, "err", err)
	}
	return t, nil
}

// push takes what this process has stored. It never blocks.
func (t *tap) push(one stored) {
	select {
	case t.inside <- one:
	default:
	}
}

func (t *tap) wants(k event.Kind) bool { return t.wanted == nil || t.wanted[k] }

func (t *tap) empty() bool { return len(t.inside) == 0 && len(t.live) == 0 }

// readTapped makes the event of a live message; false if it is none of the
// stream's, or cannot be read.
func (b *Bus) readTapped(s *stream, m *nats.Msg) (stored, bool) {
	if header(m, headerStream) != s.name {
		return stored{}, false
	}
	// The live subject differs from the stored one in its first words only.
	prefix := "rte.live." + strconv.Itoa(int(s.partition)) + "."
	if len(m.Subject) < len(prefix) {
		return stored{}, false
	}
	t, err := b.topicIn(s, m.Subject[len(prefix):])
	if err != nil {
		return stored{}, false // what is read from the store instead is counted there
	}
	one, err := readMessage(s, t, m)
	return one, err == nil && (b.lossy == nil || !b.lossy(one.event))
}
