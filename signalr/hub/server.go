package hub

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"rte/signalr"
	"rte/signalr/transport"
)

// A Method answers one invocation. It returns the result ([signalr.Null] for
// none) or an error: the text of an [*Error] reaches the client, any other is
// answered without details. It may answer early with [Call.Complete].
type Method func(ctx context.Context, call *Call) (signalr.Value, error)

// Options of a [Server]. The zero value is a good server without methods;
// durations are those of the released server.
type Options struct {
	// Methods by name; clients may spell it in any case.
	Methods map[string]Method
	// Streams by name: methods that answer with items. A name that is in
	// Methods, too, is a stream.
	Streams map[string]Stream
	// Uploads says how many upload streams a method or stream takes; default
	// none.
	Uploads map[string]int
	// MaxStreams bounds, for each connection, how many streams and methods
	// with uploads run at a time; default 100.
	MaxStreams int
	// UserID names the user of a new connection for [Server.User]; "" is
	// nobody. Default: no connection has a user.
	UserID func(c *Conn) string
	// OnConnected runs behind the handshake and before the first method. An
	// error closes the connection; the client stays away, unless the error wraps
	// [ErrLater]. ctx ends with the connection.
	OnConnected func(ctx context.Context, c *Conn) error
	// OnDisconnected runs once behind everything else of a connection whose
	// OnConnected ran. err is nil if the client said goodbye.
	OnDisconnected func(c *Conn, err error)
	// OnRefreshed runs when the client has shown a new token: [Conn.User] has
	// changed. It runs in the order of the connection's calls, once for all
	// tokens shown before it begins.
	OnRefreshed func(c *Conn)

	// Admit may refuse an invocation of a target, known or not, before it
	// waits for its turn: the error is answered like a method's. It is called
	// by whoever feeds the connection, in the order of the invocations, and
	// must not block. It may close the connection. Default: all pass.
	Admit func(c *Conn, target string) error

	// Parallel is how many calls of one connection run at a time; default 1.
	// With more, their order is not kept.
	Parallel int
	// Expires says when a user's token ends; the connection is closed then
	// ([Expired]), and the client may come back. The zero time is never.
	// Default: connections outlive tokens.
	Expires func(user any) time.Time
	// OnExpiring runs ExpiringNotice before that, or at once where less time is
	// left, behind OnConnected; again for each new token. It runs on the
	// server's clock, so it must not block.
	OnExpiring     func(c *Conn)
	ExpiringNotice time.Duration // default a minute
	// MaxAge is how old a connection may become: it is closed then ([Aged]),
	// and the client may come back. Each has an age of its own, of three
	// quarters of MaxAge or more, so that those that came together do not come
	// back together. Default: any.
	MaxAge           time.Duration
	HandshakeTimeout time.Duration // for the first message; default 15 s
	KeepAlive        time.Duration // a ping is sent after this long without any other message; default 15 s
	// ClientTimeout is how long a client that has pinged may then be silent;
	// default 30 s. A client that never pings is never too silent: versions
	// 1.0 of the JavaScript client do not ping.
	ClientTimeout time.Duration
	// MaxMessageBytes is the largest hub message taken, framing included;
	// default 32 KiB.
	MaxMessageBytes int
	// QueueBytes bounds what may wait for a client, in bytes as sent;
	// default 1 MiB. Over it the connection is closed ([Slow]).
	QueueBytes int
	// ReplayBytes bounds what has been sent on a connection with stateful
	// reconnect and not been acknowledged; default QueueBytes. Over it
	// messages wait in the queue.
	ReplayBytes int
	// CloseTexts replaces the error text of the Close message for reasons of
	// this server's own.
	CloseTexts map[CloseReason]string
	// DetailedErrors tells clients the text of every error.
	DetailedErrors bool
	// Logger gets lines about connections at debug, about methods that panic
	// or fail at error; default none.
	Logger *slog.Logger
}

// A CloseReason names why a connection ended; applications add their own.
type CloseReason string

// The reasons this package knows.
const (
	Goodbye  CloseReason = "goodbye"  // the client closed
	Lost     CloseReason = "lost"     // the network did
	Slow     CloseReason = "slow"     // more than QueueBytes waited
	Timeout  CloseReason = "timeout"  // no message for ClientTimeout
	Protocol CloseReason = "protocol" // a message that cannot be read, or too large
	Draining CloseReason = "draining" // the server goes
	Refused  CloseReason = "refused"  // no handshake, or OnConnected failed
	Aborted  CloseReason = "aborted"  // the application wanted it
	Expired  CloseReason = "expired"  // the client's token has ended (Options.Expires)
	Aged     CloseReason = "maxage"   // the connection was old enough (Options.MaxAge)
)

// Stats is a snapshot of a server's counters since its start.
type Stats struct {
	Connections int                    // open, handshake done or not
	Messages    uint64                 // queued for clients, pings not counted
	Bytes       uint64                 // of all messages handed to transports
	Invocations uint64                 // received
	TooLarge    uint64                 // messages above Options.MaxMessageBytes; each ended its connection
	Pings       uint64                 // sent
	Resumptions uint64                 // stateful reconnects
	Replayed    uint64                 // messages sent again by them
	Renewed     uint64                 // states that took an older value's place in a queue
	Closes      map[CloseReason]uint64 // ended connections
}

// A Server is one hub. Safe for concurrent use.
type Server struct {
	o       Options
	methods map[string]entry // by lower-case name
	flush   *flusher
	// pingFrame is the same for everybody.
	pingFrame *signalr.Frame
	running   sync.WaitGroup // sweep and methods
	stop      chan struct{}

	now                           atomic.Uint32 // seconds since the start, by the sweep
	messages, bytes, calls, pings atomic.Uint64
	resumptions, replayed         atomic.Uint64
	renewed                       atomic.Uint64
	tooLarge                      atomic.Uint64

	names directory

	mu      sync.Mutex
	conns   []*Conn // Conn.place is the index
	closes  map[CloseReason]uint64
	stopped bool
}

// New makes a server and starts its flushers and its sweep; Close stops them.
func New(o Options) *Server {
	o.HandshakeTimeout = orDefault(o.HandshakeTimeout, 15*time.Second)
	o.KeepAlive = orDefault(o.KeepAlive, 15*time.Second)
	o.ClientTimeout = orDefault(o.ClientTimeout, 30*time.Second)
	o.MaxMessageBytes = orDefault(o.MaxMessageBytes, 32<<10)
	o.QueueBytes = orDefault(o.QueueBytes, 1<<20)
	o.ReplayBytes = orDefault(o.ReplayBytes, o.QueueBytes)
	o.MaxStreams = orDefault(o.MaxStreams, 100)
	o.Parallel = orDefault(o.Parallel, 1)
	o.ExpiringNotice = orDefault(o.ExpiringNotice, time.Minute)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		o:       o,
		methods: entries(&o),
		closes:  map[CloseReason]uint64{},
		stop:    make(chan struct{}),
		flush:   newFlusher(),

		pingFrame: signalr.NewFrame(&signalr.Ping{}),
	}
	s.running.Go(s.sweep)
	return s
}

func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// Accept takes a new connection: it is what [transport.NewHandler] wants.
func (s *Server) Accept(tc *transport.Conn) transport.Receiver {
	c := &Conn{server: s, born: s.now.Load()}
	c.transport.Store(tc)
	c.ages()
	c.expire()
	s.mu.Lock()
	defer s.mu.Unlock()
	c.place = len(s.conns)
	s.conns = append(s.conns, c)
	s.names.add(c)
	return c
}

// forget removes an ended connection.
func (s *Server) forget(c *Conn, why CloseReason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names.remove(c)
	last := len(s.conns) - 1
	s.conns[c.place] = s.conns[last]
	s.conns[c.place].place = c.place
	s.conns[last] = nil
	s.conns = s.conns[:last]
	s.closes[why]++
}

// Stats is a snapshot of the counters.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{
		Connections: len(s.conns),
		Messages:    s.messages.Load(),
		Bytes:       s.bytes.Load(),
		Invocations: s.calls.Load(),
		TooLarge:    s.tooLarge.Load(),
		Pings:       s.pings.Load(),
		Resumptions: s.resumptions.Load(),
		Replayed:    s.replayed.Load(),
		Renewed:     s.renewed.Load(),
		Closes:      maps.Clone(s.closes),
	}
}

// drainPace is the longest pause between two connections that are told to go:
// few connections do not stretch a drain.
const drainPace = 5 * time.Millisecond

// Drain tells every client to reconnect elsewhere, spread evenly over at most
// the given time, so that they do not all arrive there at once. Connections
// that come meanwhile are told, too; ctx cuts it short. It returns when all
// have been told, not when they have gone: [transport.Handler.Shutdown] waits
// for that.
func (s *Server) Drain(ctx context.Context, over time.Duration) {
	told := 0
	ticker := time.NewTicker(drainPace)
	defer ticker.Stop()
	begin := time.Now()
	total := len(s.Conns())
	for {
		open := s.Conns()
		if len(open) == 0 {
			return
		}
		n := len(open)
		if over > 0 && ctx.Err() == nil {
			due := int(float64(total) * float64(time.Since(begin)) / float64(over))
			n = min(max(1, due-told), n)
		}
		for _, c := range open[:n] {
			c.end(Draining, s.o.CloseTexts[Draining], true)
		}
		told += n
		if n == len(open) {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// Conns are the connections that have not been told to go.
func (s *Server) Conns() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	var open []*Conn
	for _, c := range s.conns {
		if !c.ending() {
			open = append(open, c)
		}
	}
	return open
}

// Close stops the server when its connections have ended: call
// [transport.Handler.Shutdown] before.
func (s *Server) Close() {
	s.mu.Lock()
	first := !s.stopped
	s.stopped = true
	s.mu.Unlock()
	if !first {
		return
	}
	close(s.stop)
	s.running.Wait()
	s.flush.close()
}
