package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"rte/internal/event"
)

// Pauses between two tries to read, doubled each time.
const (
	againPause = 10 * time.Millisecond
	mostPause  = 500 * time.Millisecond
	// patience is how many answers may be behind before the leader is asked.
	patience = 4
)

// ordered reads the events of a stream on a filter, oldest first, from a
// sequence number on: some, or all that there are; nothing lies between them.
// They end before next, where to go on. whole tells that everything up to upTo
// has been given. It tries until ctx ends; its errors wrap
// [event.ErrUnavailable].
func (b *Bus) ordered(ctx context.Context, g *getter, s *stream, r reading) (list []stored, next uint64, whole bool, err error) {
	messages, next, whole, err := b.orderedMessages(ctx, g, s, r)
	if err != nil {
		return nil, 0, false, err
	}
	list, _ = b.readAll(s, r.org, messages)
	return list, next, whole, nil
}

// orderedMessages is ordered for whatever the messages are.
//
// A replica that is behind has no end, only its own: unless it gives a message
// at or behind upTo, the leader must say that there is none.
func (b *Bus) orderedMessages(ctx context.Context, g *getter, s *stream, r reading) (list []*nats.Msg, next uint64, whole bool, err error) {
	for n := 0; ; n++ {
		got, err := g.get(ctx, s, getRequest{Next: r.filter, Seq: max(r.from, 1), Batch: r.batch(), MaxBytes: batchBytes}, n)
		if err != nil {
			if err := b.pause(ctx, n, err); err != nil {
				return nil, 0, false, err
			}
			continue
		}
		list, last := got.messages, lastSequence(got.messages)
		next = max(r.from, last+1)
		if last >= r.upTo || got.more {
			return list, next, last >= r.upTo, nil
		}
		if s.alone() {
			return list, next, true, nil // that was the leader
		}
		newest, found, err := b.leaderGet(ctx, s, getRequest{Last: r.filter, NoHeaders: true})
		switch {
		case err == nil && (!found || newest.Sequence < next):
			return list, next, true, nil
		case err == nil && len(got.messages) > 0:
			return list, next, false, nil
		case err == nil && n >= patience:
			return b.fromLeader(ctx, s, r)
		}
		if err := b.pause(ctx, n, err); err != nil {
			return nil, 0, false, err
		}
	}
}

// lastSequence is that of the last message of an answer, 0 if there is none.
func lastSequence(messages []*nats.Msg) (sequence uint64) {
	if n := len(messages); n > 0 {
		sequence, _ = strconv.ParseUint(header(messages[n-1], headerSequence), 10, 64)
	}
	return sequence
}

// A reading says what is to be read in order.
type reading struct {
	org        event.GUID // whose; the zero one: each message's subject says it
	filter     string
	from, upTo uint64
	most       int // messages at a time; 0 means as many as fit
}

func (r *reading) batch() int {
	if r.most > 0 {
		return min(r.most, batchMessages)
	}
	return batchMessages
}

// fromLeader reads one message from the leader.
func (b *Bus) fromLeader(ctx context.Context, s *stream, r reading) (list []*nats.Msg, next uint64, whole bool, err error) {
	m, found, err := b.leaderGet(ctx, s, getRequest{Next: r.filter, Seq: max(r.from, 1)})
	if err != nil || !found {
		return nil, r.from, err == nil, err
	}
	h := nats.Header{}
	if len(m.Header) > 0 {
		if h, err = nats.DecodeHeadersMsg(m.Header); err != nil {
			h = nats.Header{} // another program's; the event has the store's time
		}
	}
	h[headerSubject], h[headerSequence] = []string{m.Subject}, []string{strconv.FormatUint(m.Sequence, 10)}
	h[headerStamp] = []string{m.Time.Format(time.RFC3339Nano)}
	return []*nats.Msg{{Header: h, Data: m.Data}}, m.Sequence + 1, m.Sequence >= r.upTo, nil
}

// pause waits before another try; its error tells why there is none.
func (b *Bus) pause(ctx context.Context, n int, why error) error {
	if why != nil && !errors.Is(why, event.ErrUnavailable) {
		return why
	}
	select {
	case <-ctx.Done():
		if why == nil {
			why = errBehind
		}
		return fmt.Errorf("%w: %w", why, context.Cause(ctx))
	case <-time.After(min(againPause<<min(n, 10), mostPause)):
		return nil
	}
}

var errBehind = fmt.Errorf("%w: the replicas are behind", event.ErrUnavailable)

// readAll makes the events of an answer's messages. What is no event of the
// catalogue is counted and left out. last is the last one's sequence, 0 if
// there are none.
func (b *Bus) readAll(s *stream, org event.GUID, messages []*nats.Msg) (list []stored, last uint64) {
	list = make([]stored, 0, len(messages))
	for _, m := range messages {
		r, err := b.readStored(s, org, m)
		if err != nil {
			b.unreadable.Add(1)
			b.log.Warn("stored message left out", "org", org, "reason", "unreadable", "err", err)
			continue
		}
		list = append(list, r)
	}
	return list, lastSequence(messages)
}

// readStored makes the event of a message that the store has given.
func (b *Bus) readStored(s *stream, org event.GUID, m *nats.Msg) (stored, error) {
	rest, ok := strings.CutPrefix(header(m, headerSubject), s.subjects)
	if !ok || len(rest) < guidLength+1 {
		return stored{}, fmt.Errorf("%w: subject", errMessage)
	}
	if org.IsZero() {
		t, err := b.topicIn(s, rest)
		if err != nil {
			return stored{}, err
		}
		return b.readAs(s, t, m)
	}
	t, err := b.topicOf(org, rest[guidLength+1:])
	if err != nil {
		return stored{}, err
	}
	return b.readAs(s, t, m)
}

// topicIn reads what stands behind a stream's prefix in a subject.
func (b *Bus) topicIn(s *stream, rest string) (event.Topic, error) {
	if len(rest) < guidLength+1 || rest[guidLength] != '.' {
		return event.Topic{}, fmt.Errorf("%w: subject", errMessage)
	}
	org, err := event.ParseGUID(rest[:guidLength])
	if err != nil || partitionOf(org, partitions) != int(s.partition) {
		return event.Topic{}, fmt.Errorf("%w: organization", errMessage)
	}
	return b.topicOf(org, rest[guidLength+1:])
}

// readAs makes the event of a topic.
func (b *Bus) readAs(s *stream, t event.Topic, m *nats.Msg) (stored, error) {
	if b.streamOf(t) != s {
		return stored{}, fmt.Errorf("%w: an event of the other stream", errMessage)
	}
	r, err := readMessage(s, t, m)
	r.last = 0 // here the header means another thing: the one before it in the answer
	return r, err
}

// guidLength is that of a Guid as subjects spell it.
const guidLength = 36

// topicOf reads what stands behind the organization in a subject.
func (b *Bus) topicOf(org event.GUID, pair string) (event.Topic, error) {
	key, id, _ := strings.Cut(pair, ".")
	typ, ok := b.catalog.Lookup(key)
	if !ok {
		return event.Topic{}, fmt.Errorf("%w: event name", errMessage)
	}
	entity, err := event.ParseGUID(id)
	if err != nil {
		return event.Topic{}, fmt.Errorf("%w: entity", errMessage)
	}
	return event.Topic{Org: org, Pair: event.Pair{Kind: typ.Kind, Entity: entity}}, nil
}
