package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"rte/internal/bench"
)

// print writes a result; what must not be is exit code 1.
func (c *benchLoad) print(w io.Writer, r *bench.Result) error {
	if c.JSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return err
		}
	} else {
		printResult(w, r)
	}
	if len(r.Faults) > 0 {
		return errRefused
	}
	return nil
}

// printResult writes a result for people.
func printResult(w io.Writer, r *bench.Result) {
	fmt.Fprintf(w, "%s: %d clients × %d subscriptions, %d queues, %s, %s\n", r.Scenario, r.Connections, r.Subscriptions, r.Queues, r.Transport, r.Protocol)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, f := range r.Figures {
		fmt.Fprintf(t, "%s\t%s\t %s\n", f.Name, threeDigits(f.Value), f.Unit)
	}
	t.Flush() //nolint:errcheck // as every other line
	for _, d := range r.Doubts {
		fmt.Fprintln(w, "doubtful:", d)
	}
	for _, f := range r.Faults {
		fmt.Fprintln(w, "WRONG:", f)
	}
	if len(r.Faults) == 0 {
		fmt.Fprintln(w, "good: nothing lost, nothing twice")
	}
}

// threeDigits is a number as people read it.
func threeDigits(v float64) string {
	switch {
	case v >= 100 || v == float64(int(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

// tellLoad says how far it is: in place on a terminal, else every five
// seconds.
func tellLoad(w io.Writer, terminal bool, p bench.LoadProgress) {
	var b strings.Builder
	if p.Part >= 0 && terminal {
		full := int(p.Part * barWidth)
		fmt.Fprintf(&b, "[%s%s] ", strings.Repeat("#", full), strings.Repeat(".", barWidth-full))
	}
	fmt.Fprintf(&b, "%s %.0f s: %d connected, %d published, %d heard", p.Phase, p.Elapsed.Seconds(), p.Connected, p.Published, p.Heard)
	switch {
	case terminal:
		fmt.Fprint(w, clearLine+b.String())
	case int(p.Elapsed.Seconds())%5 == 0:
		fmt.Fprintln(w, b.String())
	}
}
