package producer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// path is the publish API, below the node's URL.
const path = "/api/v1/events"

// maxAnswer bounds an answer, in bytes: 1,000 rejections are far less.
const maxAnswer = 4 << 20

// A StatusError is an answer that refuses a whole request.
type StatusError struct {
	Status     int           // of HTTP
	Text       string        // the node's reason, else the status in words
	RetryAfter time.Duration // when to come back, if the node said it
}

func (e *StatusError) Error() string { return fmt.Sprintf("status %d: %s", e.Status, e.Text) }

// Temporary tells whether the same request may be good later: 408, 429 and
// 5xx. A Client goes on after these by itself.
func (e *StatusError) Temporary() bool {
	return e.Status == http.StatusTooManyRequests || e.Status == http.StatusRequestTimeout || e.Status >= 500
}

// An answer is what the publish API says.
type answer struct {
	Accepted int
	Rejected []struct {
		Index       int
		Path, Error string
	}
	Cursor string
	Next   *int
	Error  string
}

// post makes one request.
func (c *Client) post(ctx context.Context, lines [][]byte) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	body := append(bytes.Join(lines, []byte("\n")), '\n')
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/x-ndjson")
	if c.o.Token != nil {
		token, err := c.o.Token(ctx)
		if err != nil {
			return answer{}, fmt.Errorf("get a token: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.o.HTTPClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, err
	}
	return read(resp, text, len(lines))
}

// read takes an answer about n lines. One that cannot be true is none: it
// comes from something in between.
func read(resp *http.Response, text []byte, n int) (answer, error) {
	var a answer
	err := json.Unmarshal(text, &a)
	if err == nil {
		err = a.check(n)
	}
	if err != nil {
		a = answer{}
	}
	if resp.StatusCode == http.StatusOK {
		if err == nil && a.Next != nil && *a.Next == 0 {
			err = errors.New("it has no verdict on any event")
		}
		if err != nil {
			return a, fmt.Errorf("read the node's answer: %w", err)
		}
		return a, nil
	}
	e := &StatusError{Status: resp.StatusCode, Text: a.Error}
	if e.Text == "" {
		e.Text = http.StatusText(resp.StatusCode)
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = time.Duration(s) * time.Second
	}
	return a, e
}

func (a *answer) check(n int) error {
	if a.Accepted < 0 || a.Accepted+len(a.Rejected) > n || a.Next != nil && (*a.Next < 0 || *a.Next > n) {
		return fmt.Errorf("it has verdicts on other than %d events", n)
	}
	if a.Next != nil {
		n = *a.Next
	}
	for _, r := range a.Rejected {
		if r.Index < 0 || r.Index >= n {
			return fmt.Errorf("it refuses event %d of %d", r.Index, n)
		}
	}
	return nil
}
