package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"rte/signalr"
)

// connect gets the client its link.
func (c *Client) connect(ctx context.Context, url string) error {
	hub, err := parseHub(url)
	if err != nil {
		return err
	}
	header := c.o.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if c.o.Token != nil {
		token, err := c.o.Token(ctx)
		if err != nil {
			return fmt.Errorf("get token: %w", err)
		}
		header.Set("Authorization", "Bearer "+token)
	}
	var n negotiation
	if !c.o.SkipNegotiation {
		if n, err = c.negotiate(ctx, hub, header); err != nil {
			return err
		}
		c.id = n.ID
	}
	c.link, err = c.dial(ctx, hub, n.Token, header)
	return err
}

func (c *Client) dial(ctx context.Context, hub *url.URL, token string, header http.Header) (link, error) {
	switch {
	case c.o.Transport == WebSockets:
		return dialWebSocket(ctx, c.o.HTTPClient, hub, token, header, c.protocol.Binary())
	case token == "":
		return nil, fmt.Errorf("connect: %s needs negotiation", c.o.Transport)
	case c.o.Transport == ServerSentEvents:
		return dialEventStream(ctx, c.o.HTTPClient, hub, token, header, c.o.MaxMessageBytes)
	case c.o.Transport == LongPolling:
		return dialLongPoll(ctx, c.o.HTTPClient, hub, token, header, c.o.MaxMessageBytes)
	}
	return nil, fmt.Errorf("connect: there is no transport %q", c.o.Transport)
}

// shake sends the handshake and waits for its answer; what came behind the
// answer is returned.
func (c *Client) shake(ctx context.Context) (early []byte, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.ServerTimeout, c.errSilent())
	defer cancel()
	// The read below tells, and so does the write.
	stop := context.AfterFunc(ctx, func() { c.link.close() }) //nolint:errcheck // see above
	defer stop()
	defer func() {
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause
		}
		if err != nil {
			err = fmt.Errorf("shake hands: %w", err)
		}
	}()
	request := signalr.AppendHandshakeRequest(nil, signalr.HandshakeRequest{Protocol: c.protocol.Name(), Version: 1})
	if err := c.link.write(request, time.Now().Add(c.o.ServerTimeout)); err != nil {
		return nil, err
	}
	var got []byte
	for {
		p, err := c.link.read()
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
