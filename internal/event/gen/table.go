package gen

import (
	"bytes"
	"fmt"
	"text/tabwriter"

	"rte/internal/event"
)

// Table is the events for a terminal, one a line; of a catalogue with one
// event it is the fields of that event.
func Table(c *event.Catalog) ([]byte, error) {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if len(c.Events) == 1 {
		fieldTable(w, c)
	} else {
		fmt.Fprintln(w, "EVENT\tENTITY\tCLASS\tSEMANTICS\tCHECK\tFIELDS\tMEANS")
		for _, t := range c.Events {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", t.Name, orEnvelope(t.Entity), t.Class, t.Semantics, t.Check, len(t.Fields), added(t.Added, t.Summary))
		}
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func fieldTable(w *tabwriter.Writer, c *event.Catalog) {
	t := c.Events[0]
	fmt.Fprintf(w, "%s: %s\n", t.Name, added(t.Added, about(t)))
	fmt.Fprintf(w, "%s · class %s · entity %s · organization %s · check %s\n", t.Semantics, t.Class, orEnvelope(t.Entity), orEnvelope(t.Organization), t.Check)
	fmt.Fprintf(w, "heard by: %s\n\n", hearerText(t.Hearers))
	fmt.Fprintln(w, "FIELD\tIN JSON\tTYPE\tNULL\tPERSONAL DATA\tMEANS")
	for _, list := range [][]*event.Type{c.Events, c.Helpers} {
		for _, t := range list {
			prefix := ""
			if t.Class == "" {
				prefix = t.Name + "."
			}
			for i := range t.Fields {
				f := &t.Fields[i]
				null := ""
				if f.NullAllowed() {
					null = "yes"
				}
				fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\t%s\t%s\n", prefix, f.Name, f.WireName, typeText(f), null, f.Privacy, added(f.Added && !t.Added, aboutField(f)))
			}
		}
	}
}

func orEnvelope(field string) string {
	if field == "" {
		return "(envelope)"
	}
	return field
}

// added marks what an overlay brought.
func added(yes bool, text string) string {
	if yes {
		return "[overlay] " + text
	}
	return text
}
