package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A poster hands events to a node's publish API.
type poster struct {
	url    string // of the node
	token  string
	client *http.Client
	// waiting, if not nil, is told why and how long the poster waits.
	waiting func(why error, pause time.Duration)
}

// postAnswer is what the publish API answers.
type postAnswer struct {
	Accepted int             `json:"accepted"`
	Rejected []postRejection `json:"rejected"`
	Cursor   string          `json:"cursor"`
	Next     *int            `json:"next"`
	Error    string          `json:"error"`
}

type postRejection struct {
	Index int    `json:"index"`
	Path  string `json:"path"`
	Error string `json:"error"`
}

// A statusError is an answer that says no to the whole request.
type statusError struct {
	status int
	text   string
	after  time.Duration
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d: %s", e.status, e.text) }

// again tells whether the same request may be good later.
func (e *statusError) again() bool {
	return e.status == http.StatusTooManyRequests || e.status >= 500
}

// post sends lines, each one envelope, in one request.
func (p *poster) post(ctx context.Context, lines [][]byte) (postAnswer, error) {
	var a postAnswer
	body := append(bytes.Join(lines, []byte("\n")), '\n')
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(p.url, "/")+"/api/v1/events", bytes.NewReader(body))
	if err != nil {
		return a, usage(err)
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	r.Header.Set("Authorization", "Bearer "+p.token)
	resp, err := p.client.Do(r)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return a, err
	}
	jsonErr := json.Unmarshal(text, &a)
	if resp.StatusCode == http.StatusOK {
		return a, jsonErr
	}
	e := &statusError{status: resp.StatusCode, text: a.Error}
	if jsonErr != nil || a.Error == "" {
		e.text = http.StatusText(resp.StatusCode)
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		e.after = time.Duration(s) * time.Second
	}
	return a, e
}

// The pauses between tries, when the node does not say how long.
const (
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
)

// postAll sends lines, going on after every answer that says "later" and
// after every failure of the network, until all have a verdict or ctx ends.
// Lines have ids, so what was stored before a failure is not stored twice.
func (p *poster) postAll(ctx context.Context, lines [][]byte, rejected func(postRejection)) (accepted int, err error) {
	done := 0 // lines with a verdict
	for pause := firstPause; done < len(lines); pause = min(2*pause, longPause) {
		a, err := p.post(ctx, lines[done:])
		if ctx.Err() != nil {
			return accepted, ctx.Err()
		}
		for _, r := range a.Rejected {
			r.Index += done
			rejected(r)
		}
		accepted += a.Accepted
		moved, wait, err := verdict(a, err, len(lines)-done)
		if err != nil {
			return accepted, err
		}
		if done += moved; moved > 0 {
			pause = firstPause
		}
		if wait == nil {
			continue
		}
		if err := p.rest(ctx, wait, pause); err != nil {
			return accepted, err
		}
	}
	return accepted, nil
}

// verdict says of one answer how many of n lines have one, and whether to
// wait before the next try, and why; err is final.
func verdict(a postAnswer, failure error, n int) (moved int, wait, err error) {
	if failure == nil {
		if a.Next != nil { // the list of rejections was full
			return *a.Next, nil, nil
		}
		return n, nil, nil
	}
	if _, wrong := errors.AsType[*usageError](failure); wrong {
		return 0, nil, failure
	}
	refused, ok := errors.AsType[*statusError](failure)
	switch {
	case !ok: // the network: nothing is known, and the ids keep it from doubling
		return 0, failure, nil
	case refused.again() && a.Next != nil:
		return *a.Next, failure, nil
	case refused.again():
		return a.Accepted + len(a.Rejected), failure, nil
	case refused.status == http.StatusForbidden && len(a.Rejected) > 0: // every line is another organization's
		return n, nil, nil
	}
	return 0, nil, failure
}

// rest waits before the next try: as long as the node says, else pause.
func (p *poster) rest(ctx context.Context, why error, pause time.Duration) error {
	if e, ok := errors.AsType[*statusError](why); ok && e.after > 0 {
		pause = e.after
	}
	if p.waiting != nil {
		p.waiting(why, pause)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pause):
		return nil
	}
}
