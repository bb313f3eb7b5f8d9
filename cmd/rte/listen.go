package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"rte/signalr"
	"rte/signalr/client"
)

type listenCmd struct {
	URL       string   `default:"http://127.0.0.1:8080/rte" help:"The hub."`
	Token     string   `required:"" placeholder:"JWT" help:"Token of the client (rte token makes one)."`
	Count     int      `placeholder:"N" help:"Stop after N messages."`
	Topics    []string `arg:"" name:"entity:event" help:"What to hear, such as a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3:UserStatus."`
	Transport string   `default:"websockets" enum:"websockets,serversentevents,longpolling" help:"How bytes travel: websockets, serversentevents or longpolling."`
	Protocol  string   `default:"json" enum:"json,messagepack" help:"How messages are written: json or messagepack; the latter not with serversentevents."`
}

// pair is an item of Subscribe.
type pair struct {
	EntityID  string `json:"EntityId"`
	EventName string `json:"EventName"`
}

// subscribeResult is what the hub answers for an item.
type subscribeResult struct {
	Subscribed bool
	Message    string
	EntityID   string
	EventName  string
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
	printer := &printer{out: bufio.NewWriter(s.out), left: c.Count, enough: enough}
	for pause := time.Duration(0); ; pause = min(max(2*pause, 500*time.Millisecond), 10*time.Second) {
		select {
		case <-ctx.Done():
			return printer.err()
		case <-time.After(pause):
		}
		began := time.Now()
		err := c.once(ctx, s, pairs, printer)
		if ctx.Err() != nil {
			return printer.err()
		}
		if final(err) {
			return err
		}
		if time.Since(began) > time.Minute {
			pause = 0
		}
		fmt.Fprintf(s.err, "rte: %v; connecting again\n", err)
	}
}

func (c *listenCmd) pairs() ([]pair, error) {
	var pairs []pair
	for _, t := range c.Topics {
		entity, name, ok := strings.Cut(t, ":")
		if !ok || entity == "" || name == "" {
			return nil, fmt.Errorf("%q is not ENTITY:EVENT", t)
		}
		pairs = append(pairs, pair{entity, name})
	}
	return pairs, nil
}

// once connects, subscribes and prints until the connection ends.
func (c *listenCmd) once(ctx context.Context, s streams, pairs []pair, p *printer) error {
	o := client.Options{
		Token: func(context.Context) (string, error) { return c.Token, nil },
		Transport: map[string]client.Transport{
			"websockets": client.WebSockets, "serversentevents": client.ServerSentEvents, "longpolling": client.LongPolling,
		}[c.Transport],
	}
	if c.Protocol == (signalr.MessagePack{}).Name() {
		o.Protocol = signalr.MessagePack{}
	}
	conn, err := client.Dial(ctx, c.URL, map[string]func([]signalr.Value){"MessageReceived": p.print}, o)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it never fails
	answer, err := conn.Invoke(ctx, "Subscribe", pairs)
	if err != nil {
		return err
	}
	var results []subscribeResult
	if err := signalr.Decode(answer, &results); err != nil {
		return err
	}
	good := 0
	for _, r := range results {
		if r.Subscribed {
			good++
			fmt.Fprintf(s.err, "subscribed to %s:%s\n", r.EntityID, r.EventName)
			continue
		}
		fmt.Fprintf(s.err, "not subscribed to %s:%s: %s\n", r.EntityID, r.EventName, r.Message)
	}
	if good == 0 {
		return &refusal{"the hub refused every subscription"}
	}
	select {
	case <-conn.Done():
		return conn.Err()
	case <-ctx.Done():
		return nil
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
		return e.Status >= 400 && e.Status < 500
	}
	e, ok := errors.AsType[*client.ServerError](err)
	return ok && !e.AllowReconnect
}

// A printer writes messages as they come, one line each.
type printer struct {
	mu     sync.Mutex
	out    *bufio.Writer
	left   int // messages still wanted; 0 from the start means all
	over   bool
	enough func()
	failed error
}

func (p *printer) print(args []signalr.Value) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over || len(args) == 0 {
		return
	}
	var message json.RawMessage
	if err := signalr.Decode(args[0], &message); err != nil {
		p.failed = err
	} else {
		p.out.Write(append(message, '\n')) //nolint:errcheck // Flush tells
		p.failed = p.out.Flush()
	}
	if p.left--; p.left == 0 || p.failed != nil {
		p.over = true
		p.enough()
	}
}

func (p *printer) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}
