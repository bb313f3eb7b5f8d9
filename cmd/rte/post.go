package main

import (
	"bytes"
	"context"
	"encoding/json"
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

// postAll sends lines, going on after every answer that says "later" and
// after every failure of the network, until all have a verdict or ctx ends.
// Lines have ids, so what was stored before a failure is not stored twice.
func (p *poster) postAll(ctx context.Context, lines [][]byte, rejected func(postRejection)) (accepted int, err error) {
	done := 0 // lines with a verdict
	for pause := 100 * time.Millisecond; done < len(lines); pause = min(2*pause, 5*time.Second) {
		a, err := p.post(ctx, lines[done:])
		if ctx.Err() != nil {
			return accepted, ctx.Err()
		}
		status, refused := err.(*statusError) //nolint:errorlint // post returns it bare
		if refused && !status.again() && status.status != http.StatusForbidden || isUsage(err) {
			return accepted, err
		}
		if refused && status.status == http.StatusForbidden && len(a.Rejected) == 0 {
			return accepted, err
		}
		accepted += a.Accepted
		for _, r := range a.Rejected {
			r.Index += done
			rejected(r)
		}
		moved := a.Accepted + len(a.Rejected)
		if a.Next != nil {
			moved = *a.Next
		} else if err == nil || refused && !status.again() {
			moved = len(lines) - done
		}
		done += moved
		if moved > 0 {
			pause = 100 * time.Millisecond
		}
		if err == nil {
			continue
		}
		wait := pause
		if refused && status.after > 0 {
			wait = status.after
		}
		if p.waiting != nil {
			p.waiting(err, wait)
		}
		select {
		case <-ctx.Done():
			return accepted, ctx.Err()
		case <-time.After(wait):
		}
	}
	return accepted, nil
}

func isUsage(err error) bool {
	_, ok := err.(*usageError) //nolint:errorlint // made here
	return ok
}
