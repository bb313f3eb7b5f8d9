package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"rte/signalr"
)

// Options of a client. The zero value connects by negotiation, over the first
// transport that works, and ends when its connection is lost.
type Options struct {
	// Token is asked for a bearer token by each attempt to connect, and once
	// more when stateful reconnect opens another WebSocket; nil or "" sends
	// none. It goes into the Authorization header, never the URL. A hub that
	// redirects may give another one, which holds until the next attempt.
	Token func(ctx context.Context) (string, error)
	// Transport is how bytes travel; default the first that the hub offers,
	// that suits the protocol and that works.
	Transport Transport
	// Protocol is how messages are written; default signalr.JSON{}.
	// Server-sent events carry text only, so not MessagePack.
	Protocol signalr.Protocol
	// SkipNegotiation connects a WebSocket at once; ID stays "" then.
	SkipNegotiation bool
	// Header is added to every request.
	Header http.Header
	// HTTPClient makes the requests: the settings of its transport for
	// dialling, TLS and proxies hold for the WebSocket, too. Default
	// http.DefaultClient.
	HTTPClient *http.Client

	// Handlers answer the hub's calls, by target; see [Client.Handle].
	Handlers map[string]Handler
	// MaxHandlers is how many of the hub's calls are answered at a time;
	// default 100. Further ones wait, and so does everything behind them.
	MaxHandlers int

	// Reconnect says whether and when a connection that was lost is made
	// again; default never. [FourAttempts] is what released clients do,
	// [Backoff] does not give up. A connection that the hub closed without
	// leave to come back is not made again.
	Reconnect Policy
	// CallsWait lets calls that are made while the client reconnects wait for
	// it, as long as their contexts allow; default is [ErrReconnecting].
	CallsWait bool
	// StatefulReconnect asks for a connection that survives the loss of its
	// WebSocket, with everything that is under way: same id, nothing lost,
	// nothing twice. A hub or transport without it is used as without it.
	StatefulReconnect bool
	// ReplayBytes is how much of what was sent is kept for stateful reconnect
	// until the hub acknowledges it, in bytes; default 100,000. While there is
	// more, senders wait.
	ReplayBytes int

	// OnReconnecting is told why the connection was lost, before the first
	// attempt to make it again. The three functions are called one at a time
	// and must not call Close.
	OnReconnecting func(c *Client, lost error)
	// OnReconnected is told the new id. To the hub this is another connection,
	// so subscriptions and groups belong here. The client can be used as
	// always; until it returns no further loss is told or mended.
	OnReconnected func(c *Client, id string)
	// OnClosed is told why the client has ended, once; that is [Client.Err].
	// A Start that fails is no end.
	OnClosed func(c *Client, err error)

	// KeepAlive is how often a ping is sent; default 15 s. Long polling has
	// none.
	KeepAlive time.Duration
	// ServerTimeout ends the connection when nothing came for so long; default
	// 30 s. It also bounds each step of connecting (an answer to negotiation,
	// a transport, the handshake), and how long the server may take to take a
	// message.
	ServerTimeout time.Duration
	// MaxMessageBytes is the largest message taken, with its framing; default
	// 16 MiB.
	MaxMessageBytes int
	// MaxStreamBytes is how much of a stream may wait to be taken, in bytes;
	// default 16 MiB. See [Client.Stream].
	MaxStreamBytes int
}

// ready fills in what was left out.
func (o Options) ready() Options {
	if o.HTTPClient == nil {
		o.HTTPClient = http.DefaultClient
	}
	if o.Protocol == nil {
		o.Protocol = signalr.JSON{}
	}
	o.KeepAlive = orDefault(o.KeepAlive, 15*time.Second)
	o.ServerTimeout = orDefault(o.ServerTimeout, 30*time.Second)
	o.MaxMessageBytes = orDefault(o.MaxMessageBytes, 16<<20)
	o.MaxStreamBytes = orDefault(o.MaxStreamBytes, 16<<20)
	o.MaxHandlers = orDefault(o.MaxHandlers, 100)
	o.ReplayBytes = orDefault(o.ReplayBytes, 100_000)
	return o
}

func orDefault[T int | time.Duration](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// check says which options do not go together.
func (o Options) check() error {
	switch o.Transport {
	case "", WebSockets, ServerSentEvents, LongPolling:
	default:
		return fmt.Errorf("client: there is no transport %q", o.Transport)
	}
	switch {
	case o.Transport == ServerSentEvents && o.Protocol.Binary():
		return fmt.Errorf("client: %s carries text, which %s is not", o.Transport, o.Protocol.Name())
	case o.SkipNegotiation && o.Transport != "" && o.Transport != WebSockets:
		return fmt.Errorf("client: %s needs negotiation", o.Transport)
	case o.SkipNegotiation && o.StatefulReconnect:
		return errors.New("client: stateful reconnect needs negotiation")
	}
	return nil
}
