package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"rte/signalr"
	"rte/signalr/client"
)

// A hearer is a client of a crowd. It hears the pairs from first on, as many
// as last has places, the first following the last.
type hearer struct {
	crowd  *crowd
	number int
	first  int
	client *client.Client
	ended  atomic.Bool // its connection is meant to end
	stalls atomic.Bool // it counts no more

	mu      sync.Mutex
	last    []uint64 // the number of the last event, by place
	cursors []string // by place; nil: they are not kept
	gate    *gate    // not nil: it can stop reading
}

// pair is the index of the pair in a place.
func (h *hearer) pair(place int) int { return (h.first + place) % len(h.crowd.pairs) }

// place is where a pair is heard; ok is false if it is not.
func (h *hearer) place(pair int) (place int, ok bool) {
	n := len(h.crowd.pairs)
	if pair < 0 || pair >= n {
		return 0, false
	}
	place = (pair - h.first + n) % n
	return place, place < len(h.last)
}

// start connects and subscribes, and counts how long that takes.
func (h *hearer) start(ctx context.Context) error {
	c, began := h.crowd, time.Now()
	token := c.o.Token
	if c.o.Tokens != nil {
		var err error
		if token, err = c.o.Tokens(h.number); err != nil {
			return fmt.Errorf("token of client %d: %w", h.number, err)
		}
	}
	o := client.Options{
		Token:     func(context.Context) (string, error) { return token, nil },
		Transport: c.o.Transport, Protocol: c.o.Protocol,
		// Pings of ten thousand clients at the same moment would be no picture of life.
		KeepAlive: 12*time.Second + time.Duration(h.number%6000)*time.Millisecond,
		OnClosed: func(_ *client.Client, err error) {
			c.connected.Add(-1)
			if !h.ended.Load() && !errors.Is(err, client.ErrClosed) {
				c.fail(err)
			}
		},
	}
	if o.HTTPClient = c.http; h.gate != nil {
		o.HTTPClient = &http.Client{Transport: h.gate.transport()}
	}
	h.ended.Store(false)
	h.client = client.New(c.o.hubURL(), o)
	h.client.On("MessageReceived", h.take)
	if err := h.client.Start(ctx); err != nil {
		return fmt.Errorf("connect client %d: %w", h.number, err)
	}
	c.connected.Add(1)
	if err := h.subscribe(ctx); err != nil {
		return fmt.Errorf("client %d: %w", h.number, err)
	}
	c.setup.count(time.Since(began))
	return nil
}

// subscribe subscribes to all pairs, behind the cursors if there are some.
func (h *hearer) subscribe(ctx context.Context) error {
	for from := 0; from < len(h.last); from += subscribeAtOnce {
		to := min(from+subscribeAtOnce, len(h.last))
		if err := h.subscribeTo(ctx, from, to); err != nil {
			return err
		}
	}
	return nil
}

// subscribeTo subscribes to the pairs of some places.
func (h *hearer) subscribeTo(ctx context.Context, from, to int) error {
	type plain struct {
		EntityID  string `json:"EntityId"`
		EventName string `json:"EventName"`
	}
	var items []any
	h.mu.Lock()
	for place := from; place < to; place++ {
		p := &h.crowd.pairs[h.pair(place)]
		switch {
		case h.cursors == nil:
			items = append(items, plain{p.entity.String(), p.name})
		case h.cursors[place] == "":
			items = append(items, item{EntityID: p.entity.String(), EventName: p.name})
		default:
			items = append(items, item{EntityID: p.entity.String(), EventName: p.name, After: &h.cursors[place]})
		}
	}
	h.mu.Unlock()
	value, err := h.client.Invoke(ctx, "Subscribe", items)
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	answers, err := readAnswers(value, to-from)
	if err != nil {
		return err
	}
	return h.joined(from, answers)
}

// joined takes the answers to the pairs from a place on.
func (h *hearer) joined(from int, answers []answer) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, a := range answers {
		place := from + i
		switch {
		case !a.Subscribed:
			return fmt.Errorf("not subscribed to %s: %s", h.crowd.pairs[h.pair(place)].name, a.Message)
		case h.cursors == nil:
		case a.Recovered == nil:
			return errNoCursors
		case !*a.Recovered:
			return errors.New("the hub could not recover what was missed")
		case a.Cursor != nil && h.cursors[place] == "":
			h.cursors[place] = *a.Cursor
		}
	}
	return nil
}

// take counts one push; the client calls it one call at a time.
func (h *hearer) take(args []signalr.Value) {
	c, now := h.crowd, time.Now()
	if h.stalls.Load() || len(args) != 1 {
		return
	}
	raw, _ := args[0].(signalr.Raw) // what a client receives
	s, ok := findStamp(raw.Bytes(), c.name)
	place, mine := h.place(s.pair)
	if !ok || !mine {
		c.foreign.Add(1)
		return
	}
	h.mu.Lock()
	last := h.last[place]
	if s.n > last {
		h.last[place] = s.n
	}
	if h.cursors != nil {
		cursor, ok := findCursor(raw.Bytes())
		if !ok {
			m, _ := readMessage(raw) // "" asks for everything, which would be seen
			cursor = m.Cursor
		}
		h.cursors[place] = cursor
	}
	h.mu.Unlock()
	switch {
	case s.n <= last:
		c.doubled.Add(1)
		return
	case s.n > last+1:
		c.missing.Add(s.n - last - 1)
	}
	c.came(h.number, now.Sub(c.began)-time.Duration(s.at))
}

// keep makes the hearer keep its cursors from now on.
func (h *hearer) keep() { h.cursors = make([]string, len(h.last)) }

// close ends the connection.
func (h *hearer) close() {
	h.ended.Store(true)
	if h.client != nil {
		h.client.Close() //nolint:errcheck // it never fails
	}
}

// A gate can stop the reading of a client's connections: what comes stays in
// the system's buffers, and then at the server.
type gate struct {
	shut chan struct{} // closed: nothing is read any more
	open chan struct{} // closed when the run ends
}

func newGate() *gate { return &gate{shut: make(chan struct{}), open: make(chan struct{})} }

// gateBuffer bounds what the system takes for a client that does not read, in
// bytes: it would take six times as much. Before that the client shall be as
// patient as the others.
const gateBuffer = 1 << 20

// transport makes the connections of a client.
func (g *gate) transport() *http.Transport {
	t := &http.Transport{DisableKeepAlives: true}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.SetReadBuffer(gateBuffer) //nolint:errcheck // a larger one only takes longer to fill
		}
		return &gated{conn, g}, nil
	}
	return t
}

// gated is a connection behind a gate.
type gated struct {
	net.Conn

	gate *gate
}

// Read waits for good once the gate is shut.
func (c *gated) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	select {
	case <-c.gate.shut:
		<-c.gate.open
		return 0, net.ErrClosed
	default:
		return n, err
	}
}
