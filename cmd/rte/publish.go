package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"rte/producer"
)

type publishCmd struct {
	overlayFlag `embed:""`

	URL      string        `default:"http://127.0.0.1:8080" help:"The node."`
	Token    string        `required:"" placeholder:"JWT" help:"Token with role service or platform."`
	Patience time.Duration `default:"10m" help:"How long to go on while the node is away or refuses for now; 0 is for ever."`
	Files    []string      `arg:"" optional:"" name:"file" help:"Events, one envelope a line (NDJSON); - or nothing is standard input. With --example: further NAME=VALUE."`
	Example  string        `placeholder:"EVENT" help:"Publish one well-formed sample of this event instead."`
	Entity   string        `placeholder:"GUID" help:"Entity of the sample."`
	Org      string        `placeholder:"GUID" help:"Organization of the sample (default: the token's)."`
	Set      []string      `placeholder:"NAME=VALUE" sep:"none" help:"Set a member of the sample's data; may be repeated."`
}

// Help is the long text of `rte publish --help` (kong.HelpProvider).
func (*publishCmd) Help() string {
	return `A line without an id gets one that is made of the line itself, the same each time: what is published again within the node's --dedupe-window (30 s) after a failure is stored once. The same line twice in one input is two events; to publish one again on purpose, give it an id.

Refused lines are listed with their number and the reason; then the exit code is 1. While the node is away or busy, publish waits and goes on where it was.`
}

// Run publishes and prints a summary; exit code 1 if anything was refused.
func (c *publishCmd) Run(ctx context.Context, s streams) error {
	in, name, size := s.in, "standard input", int64(0)
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
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}
	}
	return c.publish(ctx, s.err, in, name, size)
}

// publish sends a whole input, of size bytes if that is known.
func (c *publishCmd) publish(ctx context.Context, err io.Writer, in io.Reader, name string, size int64) error {
	p := &publishing{name: name, ids: newLineIDs(), progress: newProgress(err, isTerminal(err), size)}
	client, badURL := producer.New(c.URL, producer.Options{
		Token:    func(context.Context) (string, error) { return c.Token, nil },
		Patience: c.Patience,
		Waiting: func(why error, pause time.Duration) {
			p.progress.printf("rte: %v; trying again in %v\n", why, pause.Round(time.Millisecond))
		},
	})
	if badURL != nil {
		return usage(badURL)
	}
	p.client = client
	return p.run(ctx, in)
}

// isTerminal tells whether a person looks at what is written.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
