package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"rte/signalr"
)

// A State is where a client is in its life.
type State int

// The states. A client goes from Disconnected over Connecting to Connected,
// may go between Connected and Reconnecting any number of times, and ends
// Closed.
const (
	Disconnected State = iota // not started, or Start has failed
	Connecting
	Connected    // also while stateful reconnect mends the connection
	Reconnecting // lost, waiting or trying to connect again
	Closed       // for good
)

// String is the state's name.
func (s State) String() string {
	return [...]string{"disconnected", "connecting", "connected", "reconnecting", "closed"}[s]
}

// A Client talks to one hub. Safe for concurrent use.
type Client struct {
	url  string
	o    Options
	life context.Context         // ends with the client; its cause is why
	quit context.CancelCauseFunc // the first call counts
	done chan struct{}           // closed when it has ended

	running sync.WaitGroup // every goroutine but those that callers wait for

	mu       sync.Mutex
	state    State
	changed  chan struct{} // closed at the next change of state; nil while nobody waits
	conn     *conn         // the newest
	err      error         // why it ended; nil until then
	lastID   uint64        // of calls and upload streams, over all connections
	handlers map[string]*target
}

// New makes a client of the hub at an http or https URL; nothing is connected
// before Start.
func New(url string, o Options) *Client {
	c := &Client{
		url:      url,
		o:        o.ready(),
		done:     make(chan struct{}),
		handlers: map[string]*target{},
	}
	c.life, c.quit = context.WithCancelCause(context.Background())
	for name, fn := range o.Handlers {
		c.Handle(name, fn)
	}
	return c
}

// Dial makes a client and starts it. on are handlers as [Client.On] adds
// them, by target, so that nothing is missed.
func Dial(ctx context.Context, url string, on map[string]func(args []signalr.Value), o Options) (*Client, error) {
	c := New(url, o)
	for name, fn := range on {
		c.On(name, fn)
	}
	if err := c.Start(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Start connects and shakes hands, as long as ctx allows. It makes one
// attempt, over as many transports as Options allow; another Start may follow
// one that failed.
func (c *Client) Start(ctx context.Context) error {
	if err := c.o.check(); err != nil {
		return err
	}
	if err := c.begin(); err != nil {
		return err
	}
	ctx, stop := whileBoth(ctx, c.life)
	defer stop()
	s, early, err := c.connect(ctx)
	if err == nil {
		err = c.adopt(s, early)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && c.state == Connecting {
		c.become(Disconnected)
	}
	return err
}

// begin makes sure that only one Start is under way.
func (c *Client) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case Disconnected:
		c.become(Connecting)
		return nil
	case Closed:
		return c.err
	default:
		return errStarted
	}
}

// become changes the state. The caller holds mu.
func (c *Client) become(s State) {
	c.state = s
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// State is where the client is now.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// ID is the public id of the newest connection; "" without negotiation. It
// changes when the client reconnects, other than by stateful reconnect.
func (c *Client) ID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return ""
	}
	return c.conn.id
}

// Done is closed when the client has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the client ended, nil until then: [ErrClosed], a [*ServerError],
// or the error that its last connection was lost by; if it tried to reconnect
// that of the last attempt, too.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close says goodbye, gives the hub a second to do so too, and waits until
// everything has ended. It must not be called by a handler or callback.
func (c *Client) Close() error {
	c.quit(ErrClosed)
	c.mu.Lock()
	s := c.conn
	c.mu.Unlock()
	if s == nil { // nothing runs
		c.finish(ErrClosed)
	} else {
		s.goodbye()
	}
	c.running.Wait()
	return nil
}

// finish ends the client for good; only the first reason counts.
func (c *Client) finish(err error) {
	c.mu.Lock()
	first := c.state != Closed
	if first {
		c.err = err
		c.become(Closed)
		close(c.done)
	}
	c.mu.Unlock()
	if !first {
		return
	}
	c.quit(err)
	if c.o.OnClosed != nil {
		c.o.OnClosed(c, err)
	}
}

// adopt makes a connection the client's, unless Close was faster.
func (c *Client) adopt(s *conn, early []byte) error {
	c.mu.Lock()
	closed := c.life.Err() != nil
	if !closed {
		first := c.conn == nil
		c.conn = s
		c.become(Connected)
		s.start(early)
		if first {
			c.running.Go(func() { c.run(s) })
		}
	}
	c.mu.Unlock()
	if closed {
		s.end(ErrClosed)
		return ErrClosed
	}
	return nil
}

// connection is what a call goes to. It waits for one only while the client
// reconnects, and only if Options.CallsWait says so.
func (c *Client) connection(ctx context.Context) (*conn, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c.mu.Lock()
		s, state := c.conn, c.state
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed, err := c.changed, c.err
		c.mu.Unlock()
		switch {
		case state == Closed:
			return nil, err
		case state == Disconnected || state == Connecting:
			return nil, ErrNotStarted
		case c.life.Err() != nil: // Close is under way
			return nil, ErrClosed
		case state == Connected && s.life.Err() == nil:
			return s, nil
		case !c.o.CallsWait && state == Connected: // whether to reconnect is being decided
			return nil, s.lost()
		case !c.o.CallsWait:
			return nil, fmt.Errorf("%w: %w", ErrReconnecting, s.why())
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// nextID is the id of the next call or upload stream. Released clients count
// over all connections, too.
func (c *Client) nextID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	return strconv.FormatUint(c.lastID, 10)
}

// whileBoth is a context that ends with either.
func whileBoth(ctx, life context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(life, func() { cancel(context.Cause(life)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// errStarted is for those who start a client twice.
var errStarted = errors.New("client: started already")

// lastWords bounds what is said out of courtesy.
const lastWords = time.Second
