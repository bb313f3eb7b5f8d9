package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"rte/internal/event"
)

// probe is the last token of subjects that are used to try a right; no Guid
// and no event is called so.
const probe = "probe"

// checkRights finds out whether external servers let this user do what a bus
// does, so that a missing right shows at the start and not at the first
// event. A denied right ends ctx (see [Bus.natsError]).
func (b *Bus) checkRights(ctx context.Context) error {
	if !b.external.used() {
		return nil
	}
	err := b.patiently(ctx, func(ctx context.Context) error {
		for _, subject := range []string{livePrefix(event.GUID{}) + probe, controlPrefix + probe, doorPrefix + probe} {
			sub, err := b.conn.SubscribeSync(subject)
			if err != nil {
				return err
			}
			defer sub.Unsubscribe() //nolint:errcheck // the connection is then closed
		}
		if err := b.conn.Publish(controlPrefix+probe, nil); err != nil {
			return err
		}
		for _, lane := range b.streams {
			for _, s := range lane {
				if err := b.probeStream(ctx, s); err != nil {
					return err
				}
			}
		}
		if err := b.conn.FlushWithContext(ctx); err != nil {
			return err
		}
		return b.denied(ctx) // said before the answer to the flush
	})
	if err != nil {
		return fmt.Errorf("try the rights on the NATS servers: %w", err)
	}
	return nil
}

// probeStream publishes what the stream refuses for its header, and reads
// what is not there.
func (b *Bus) probeStream(ctx context.Context, s *stream) error {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	ask := func(m *nats.Msg) error {
		_, err := b.conn.RequestMsgWithContext(ctx, m)
		if errors.Is(err, nats.ErrNoResponders) {
			err = errNotYet
		}
		if err != nil {
			return fmt.Errorf("stream %s: %w", s.name, err)
		}
		return nil
	}
	if err := ask(&nats.Msg{Subject: s.subjects + probe, Header: nats.Header{headerExpectedStream: {"none of this name"}}}); err != nil {
		return err
	}
	return ask(&nats.Msg{Subject: directGet + s.name + "." + s.subjects + probe})
}

// errNotYet: in a cluster it takes a moment until all servers know who
// listens for a stream that was just made.
var errNotYet = errors.New("no server answers for it yet")

// probeWait is how long a stream may take to answer a probe.
const probeWait = 2 * time.Second

// denied is the right that the servers have denied, nil if none was.
func (b *Bus) denied(ctx context.Context) error {
	for _, err := range []error{context.Cause(ctx), b.conn.LastError()} {
		if errors.Is(err, nats.ErrPermissionViolation) {
			return err
		}
	}
	return nil
}
