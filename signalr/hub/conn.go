package hub

import (
	"context"
	"sync"
	"sync/atomic"

	"rte/signalr"
	"rte/signalr/transport"
)

// A Conn is one client's connection to the hub. Safe for concurrent use.
type Conn struct {
	// static
	server *Server
	place  int // in Server.conns; guarded by Server.mu

	// Value is the application's own: set it in OnConnected.
	Value any

	// transport is another one after each stateful reconnect. Changed with
	// both outbox.mu and inbox.mu held, so that what is done under either is
	// done to the right one.
	transport atomic.Pointer[transport.Conn]

	// owned by the feeder
	reader    signalr.Reader
	handshake []byte // what has arrived of it

	protocol  atomic.Pointer[signalr.Protocol] // nil until the handshake is done
	received  atomic.Uint32                    // second of the last message
	sent      atomic.Uint32                    // second of the last write
	born      uint32                           // second of the server's clock
	aged      uint32                           // likewise, when it is old enough; 0 is never
	expires   atomic.Uint32                    // likewise; 0 is never
	warns     atomic.Uint32                    // likewise, of OnExpiring; 0 is never, or done
	pinged    atomic.Bool                      // the client pings, so its silence means something
	refreshed atomic.Bool                      // OnRefreshed is waiting to run

	out outbox
	in  inbox

	counts *counts // of stateful reconnect, set by the feeder before anything is counted; nil without

	more atomic.Pointer[extras] // nil until needed
}

// An inbox is what the client wants done, in its order.
type inbox struct {
	mu      sync.Mutex
	queue   []task
	bytes   int // of queue, as received
	ctx     context.Context
	cancel  context.CancelFunc // of the connection's life; nil until something has run
	holds   int32              // who keeps the transport from feeding: queue and full uploads
	running int                // goroutines that work through queue
	held    bool               // queue is long; it is one of holds
	over    bool               // the connection has ended: only what disconnects runs
	stage   stage
}

// A task is something to run for the client.
type task struct {
	run    func(context.Context)
	bytes  int  // of the message that asked for it
	beside bool // runs beside the others as soon as OnConnected has returned
}

// A stage says how far OnConnected is.
type stage uint8

const (
	fresh     stage = iota
	begun           // OnConnected has been called
	connected       // and has returned
)

// inboxLimit is how many calls may wait behind the one that runs before the
// transport is told to stop reading, and inboxBytes how large they may be all
// together: a call of many small arguments takes many times its size.
const (
	inboxLimit = 16
	inboxBytes = 16 << 10
)

// waiting is how many times as much may wait while a result of the client's is
// waited for: it comes behind the calls that the client sent before.
const waiting = 16

// ID is the connection's public id.
func (c *Conn) ID() string { return c.Transport().ID() }

// User is what the transport's Authenticate returned for this client, for the
// newest token that it has shown.
func (c *Conn) User() any { return c.Transport().User() }

// Transport is the connection below; another one after a stateful reconnect.
func (c *Conn) Transport() *transport.Conn { return c.transport.Load() }

// ProtocolName is "json" or "messagepack"; "" before the handshake.
func (c *Conn) ProtocolName() string {
	if p := c.protocol.Load(); p != nil {
		return (*p).Name()
	}
	return ""
}

// closeText is the text of a Close message of this server's own reasons, as
// the released server words it, unless Options has another.
func (c *Conn) closeText(why CloseReason, detail string) string {
	if text, ok := c.server.o.CloseTexts[why]; ok {
		return text
	}
	text := "Connection closed with an error."
	if detail != "" && c.server.o.DetailedErrors {
		text += " " + detail
	}
	return text
}

// tick is called once a second.
func (c *Conn) tick(now uint32) {
	o := &c.server.o
	if c.protocol.Load() == nil {
		if now-c.born > seconds(o.HandshakeTimeout) { // both are rounded down
			c.refuse("Handshake was canceled.")
		}
		return
	}
	if c.outlived(now) {
		return
	}
	if c.Transport().Transport() == transport.LongPolling || c.away() {
		return // polls are its sign of life, both ways; or there is nobody to hear
	}
	c.acknowledge()
	silent := func() bool { return now-c.received.Load() > seconds(o.ClientTimeout) }
	// Asked again behind isHeld: the end of a hold counts as a message.
	if c.pinged.Load() && silent() && !c.isHeld() && silent() {
		c.end(Timeout, c.closeText(Timeout, "OperationCanceledException: Client hasn't sent a message/ping within the configured ClientTimeoutInterval."), true)
		return
	}
	if now-c.sent.Load() >= seconds(o.KeepAlive) {
		c.ping()
	}
}

// ping sends a ping if nothing else is on its way.
func (c *Conn) ping() {
	b, err := c.server.pingFrame.Bytes(*c.protocol.Load())
	if err != nil {
		return
	}
	o := &c.out
	o.mu.Lock()
	if o.ended || o.busy {
		o.mu.Unlock()
		return
	}
	wake := o.urge(b)
	o.mu.Unlock()
	c.server.pings.Add(1)
	if wake {
		c.server.flush.add(c)
	}
}

// Refreshed takes note of a new token (transport.Refresher).
func (c *Conn) Refreshed() {
	c.expire()
	if on := c.server.o.OnRefreshed; on != nil && !c.refreshed.Swap(true) {
		c.enqueue(0, func(ctx context.Context) {
			c.refreshed.Store(false)
			c.run(ctx, func(context.Context, *Call) (signalr.Value, error) { //nolint:errcheck // it has none
				on(c)
				return nil, nil
			}, nil)
		})
	}
}
