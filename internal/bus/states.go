package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rte/internal/event"
)

// States gives take the newest event of each entity of one state event, of all
// organizations, and then each one that is stored: one at a time, an entity's in
// the order of the store. Of several that are stored while the node is away
// only the newest comes. It is for what a node must know of organizations that
// have no client here. It returns when it has begun to read.
//
// stop waits for the last call, so take must not call it; [Bus.Close] does the
// same.
func (b *Bus) States(ctx context.Context, t *event.Type, take func(*event.Event)) (stop func(), err error) {
	if !t.Keeps() {
		return nil, errors.New("states of " + t.Name + ": it is no state event")
	}
	if !b.enlist() {
		return nil, errClosed
	}
	f := &stateReader{bus: b, typ: t, take: take}
	done := make(chan struct{})
	var contexts []jetstream.ConsumeContext
	end := func() {
		for _, c := range contexts {
			c.Stop()
			<-c.Closed()
		}
		close(done)
		b.listeners.Done()
	}
	var once sync.Once
	stop = func() {
		once.Do(end)
		<-done
	}
	for _, s := range b.streams[StateLane] {
		c, err := f.consume(ctx, s)
		if err != nil {
			stop()
			return nil, fmt.Errorf("states of %s: %w: %w", t.Name, event.ErrUnavailable, err)
		}
		contexts = append(contexts, c)
	}
	go func() { // a closed connection ends the consumers, too
		for _, c := range contexts {
			<-c.Closed()
		}
		once.Do(end)
	}()
	return stop, nil
}

// A stateReader reads one event's subjects of the State streams.
type stateReader struct {
	bus  *Bus
	typ  *event.Type
	take func(*event.Event)
	mu   sync.Mutex // one call at a time
}

func (f *stateReader) consume(ctx context.Context, s *stream) (jetstream.ConsumeContext, error) {
	ctx, cancel := context.WithTimeout(ctx, kvWait)
	defer cancel()
	var c jetstream.Consumer
	err := f.bus.patiently(ctx, func(ctx context.Context) (err error) {
		c, err = f.bus.js.OrderedConsumer(ctx, s.name, jetstream.OrderedConsumerConfig{
			FilterSubjects: []string{s.subjects + "*." + f.typ.Key + ".*"}, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.Consume(func(m jetstream.Msg) { f.message(s, m) })
}

// message takes one stored message.
func (f *stateReader) message(s *stream, m jetstream.Msg) {
	e, err := f.read(s, m)
	if err != nil {
		f.bus.log.Warn("stored message left out", "topic", m.Subject(), "reason", "unreadable", "err", err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.take(e)
}

func (f *stateReader) read(s *stream, m jetstream.Msg) (*event.Event, error) {
	about, err := m.Metadata()
	if err != nil {
		return nil, err
	}
	ids := strings.Split(strings.TrimPrefix(m.Subject(), s.subjects), ".") // organization, event, entity
	if len(ids) != 3 {
		return nil, fmt.Errorf("%w: subject", errMessage)
	}
	org, err := event.ParseGUID(ids[0])
	if err != nil {
		return nil, fmt.Errorf("%w: organization", errMessage)
	}
	entity, err := event.ParseGUID(ids[2])
	if err != nil {
		return nil, fmt.Errorf("%w: entity", errMessage)
	}
	h := nats.Header{}
	for name, v := range m.Headers() {
		h[name] = v
	}
	h[headerSequence] = []string{fmt.Sprint(about.Sequence.Stream)}
	h[headerStamp] = []string{about.Timestamp.UTC().Format(time.RFC3339Nano)}
	r, err := readMessage(s, event.Topic{Org: org, Pair: event.Pair{Kind: f.typ.Kind, Entity: entity}}, &nats.Msg{Header: h, Data: m.Data()})
	return r.event, err
}
