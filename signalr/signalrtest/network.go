package signalrtest

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// A Network is a network in memory: what listens on it can be dialled on it.
// The zero value is ready to use. Safe for concurrent use.
type Network struct {
	// Buffer is how many bytes its connections take in each direction before
	// a writer has to wait; 0 means [DefaultBuffer].
	Buffer int

	mu        sync.Mutex
	listeners map[string]*listener
	dialled   int
}

// Listen waits for connections to an address, which is any text; one listener
// for each address.
func (n *Network) Listen(address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[address] != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, syscall.EADDRINUSE)
	}
	l := &listener{network: n, addr: addr(address), arrived: make(chan *Conn), closed: make(chan struct{})}
	if n.listeners == nil {
		n.listeners = map[string]*listener{}
	}
	n.listeners[address] = l
	return l, nil
}

// Dial connects to an address; it waits until the listener accepts. It has the
// form of [net.Dialer.DialContext].
func (n *Network) Dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[address]
	n.dialled++
	name := addr("client.test:" + strconv.Itoa(n.dialled))
	n.mu.Unlock()
	if l == nil {
		return nil, fmt.Errorf("dial %s: %w", address, syscall.ECONNREFUSED)
	}
	near, far := pipe(n.Buffer, name, l.addr)
	select {
	case l.arrived <- far:
		return near, nil
	case <-l.closed:
		return nil, fmt.Errorf("dial %s: %w", address, syscall.ECONNREFUSED)
	case <-ctx.Done():
		return nil, fmt.Errorf("dial %s: %w", address, ctx.Err())
	}
}

func (n *Network) forget(l *listener) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[string(l.addr)] == l {
		delete(n.listeners, string(l.addr))
	}
}

// A listener is a [net.Listener] of a Network.
type listener struct {
	network *Network
	addr    addr
	arrived chan *Conn // never closed
	once    sync.Once
	closed  chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.arrived:
		return c, nil
	case <-l.closed:
		return nil, fmt.Errorf("accept on %s: %w", l.addr, net.ErrClosed)
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		l.network.forget(l)
		close(l.closed)
	})
	return nil
}

func (l *listener) Addr() net.Addr { return l.addr }
