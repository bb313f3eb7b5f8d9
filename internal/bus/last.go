package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"rte/internal/event"
)

// getWait is how long an answer to a direct get may take.
const getWait = 5 * time.Second

// directGet begins the subjects of direct gets; the stream's name follows.
const directGet = "$JS.API.DIRECT.GET."

// Last is the newest stored event of a topic, nil if there is none: on the
// Events streams also when it has become too old. Any replica answers, so with
// several it may be one that was newest a moment ago. Errors that wrap
// [event.ErrUnavailable] may pass.
func (b *Bus) Last(ctx context.Context, t event.Topic) (*event.Event, error) {
	if int(t.Kind) >= len(b.catalog.Events) {
		return nil, errors.New("last event: no such event in the catalogue")
	}
	r, err := b.get(ctx, b.streamOf(t), t, 0)
	if err != nil {
		return nil, fmt.Errorf("last event: %w", err)
	}
	return r.event, nil
}

// get reads one message: that of a sequence number, or the topic's newest if
// that is 0. No message gives a stored without an event.
func (b *Bus) get(ctx context.Context, s *stream, t event.Topic, sequence uint64) (stored, error) {
	ctx, cancel := context.WithTimeout(ctx, getWait)
	defer cancel()
	subject, body := directGet+s.name, []byte(nil)
	if sequence == 0 {
		subject += "." + s.subject(t, b.catalog.Type(t.Kind).Key)
	} else {
		body = strconv.AppendUint([]byte(`{"seq":`), sequence, 10)
		body = append(body, '}')
	}
	m, err := b.conn.RequestWithContext(ctx, subject, body)
	if err != nil {
		return stored{}, fmt.Errorf("%w: %w", event.ErrUnavailable, err)
	}
	switch status := header(m, "Status"); status {
	case "":
		return readMessage(s, t, m)
	case "404":
		return stored{}, nil
	default:
		return stored{}, fmt.Errorf("%w: store: status %s", event.ErrUnavailable, status)
	}
}

// streamOf is the one stream a topic lives in. Its kind must be one of the
// catalogue's.
func (b *Bus) streamOf(t event.Topic) *stream {
	lane := EventLane
	if b.catalog.Type(t.Kind).Keeps() {
		lane = StateLane
	}
	return b.streams[lane][partitionOf(t.Org, partitions)]
}
