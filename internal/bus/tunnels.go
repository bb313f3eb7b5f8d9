package bus

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"strings"

	"github.com/nats-io/nats.go"
)

// How tunnels of this node begin and end, and what comes to which.

// statusNobody is what the servers answer in the place of who is not there.
const statusNobody = "503"

// Dial opens a connection to a node.
func (p *Peers) Dial(ctx context.Context, node string) (net.Conn, error) {
	t := p.add(rand.Text(), node)
	ctx, cancel := context.WithTimeout(ctx, findWait)
	defer cancel()
	if _, err := p.bus.conn.RequestWithContext(ctx, peerNode+node+"."+peerOpen, []byte(p.self+" "+t.id)); err != nil {
		t.Close() //nolint:errcheck // it has none
		return nil, fmt.Errorf("connect to node %s: %w", node, err)
	}
	p.opened.Add(1)
	return t, nil
}

// add makes a tunnel.
func (p *Peers) add(id, node string) *tunnel {
	subject, here := peerNode+node+"."+id, peerNode+p.self+"."+id
	send := func(frame []byte) error { return p.bus.conn.Publish(subject, frame) }
	ping := func(frame []byte) error { return p.bus.conn.PublishRequest(subject, here, frame) } // who is there does not answer it
	t := newTunnel(id, node, send, ping, func() { p.remove(id) })
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tunnels[id] = t
	return t
}

func (p *Peers) remove(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.tunnels, id)
}

// take takes a message of a tunnel, or about a new one.
func (p *Peers) take(m *nats.Msg) {
	id := m.Subject[len(peerNode)+len(p.self)+1:]
	if id != peerOpen {
		p.mu.Lock()
		t := p.tunnels[id]
		p.mu.Unlock()
		switch {
		case t == nil: // it has ended
		case len(m.Data) == 0 && header(m, "Status") == statusNobody:
			t.gone()
		default:
			t.take(m.Data)
		}
		return
	}
	node, id, ok := strings.Cut(string(m.Data), " ")
	if !ok {
		return
	}
	t := p.add(id, node)
	select {
	case p.accepted <- t:
		_ = m.Respond(nil) // who does not hear it closes
	default:
		t.Close() //nolint:errcheck // it has none
	}
}
