package producer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Options of a [Client]. The zero value is good but for the token, which every
// node wants.
type Options struct {
	// Token is asked for a bearer token (role service or platform) by each
	// request, and once more when the node says 401: the old one may have
	// expired meanwhile.
	Token func(ctx context.Context) (string, error)
	// HTTPClient makes the requests; default http.DefaultClient.
	HTTPClient *http.Client

	// BatchEvents and BatchBytes bound one request; default 500 events and
	// 1 MiB. An event that is larger goes alone.
	BatchEvents int
	BatchBytes  int

	// Timeout is how long one request may take; default one minute. A node
	// answers within some ten seconds, also when its store is gone.
	Timeout time.Duration
	// FirstPause is the pause after the first failure; each further one
	// without progress doubles it up to LongPause. Default 100 ms and 5 s. A
	// node that says how long to wait is obeyed.
	FirstPause, LongPause time.Duration
	// Patience is how long a call goes on without progress before it gives
	// up; 0 means until its context ends.
	Patience time.Duration
	// Waiting, if not nil, is told why and how long a call waits.
	Waiting func(why error, pause time.Duration)
}

// A Client publishes to one node, or to what stands in front of several. It
// is safe for concurrent use and holds nothing between calls.
type Client struct {
	url string
	o   Options
}

// New makes a client of the node at an http or https URL, without path (or
// with the node's --base-path). It does not connect; the error is about the
// URL.
func New(node string, o Options) (*Client, error) {
	u, err := url.Parse(node)
	if err != nil {
		return nil, fmt.Errorf("the node's URL: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the node's URL: want http://HOST:PORT or https://HOST:PORT, not %s", u.Redacted())
	}
	if o.HTTPClient == nil {
		o.HTTPClient = http.DefaultClient
	}
	o.BatchEvents = orDefault(o.BatchEvents, 500)
	o.BatchBytes = orDefault(o.BatchBytes, 1<<20)
	o.Timeout = orDefault(o.Timeout, time.Minute)
	o.FirstPause = orDefault(o.FirstPause, 100*time.Millisecond)
	o.LongPause = orDefault(o.LongPause, 5*time.Second)
	return &Client{url: u.JoinPath(path).String(), o: o}, nil
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// A Result is what became of a call's events.
type Result struct {
	Accepted int         // stored, all of them
	Rejected []Rejection // refused, by index
	Done     int         // events with a verdict, from the first on; all when there was no error
	Cursor   string      // the place of the last accepted one in the store, or ""
}

// A Rejection says why one event was refused.
type Rejection struct {
	Index  int    // in the call
	Path   string // JSON path in its envelope, or ""
	Reason string // never repeats a value
}

// Publish stores events and returns when each has its verdict: refused ones
// are in the result, and no error. An error means that the events from
// Result.Done on have none: ctx or Options.Patience has ended, an event could
// not be encoded (nothing was sent then), or the node refuses the request, a
// [*StatusError].
func (c *Client) Publish(ctx context.Context, events ...Event) (Result, error) {
	lines := make([][]byte, len(events))
	for i := range events {
		var err error
		if lines[i], err = events[i].Line(); err != nil {
			return Result{}, err
		}
	}
	return c.PublishLines(ctx, lines)
}

// PublishLines is Publish for envelopes that are JSON already, each without a
// line break. One without an id may be stored twice when an answer is lost.
func (c *Client) PublishLines(ctx context.Context, lines [][]byte) (Result, error) {
	var r Result
	t := attempts{c: c, pause: c.o.FirstPause, progress: time.Now()}
	for r.Done < len(lines) {
		batch := c.batch(lines[r.Done:])
		if err := t.send(ctx, batch, &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// batch is what goes into the next request.
func (c *Client) batch(lines [][]byte) [][]byte {
	n, size := 0, 0
	for n < len(lines) && n < c.o.BatchEvents && (n == 0 || size+len(lines[n]) < c.o.BatchBytes) {
		size += len(lines[n]) + 1
		n++
	}
	return lines[:n]
}

// errPatience ends a call that makes no progress.
var errPatience = errors.New("gave up waiting for the node")

// attempts are those of one call.
type attempts struct {
	c        *Client
	pause    time.Duration // before the next one, if the node does not say
	progress time.Time     // when there was some
	renewed  bool          // the last answer was 401
}

// send makes one attempt at a batch and adds its verdicts to r. If another is
// worth it, it has waited; else the error is final.
func (t *attempts) send(ctx context.Context, batch [][]byte, r *Result) error {
	a, failure := t.c.post(ctx, batch)
	if failure != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if a.Cursor != "" {
		r.Cursor = a.Cursor
	}
	for _, x := range a.Rejected {
		r.Rejected = append(r.Rejected, Rejection{r.Done + x.Index, x.Path, x.Error})
	}
	moved := len(batch)
	switch {
	case a.Next != nil:
		moved = *a.Next
	case failure != nil && len(a.Rejected) < len(batch):
		moved = 0 // no answer, or not of the node itself but of something in front
	}
	r.Accepted += moved - len(a.Rejected) // not what was stored behind Next: it is sent again, and known by its id
	r.Done += moved
	if moved > 0 {
		t.pause, t.progress, t.renewed = t.c.o.FirstPause, time.Now(), false
	}
	if failure == nil {
		return nil
	}
	refused, answered := errors.AsType[*StatusError](failure)
	switch {
	case !answered: // the network: nothing is known, and the ids keep it from doubling
		return t.wait(ctx, failure, 0)
	case refused.Status == http.StatusUnauthorized && t.c.o.Token != nil && !t.renewed:
		t.renewed = true
		return nil
	case refused.Temporary():
		return t.wait(ctx, failure, refused.RetryAfter)
	case refused.Status == http.StatusForbidden && len(a.Rejected) > 0: // every event is another organization's
		return nil
	}
	return failure
}

// wait pauses before the next attempt: as long as the node says, if it does.
func (t *attempts) wait(ctx context.Context, why error, pause time.Duration) error {
	if t.c.o.Patience > 0 && time.Since(t.progress) >= t.c.o.Patience {
		return fmt.Errorf("%w: %w", errPatience, why)
	}
	if pause <= 0 {
		pause = t.pause
		t.pause = min(2*t.pause, t.c.o.LongPause)
	}
	if t.c.o.Waiting != nil {
		t.c.o.Waiting(why, pause)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
