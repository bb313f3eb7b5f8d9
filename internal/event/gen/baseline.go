package gen

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"rte/internal/event"
)

// Baseline is what clients and producers rely on, a promise a line: the
// meaning and the rights of each event, the type of each field, the values of
// each enum. It is committed; Broken compares.
func Baseline(c *event.Catalog) []byte {
	var b bytes.Buffer
	b.WriteString(baselineHead)
	for _, r := range c.Classes {
		fmt.Fprintf(&b, "class %s: %s\n", r.Class, strings.Join(r.Hearers.Names(), " "))
	}
	for _, e := range c.Enums {
		openness := "open"
		if e.Closed {
			openness = "closed"
		}
		fmt.Fprintf(&b, "enum %s: %s\n", e.Name, openness)
		for _, v := range e.Values {
			fmt.Fprintf(&b, "enum %s has %s\n", e.Name, strings.TrimSpace(v.Value+" "+v.Name))
		}
	}
	for _, t := range slices.Concat(c.Events, c.Helpers) {
		if t.Class != "" {
			fmt.Fprintf(&b, "event %s: %s, %s, class %s, entity %s, organization %s\n",
				t.Name, t.Group, t.Semantics, t.Class, orEnvelope(t.Entity), orEnvelope(t.Organization))
		}
		for i := range t.Fields {
			fmt.Fprintf(&b, "field %s.%s: %s\n", t.Name, t.Fields[i].Name, promise(&t.Fields[i]))
		}
	}
	return b.Bytes()
}

const baselineHead = `# What clients and producers rely on, a promise a line. make gen adds lines for
# what is new, and refuses a catalogue that breaks one.
# To break one on purpose, delete its line here, run make gen, and tell it in
# CHANGELOG.md.
`

func promise(f *event.Field) string {
	s := f.WireName + " " + typeText(f)
	if f.MayBeNull {
		s += ", may be null"
	}
	if f.Values != nil {
		s += ", enum " + f.Values.Name
	}
	return s
}

// Broken are the lines of a baseline that a catalogue does not keep any more.
func Broken(baseline []byte, c *event.Catalog) []string {
	kept := map[string]bool{}
	for line := range strings.Lines(string(Baseline(c))) {
		kept[strings.TrimSpace(line)] = true
	}
	var broken []string
	for line := range strings.Lines(string(baseline)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && !kept[line] {
			broken = append(broken, line)
		}
	}
	return broken
}
