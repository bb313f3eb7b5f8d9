package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
)

type serveCmd struct {
	node.Config `embed:""`

	Ephemeral bool `help:"For tests of client developers: memory only, free ports on loopback, a fresh secret; prints one JSON line with url, hub, admin and a token that may hear and publish everything of its organization."`
	Check     bool `help:"Check settings and keys, and exit."`
}

// stopPatience is how long a node may take to stop beyond its drain time.
const stopPatience = 15 * time.Second

// gcPercent is how much garbage may gather before it is collected, in percent
// of what is in use: half of Go's default. A node's memory is mostly what its
// connections hold, and hardly any of it changes hands, so collecting twice as
// often costs little: 4 % of the CPU of connecting, nothing of a delivery, for a
// fifth less memory (docs/performance.md). GOGC sets another.
const gcPercent = 50

// Run serves until a signal comes.
func (c *serveCmd) Run(ctx context.Context, s streams) error {
	if c.Ephemeral {
		c.Listen, c.PublishListen, c.AdminListen = "127.0.0.1:0", "", "127.0.0.1:0"
		c.DataDir = ""
		c.NATS, c.Cluster = node.NATS{}, node.Cluster{}
		c.JWTSecret, c.JWTSecretFile = freshSecret(), ""
		c.ServiceJWTSecret, c.ServiceJWTSecretFile = "", ""
		c.JWTPublicKey, c.JWKSURL, c.ServiceJWTPublicKey, c.ServiceJWKSURL = "", "", "", ""
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	n, err := node.New(c.Config, c.Logger())
	if err != nil {
		return usage(err)
	}
	if c.Check {
		_, err := fmt.Fprintln(s.out, "settings and keys are good")
		return err
	}
	if err := n.Start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // told to end while it waited for its cluster
		}
		return usage(err)
	}
	if c.Ephemeral {
		if err := c.introduce(n, s); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return stop(n, c.Drain)
}

// stop drains a node. A second signal kills the process: the first one has
// given back its handling.
func stop(n *node.Node, drain time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), drain+stopPatience)
	defer cancel()
	return n.Stop(ctx)
}

// introduce prints what a test needs to know.
func (c *serveCmd) introduce(n *node.Node, s streams) error {
	org, user := event.NewGUID(), event.NewGUID()
	token, err := c.Sign(auth.Claims{User: user, Org: org, Role: auth.Service, Expires: time.Now().Add(24 * time.Hour)})
	if err != nil {
		return err
	}
	return json.NewEncoder(s.out).Encode(struct {
		URL    string     `json:"url"`
		Hub    string     `json:"hub"`
		Admin  string     `json:"admin"`
		Token  string     `json:"token"`
		Org    event.GUID `json:"org"`
		User   event.GUID `json:"user"`
		Secret string     `json:"jwtSecret"`
	}{n.URL(), n.HubURL(), n.AdminURL(), token, org, user, c.JWTSecret})
}

// freshSecret is 32 random bytes as text.
func freshSecret() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}
