package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"rte/internal/auth"
	"rte/internal/bench"
	"rte/internal/event"
	"rte/internal/node"
	"rte/signalr"
)

// benchLoad is what the verbs that put load on a node have in common.
type benchLoad struct {
	URL        string `default:"http://127.0.0.1:8080" help:"The node, or what stands in front of several; the hub is at URL/rte."`
	PublishURL string `placeholder:"URL" help:"The publish API, where it is apart (default: --url)."`
	AdminURL   string `placeholder:"URL" help:"The node's admin listener: shows what the load costs the node, CPU and memory."`
	Token      string `placeholder:"JWT" help:"Token with role service; it publishes and hears in its own organization."`
	JWTSecret  string `name:"jwt-secret" placeholder:"TEXT" help:"The node's secret instead of a token: each client is a user of its own then."`
	Org        string `placeholder:"GUID" help:"Organization (default: the token's, or a fresh one)."`
	OwnNode    bool   `help:"Start a node for this run: a process of its own, with a fresh folder and secret."`

	Connections   int           `placeholder:"N" help:"Clients (default: 1000; ingest 100)."`
	Subscriptions int           `placeholder:"N" help:"Queues that each client hears (default: 1; sparse 50, resume 20)."`
	Size          int           `default:"350" help:"Bytes of an event's data."`
	Transport     string        `default:"websockets" enum:"websockets,serversentevents,longpolling" help:"How bytes travel: websockets, serversentevents or longpolling."`
	Protocol      string        `default:"json" enum:"json,messagepack" help:"How messages are written: json or messagepack."`
	Settle        time.Duration `default:"30s" help:"How long the last events may take to arrive."`
	JSON          bool          `name:"json" help:"Print the result as JSON."`
}

// benchPublish are flags of the verbs that publish at a rate.
type benchPublish struct {
	Rate     float64       `default:"50" help:"Events a second; 0 is as fast as the clients hear them."`
	Burst    int           `default:"1" help:"Events of a queue at the same moment."`
	Window   int           `placeholder:"N" help:"With --rate 0: events under way, as if everybody heard them (default: 4 bursts)."`
	State    bool          `help:"Use QueueStatus, a state: of slow clients older values may be replaced."`
	Stalled  int           `placeholder:"N" help:"Measure once more while so many of the clients do not read."`
	Queues   int           `placeholder:"N" help:"Queues in all (default: 1; sparse 1000, or one for each client)."`
	Duration time.Duration `default:"10s" help:"How long events are published."`
}

type (
	benchConnectCmd struct {
		benchLoad `embed:""`
	}
	benchIdleCmd struct {
		benchLoad `embed:""`

		Duration time.Duration `default:"30s" help:"How long the clients are idle."`
	}
	benchFanoutCmd struct {
		benchLoad    `embed:""`
		benchPublish `embed:""`
	}
	benchSparseCmd struct {
		benchLoad    `embed:""`
		benchPublish `embed:""`
	}
	benchIngestCmd struct {
		benchLoad `embed:""`

		Batch      int           `default:"100" help:"Events in a request."`
		Publishers int           `default:"4" help:"Requests under way at a time."`
		Duration   time.Duration `default:"10s" help:"How long events are published."`
	}
	benchPollCmd struct {
		benchLoad `embed:""`

		Rate     float64       `default:"2000" help:"Questions a second, of all clients."`
		Duration time.Duration `default:"10s" help:"How long they ask."`
	}
	benchResumeCmd struct {
		benchLoad `embed:""`

		Queues int `placeholder:"N" help:"Queues in all (default: 1000)."`
		Missed int `default:"3" help:"Events of each queue while the clients are away."`
	}
)

// Run measures clients that ask.
func (c *benchPollCmd) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, bench.Poll, func(o *bench.LoadOptions) { o.Rate, o.Duration = c.Rate, c.Duration })
}

// Help is the long text (kong.HelpProvider).
func (*benchPollCmd) Help() string {
	return `For comparison: 10,000 clients that ask every 5 seconds are 2,000 questions a second, whether something has happened or not, and hear of it 2.5 seconds late.`
}

// Run measures a storm of connections.
func (c *benchConnectCmd) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, bench.Connect, nil)
}

// Run measures clients that hear nothing.
func (c *benchIdleCmd) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, bench.Idle, func(o *bench.LoadOptions) { o.Duration = c.Duration })
}

// Run measures events that everybody hears.
func (c *benchFanoutCmd) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, bench.Fanout, c.set)
}

// Run measures events that few of many hear.
func (c *benchSparseCmd) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, bench.Sparse, c.set)
}

// Run measures how fast events are stored.
func (c *benchIngestCmd) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, bench.Ingest, func(o *bench.LoadOptions) {
		o.Duration, o.BatchEvents, o.Publishers = c.Duration, c.Batch, c.Publishers
	})
}

// Run measures how soon clients are current again.
func (c *benchResumeCmd) Run(ctx context.Context, s streams) error {
	return c.run(ctx, s, bench.Resume, func(o *bench.LoadOptions) { o.Queues, o.Missed = c.Queues, c.Missed })
}

// Help is the long text (kong.HelpProvider).
func (*benchResumeCmd) Help() string {
	return `Clients connect, hear an event of each of their queues, lose their connections all at once, and come back with their cursors when each queue has had further events. With --own-node the node is killed (kill -9) meanwhile and starts on the store that is left. Every client must hear exactly what it has missed, or the exit code is 1.`
}

func (c *benchPublish) set(o *bench.LoadOptions) {
	o.Rate, o.Burst, o.Window, o.State, o.Stalled = c.Rate, c.Burst, c.Window, c.State, c.Stalled
	o.Queues, o.Duration = c.Queues, c.Duration
}

// run does a scenario and prints what it has shown.
func (c *benchLoad) run(ctx context.Context, s streams, scenario func(context.Context, bench.LoadOptions) (*bench.Result, error), set func(*bench.LoadOptions)) error {
	o := bench.LoadOptions{
		Connections: c.Connections, Subscriptions: c.Subscriptions, EventBytes: c.Size, Settle: c.Settle,
		Transport: transportOf(c.Transport),
	}
	if c.Protocol == (signalr.MessagePack{}).Name() {
		o.Protocol = signalr.MessagePack{}
	}
	if set != nil {
		set(&o)
	}
	if c.OwnNode {
		if c.Token != "" || c.JWTSecret != "" {
			return usage(errors.New("--own-node has a secret of its own; leave out --token and --jwt-secret"))
		}
		own, err := startOwnNode(ctx, s.err)
		if err != nil {
			return err
		}
		defer own.stop()
		c.URL, c.PublishURL, c.AdminURL, c.JWTSecret = own.url(), "", own.adminURL(), own.secret
		o.Restart = own.restart
	}
	if err := c.identify(&o); err != nil {
		return usage(err)
	}
	o.URL, o.PublishURL, o.AdminURL = c.URL, c.PublishURL, c.AdminURL
	terminal := isTerminal(s.err)
	o.Progress = func(p bench.LoadProgress) { tellLoad(s.err, terminal, p) }
	if os.Getenv("GOGC") == "" { // its own collector must not be what is measured
		debug.SetGCPercent(loadGCPercent)
	}
	r, err := scenario(ctx, o)
	if terminal {
		fmt.Fprint(s.err, clearLine)
	}
	if err != nil {
		return err
	}
	return c.print(s.out, r)
}

// loadGCPercent is how much garbage a load program lets gather.
const loadGCPercent = 400

// loadLife is how long the tokens of a run are good.
const loadLife = 24 * time.Hour

// identify says who publishes and who hears.
func (c *benchLoad) identify(o *bench.LoadOptions) error {
	if c.Token != "" && c.JWTSecret != "" {
		return errors.New("--token and --jwt-secret are both set; use one")
	}
	o.Token, o.Organization = c.Token, c.Org
	if c.JWTSecret == "" {
		if c.Token == "" {
			return errors.New("--token is missing: `rte token --role service` makes one; or --own-node starts a node for this run")
		}
		if o.Organization == "" {
			o.Organization = claimOrg(c.Token)
		}
		if _, err := event.ParseGUID(o.Organization); err != nil {
			return fmt.Errorf("--org: the token names no organization, so the flag must: %w", err)
		}
		return nil
	}
	org := event.NewGUID()
	if c.Org != "" {
		var err error
		if org, err = event.ParseGUID(c.Org); err != nil {
			return fmt.Errorf("--org: %w", err)
		}
	}
	o.Organization = org.String()
	keys := node.Keys{JWTSecret: c.JWTSecret}
	sign := func(role auth.Role) (string, error) {
		return keys.Sign(auth.Claims{User: event.NewGUID(), Org: org, Role: role, Expires: time.Now().Add(loadLife)})
	}
	var err error
	o.Token, err = sign(auth.Service)
	o.Tokens = func(int) (string, error) { return sign(auth.Supervisor) }
	return err
}
