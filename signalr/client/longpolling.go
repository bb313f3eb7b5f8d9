package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"rte/signalr"
)

// pollTimeout is how long a poll may go without an answer before another one
// takes its place (that of the released clients; servers answer after 90 s).
const pollTimeout = 100 * time.Second

// A longPoll is the long-polling transport: each read is a GET that the
// server answers when it has something.
type longPoll struct {
	*upstream
	most int         // of one answer, in bytes
	bye  atomic.Bool // goodbye was said
}

// dialLongPoll makes the first poll, which the server answers at once.
func dialLongPoll(ctx context.Context, q requests, most int) (link, error) {
	u := newUpstream(q)
	resp, err := u.do(ctx, "connect", http.MethodGet, nil, nil, http.StatusOK)
	if err != nil {
		u.cut()
		return nil, err
	}
	resp.Body.Close()
	return &longPoll{upstream: u, most: most}, nil
}

// read polls until there is something; an empty answer is the server's way of
// saying that it still lives. One poll may be lost on its way, not two.
func (l *longPoll) read() ([]byte, error) {
	var silent error
	for {
		ctx, cancel := context.WithTimeoutCause(l.ctx, pollTimeout, errPoll)
		b, err := l.poll(ctx)
		late := err != nil && errors.Is(context.Cause(ctx), errPoll)
		cancel()
		switch {
		case late && silent == nil:
			silent = err
		case err != nil || len(b) > 0:
			return b, err
		default:
			silent = nil
		}
	}
}

// errPoll means that a poll took pollTimeout.
var errPoll = errors.New("client: poll timed out")

// poll makes one request.
func (l *longPoll) poll(ctx context.Context) ([]byte, error) {
	resp, err := l.do(ctx, "poll", http.MethodGet, nil, nil, http.StatusOK, http.StatusNoContent)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, int64(l.most)+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("receive: %w", err)
	case len(b) > l.most:
		return nil, signalr.ErrTooLarge
	case resp.StatusCode == http.StatusNoContent:
		return nil, fmt.Errorf("receive: %w", io.EOF)
	}
	return b, nil
}

// goodbye says it by DELETE, which the server may not know any more.
func (l *longPoll) goodbye() {
	if l.bye.Swap(true) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	if resp, err := l.do(ctx, "close", http.MethodDelete, nil, nil, http.StatusAccepted); err == nil {
		resp.Body.Close()
	}
}
