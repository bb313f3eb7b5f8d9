package transport

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// A Receiver is the upper end of a connection: a hub's connection, or a test.
type Receiver interface {
	// Feed takes bytes from the client, in order, cut anywhere; they are
	// valid only during the call. It never blocks. After an error nothing
	// more is fed; the receiver has closed, or will close, the connection.
	Feed(p []byte) error
	// Writable is called after a Send that returned false, as soon as there
	// is room again.
	Writable()
	// Closed is called once, when nothing can be received or sent any more.
	// err is nil if the client said goodbye.
	Closed(err error)
}

// A Transport is one way of carrying bytes over HTTP.
type Transport uint8

// The transports, in the order in which clients should prefer them.
const (
	WebSockets Transport = 1 << iota
	ServerSentEvents
	LongPolling
)

// String is the name that negotiation uses.
func (t Transport) String() string {
	switch t {
	case WebSockets:
		return "WebSockets"
	case ServerSentEvents:
		return "ServerSentEvents"
	case LongPolling:
		return "LongPolling"
	}
	return "unknown"
}

// Errors that end a connection; Receiver.Closed gets one of them, or the
// network's own.
var (
	// ErrSendTimeout: the client took no bytes for Options.SendTimeout.
	ErrSendTimeout = errors.New("transport: the client takes no bytes")
	// ErrProtocol: the client broke the transport's own rules.
	ErrProtocol = errors.New("transport: the client broke the transport's rules")
	// ErrAborted: the receiver asked for it.
	ErrAborted = errors.New("transport: aborted")
)

// A Resumer is a [Receiver] whose connection may outlive its socket (stateful
// reconnect): the client comes back with a new one and goes on where it was.
type Resumer interface {
	Receiver
	// Suspended is called when the socket of a connection that is retained
	// ([Conn.Retain]) was lost. Until Resumed or Closed nothing is fed, and
	// what is sent goes nowhere. It reports whether the connection is still
	// wanted; if not, Closed follows at once.
	Suspended() (wanted bool)
	// Resumed is called when the client has come back. conn is the same
	// connection on its new socket and takes the place of the one before.
	// Nothing is fed until the call has returned, and what is fed then begins
	// with a whole message.
	Resumed(conn *Conn)
}

// A Refresher is a [Receiver] that wants to know when the connection's user has
// shown a new token (Options.Refresh), which [Conn.User] then returns.
type Refresher interface{ Refreshed() }

// A Conn is one connection. Its methods are safe for concurrent use and none
// of them blocks.
type Conn struct {
	id        string // public id
	token     tokenID
	user      atomic.Pointer[any]
	remote    string
	query     url.Values // of the request that made it, without the token; nil if empty
	transport Transport
	outlives  *resumption // what may outlive the socket; nil unless negotiated
	link      link        // known before the receiver is
	leave     func()      // Options.Enter's; nil if there is none
	joined    bool        // link and receiver are known; guarded by Handler.mu
}

// link is what the transports have in common.
type link interface {
	send(msgs [][]byte, binary bool) (ready bool)
	hold()
	resume()
	close(failed bool)
	abort()
	upper() Receiver
}

// newConn is the connection that a request asks for.
func newConn(r *http.Request, user any, id tokenID, t Transport) *Conn {
	c := &Conn{id: id.public(), token: id, remote: r.RemoteAddr, query: keepQuery(r), transport: t}
	c.user.Store(&user)
	return c
}

// ID is the connection's public id. It is not a secret.
func (c *Conn) ID() string { return c.id }

// User is what Options.Authenticate returned for the request that made the
// connection, or for the last one that refreshed it.
func (c *Conn) User() any { return *c.user.Load() }

// RemoteAddr is the client's network address as net/http saw it.
func (c *Conn) RemoteAddr() string { return c.remote }

// Query is the query of the request that made the connection, without the
// token and the connection's id.
func (c *Conn) Query() url.Values { return c.query }

// Transport is how the connection's bytes travel.
func (c *Conn) Transport() Transport { return c.transport }

// Send writes msgs, each one or more whole hub messages, as one transport
// message. It reports whether more may be sent at once; after false the
// caller must wait for Receiver.Writable. What is sent on a connection that
// has ended goes nowhere. binary says that the bytes may be other than UTF-8.
func (c *Conn) Send(msgs [][]byte, binary bool) (ready bool) { return c.link.send(msgs, binary) }

// Hold stops feeding after the piece that is being fed; Resume goes on. They
// are the receiver's back-pressure.
func (c *Conn) Hold() { c.link.hold() }

// Resume ends a Hold.
func (c *Conn) Resume() { c.link.resume() }

// Close ends the connection in the transport's own way, behind what has been
// sent: a WebSocket closes with status 1000, or 1011 if the application
// failed, and waits some seconds for the client's answer.
func (c *Conn) Close(failed bool) {
	if c.outlives != nil {
		c = c.outlives.discard()
	}
	c.link.close(failed)
}

// Abort ends the connection at once.
func (c *Conn) Abort() {
	if c.outlives != nil {
		c = c.outlives.discard()
	}
	c.link.abort()
}

// Resumable reports whether client and server have agreed on stateful
// reconnect. The receiver is then a [Resumer].
func (c *Conn) Resumable() bool { return c.outlives != nil }

// Retain lets a resumable connection outlive its socket from now on. Until
// then, as the handshake may still switch it off, the end of the socket is the
// end of the connection.
func (c *Conn) Retain() { c.outlives.retain() }

// keepQuery is the part of a query that the application may want to see.
func keepQuery(r *http.Request) url.Values {
	if r.URL.RawQuery == "" {
		return nil
	}
	q := r.URL.Query()
	for name := range q {
		switch strings.ToLower(name) {
		case "id", "access_token", "_":
			delete(q, name)
		}
	}
	if len(q) == 0 {
		return nil
	}
	return q
}

// queryValue finds a query value; released servers ignore the case of keys.
func queryValue(r *http.Request, key string) (string, bool) {
	if r.URL.RawQuery == "" {
		return "", false
	}
	q := r.URL.Query()
	if v, ok := q[key]; ok {
		return v[0], true
	}
	for name, v := range q {
		if strings.EqualFold(name, key) {
			return v[0], true
		}
	}
	return "", false
}
