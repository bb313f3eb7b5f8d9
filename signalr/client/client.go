package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"rte/signalr"
)

// Options of a client. The zero value connects by negotiation.
type Options struct {
	// Token is asked for a bearer token by each Dial; nil sends none. It goes
	// into the Authorization header, never the URL.
	Token func(ctx context.Context) (string, error)
	// Transport is how bytes travel; default WebSockets.
	Transport Transport
	// Protocol is how messages are written; default signalr.JSON{}. Not every
	// pair goes together: server-sent events carry text only.
	Protocol signalr.Protocol
	// SkipNegotiation connects a WebSocket at once; ID stays "" then.
	SkipNegotiation bool
	// Header is added to every request.
	Header http.Header
	// HTTPClient makes the requests: the settings of its transport for
	// dialling, TLS and proxies hold for the WebSocket, too. Default
	// http.DefaultClient.
	HTTPClient *http.Client
	// KeepAlive is how often a ping is sent; default 15 s.
	KeepAlive time.Duration
	// ServerTimeout ends the connection when nothing came for so long;
	// default 30 s.
	ServerTimeout time.Duration
	// MaxMessageBytes is the largest message taken; default 16 MiB.
	MaxMessageBytes int
}

// A Transport is one way of carrying bytes over HTTP, by the name that
// negotiation uses.
type Transport string

// The transports.
const (
	WebSockets       Transport = "WebSockets"
	ServerSentEvents Transport = "ServerSentEvents"
	LongPolling      Transport = "LongPolling"
)

// A ServerError is what the hub answered to an invocation, or said when it
// closed the connection.
type ServerError struct {
	Text           string
	Close          bool // the connection was closed
	AllowReconnect bool // the hub expects the client back
}

func (e *ServerError) Error() string {
	switch {
	case !e.Close:
		return e.Text
	case e.Text == "":
		return "the server closed the connection"
	}
	return "the server closed the connection: " + e.Text
}

// ErrClosed is what a client that was closed on this side ends with.
var ErrClosed = errors.New("client: closed")

// link is what the transports have in common. read returns bytes as they
// come; it is called by one goroutine.
type link interface {
	read() ([]byte, error)
	write(p []byte, deadline time.Time) error
	close() error
}

// A Client is one connection. Safe for concurrent use.
type Client struct {
	o        Options
	id       string
	link     link
	protocol signalr.Protocol
	reader   signalr.Reader

	mu       sync.Mutex
	handlers map[string][]func(args []signalr.Value)
	pending  map[string]chan *signalr.Completion
	lastID   int
	err      error // why it ended; nil while open
	heard    time.Time
	busy     bool // a handler runs, so the silence is this side's

	done    chan struct{} // closed when it has ended
	running sync.WaitGroup
}

// Dial connects to the hub at an http or https URL and shakes hands. on are
// the handlers of what the hub sends, by target, so that nothing is missed;
// further ones can be added with On.
func Dial(ctx context.Context, url string, on map[string]func(args []signalr.Value), o Options) (*Client, error) {
	if o.HTTPClient == nil {
		o.HTTPClient = http.DefaultClient
	}
	o.KeepAlive = orDefault(o.KeepAlive, 15*time.Second)
	o.ServerTimeout = orDefault(o.ServerTimeout, 30*time.Second)
	o.MaxMessageBytes = orDefault(o.MaxMessageBytes, 16<<20)
	if o.Transport == "" {
		o.Transport = WebSockets
	}
	if o.Protocol == nil {
		o.Protocol = signalr.JSON{}
	}
	c := &Client{
		o:        o,
		protocol: o.Protocol,
		handlers: map[string][]func([]signalr.Value){},
		pending:  map[string]chan *signalr.Completion{},
		done:     make(chan struct{}),
	}
	for target, fn := range on {
		c.On(target, fn)
	}
	if err := c.connect(ctx, url); err != nil {
		return nil, err
	}
	early, err := c.shake(ctx)
	if err != nil {
		c.link.close() //nolint:errcheck // the handshake's error says more
		return nil, err
	}
	c.heard = time.Now()
	c.running.Go(func() { c.receive(early) })
	if o.Transport != LongPolling { // polls are its sign of life, both ways
		c.running.Go(c.keepAlive)
	}
	return c, nil
}

func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// ID is the connection's public id; "" without negotiation.
func (c *Client) ID() string { return c.id }

// On adds a handler for what the hub sends under a target, in any case.
// Handlers run one after another, in the order of the messages: a slow one
// delays the rest, and one that waits for Invoke waits for itself.
func (c *Client) On(target string, fn func(args []signalr.Value)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := strings.ToLower(target)
	c.handlers[key] = append(c.handlers[key], fn)
}

// Invoke calls a hub method and waits for its result; nil if it has none. A
// refusal by the hub is a [*ServerError].
func (c *Client) Invoke(ctx context.Context, target string, args ...any) (signalr.Value, error) {
	answer := make(chan *signalr.Completion, 1)
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return nil, c.err
	}
	c.lastID++
	id := strconv.Itoa(c.lastID)
	c.pending[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.pending, id)
		c.mu.Unlock()
	}()
	if err := c.send(&signalr.Invocation{ID: id, Target: target, Arguments: values(args)}); err != nil {
		return nil, err
	}
	select {
	case m := <-answer:
		return outcome(m)
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.done:
	}
	select {
	case m := <-answer: // it came before the end
		return outcome(m)
	default:
		return nil, c.Err()
	}
}

func outcome(m *signalr.Completion) (signalr.Value, error) {
	if m.Error != "" {
		return nil, &ServerError{Text: m.Error}
	}
	return m.Result, nil
}

// Send calls a hub method without waiting for anything.
func (c *Client) Send(target string, args ...any) error {
	return c.send(&signalr.Invocation{Target: target, Arguments: values(args)})
}

func values(args []any) []signalr.Value {
	list := make([]signalr.Value, len(args))
	for i, a := range args {
		if v, ok := a.(signalr.Value); ok {
			list[i] = v
			continue
		}
		list[i] = signalr.Any(a)
	}
	return list
}

func (c *Client) send(m signalr.Message) error {
	b, err := c.protocol.Append(nil, m)
	if err != nil {
		return fmt.Errorf("encode %T: %w", m, err)
	}
	if err := c.link.write(b, time.Now().Add(c.o.ServerTimeout)); err != nil {
		c.end(fmt.Errorf("send: %w", err))
		return c.Err() // the first reason, which may be another
	}
	return nil
}

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err is why the connection ended, nil while it is open: [ErrClosed], a
// [*ServerError] or the network's error.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close says goodbye and waits until everything has ended. It must not be
// called by a handler.
func (c *Client) Close() error {
	if b, err := c.protocol.Append(nil, &signalr.Close{}); err == nil && c.Err() == nil {
		c.link.write(b, time.Now().Add(lastWords)) //nolint:errcheck // it ends either way
	}
	c.end(ErrClosed)
	c.running.Wait()
	return nil
}
