package client

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// requests is what the requests of one connection have in common.
type requests struct {
	http   *http.Client // without a time limit of its own
	url    string       // with the connection's token
	header http.Header
	binary bool // what is sent is not text
}

// do makes a request; an answer other than want is an error. The caller closes
// the answer's body.
func (q requests) do(ctx context.Context, act, method string, body []byte, header http.Header, want ...int) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, q.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", act, withoutURL(err))
	}
	r.Header = q.header.Clone()
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := q.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", act, withoutURL(err))
	}
	if slices.Contains(want, resp.StatusCode) {
		return resp, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // what could be read is enough
	return nil, &StatusError{act, resp.StatusCode, statusText(resp.StatusCode, text)}
}

// An upstream is what server-sent events and long polling have in common: a
// connection that lives in requests of its own, and sends by POST.
type upstream struct {
	requests
	ctx  context.Context // the connection's life
	end  context.CancelFunc
	turn chan struct{} // holds a token while a POST is under way; never closed
}

func newUpstream(q requests) *upstream {
	u := &upstream{requests: q, turn: make(chan struct{}, 1)}
	u.ctx, u.end = context.WithCancel(context.Background())
	return u
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
	kind := "text/plain;charset=UTF-8"
	if u.binary {
		kind = "application/octet-stream"
	}
	resp, err := u.do(ctx, "send", http.MethodPost, p, http.Header{"Content-Type": {kind}}, http.StatusOK)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// cut ends the requests under way.
func (u *upstream) cut() { u.end() }
