package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"rte/internal/bench"
	"rte/internal/event"
	"rte/signalr"
)

type benchVerifyCmd struct {
	URL           string        `default:"http://127.0.0.1:8080" help:"The node, or what stands in front of several; the hub is at URL/rte."`
	PublishURL    string        `placeholder:"URL" help:"The publish API, where it is apart (default: --url)."`
	Token         string        `placeholder:"JWT" help:"Token with role service; it publishes and hears in its own organization."`
	Org           string        `placeholder:"GUID" help:"Organization (default: the token's)."`
	Connections   int           `default:"100" help:"Clients."`
	Subscriptions int           `default:"10" help:"Pairs that each client hears."`
	Pairs         int           `placeholder:"N" help:"Pairs in all (default: so many that each has two hearers)."`
	Rate          float64       `default:"500" help:"Events a second over all pairs."`
	Duration      time.Duration `default:"30s" help:"How long events are published."`
	Settle        time.Duration `default:"60s" help:"How long the node may take to come back, and the last events to arrive."`
	Size          int           `default:"350" help:"Bytes of an event's data."`
	Transport     string        `default:"auto" enum:"auto,websockets,serversentevents,longpolling" help:"How bytes travel: websockets, serversentevents, longpolling, or auto."`
	Protocol      string        `default:"json" enum:"json,messagepack" help:"How messages are written: json or messagepack."`
	Stateful      bool          `help:"Use stateful reconnect, too: short losses are mended below the cursors."`
	History       string        `type:"path" placeholder:"FILE" help:"Keep all that happened in this file, one line of JSON each."`
	Replay        string        `type:"path" placeholder:"FILE" help:"Judge such a file again instead; connects to nothing."`
	JSON          bool          `name:"json" help:"Print the report as JSON."`
}

// Help is the long text of `rte bench verify --help` (kong.HelpProvider).
func (*benchVerifyCmd) Help() string {
	return `Publishes numbered events of queues that exist for this run only, and hears them with many clients that come back with their cursors when they lose their connection. Meanwhile, kill nodes, cut networks, roll out a release. At the end every client must have heard every accepted event of its pairs, once and in order; of state events the newest value, and none after a newer one.

	rte bench verify --token "$(rte token --role service …)" --duration 5m

Exit code 1 if anything was lost, doubled, out of order, sent by nobody, or could not be recovered. It works against any system of yours that speaks RTE: nobody else's events are touched, and nobody else hears these.`
}

// Run verifies, or judges a history.
func (c *benchVerifyCmd) Run(ctx context.Context, s streams) error {
	if c.Replay != "" {
		return c.replay(s)
	}
	o, err := c.options()
	if err != nil {
		return usage(err)
	}
	if c.History != "" {
		f, err := os.Create(c.History)
		if err != nil {
			return usage(err)
		}
		defer f.Close() //nolint:errcheck // Verify's writer tells
		o.History = f
	}
	terminal := isTerminal(s.err)
	o.Progress = func(p bench.Progress) { tellVerify(s.err, terminal, p) }
	report, err := bench.Verify(ctx, o)
	if terminal {
		fmt.Fprint(s.err, clearLine)
	}
	if err != nil {
		return err
	}
	return c.print(s.out, report, &report.Verdict)
}

// options are what the flags say.
func (c *benchVerifyCmd) options() (o bench.VerifyOptions, err error) {
	if c.Token == "" {
		return o, errors.New("--token is missing: `rte token --role service` makes one")
	}
	org := c.Org
	if org == "" {
		org = claimOrg(c.Token)
	}
	if _, err := event.ParseGUID(org); err != nil {
		return o, fmt.Errorf("--org: the token names no organization, so the flag must: %w", err)
	}
	o = bench.VerifyOptions{
		URL: c.URL, PublishURL: c.PublishURL, Token: c.Token, Organization: org,
		Connections: c.Connections, Subscriptions: c.Subscriptions, Pairs: c.Pairs,
		Rate: c.Rate, Duration: c.Duration, Settle: c.Settle, EventBytes: c.Size,
		Transport: transportOf(c.Transport), StatefulReconnect: c.Stateful,
	}
	if c.Protocol == (signalr.MessagePack{}).Name() {
		o.Protocol = signalr.MessagePack{}
	}
	return o, nil
}

func (c *benchVerifyCmd) replay(s streams) error {
	f, err := os.Open(c.Replay)
	if err != nil {
		return usage(err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	v, err := bench.Replay(f)
	if err != nil {
		return usage(err)
	}
	return c.print(s.out, v, &v)
}

// print writes the report; what is wrong is exit code 1.
func (c *benchVerifyCmd) print(w io.Writer, report any, v *bench.Verdict) error {
	if c.JSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		if err := e.Encode(report); err != nil {
			return err
		}
	} else {
		printVerdict(w, report, v)
	}
	if !v.Good() {
		return errRefused
	}
	return nil
}

// printVerdict writes the report for people.
func printVerdict(w io.Writer, report any, v *bench.Verdict) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "clients\t%d, which came back %d times\n", v.Clients, v.Reconnect)
	fmt.Fprintf(t, "pairs\t%d, heard %d times\n", v.Pairs, v.Hearings)
	fmt.Fprintf(t, "events\t%d sent, %d accepted, %d times heard\n", v.Sent, v.Accepted, v.Heard)
	if r, ok := report.(*bench.Report); ok {
		fmt.Fprintf(t, "rate\t%.0f events/s for %.1f s\n", r.Rate, r.Seconds)
		fmt.Fprintf(t, "delay\t%.1f ms for half of them, %.1f ms for 99 %%, %.0f ms at most\n", r.P50, r.P99, r.Max)
	}
	fmt.Fprintf(t, "states replaced by newer ones\t%d (allowed)\n", v.Skipped)
	fmt.Fprintf(t, "lost\t%d\n", v.Lost)
	fmt.Fprintf(t, "doubled\t%d\n", v.Doubled)
	fmt.Fprintf(t, "out of order\t%d\n", v.Disordered)
	fmt.Fprintf(t, "not recovered\t%d\n", v.Unrecovered)
	fmt.Fprintf(t, "sent by nobody\t%d\n", v.Noise)
	t.Flush() //nolint:errcheck // as every other line
	for _, wrong := range v.Wrong {
		fmt.Fprintln(w, " ", wrong)
	}
	if v.Good() {
		fmt.Fprintln(w, "good: nothing lost, nothing twice, nothing out of order")
	} else {
		fmt.Fprintln(w, "NOT good")
	}
}

// tellVerify says how far it is: in place on a terminal, else every five
// seconds.
func tellVerify(w io.Writer, terminal bool, p bench.Progress) {
	v := &p.Verdict
	text := fmt.Sprintf("%s %3.0f s: %d connected, %d published, %d heard, %d pairs behind; lost %d, doubled %d, out of order %d, not recovered %d",
		p.Phase, p.Elapsed.Seconds(), p.Connected, p.Published, p.Heard, p.Behind, v.Lost, v.Doubled, v.Disordered, v.Unrecovered)
	switch {
	case terminal:
		fmt.Fprint(w, clearLine+text)
	case int(p.Elapsed.Seconds())%5 == 0:
		fmt.Fprintln(w, text)
	}
}
