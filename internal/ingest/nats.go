package ingest

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rte/internal/event"
)

// A Message is one event as a producer sent it over NATS.
type Message struct {
	Subject string              // rte.in.<organizationId>.<eventName>.<entityId>
	Header  map[string][]string // nil if it has none
	Data    []byte              // the payload; the door keeps it until it has answered
	// Reply answers, once, from any goroutine; nil if no answer is wanted.
	Reply func(header map[string][]string, body []byte)
	// Context ends when the message may not be stored any more; nil: it always
	// may. It is the lifetime of the sender's right to hand messages in, such
	// as that of a node which owns them.
	Context context.Context
	// Done is called, once, when the message is stored or refused; nil if
	// nobody wants to know.
	Done func()
}

// done says that the message is done with.
func (m *Message) done() {
	if m.Done != nil {
		m.Done()
	}
}

// late tells whether the message may not be stored any more.
func (m *Message) late() bool { return m.Context != nil && m.Context.Err() != nil }

// weight is what a message holds in memory, about.
func (m *Message) weight() int64 {
	n := messageBytes + len(m.Data)
	for name, values := range m.Header {
		n += len(name)
		for _, v := range values {
			n += len(v)
		}
	}
	return int64(n)
}

const (
	// natsLanes is how many batches may be checked and stored at a time.
	natsLanes = 16
	// messageBytes is what a message costs beside its data and headers, about.
	messageBytes = 1 << 10
	// DefaultMaxWaitingBytes is what messages may hold that wait for the
	// store: a burst of some ten thousand events.
	DefaultMaxWaitingBytes = 128 << 20
)

// NATSStats counts since the start.
type NATSStats struct {
	Messages    uint64 // all
	Accepted    uint64 // events stored
	Rejected    uint64 // events refused
	Unreadable  uint64 // data was no JSON
	TooMany     uint64 // an organization's waiting messages held as much as they may, or it sent more than it may
	Unavailable uint64 // the store was not there, or all messages held as much as they may
}

// NATS is the door for events that come one by one, as messages (contract.md,
// "NATS door"). The subject and the headers are the envelope, the body is its
// data: id is the header Nats-Msg-Id; time, traceparent and
// previousAssignedUserId are headers of these names. Names match in any case,
// other headers are left out.
//
// A message gets the answer that POST /api/v1/events gives to a body with this
// one event, paths included. What is not answered 200 there has the headers
// Nats-Service-Error-Code with the status and Nats-Service-Error with the
// text, as NATS services have them; for 429 and 503 Retry-After has seconds.
// A message without a reply subject is stored like any other; that it was
// refused shows in the log and in [NATSStats].
//
// Messages of one pair are stored in the order in which they were taken. What
// waits is bounded in bytes, for each organization and for all: beyond,
// messages are refused at once. It is safe for concurrent use.
type NATS struct {
	cat      *event.Catalog
	store    func(context.Context, []*event.Event) []error
	maxEvent int
	gate     *gate
	allow    func(event.GUID, int) (time.Duration, error)
	drift    *Drift
	log      *slog.Logger
	refusals refusalLog

	life    context.Context // ends when Close has waited long enough
	cut     context.CancelFunc
	running sync.WaitGroup
	lanes   [natsLanes]natsLane
	seed    maphash.Seed

	messages, accepted, rejected, unreadable, tooMany, unavailable atomic.Uint64
}

// NewNATS makes the door; store is as for [NewHTTP], and called by several
// goroutines. Of the options MaxBodyBytes is not used, and MaxHeldBytes bounds
// the messages that wait; 0 means [DefaultMaxWaitingBytes].
func NewNATS(cat *event.Catalog, store func(context.Context, []*event.Event) []error, o Options) *NATS {
	n := &NATS{cat: cat, store: store, maxEvent: o.MaxEventBytes, allow: o.Allow, drift: o.Drift, log: o.Logger, seed: maphash.MakeSeed()}
	if n.maxEvent <= 0 {
		n.maxEvent = DefaultMaxEventBytes
	}
	if o.MaxHeldBytes <= 0 {
		o.MaxHeldBytes = DefaultMaxWaitingBytes
	}
	n.gate = newGate(o.MaxHeldBytes)
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	if n.drift == nil {
		n.drift = NewDrift(cat, n.log)
	}
	n.refusals.log = n.log
	n.life, n.cut = context.WithCancel(context.Background())
	for i := range n.lanes {
		l := &n.lanes[i]
		l.door, l.wake = n, make(chan struct{}, 1)
		l.envelopes = envelopes{cat: cat, maxEventBytes: n.maxEvent, drift: n.drift}
		n.running.Go(l.run)
	}
	return n
}

// Take takes one message; it never blocks. The answer comes later.
func (n *NATS) Take(m Message) {
	n.messages.Add(1)
	org, lane := n.laneOf(m.Subject)
	if n.allow != nil {
		if wait, err := n.allow(org, len(m.Data)); err != nil {
			n.refuse(m, http.StatusTooManyRequests, wait, err.Error()+"; send the event again after Retry-After seconds")
			return
		}
	}
	size := min(m.weight(), n.gate.mostEach)
	if _, err := n.gate.try(org, size); err != nil {
		status := http.StatusServiceUnavailable
		if errors.Is(err, errOrgFull) {
			status = http.StatusTooManyRequests
		}
		n.refuse(m, status, 0, err.Error()+"; send the event again after Retry-After seconds")
		m.done()
		return
	}
	if !n.lanes[lane].add(waiting{Message: m, org: org, size: size}) {
		n.gate.leave(org, size)
		n.refuse(m, http.StatusServiceUnavailable, 0, "this node is about to stop; send the event again after Retry-After seconds")
		m.done()
	}
}

// laneOf is the organization that a subject names, the zero Guid if it names
// none, and the lane of its pair.
func (n *NATS) laneOf(subject string) (org event.GUID, lane int) {
	parts, _ := splitSubject(subject)
	org, err := event.ParseGUID(parts[0])
	if err != nil {
		return event.GUID{}, 0
	}
	entity, err := event.ParseGUID(parts[2])
	if err != nil {
		return org, 0
	}
	var key [2*len(org) + 2]byte
	copy(key[:], org[:])
	copy(key[len(org):], entity[:])
	if t, ok := n.cat.Lookup(parts[1]); ok {
		key[2*len(org)], key[2*len(org)+1] = byte(t.Kind>>8), byte(t.Kind)
	}
	return org, int(maphash.Bytes(n.seed, key[:]) % natsLanes)
}

// Close takes no more messages and returns when all that were taken are
// answered. When ctx ends first, the rest is answered that it was not stored;
// the error then wraps ctx's.
func (n *NATS) Close(ctx context.Context) error {
	for i := range n.lanes {
		n.lanes[i].close()
	}
	done := make(chan struct{})
	go func() {
		n.running.Wait()
		close(done)
	}()
	defer n.cut()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		n.cut()
		<-done
		return fmt.Errorf("events from the NATS door were cut off: %w", context.Cause(ctx))
	}
}

// Stats is a snapshot.
func (n *NATS) Stats() NATSStats {
	return NATSStats{
		Messages:    n.messages.Load(),
		Accepted:    n.accepted.Load(),
		Rejected:    n.rejected.Load(),
		Unreadable:  n.unreadable.Load(),
		TooMany:     n.tooMany.Load(),
		Unavailable: n.unavailable.Load(),
	}
}

// The subject of an event; what the door subscribes to begins with it.
const subjectPrefix = "rte.in."

const subjectForm = subjectPrefix + "<organizationId>.<eventName>.<entityId>"

// splitSubject gives the three parts behind the prefix; not ok if there are
// more or fewer, or the prefix is missing.
func splitSubject(subject string) (parts [3]string, ok bool) {
	rest, ok := strings.CutPrefix(subject, subjectPrefix)
	if !ok {
		return parts, false
	}
	var first, second bool
	parts[0], rest, first = strings.Cut(rest, ".")
	parts[1], parts[2], second = strings.Cut(rest, ".")
	return parts, first && second && !strings.Contains(parts[2], ".")
}
