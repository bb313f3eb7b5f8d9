package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"rte/signalr"
	"rte/signalr/client"
)

// subscribeAtOnce is how many items go into one Subscribe; a node takes 1,000
// unless told otherwise.
const subscribeAtOnce = 500

// A listener is a client that hears some pairs and comes back with its cursors
// when it loses its connection.
type listener struct {
	run    *run
	number int
	pairs  []int          // that it hears
	byKey  map[string]int // entity:event, in lower case
	client *client.Client

	// cursors are the places of the newest events by pair, or where the pair
	// was joined. No handler of an old connection runs any more when the client
	// subscribes on the next.
	mu      sync.Mutex
	cursors map[int]string
}

// An item of Subscribe. After is what a returning client has had last; null
// means from now on, and asks for a cursor.
type item struct {
	EntityID  string  `json:"EntityId"`
	EventName string  `json:"EventName"`
	After     *string `json:"After"`
}

// start connects, waits until it can if the node is not there, and subscribes.
func (l *listener) start(ctx context.Context) error {
	o := l.run.o
	l.client = client.New(o.hubURL(), client.Options{
		Token:             func(context.Context) (string, error) { return o.Token, nil },
		Transport:         o.Transport,
		Protocol:          o.Protocol,
		StatefulReconnect: o.StatefulReconnect,
		Reconnect:         again,
		OnReconnecting: func(_ *client.Client, lost error) {
			l.run.note(Record{Kind: Lost, Client: l.number, Text: lost.Error()})
			l.run.connected.Add(-1)
		},
		OnReconnected: func(*client.Client, string) { l.back(ctx) },
		OnClosed: func(_ *client.Client, err error) {
			if !errors.Is(err, client.ErrClosed) {
				l.run.fail(fmt.Errorf("client %d: %w", l.number, err))
			}
		},
	})
	l.client.On("MessageReceived", l.take)
	if err := l.client.Start(ctx); err != nil {
		return fmt.Errorf("connect client %d: %w", l.number, err)
	}
	l.up()
	return l.subscribe(ctx, true)
}

// again comes back for as long as that may help.
func again(r client.Retry) (time.Duration, bool) {
	if e, ok := errors.AsType[*client.StatusError](r.Err); ok && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden) {
		return 0, false
	}
	return client.Backoff(100*time.Millisecond, 3*time.Second)(r)
}

func (l *listener) up() {
	l.run.note(Record{Kind: Connected, Client: l.number})
	l.run.connected.Add(1)
}

// back subscribes on a new connection. One that is lost meanwhile is followed
// by another.
func (l *listener) back(ctx context.Context) {
	l.up()
	err := l.subscribe(ctx, false)
	if err != nil && !errors.Is(err, client.ErrLost) && !errors.Is(err, client.ErrReconnecting) && !errors.Is(err, client.ErrClosed) && ctx.Err() == nil {
		l.run.fail(fmt.Errorf("client %d subscribes again: %w", l.number, err))
	}
}

// subscribe subscribes to all pairs, from the cursors on.
func (l *listener) subscribe(ctx context.Context, first bool) error {
	for rest := l.pairs; len(rest) > 0; {
		some := rest[:min(len(rest), subscribeAtOnce)]
		rest = rest[len(some):]
		items := make([]item, len(some))
		for i, p := range some {
			at := &l.run.pairs[p]
			items[i] = item{EntityID: at.entity.String(), EventName: at.name}
			items[i].After = l.cursor(p)
		}
		if first {
			for _, p := range some {
				l.run.note(Record{Kind: Subscribed, Client: l.number, Pair: p})
			}
		}
		value, err := l.client.Invoke(ctx, "Subscribe", items)
		if err != nil {
			return err
		}
		if err := l.answered(value, some); err != nil {
			return err
		}
	}
	return nil
}

// answered takes what the hub says about the pairs.
func (l *listener) answered(value signalr.Value, pairs []int) error {
	answers, err := readAnswers(value, len(pairs))
	if err != nil {
		return err
	}
	for i, a := range answers {
		switch {
		case !a.Subscribed:
			p := &l.run.pairs[pairs[i]]
			return fmt.Errorf("not subscribed to %s:%s: %s; the checker needs a token of role service", p.entity, p.name, a.Message)
		case a.Recovered == nil:
			return errNoCursors
		case !*a.Recovered:
			l.run.note(Record{Kind: Unrecovered, Client: l.number, Pair: pairs[i]})
		}
		if a.Cursor != nil {
			l.joined(pairs[i], *a.Cursor)
		}
	}
	return nil
}

// cursor is what After says of a pair.
func (l *listener) cursor(p int) *string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.cursors[p]; ok {
		return &c
	}
	return nil
}

// joined keeps where a pair was joined, unless an event says it better: one
// may have come before the answer was read.
func (l *listener) joined(p int, cursor string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.cursors[p]; !ok {
		l.cursors[p] = cursor
	}
}

// take takes one push; the client calls it one call at a time.
func (l *listener) take(args []signalr.Value) {
	if len(args) != 1 {
		l.run.note(Record{Kind: Noise, Client: l.number, Text: fmt.Sprintf("MessageReceived with %d arguments", len(args))})
		return
	}
	m, err := readMessage(args[0])
	if err != nil {
		l.run.note(Record{Kind: Noise, Client: l.number, Text: err.Error()})
		return
	}
	key := strings.ToLower(m.Subscription.EntityID + ":" + m.Subscription.EventName)
	p, ok := l.byKey[key]
	mark, mine := parseMark(m.Data.QueueName)
	if !ok || !mine || mark.run != l.run.name {
		l.run.note(Record{Kind: Noise, Client: l.number, Text: key})
		return
	}
	l.mu.Lock()
	l.cursors[p] = m.Cursor
	l.mu.Unlock()
	l.run.heard(l.number, p, mark)
}

func (l *listener) close() {
	if l.client != nil {
		l.client.Close() //nolint:errcheck // it never fails
	}
}
