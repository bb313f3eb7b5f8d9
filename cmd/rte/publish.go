package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"rte/internal/event"
)

type publishCmd struct {
	overlayFlag `embed:""`

	URL     string   `default:"http://127.0.0.1:8080" help:"The node."`
	Token   string   `required:"" placeholder:"JWT" help:"Token with role service or platform."`
	Files   []string `arg:"" optional:"" name:"file" help:"Events, one envelope a line (NDJSON); - or nothing is standard input. With --example: further NAME=VALUE."`
	Example string   `placeholder:"EVENT" help:"Publish one well-formed sample of this event instead."`
	Entity  string   `placeholder:"GUID" help:"Entity of the sample."`
	Org     string   `placeholder:"GUID" help:"Organization of the sample (default: the token's)."`
	Set     []string `placeholder:"NAME=VALUE" sep:"none" help:"Set a member of the sample's data; may be repeated."`
}

// Lines of one request; a line is at most maxLine bytes.
const (
	postLines = 500
	postBytes = 1 << 20
	maxLine   = 4 << 20
)

// Run publishes and prints a summary; exit code 1 if anything was refused.
func (c *publishCmd) Run(ctx context.Context, s streams) error {
	p := &poster{url: c.URL, token: c.Token, client: &http.Client{}}
	p.waiting = func(why error, pause time.Duration) {
		fmt.Fprintf(s.err, "rte: %v; trying again in %v\n", why, pause)
	}
	in, name := s.in, "standard input"
	switch {
	case c.Example != "":
		line, err := c.sample()
		if err != nil {
			return usage(err)
		}
		in, name = bytes.NewReader(line), "the sample"
	case len(c.Files) > 1:
		return usage(fmt.Errorf("%d files: publish takes one at a time; `cat` joins them", len(c.Files)))
	case len(c.Files) == 1 && c.Files[0] != "-":
		f, err := os.Open(c.Files[0])
		if err != nil {
			return usage(err)
		}
		defer f.Close() //nolint:errcheck // it was only read
		in, name = f, c.Files[0]
	}
	return (&publishing{poster: p, err: s.err, name: name, began: time.Now(), seen: map[[16]byte]int{}}).run(ctx, in)
}

// A publishing is one run over one input.
type publishing struct {
	poster *poster
	err    io.Writer
	name   string
	began  time.Time
	seen   map[[16]byte]int // lines without id, and how often they came

	lines              int // read, blank ones too
	accepted, rejected int
	told               time.Time // last progress
}

func (p *publishing) run(ctx context.Context, in io.Reader) error {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(make([]byte, 64<<10), maxLine)
	var batch [][]byte
	var numbers []int // of the lines in batch
	size := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		n, err := p.poster.postAll(ctx, batch, func(r postRejection) {
			p.rejected++
			fmt.Fprintf(p.err, "%s:%d: %s %s\n", p.name, numbers[r.Index], r.Path, r.Error)
		})
		p.accepted += n
		batch, numbers, size = batch[:0], numbers[:0], 0
		p.progress()
		return err
	}
	for scanner.Scan() {
		p.lines++
		line := bytes.TrimSpace(scanner.Bytes())
		if len(line) == 0 {
			continue
		}
		line = p.withID(line)
		if len(batch) == postLines || size+len(line) > postBytes {
			if err := flush(); err != nil {
				return p.summary(err)
			}
		}
		batch, numbers, size = append(batch, line), append(numbers, p.lines), size+len(line)
	}
	err := flush()
	if err == nil {
		err = scanner.Err()
	}
	return p.summary(err)
}

// withID adds an id to a line that has none: the same for the same line each
// time, and another when a line is there twice, so that running again after a
// failure doubles nothing.
func (p *publishing) withID(line []byte) []byte {
	var head struct{ ID *string }
	if json.Unmarshal(line, &head) != nil || head.ID != nil || line[0] != '{' {
		return bytes.Clone(line) // the node says what is wrong with it
	}
	sum := sha256.Sum256(line)
	key := [16]byte(sum[:])
	n := p.seen[key]
	p.seen[key] = n + 1
	id := fmt.Sprintf("%s-%d", hex.EncodeToString(key[:]), n)
	rest := bytes.TrimSpace(line[1:])
	out := append([]byte(`{"id":"`), id...)
	out = append(out, '"')
	if rest[0] != '}' {
		out = append(out, ',')
	}
	return append(out, rest...)
}

func (p *publishing) progress() {
	if time.Since(p.told) < time.Second {
		return
	}
	if !p.told.IsZero() || time.Since(p.began) >= time.Second {
		fmt.Fprintf(p.err, "%d lines read, %d accepted, %d refused, %.0f/s\n", p.lines, p.accepted, p.rejected, float64(p.accepted)/time.Since(p.began).Seconds())
	}
	p.told = time.Now()
}

func (p *publishing) summary(err error) error {
	fmt.Fprintf(p.err, "%d accepted, %d refused of %d lines of %s in %v\n", p.accepted, p.rejected, p.lines, p.name, time.Since(p.began).Round(time.Millisecond))
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if p.rejected > 0 {
		return errRefused
	}
	return nil
}

// sample is the envelope of --example.
func (c *publishCmd) sample() ([]byte, error) {
	cat, err := c.catalog()
	if err != nil {
		return nil, err
	}
	t, ok := cat.Lookup(c.Example)
	if !ok {
		return nil, fmt.Errorf("--example %s: no such event; rte catalog lists them", c.Example)
	}
	if c.Entity == "" {
		return nil, errors.New("--example needs --entity: the Guid that clients subscribe to")
	}
	entity, err := event.ParseGUID(c.Entity)
	if err != nil {
		return nil, fmt.Errorf("--entity: %w", err)
	}
	text := c.Org
	if text == "" {
		text = claimOrg(c.Token)
	}
	org, err := event.ParseGUID(text)
	if err != nil {
		return nil, fmt.Errorf("--org: the token names no organization, so the flag must: %w", err)
	}
	members := t.Sample(org, entity)
	for _, set := range slices.Concat(c.Set, c.Files) {
		name, value, ok := strings.Cut(set, "=")
		if !ok {
			return nil, fmt.Errorf("--set %s: wanted NAME=VALUE", set)
		}
		if members, err = t.SetMember(members, name, value); err != nil {
			return nil, err
		}
	}
	return json.Marshal(struct {
		Org    event.GUID      `json:"organizationId"`
		Entity event.GUID      `json:"entityId"`
		Event  string          `json:"eventName"`
		ID     string          `json:"id"`
		Data   json.RawMessage `json:"data"`
	}{org, entity, t.Name, "sample-" + randomGUID().String(), event.JoinMembers(members)})
}

// claimOrg reads the organization out of a token without checking it: the
// node does.
func claimOrg(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Org string `json:"org"`
	}
	if json.Unmarshal(b, &claims) != nil {
		return ""
	}
	return claims.Org
}
