package bus

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"rte/internal/event"
)

// What tests must reach inside for: figures that are too large to wait for,
// faults that a sound server does not have, and pure functions.

var (
	PartitionOf  = partitionOf
	MessageID    = messageID
	FormatTime   = formatTime
	ParseTime    = parseTime
	ParseUsers   = parseUsers
	ReadPlainAck = func(b []byte) (sequence uint64, duplicate, ok bool) {
		a, ok := readPlainAck(b)
		return a.sequence, a.duplicate, ok
	}
	ReadAck = func(m *nats.Msg) (sequence uint64, duplicate bool, err error) {
		a := readAck(m)
		return a.sequence, a.duplicate, a.err
	}
)

// WithOpenWait changes how long Open waits for servers.
func WithOpenWait(o Options, d time.Duration) Options {
	o.openWait = d
	return o
}

// Hosts are the addresses as errors and the log show them.
func (x External) Hosts() (string, error) { return x.hosts() }

func (b *Bus) Conn() *nats.Conn       { return b.conn }
func (b *Bus) Server() *server.Server { return b.server }
func (b *Bus) Folder() string         { return b.folder.path }

// SetPublishing changes the figures of publishing; zero leaves one alone.
func (b *Bus) SetPublishing(window int, ackWait, giveUp time.Duration) {
	l := b.lanes
	if window > 0 {
		l.window = window
	}
	if ackWait > 0 {
		l.ackWait = ackWait
	}
	if giveUp > 0 {
		l.giveUp = giveUp
	}
	l.tick = 5 * time.Millisecond
}

func (b *Bus) SetPendingMessages(n int) { b.pendingMessages = n }

// LoseAnswers makes the answers to publishes go nowhere until restore.
func (b *Bus) LoseAnswers() (restore func() error, err error) {
	if err := b.lanes.acks.Unsubscribe(); err != nil {
		return nil, err
	}
	return b.lanes.listen, b.conn.Flush()
}

// Mend opens the store again, as if it had been found to take nothing.
func (b *Bus) Mend() error {
	b.lanes.fail(errNoAnswer)
	err := b.keeper.mend()
	if err == nil {
		b.lanes.fail(nil)
	}
	return err
}

// SetCheckEvery changes the pause between checks of flows.
func (b *Bus) SetCheckEvery(d time.Duration) { b.checkEvery = d }

// Lossy makes live messages of external servers go nowhere where lose says so.
// It is called before the first watch.
func (b *Bus) Lossy(lose func(*event.Event) bool) { b.lossy = lose }

// BusyLanes is the number of pairs with an event under way.
func (b *Bus) BusyLanes() int {
	b.lanes.mu.Lock()
	defer b.lanes.mu.Unlock()
	return len(b.lanes.tails)
}

// ReadLive reads a live message as a watch of org does.
func (b *Bus) ReadLive(org event.GUID, m *nats.Msg) (e *event.Event, sequence, last uint64, err error) {
	w := &watch{bus: b, org: org, prefix: livePrefix(org)}
	r, err := w.read(m)
	return r.event, r.sequence, r.last, err
}

// The parts of a lease, to be run without a store.
type (
	Register = register
	Claim    = claim
)

var ErrTaken = errTaken

// LeaseFigures are how long an owner is believed, and how much earlier it
// stops to believe itself.
func LeaseFigures() (life, margin time.Duration) { return leaseLife, leaseMargin }

// OwnBy takes part in a lease under a name of its own.
func OwnBy(ctx context.Context, self string, r Register, take func(ctx context.Context, epoch uint64)) {
	t := &tenancy{name: "test", self: self, register: r, log: slog.New(slog.DiscardHandler), told: func(uint64, bool) {}, behind: func() {}}
	t.own(ctx, func(ctx, _ context.Context, epoch uint64) { take(ctx, epoch) })
}

// LoseNext makes this node deaf to messages of other nodes' tunnels, until
// HearAgain.
func (b *Bus) LoseNext(p *Peers) error {
	p.unlisten[len(p.unlisten)-1]()
	p.unlisten = p.unlisten[:len(p.unlisten)-1]
	return b.conn.Flush()
}

func (b *Bus) HearAgain(p *Peers) error {
	stop, err := b.listen(b.conn, peerNode+p.self+".*", "", p.take)
	p.unlisten = append(p.unlisten, stop)
	return err
}
