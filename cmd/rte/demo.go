package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
	"rte/internal/sim"
	"rte/producer"
)

type demoCmd struct {
	Listen      string  `default:"127.0.0.1:8080" help:"Address; loopback unless --insecure-dev."`
	AdminListen string  `default:"127.0.0.1:8081" help:"Address of health and metrics."`
	Agents      int     `default:"40" help:"Agents of the simulated contact centre."`
	Speed       float64 `default:"1" help:"How much faster than life it runs."`
	InsecureDev bool    `help:"Let the demo leave loopback: everybody who can reach it gets a token."`
	LogLevel    string  `default:"warn" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
}

// demoSeed makes the same agents and queues every time, so that a line that
// was copied yesterday still works.
const demoSeed = 2026

// Run shows a live contact centre until a signal comes.
func (c *demoCmd) Run(ctx context.Context, s streams) error {
	if c.Agents < 1 || c.Agents > 500 || c.Speed <= 0 || c.Speed > 100 {
		return usage(errors.New("--agents must be 1 to 500, --speed above 0 and at most 100"))
	}
	dir, err := os.MkdirTemp("", "rte-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder

	centre := sim.New(sim.Options{Seed: demoSeed, Agents: c.Agents, Speed: c.Speed})
	cfg, err := demoConfig()
	if err != nil {
		return err
	}
	cfg.Listen, cfg.AdminListen, cfg.DataDir = c.Listen, c.AdminListen, dir
	cfg.InsecureDev, cfg.LogLevel = c.InsecureDev, c.LogLevel
	cfg.DevOrg = centre.Org()
	n, err := startDemo(ctx, cfg)
	if err != nil {
		return usage(err)
	}
	if err := c.introduce(s, n, cfg, centre); err != nil {
		return err
	}
	simulated := make(chan error, 1)
	go func() { simulated <- simulate(ctx, s, centre, n.URL(), cfg.Keys) }()
	<-ctx.Done()
	if err := <-simulated; !errors.Is(err, context.Canceled) {
		fmt.Fprintln(s.err, "rte: simulated contact centre:", err)
	}
	return stop(n, cfg.Drain)
}

// demoConfig is what `serve` would have by default, with a fresh secret.
func demoConfig() (node.Config, error) {
	var cfg node.Config
	if err := kong.ApplyDefaults(&cfg); err != nil {
		return cfg, err
	}
	cfg.JWTSecret = freshSecret()
	cfg.DevTokens = true
	cfg.Drain = 2 * time.Second
	return cfg, nil
}

// startDemo starts the node; when the admin address is taken, which does not
// matter here, it takes another.
func startDemo(ctx context.Context, cfg node.Config) (*node.Node, error) {
	for {
		n, err := node.New(cfg, cfg.Logger())
		if err != nil {
			return nil, err
		}
		err = n.Start(ctx)
		if err == nil {
			return n, nil
		}
		if cfg.AdminListen == "127.0.0.1:0" || !free(ctx, cfg.Listen) || free(ctx, cfg.AdminListen) {
			return nil, err
		}
		cfg.AdminListen = "127.0.0.1:0"
	}
}

func free(ctx context.Context, addr string) bool {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// demoLife is how long the demo's tokens are good.
const demoLife = 12 * time.Hour

// introduce prints what to open and what to type.
func (c *demoCmd) introduce(s streams, n *node.Node, cfg node.Config, centre *sim.Centre) error {
	agents, queues := centre.Agents(), centre.Queues()
	claims := auth.Claims{
		User: agents[0].ID, Org: centre.Org(), Role: auth.Supervisor,
		Expires: time.Now().Add(demoLife),
	}
	plain, err := cfg.Sign(claims)
	if err != nil {
		return err
	}
	// The wallboard learns from its token what there is to show.
	for _, q := range queues {
		claims.Queues = append(claims.Queues, q.ID)
	}
	for _, a := range agents {
		claims.Users = append(claims.Users, a.ID)
	}
	board, err := cfg.Sign(claims)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, `A live contact centre: %d agents, %d queues.

Open the wallboard:
  %s/wallboard/#token=%s

Listen like a client (queue %s):
  %s listen --url %s --token %s %s:QueueStatus

A token for any user of the demo:
  %s/token/%s/rte/?role=supervisor
Organization %s · health and metrics %s/metrics · Ctrl-C ends the demo.
`, len(agents), len(queues), n.URL(), board, queues[0].Name, command(), n.HubURL(), plain, queues[0].ID, n.URL(), agents[0].ID, centre.Org(), n.AdminURL())
	return err
}

// command is what starts this program again: `go run` leaves no binary behind.
func command() string {
	if exe, err := os.Executable(); err == nil && strings.Contains(filepath.ToSlash(exe), "/go-build") {
		return "go run ./cmd/rte"
	}
	return "rte"
}

// simulate publishes the centre's events through the node's own front door.
func simulate(ctx context.Context, s streams, centre *sim.Centre, url string, keys node.Keys) error {
	token, err := keys.Sign(auth.Claims{
		User: event.GUID{15: 1}, Org: centre.Org(), Role: auth.Service,
		Expires: time.Now().Add(365 * 24 * time.Hour),
	})
	if err != nil {
		return err
	}
	p, err := producer.New(url, producer.Options{Token: func(context.Context) (string, error) { return token, nil }})
	if err != nil {
		return err
	}
	return centre.Run(ctx, func(ctx context.Context, batch []sim.Envelope) error {
		lines := make([][]byte, len(batch))
		for i := range batch {
			line, err := json.Marshal(batch[i])
			if err != nil {
				return err
			}
			lines[i] = line
		}
		result, err := p.PublishLines(ctx, lines)
		if len(result.Rejected) > 0 {
			first := result.Rejected[0]
			fmt.Fprintln(s.err, "rte: simulated event refused:", first.Path, first.Reason)
		}
		return err
	})
}
