package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"rte/signalr"
)

// A place is where a hub is and how to be let in.
type place struct {
	url   *url.URL
	token string // bearer token; "" sends none
	given bool   // the token came with a redirect: the user's holds no more
}

// connect makes a connection: token, negotiation, the first transport that
// works, handshake. early came behind the handshake.
func (c *Client) connect(ctx context.Context) (s *conn, early []byte, err error) {
	defer func() {
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = fmt.Errorf("connect: %w", cause)
		}
	}()
	at := place{}
	if at.url, err = parseHub(c.url); err != nil {
		return nil, nil, err
	}
	if at.token, err = c.token(ctx); err != nil {
		return nil, nil, err
	}
	if c.o.SkipNegotiation {
		l, err := c.dial(ctx, WebSockets, at, "")
		if err != nil {
			return nil, nil, err
		}
		return c.shake(ctx, l, WebSockets, at, negotiation{})
	}
	n, at, err := c.negotiate(ctx, at)
	if err != nil {
		return nil, nil, err
	}
	transports, err := c.choose(n.Transports)
	if err != nil {
		return nil, nil, err
	}
	var tried failures
	for i, t := range transports {
		if i > 0 { // what was negotiated is used up
			if n, at, err = c.negotiate(ctx, at); err != nil {
				return nil, nil, err
			}
		}
		l, err := c.dial(ctx, t, at, n.Token)
		if err == nil {
			return c.shake(ctx, l, t, at, n)
		}
		if ctx.Err() != nil {
			return nil, nil, err
		}
		tried = append(tried, failure{t, err})
	}
	return nil, nil, tried.err()
}

// token asks the user for one.
func (c *Client) token(ctx context.Context) (string, error) {
	if c.o.Token == nil {
		return "", nil
	}
	token, err := c.o.Token(ctx)
	if err != nil {
		return "", fmt.Errorf("get token: %w", err)
	}
	return token, nil
}

// header is what goes with each request to a place.
func (c *Client) header(at place) http.Header {
	h := c.o.Header.Clone()
	if h == nil {
		h = http.Header{}
	}
	// Hubs with cookies answer it with a status, not with a page to log in.
	h.Set("X-Requested-With", "XMLHttpRequest")
	if at.token != "" {
		h.Set("Authorization", "Bearer "+at.token)
	}
	return h
}

// step bounds one step of connecting.
func (c *Client) step(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.o.ServerTimeout, c.silent())
}

// dial opens a transport. id is the connection's token, "" without
// negotiation.
func (c *Client) dial(ctx context.Context, t Transport, at place, id string) (l link, err error) {
	ctx, cancel := c.step(ctx)
	defer cancel()
	defer func() {
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = fmt.Errorf("connect: %w", cause)
		}
	}()
	target := at.url
	if id != "" {
		target = withQuery(target, "id", id)
	}
	r := requests{http: patient(c.o.HTTPClient), url: target.String(), header: c.header(at), binary: c.o.Protocol.Binary()}
	switch t {
	case ServerSentEvents:
		return dialEventStream(ctx, r, c.o.MaxMessageBytes)
	case LongPolling:
		return dialLongPoll(ctx, r, c.o.MaxMessageBytes)
	default:
		return dialWebSocket(ctx, r)
	}
}

// patient is an HTTP client without its own time limit, which would end the
// way down; what needs a limit has a context.
func patient(c *http.Client) *http.Client {
	p := *c
	p.Timeout = 0
	return &p
}

// shake makes a connection of a link by the handshake. What came behind the
// answer is returned, too.
func (c *Client) shake(ctx context.Context, l link, t Transport, at place, n negotiation) (s *conn, early []byte, err error) {
	s = newConn(c, n.ID, l)
	version := 1
	if n.Stateful && t == WebSockets {
		version = 2
		s.replay = newReplay(c.o.ReplayBytes)
		s.redial = func(ctx context.Context) (link, error) { return c.dialAgain(ctx, at, n.Token) }
	}
	if early, err = c.greet(ctx, l, version); err != nil {
		l.goodbye()
		l.cut()
		return nil, nil, fmt.Errorf("shake hands: %w", err)
	}
	return s, early, nil
}

// dialAgain opens another WebSocket of a connection, with a fresh token.
func (c *Client) dialAgain(ctx context.Context, at place, id string) (l link, err error) {
	if !at.given {
		if at.token, err = c.token(ctx); err != nil {
			return nil, err
		}
	}
	return c.dial(ctx, WebSockets, at, id)
}

// greet sends the handshake and waits for its answer.
func (c *Client) greet(ctx context.Context, l link, version int) (early []byte, err error) {
	ctx, cancel := c.step(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, l.cut) // reading and writing tell
	defer stop()
	defer func() {
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause
		}
	}()
	request := signalr.AppendHandshakeRequest(nil, signalr.HandshakeRequest{Protocol: c.o.Protocol.Name(), Version: version})
	if err := l.write(request, time.Now().Add(c.o.ServerTimeout)); err != nil {
		return nil, err
	}
	var got []byte
	for {
		p, err := l.read()
		got = append(got, p...)
		if text, n := signalr.SplitHandshake(got); n > 0 {
			failure, err := signalr.ParseHandshakeResponse(text)
			if failure != "" {
				err = &ServerError{Text: failure}
			}
			return got[n:], err
		}
		if err != nil {
			return nil, err
		}
		if len(got) > c.o.MaxMessageBytes {
			return nil, signalr.ErrTooLarge
		}
	}
}
