package client

import (
	"errors"
	"fmt"
)

// What a caller may want to tell apart, with errors.Is.
var (
	// ErrClosed is what a client that was closed on this side ends with.
	ErrClosed = errors.New("client: closed")
	// ErrLost is what calls and streams that were under way fail with when
	// their connection ends other than by Close; the reason is wrapped beside
	// it. Whether the hub has run a call that failed so is not known.
	ErrLost = errors.New("client: connection lost")
	// ErrReconnecting is what calls fail with while the connection is being
	// made again, unless Options.CallsWait lets them wait. The hub has not
	// heard of them.
	ErrReconnecting = errors.New("client: reconnecting")
	// ErrNotStarted is what calls fail with before Start has returned.
	ErrNotStarted = errors.New("client: not started")
	// ErrServerTimeout is what a connection ends with when nothing was heard
	// for Options.ServerTimeout.
	ErrServerTimeout = errors.New("client: nothing heard from the server for too long")
	// ErrNoTransport means that the hub offers no transport that this client
	// may use.
	ErrNoTransport = errors.New("no transport in common")
	// ErrOldServer means that the server speaks ASP.NET SignalR, the protocol
	// before ASP.NET Core's.
	ErrOldServer = errors.New("the server speaks ASP.NET SignalR, not ASP.NET Core SignalR")
	// ErrRedirects means that negotiation was redirected more than 100 times.
	ErrRedirects = errors.New("too many redirects")
	// ErrOverrun means that the hub sent more than this side could take and
	// may keep: see [Client.Stream] and Options.MaxHandlers.
	ErrOverrun = errors.New("client: the server sends faster than this side takes")
	// ErrSequence means that messages were lost in a way that stateful
	// reconnect cannot mend.
	ErrSequence = errors.New("client: the server's sequence has a gap")
)

// A ServerError is what the hub answered to a call, or said when it refused a
// negotiation or closed the connection.
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

// A StatusError is a hub's refusal by HTTP.
type StatusError struct {
	Act    string // what was tried
	Status int
	Text   string // the body, or the status in words
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: status %d: %s", e.Act, e.Status, e.Text)
}
