package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
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
	token, err := c.Sign(claims)
	if err != nil {
		return usage(err)
	}
	_, err = fmt.Fprintln(s.out, token)
	return err
}

type tokenCheckCmd struct {
	node.Keys   `embed:""`
	overlayFlag `embed:""`

	JWT string `arg:"" name:"jwt" help:"The token, or - to read it from standard input."`
}

// Run prints the verdict; a refused token is exit code 1.
func (c *tokenCheckCmd) Run(s streams) error {
	v, err := c.Verifier()
	if err != nil {
		return usage(err)
	}
	cat, err := c.catalog()
	if err != nil {
		return usage(err)
	}
	token := c.JWT
	if token == "-" {
		b, err := io.ReadAll(io.LimitReader(s.in, auth.MaxTokenBytes+1))
		if err != nil {
			return err
		}
		token = strings.TrimSpace(string(b))
	}
	p, err := v.Verify(token)
	if err != nil {
		fmt.Fprintln(s.out, "refused:", err)
		return errRefused
	}
	fmt.Fprintf(s.out, "good until %s\n", p.Expires.Format(time.RFC3339))
	fmt.Fprintf(s.out, "user %s\norganization %s\nrole %s\n", p.User, p.Org, p.Role)
	if p.Demoted {
		fmt.Fprintln(s.out, "note: the token claims a role that is unknown or that its key may not give; it counts as user")
	}
	fmt.Fprintln(s.out, "may hear:")
	return explain(s.out, cat, p)
}

// explain lists what a principal may hear, by class of events.
func explain(w io.Writer, cat *event.Catalog, p *auth.Principal) error {
	stranger := event.GUID{15: 1} // nobody's id
	var seen []event.Class
	for _, t := range cat.Events {
		if slices.Contains(seen, t.Class) {
			continue
		}
		seen = append(seen, t.Class)
		var whose string
		switch {
		case p.May(t, stranger):
			whose = "every id of the organization"
		case t.Group == "User":
			whose = ids(p, t, append([]event.GUID{p.User}, p.Users.IDs()...))
		case t.Group == "Queue":
			whose = ids(p, t, p.Queues.IDs())
		default:
			whose = ids(p, t, p.Lists.IDs())
		}
		if _, err := fmt.Fprintf(w, "  %-10s %s\n", t.Class, whose); err != nil {
			return err
		}
	}
	return nil
}

// ids are those of the candidates that the principal may hear.
func ids(p *auth.Principal, t *event.Type, candidates []event.GUID) string {
	var texts []string
	for _, id := range candidates {
		if p.May(t, id) {
			texts = append(texts, id.String())
		}
	}
	if texts == nil {
		return "nothing"
	}
	return strings.Join(texts, " ")
}
