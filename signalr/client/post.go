package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// An upstream is what server-sent events and long polling have in common: a
// connection that lives in requests of its own, and sends by POST.
type upstream struct {
	http   *http.Client
	target string // the hub with the connection's token
	header http.Header

	ctx    context.Context // the connection's life
	cancel context.CancelFunc
	turn   chan struct{} // holds a token while a POST is under way; never closed
}

// newUpstream takes the HTTP client without its time limit, which would end
// the way down.
func newUpstream(c *http.Client, hub *url.URL, token string, header http.Header) *upstream {
	patient := *c
	patient.Timeout = 0
	target := *hub
	q := target.Query()
	q.Set("id", token)
	target.RawQuery = q.Encode()
	u := &upstream{http: &patient, target: target.String(), header: header, turn: make(chan struct{}, 1)}
	u.ctx, u.cancel = context.WithCancel(context.Background())
	return u
}

// request makes a request of the connection; an answer other than want is an
// error. The caller closes the answer's body.
func (u *upstream) request(ctx context.Context, act, method string, body []byte, accept string, want ...int) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, u.target, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", act, withoutURL(err))
	}
	r.Header = u.header.Clone()
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	resp, err := u.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", act, withoutURL(err))
	}
	for _, status := range want {
		if resp.StatusCode == status {
			return resp, nil
		}
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // what could be read is enough
	return nil, &StatusError{act, resp.StatusCode, statusText(resp.StatusCode, text)}
}

// write sends bytes in a request of their own, one after the other.
func (u *upstream) write(p []byte, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(u.ctx, deadline)
	defer cancel()
	select {
	case u.turn <- struct{}{}:
		defer func() { <-u.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	resp, err := u.request(ctx, "send", http.MethodPost, p, "", http.StatusOK)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
