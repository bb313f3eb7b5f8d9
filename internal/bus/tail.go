package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rte/internal/event"
)

// Partitions is the number of partitions of the store. Every organization
// lives in one.
const Partitions = partitions

// A Tail is where to begin to read one of a partition's streams.
type Tail struct {
	Partition int
	Lane      Lane

	// After is the sequence number behind which to begin, of the event lane. One
	// that the stream has not reached means that it was made anew: all of it is
	// read. The state lane always begins with the newest of each pair.
	After uint64

	// Kinds are the events to be read; none: all of the lane.
	Kinds []event.Kind
}

// tailPause is the time between two tries to read on.
const tailPause = 500 * time.Millisecond

// Tail gives sink every event of a partition's stream, of all organizations,
// in the order of the store: what is there, then what is stored from then on,
// until ctx ends or sink returns an error, which is then returned. caught is
// called, by the same goroutine, once all that was there has been given. It is
// for the partition's owner: one consumer, where organizations that are followed
// one by one would be many. States that are replaced before they were read are
// left out. While the store is away it waits.
func (b *Bus) Tail(ctx context.Context, t Tail, sink event.Sink, caught func()) error {
	s := b.streams[t.Lane][t.Partition]
	r := &tailReader{bus: b, stream: s, sink: sink, caught: caught, at: t.After}
	for _, k := range t.Kinds {
		r.subjects = append(r.subjects, s.subjects+"*."+b.catalog.Type(k).Key+".*")
	}
	for ctx.Err() == nil {
		err := r.read(ctx)
		if r.err != nil {
			return r.err
		}
		if b.conn.IsClosed() {
			return errClosed
		}
		if ctx.Err() == nil {
			b.log.Warn("cannot read a partition yet", "topic", s.name, "seq", r.at, "err", err)
			pause := time.NewTimer(tailPause)
			select {
			case <-ctx.Done():
			case <-pause.C:
			}
			pause.Stop()
		}
	}
	return context.Cause(ctx)
}

// A tailReader reads a stream, consumer after consumer.
type tailReader struct {
	bus      *Bus
	stream   *stream
	subjects []string
	sink     event.Sink
	caught   func() // nil: it has been called
	at       uint64 // the sequence number read last
	began    bool   // something was read: the state lane goes on behind it, too
	err      error  // of sink
}

// read reads until something fails.
func (r *tailReader) read(ctx context.Context) error {
	if !r.began {
		info, err := r.stream.handle.Info(ctx)
		if err != nil {
			return err
		}
		if info.State.LastSeq < r.at {
			r.at = 0
		}
	}
	c := jetstream.OrderedConsumerConfig{FilterSubjects: r.subjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: r.at + 1}
	if r.stream.lane == StateLane && !r.began {
		c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverLastPerSubjectPolicy, 0
	}
	consumer, err := r.bus.js.OrderedConsumer(ctx, r.stream.name, c)
	if err != nil {
		return err
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return err
	}
	if info.NumPending == 0 {
		r.done()
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(1000), jetstream.PullExpiry(30*time.Second))
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, messages.Stop)()
	defer messages.Stop()
	for {
		m, err := messages.Next()
		if err != nil {
			if errors.Is(err, jetstream.ErrMsgIteratorClosed) && ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
		if err := r.give(ctx, m); err != nil {
			return err
		}
	}
}

// give hands one message on.
func (r *tailReader) give(ctx context.Context, m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	if meta.Sequence.Stream > r.at || !r.began {
		r.at, r.began = meta.Sequence.Stream, true
		e, err := r.event(m, meta)
		if err != nil {
			r.bus.unreadable.Add(1)
			r.bus.log.Warn("message left out", "topic", m.Subject(), "seq", meta.Sequence.Stream, "err", err)
		} else if r.err = r.sink(ctx, e); r.err != nil {
			return r.err
		}
	}
	if meta.NumPending == 0 {
		r.done()
	}
	return nil
}

func (r *tailReader) done() {
	if r.caught != nil {
		r.caught()
		r.caught = nil
	}
}

func (r *tailReader) event(m jetstream.Msg, meta *jetstream.MsgMetadata) (*event.Event, error) {
	t, err := r.stream.topic(r.bus.catalog, m.Subject())
	if err != nil {
		return nil, err
	}
	h := m.Headers()
	if h == nil {
		h = nats.Header{}
	}
	h[headerSequence] = []string{strconv.FormatUint(meta.Sequence.Stream, 10)}
	h[headerStamp] = []string{meta.Timestamp.UTC().Format(time.RFC3339Nano)}
	read, err := readMessage(r.stream, t, &nats.Msg{Header: h, Data: m.Data()})
	return read.event, err
}

// topic is the topic whose events are published on a subject.
func (s *stream) topic(cat *event.Catalog, subject string) (t event.Topic, err error) {
	rest, ok := strings.CutPrefix(subject, s.subjects)
	parts := strings.Split(rest, ".")
	if !ok || len(parts) != 3 {
		return t, fmt.Errorf("%w: subject", errMessage)
	}
	typ, ok := cat.Lookup(parts[1])
	if !ok {
		return t, fmt.Errorf("%w: event name", errMessage)
	}
	t.Kind = typ.Kind
	if t.Org, err = event.ParseGUID(parts[0]); err != nil {
		return t, fmt.Errorf("%w: organization", errMessage)
	}
	if t.Entity, err = event.ParseGUID(parts[2]); err != nil {
		return t, fmt.Errorf("%w: entity", errMessage)
	}
	return t, nil
}

// PartitionFor is the partition in which an organization lives.
func PartitionFor(org event.GUID) int { return partitionOf(org, partitions) }
