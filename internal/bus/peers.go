package bus

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"rte/internal/event"
)

// Peers are the nodes that share the store, as this one knows them: it can ask
// them who has something, and open connections to them. It is a [net.Listener]
// for theirs. Make it with [Bus.Peers]; it is safe for concurrent use.
//
// All goes over subjects that each node has listened to since it started. A
// subject for each thing would not do: a server hears of a subscription on
// another some time later, and says meanwhile that nobody is there.
type Peers struct {
	bus  *Bus
	self string
	has  func(id string) bool

	accepted chan net.Conn
	stop     chan struct{}
	once     sync.Once
	unlisten []func()
	ticking  sync.WaitGroup

	asked, found, opened atomic.Uint64

	mu      sync.Mutex
	heard   map[string]time.Time // of each other node, when last
	tunnels map[string]*tunnel   // by id
}

// Subjects of peers. They are below those of control messages, for which RTE
// needs rights anyway.
const (
	peerHello = controlPrefix + "peer.hello" // the name of a node that is there
	peerBye   = controlPrefix + "peer.bye"   // or goes
	peerAsk   = controlPrefix + "peer.ask"   // "who has this?"
	peerNode  = controlPrefix + "peer.to."   // a node's name and a tunnel's follow
	peerOpen  = "open"                       // in a tunnel's place: a new one
)

// Figures of peers.
const (
	helloPause  = 2 * time.Second
	helloMemory = 3*helloPause + time.Second // then a silent node is taken for dead
	findWait    = time.Second                // for the answer of a node that may be dead
	mostAccept  = 128                        // connections that wait to be accepted
)

// Peers begins to take part; has tells what this node has. Close ends it.
func (b *Bus) Peers(has func(id string) bool) (*Peers, error) {
	p := &Peers{
		bus: b, self: b.self, has: has, accepted: make(chan net.Conn, mostAccept), stop: make(chan struct{}),
		heard: map[string]time.Time{}, tunnels: map[string]*tunnel{},
	}
	for _, l := range []struct {
		subject string
		take    nats.MsgHandler
	}{{peerHello, p.hello}, {peerBye, p.bye}, {peerAsk, p.answer}, {peerNode + p.self + ".*", p.take}} {
		stop, err := b.listen(b.conn, l.subject, "", l.take)
		if err != nil {
			p.Close() //nolint:errcheck // it has none
			return nil, fmt.Errorf("meet the other nodes: %w", err)
		}
		p.unlisten = append(p.unlisten, stop)
	}
	p.say(peerHello)
	p.ticking.Go(p.tick)
	return p, nil
}

// say tells all nodes the own name.
func (p *Peers) say(subject string) {
	_ = p.bus.conn.Publish(subject, []byte(p.self)) // who does not hear it hears the next
}

func (p *Peers) tick() {
	t := time.NewTicker(helloPause)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
		}
		p.say(peerHello)
		p.mu.Lock()
		for name, at := range p.heard {
			if time.Since(at) > helloMemory {
				delete(p.heard, name)
			}
		}
		all := make([]*tunnel, 0, len(p.tunnels))
		for _, one := range p.tunnels {
			all = append(all, one)
		}
		p.mu.Unlock()
		for _, one := range all {
			one.tick()
		}
	}
}

func (p *Peers) hello(m *nats.Msg) {
	name := string(m.Data)
	if name == p.self {
		return
	}
	p.mu.Lock()
	_, known := p.heard[name]
	p.heard[name] = time.Now()
	p.mu.Unlock()
	if !known {
		p.say(peerHello)
	}
}

func (p *Peers) bye(m *nats.Msg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.heard, string(m.Data))
}

// answer says whether this node has what another asks for: + or -, and its
// name.
func (p *Peers) answer(m *nats.Msg) {
	asker, id, _ := strings.Cut(string(m.Data), " ")
	if asker == p.self {
		return
	}
	verdict := "-"
	if p.has(id) {
		verdict = "+"
	}
	_ = m.Respond([]byte(verdict + p.self)) // who does not hear it waits
}

// Find asks the other nodes for one that has something; "" if none has. It
// waits for all that were heard of lately, a second at most.
func (p *Peers) Find(ctx context.Context, id string) (node string, err error) {
	p.asked.Add(1)
	p.mu.Lock()
	missing := make(map[string]bool, len(p.heard))
	for name := range p.heard {
		missing[name] = true
	}
	p.mu.Unlock()
	if len(missing) == 0 {
		return "", nil
	}
	conn := p.bus.conn
	inbox := nats.NewInbox()
	answers := make(chan *nats.Msg, 2*len(missing)+8)
	sub, err := conn.ChanSubscribe(inbox, answers)
	if err == nil {
		defer sub.Unsubscribe() //nolint:errcheck // the connection is closed then
		err = conn.PublishRequest(peerAsk, inbox, []byte(p.self+" "+id))
	}
	if err != nil {
		return "", fmt.Errorf("ask the other nodes: %w: %w", event.ErrUnavailable, err)
	}
	timeout := time.NewTimer(findWait)
	defer timeout.Stop()
	for len(missing) > 0 {
		select {
		case m := <-answers:
			if len(m.Data) < 2 {
				continue // nobody is there
			}
			name := string(m.Data[1:])
			if m.Data[0] == '+' {
				p.found.Add(1)
				return name, nil
			}
			delete(missing, name)
		case <-timeout.C:
			return "", nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return "", nil
}

// Accept waits for the next connection of another node (net.Listener).
func (p *Peers) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.stop:
		return nil, net.ErrClosed
	}
}

// Addr is this node's name (net.Listener).
func (p *Peers) Addr() net.Addr { return nodeAddr(p.self) }

// Close takes leave of the others and ends all connections (net.Listener).
func (p *Peers) Close() error {
	p.once.Do(func() {
		p.say(peerBye)
		close(p.stop)
		p.ticking.Wait()
		p.mu.Lock()
		all := make([]*tunnel, 0, len(p.tunnels))
		for _, one := range p.tunnels {
			all = append(all, one)
		}
		p.mu.Unlock()
		for _, one := range all {
			_ = one.Close() // it may have been closed
		}
		for _, stop := range p.unlisten {
			stop()
		}
	})
	return nil
}

// PeersStats is a snapshot of what a node has had to do with others.
type PeersStats struct {
	Others int    // nodes heard of lately
	Asked  uint64 // times it asked who has something
	Found  uint64 // of these: with success
	Opened uint64 // connections opened to others
}

// Stats is a snapshot.
func (p *Peers) Stats() PeersStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PeersStats{Others: len(p.heard), Asked: p.asked.Load(), Found: p.found.Load(), Opened: p.opened.Load()}
}
