package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
)

type tokenCheckCmd struct {
	node.Keys   `embed:""`
	overlayFlag `embed:""`

	JWT string `arg:"" name:"jwt" help:"The token, or - to read it from standard input."`
}

// Run prints what becomes of the token, check by check; a refused one is exit
// code 1.
func (c *tokenCheckCmd) Run(ctx context.Context, s streams) error {
	v, err := c.Verifier(nil, nil, nil)
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
	v.Start(ctx)
	defer v.Close()
	r := v.Explain(ctx, token)
	printSignature(s.out, &r)
	printChecks(s.out, &r)
	if r.Err != nil {
		fmt.Fprintln(s.out, "refused:", r.Err)
		return errRefused
	}
	p := r.Principal
	fmt.Fprintf(s.out, "good until %s\n", p.Expires.Format(time.RFC3339))
	fmt.Fprintf(s.out, "user %s\norganization %s\nrole %s\n", p.User, p.Org, p.Role)
	if p.Subject != "" {
		fmt.Fprintf(s.out, "subject %q\n", p.Subject)
	}
	if p.Demoted {
		fmt.Fprintln(s.out, "note: a role is claimed that is unknown or that the key may not give; it does not count")
	}
	switch p.Role {
	case auth.Service:
		fmt.Fprintln(s.out, "may publish: for its organization")
	case auth.Platform:
		fmt.Fprintln(s.out, "may publish: for every organization")
	}
	if !p.MayConnect() {
		_, err := fmt.Fprintln(s.out, "may hear: nothing; this role does not use the hub")
		return err
	}
	fmt.Fprintln(s.out, "may hear:")
	return explain(s.out, cat, p)
}

// printSignature says what became of form and signature.
func printSignature(w io.Writer, r *auth.Report) {
	if r.Algorithm != "" {
		fmt.Fprintf(w, "algorithm %s", r.Algorithm)
		if r.KeyID != "" {
			fmt.Fprintf(w, ", key id %s", r.KeyID)
		}
		fmt.Fprintln(w)
	}
	if r.Signature != nil {
		fmt.Fprintln(w, "signature not good:", r.Signature)
		return
	}
	fmt.Fprintf(w, "signature good: %s, for tokens of %s\n", r.Key, r.Good)
}

// printChecks says what became of each claim.
func printChecks(w io.Writer, r *auth.Report) {
	if len(r.Checks) == 0 {
		return
	}
	if r.Signature == nil {
		fmt.Fprintln(w, "claims:")
	} else {
		fmt.Fprintln(w, "claims, which nobody vouches for:")
	}
	for _, c := range r.Checks {
		value, verdict := c.Value, "ok"
		if value == "" {
			value = "none"
		}
		if c.Wanted != "" {
			value += fmt.Sprintf(" (wanted %q)", c.Wanted)
		}
		if c.Err != nil {
			verdict = "WRONG"
			value += ": " + strings.TrimPrefix(c.Err.Error(), "verify token: ")
		}
		fmt.Fprintf(w, "  %-10s %-5s %s\n", c.Claim, verdict, value)
	}
}

// explain lists what a principal may hear, by class of events; where the
// events of a class differ, by event.
func explain(w io.Writer, cat *event.Catalog, p *auth.Principal) error {
	var classes []event.Class
	lines := map[event.Class][][2]string{} // event, whose
	for _, t := range cat.Events {
		if lines[t.Class] == nil {
			classes = append(classes, t.Class)
		}
		lines[t.Class] = append(lines[t.Class], [2]string{t.Name, whose(p, t)})
	}
	for _, class := range classes {
		list := lines[class]
		if !slices.ContainsFunc(list, func(l [2]string) bool { return l[1] != list[0][1] }) {
			list = [][2]string{{string(class), list[0][1]}}
		}
		for _, l := range list {
			if _, err := fmt.Fprintf(w, "  %-10s %s\n", l[0], l[1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// whose are the entities of an event that the principal may hear.
func whose(p *auth.Principal, t *event.Type) string {
	stranger := event.GUID{15: 1} // nobody's id
	if p.May(t, stranger) {
		return "every id of the organization"
	}
	candidates := p.Lists.IDs()
	switch t.Group {
	case "User":
		candidates = append([]event.GUID{p.User}, p.Users.IDs()...)
	case "Queue":
		candidates = p.Queues.IDs()
	}
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
