package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"rte/internal/event"
)

// Figures of direct gets with many answers.
const (
	// batchWait is how long nothing may come at the first try, at each further
	// one twice as long as at the one before, up to mostBatchWait: a replica
	// that was cut off without a word is still asked until the other servers
	// notice. An answer that goes on is waited for.
	batchWait, mostBatchWait = 500 * time.Millisecond, 4 * time.Second
	// batchMessages and batchBytes bound what one brings: the stream writes
	// nothing while it reads.
	batchMessages = 1024
	batchBytes    = 2 << 20
	// mostRepairing bounds how many are under way for flows. Those of Read have
	// a getter of their own, so that neither starves the other.
	mostRepairing = 16
)

// A getter asks streams for many messages at once (direct gets with batch or
// multi_last). Any replica answers. It is safe for concurrent use.
type getter struct {
	conn  *nats.Conn
	inbox string // answers come to inbox + token
	slots chan struct{}
	asked atomic.Uint64 // requests so far

	mu      sync.Mutex
	token   uint64
	waiting map[uint64]*gathering
}

// A gathering is one request under way. Until done it is guarded by the
// getter's mu.
type gathering struct {
	messages []*nats.Msg
	end      *nats.Msg     // the last answer; it has a status
	done     chan struct{} // closed when end has come
}

// A batch is what one request brought: whole, in the order of the store.
type batch struct {
	messages []*nats.Msg
	upTo     uint64 // multi_last: the place in the stream up to which it holds
	more     bool   // there is more behind the last message
}

// What a direct get may be answered with instead of messages.
var (
	errTooMany = errors.New("more subjects than a direct get gives") // multi_last only
	errBroken  = errors.New("answers were lost on the way")
)

// newGetter makes a getter for so many requests at a time.
func newGetter(conn *nats.Conn, most int) (*getter, error) {
	g := &getter{conn: conn, inbox: nats.NewInbox() + ".", slots: make(chan struct{}, most), waiting: map[uint64]*gathering{}}
	sub, err := conn.Subscribe(g.inbox+"*", g.answer)
	if err != nil {
		return nil, fmt.Errorf("subscribe to answers of the store: %w", err)
	}
	return g, sub.SetPendingLimits(-1, -1) // bounded by slots and batchBytes
}

// A getRequest is the body of a direct get.
type getRequest struct {
	Seq       uint64     `json:"seq,omitempty"`
	Next      string     `json:"next_by_subj,omitempty"`
	Last      string     `json:"last_by_subj,omitempty"`
	MultiLast []string   `json:"multi_last,omitempty"`
	StartTime *time.Time `json:"start_time,omitempty"`
	Batch     int        `json:"batch,omitempty"`
	MaxBytes  int        `json:"max_bytes,omitempty"`
	NoHeaders bool       `json:"no_hdr,omitempty"`
}

// get asks once; n tries went before. No message is an empty batch (with multi_last, of upTo 0: it
// is not told how far that replica was). Errors that wrap
// [event.ErrUnavailable] may pass.
func (g *getter) get(ctx context.Context, s *stream, r getRequest, n int) (batch, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return batch{}, err
	}
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	case <-ctx.Done():
		return batch{}, fmt.Errorf("%w: %w", event.ErrUnavailable, context.Cause(ctx))
	}
	g.asked.Add(1)
	w := &gathering{done: make(chan struct{})}
	g.mu.Lock()
	g.token++
	token := g.token
	g.waiting[token] = w
	g.mu.Unlock()
	defer g.forget(token)
	if err := g.conn.PublishRequest(directGet+s.name, g.inbox+strconv.FormatUint(token, 36), body); err != nil {
		return batch{}, fmt.Errorf("%w: %w", event.ErrUnavailable, err)
	}
	silent := min(batchWait<<min(n, 10), mostBatchWait)
	tick := time.NewTicker(silent)
	defer tick.Stop()
	for had := 0; ; {
		select {
		case <-w.done:
			return w.batch()
		case <-ctx.Done():
			return batch{}, fmt.Errorf("%w: no answer to a direct get: %w", event.ErrUnavailable, context.Cause(ctx))
		case <-tick.C:
		}
		has := g.progress(w)
		if has == had {
			return batch{}, fmt.Errorf("%w: no answer to a direct get in %v", event.ErrUnavailable, silent)
		}
		had = has
	}
}

// progress is how many messages of an answer have come.
func (g *getter) progress(w *gathering) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if w.end != nil {
		return -1 // done is closed
	}
	return len(w.messages)
}

func (g *getter) forget(token uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.waiting, token)
}

// answer takes one answer: the callback of the subscription.
func (g *getter) answer(m *nats.Msg) {
	token, err := strconv.ParseUint(m.Subject[len(g.inbox):], 36, 64)
	if err != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	w := g.waiting[token]
	switch {
	case w == nil: // given up
	case header(m, "Status") == "":
		w.messages = append(w.messages, m)
	default:
		w.end = m
		delete(g.waiting, token)
		close(w.done)
	}
}

// batch judges what has come. Each message names the one before it in the
// answer, and the end the last, so what was lost between is noticed.
func (w *gathering) batch() (batch, error) {
	switch status := header(w.end, "Status"); status {
	case "204":
	case "404":
		if len(w.messages) == 0 {
			return batch{}, nil
		}
		return batch{}, fmt.Errorf("%w: %w", event.ErrUnavailable, errBroken)
	case "413":
		return batch{}, errTooMany
	default:
		return batch{}, fmt.Errorf("%w: store: status %s", event.ErrUnavailable, status)
	}
	before := "0"
	for _, m := range w.messages {
		if header(m, headerLast) != before {
			return batch{}, fmt.Errorf("%w: %w", event.ErrUnavailable, errBroken)
		}
		before = header(m, headerSequence)
	}
	if header(w.end, headerLast) != before {
		return batch{}, fmt.Errorf("%w: %w", event.ErrUnavailable, errBroken)
	}
	b := batch{messages: w.messages, more: header(w.end, headerPending) != "0"}
	b.upTo, _ = strconv.ParseUint(header(w.end, headerUpTo), 10, 64)
	return b, nil
}
