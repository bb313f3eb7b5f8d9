package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"rte/signalr"
)

// A longPoll is the long-polling transport: each read is a GET that the
// server answers when it has something.
type longPoll struct {
	*upstream
	max int // of one answer, in bytes
}

// dialLongPoll makes the first poll, which the server answers at once.
func dialLongPoll(ctx context.Context, c *http.Client, hub *url.URL, token string, header http.Header, max int) (link, error) {
	u := newUpstream(c, hub, token, header)
	resp, err := u.request(ctx, "connect", http.MethodGet, nil, "", http.StatusOK)
	if err != nil {
		u.cancel()
		return nil, err
	}
	resp.Body.Close()
	return &longPoll{upstream: u, max: max}, nil
}

// read polls until there is something; an empty answer is the server's way of
// saying that it still lives.
func (l *longPoll) read() ([]byte, error) {
	for {
		resp, err := l.request(l.ctx, "poll", http.MethodGet, nil, "", http.StatusOK, http.StatusNoContent)
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(io.LimitReader(resp.Body, int64(l.max)+1))
		resp.Body.Close()
		switch {
		case err != nil:
			return nil, fmt.Errorf("receive: %w", err)
		case len(b) > l.max:
			return nil, signalr.ErrTooLarge
		case resp.StatusCode == http.StatusNoContent:
			return nil, fmt.Errorf("receive: %w", io.EOF)
		case len(b) > 0:
			return b, nil
		}
	}
}

// close ends the poll that waits and says goodbye by DELETE, which the server
// may not know any more.
func (l *longPoll) close() error {
	l.cancel()
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	resp, err := l.request(ctx, "close", http.MethodDelete, nil, "", http.StatusAccepted, http.StatusNotFound)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
