package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"rte/internal/event"
	"rte/signalr"
	"rte/signalr/client"
)

type listenCmd struct {
	URL       string   `default:"http://127.0.0.1:8080/rte" help:"The hub."`
	Token     string   `required:"" placeholder:"JWT" help:"Token of the client (rte token makes one)."`
	Count     int      `placeholder:"N" help:"Stop after N messages."`
	After     string   `placeholder:"CURSOR" help:"Begin behind this cursor of an earlier message of the pair, with all that was missed (docs/resuming.md)."`
	Snapshot  bool     `help:"Begin with the newest value of each state."`
	Topics    []string `arg:"" name:"entity:event" help:"What to hear, such as a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3:UserStatus."`
	Transport string   `default:"auto" enum:"auto,websockets,serversentevents,longpolling" help:"How bytes travel: websockets, serversentevents, longpolling, or auto, the first of these that works."`
	Protocol  string   `default:"json" enum:"json,messagepack" help:"How messages are written: json or messagepack; the latter not with serversentevents."`
}

// pair is an item of Subscribe.
type pair struct {
	EntityID  string  `json:"EntityId"`
	EventName string  `json:"EventName"`
	After     *string `json:"After"` // null: from now on, and the hub says where that is
	Snapshot  bool    `json:"Snapshot,omitempty"`
}

// subscribeResult is what the hub answers for an item.
type subscribeResult struct {
	Subscribed bool
	Message    string
	EntityID   string
	EventName  string
	Recovered  *bool   // nil: the hub has no cursors
	Cursor     *string // where the pair was joined
}

// Run listens until Count messages have come, a signal comes or the
// connection ends for good. A connection that is lost, or closed with leave to
// come back, is made again.
func (c *listenCmd) Run(ctx context.Context, s streams) error {
	pairs, err := c.pairs()
	if err != nil {
		return usage(err)
	}
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	p := &printer{out: bufio.NewWriter(s.out), left: c.Count, enough: enough}
	l := &listener{pairs: pairs, byKey: map[string]int{}, err: s.err, backoff: client.Backoff(time.Second, 10*time.Second), failed: make(chan error, 1)}
	for i, pair := range pairs {
		l.byKey[keyOf(pair.EntityID, pair.EventName)] = i
	}
	conn := client.New(c.URL, l.options(ctx, c))
	conn.On("MessageReceived", func(args []signalr.Value) {
		l.note(args)
		p.print(args)
	})
	defer conn.Close() //nolint:errcheck // it never fails
	if err := l.start(ctx, conn); err != nil && ctx.Err() == nil {
		return err
	}
	l.subscribe(ctx, conn)
	select {
	case err = <-l.failed:
	case <-conn.Done():
		err = conn.Err()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return p.err()
	}
	return err
}

func (c *listenCmd) pairs() ([]pair, error) {
	var pairs []pair
	for _, t := range c.Topics {
		entity, name, ok := strings.Cut(t, ":")
		if !ok || entity == "" || name == "" {
			return nil, fmt.Errorf("%q is not ENTITY:EVENT", t)
		}
		p := pair{EntityID: entity, EventName: name, Snapshot: c.Snapshot}
		if c.After != "" {
			p.After = &c.After
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}

// A listener keeps subscriptions over any number of connections.
type listener struct {
	backoff client.Policy
	failed  chan error // what cannot become better; one error is enough

	mu    sync.Mutex
	pairs []pair         // with the cursors that it would come back with
	byKey map[string]int // index in pairs, by keyOf
	err   io.Writer      // for people
}

func (l *listener) tell(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.err, format+"\n", args...)
}

func (l *listener) options(ctx context.Context, c *listenCmd) client.Options {
	o := client.Options{
		Token:             func(context.Context) (string, error) { return c.Token, nil },
		Transport:         transportOf(c.Transport),
		StatefulReconnect: true,
		Reconnect:         l.again,
		OnReconnected:     func(c *client.Client, _ string) { l.subscribe(ctx, c) },
	}
	if c.Protocol == (signalr.MessagePack{}).Name() {
		o.Protocol = signalr.MessagePack{}
	}
	return o
}

// transportOf is a transport as flags name it; "auto" is the first that works.
func transportOf(flag string) client.Transport {
	return map[string]client.Transport{
		"websockets": client.WebSockets, "serversentevents": client.ServerSentEvents, "longpolling": client.LongPolling,
	}[flag]
}

// again tells why the listener has no connection, and when it tries again.
func (l *listener) again(r client.Retry) (wait time.Duration, ok bool) {
	if final(r.Err) {
		return 0, false
	}
	l.tell("rte: %v; connecting again", r.Err)
	return l.backoff(r)
}

// start makes the first connection; a hub that is not there yet is waited for.
func (l *listener) start(ctx context.Context, c *client.Client) error {
	for attempt := 0; ; attempt++ {
		err := c.Start(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		wait, ok := l.again(client.Retry{Attempt: attempt, Err: err})
		if !ok {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// subscribe subscribes on a connection; to be heard are all pairs but those
// that the hub refuses. One that is lost meanwhile is followed by another.
func (l *listener) subscribe(ctx context.Context, c *client.Client) {
	err := l.trySubscribe(ctx, c)
	if err == nil || errors.Is(err, client.ErrLost) || errors.Is(err, client.ErrReconnecting) {
		return
	}
	select {
	case l.failed <- err:
	default:
	}
}

func (l *listener) trySubscribe(ctx context.Context, c *client.Client) error {
	l.mu.Lock()
	pairs := slices.Clone(l.pairs)
	l.mu.Unlock()
	answer, err := c.Invoke(ctx, "Subscribe", pairs)
	if err != nil {
		return err
	}
	var results []subscribeResult
	if err := signalr.Decode(answer, &results); err != nil {
		return err
	}
	good := 0
	for i, r := range results {
		if r.Subscribed && i < len(pairs) {
			good++
			l.tell("subscribed to %s:%s", r.EntityID, r.EventName)
			l.joined(i, pairs[i].After, r)
			continue
		}
		l.tell("not subscribed to %s:%s: %s", r.EntityID, r.EventName, r.Message)
	}
	if good == 0 {
		return &refusal{"the hub refused every subscription"}
	}
	return nil
}

// keyOf is a pair as the hub names it.
func keyOf(entity, name string) string {
	if id, err := event.ParseGUID(entity); err == nil {
		entity = id.String()
	}
	return strings.ToLower(entity + ":" + name)
}

// joined takes how a pair was joined with a cursor, nil if there was none.
func (l *listener) joined(i int, with *string, r subscribeResult) {
	if r.Recovered != nil && !*r.Recovered {
		l.tell("events of %s:%s may be missing: the node does not reach back to the cursor", r.EntityID, r.EventName)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &l.pairs[i]
	p.Snapshot = false
	// A push that has come already knows better.
	if p.After == with && (with == nil || r.Recovered != nil && !*r.Recovered) {
		p.After = r.Cursor
	}
}

// note keeps the cursor of a push.
func (l *listener) note(args []signalr.Value) {
	var m struct {
		Subscription struct{ EntityID, EventName string }
		Cursor       string
	}
	if len(args) == 0 || signalr.Decode(args[0], &m) != nil || m.Cursor == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i, ok := l.byKey[keyOf(m.Subscription.EntityID, m.Subscription.EventName)]; ok {
		l.pairs[i].After = &m.Cursor
	}
}

// A refusal will not become better by trying again.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

func final(err error) bool {
	if _, ok := errors.AsType[*refusal](err); ok {
		return true
	}
	if e, ok := errors.AsType[*client.StatusError](err); ok {
		if e.Status == http.StatusNotFound && e.Act != "negotiate" {
			return false // the hub is there; the node that had the connection is not
		}
		return e.Status >= 400 && e.Status < 500 && e.Status != http.StatusTooManyRequests
	}
	e, ok := errors.AsType[*client.ServerError](err)
	return ok && !e.AllowReconnect
}
