package main

import (
	"fmt"
	"os"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
)

type tokenCmd struct {
	Make  tokenMakeCmd  `cmd:"" default:"withargs" help:"Make a token and print it (the verb may be left out)."`
	Check tokenCheckCmd `cmd:"" help:"Say whether a token is good, whose it is and what it may hear."`
}

type tokenMakeCmd struct {
	node.Keys `embed:""`

	User        string        `required:"" placeholder:"GUID" help:"The user the token is for."`
	Org         string        `placeholder:"GUID" help:"The user's organization; every role but platform and admin needs one."`
	Role        string        `default:"user" enum:"user,groupmanager,supervisor,service,platform,admin" help:"user, groupmanager, supervisor, service, platform or admin."`
	Queue       []string      `placeholder:"GUID" help:"A queue the user may see; may be repeated."`
	List        []string      `placeholder:"GUID" help:"A call list the user may see; may be repeated."`
	VisibleUser []string      `placeholder:"GUID" help:"Another user this one may see; may be repeated."`
	TTL         time.Duration `name:"ttl" default:"1h" help:"How long the token is good."`
	PrivateKey  string        `type:"path" placeholder:"FILE" help:"Private key (PEM) to sign with, instead of --jwt-secret."`
	KeyID       string        `name:"key-id" placeholder:"TEXT" help:"Key id (kid) that the token's header shall name."`
	Algorithm   string        `placeholder:"NAME" help:"How to sign (default: HS256 with a secret, RS256 with an RSA key, else what the key is for)."`
}

// Run prints the token.
func (c *tokenMakeCmd) Run(s streams) error {
	role, _ := auth.ParseRole(c.Role) // kong has checked it
	if c.Org == "" && role != auth.Platform && role != auth.Admin {
		return usage(fmt.Errorf("--org is needed for role %s", role))
	}
	claims := auth.Claims{Role: role, Expires: time.Now().Add(c.TTL)}
	var err error
	if claims.User, err = event.ParseGUID(c.User); err != nil {
		return usage(fmt.Errorf("--user: %w", err))
	}
	if c.Org != "" {
		if claims.Org, err = event.ParseGUID(c.Org); err != nil {
			return usage(fmt.Errorf("--org: %w", err))
		}
	}
	for _, l := range []struct {
		flag  string
		texts []string
		ids   *[]event.GUID
	}{{"queue", c.Queue, &claims.Queues}, {"list", c.List, &claims.Lists}, {"visible-user", c.VisibleUser, &claims.Users}} {
		for _, text := range l.texts {
			id, err := event.ParseGUID(text)
			if err != nil {
				return usage(fmt.Errorf("--%s: %w", l.flag, err))
			}
			*l.ids = append(*l.ids, id)
		}
	}
	key, err := c.signingKey(role)
	if err != nil {
		return usage(err)
	}
	token, err := c.SignWith(key, claims)
	if err != nil {
		return usage(err)
	}
	_, err = fmt.Fprintln(s.out, token)
	return err
}

// signingKey is the private key or the secret to sign with.
func (c *tokenMakeCmd) signingKey(role auth.Role) (key auth.SigningKey, err error) {
	if c.PrivateKey == "" {
		key, err = c.Secret(role, c.Algorithm)
	} else {
		var text []byte
		if text, err = os.ReadFile(c.PrivateKey); err == nil {
			if key, err = auth.PrivateKey(text, c.Algorithm); err != nil {
				err = fmt.Errorf("--private-key %s: %w", c.PrivateKey, err)
			}
		}
	}
	key.ID = c.KeyID
	return key, err
}
