package gen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"rte/internal/event"
)

// Markdown is the page docs/events.md.
func Markdown(c *event.Catalog) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("<!-- " + notice + " -->\n\n# Events\n\n")
	b.WriteString(lines("", fmt.Sprintf("The %d events that a client can subscribe to, and what each carries in `data`.", len(c.Events))+
		" Names match ignoring case. What is said of *the page* is about the product's own page, which the tables follow."))
	b.WriteString(markdownIntro)
	markdownClasses(&b, c)
	b.WriteString("\n## All events\n\n| event | means | semantics | class | entity |\n|---|---|---|---|---|\n")
	for _, t := range c.Events {
		fmt.Fprintf(&b, "| [%s](#%s) | %s | %s | %s | %s |\n", t.Name, t.Key, cell(t.Summary), t.Semantics, t.Class, entityCell(t))
	}
	for i, t := range c.Events {
		if i == 0 || t.Group != c.Events[i-1].Group {
			fmt.Fprintf(&b, "\n## %s events\n", t.Group)
		}
		if err := markdownEvent(&b, t); err != nil {
			return nil, fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	b.WriteString("\n## Types of list items\n")
	for _, t := range c.Helpers {
		fmt.Fprintf(&b, "\n### %s\n\n%s", t.Name, lines("", about(t)))
		markdownFields(&b, t)
	}
	return b.Bytes(), nil
}

// markdownIntro explains the words of the tables.
const markdownIntro = `
- **entity**: whose id a client subscribes with. *envelope*: the payload does not carry it.
- **semantics**: *state*, the newest value replaces older ones · *occurrence*, every one counts · *item-change*, a whole
  snapshot of one item of the entity · *notification*, a one-off message · *command*, an instruction to another program.
- **type**: the page's own words. A ` + "`Guid`" + ` and a ` + "`DateTime`" + ` are text in JSON; a ` + "`DateTime`" + ` has up to nine digits behind the
  seconds, and Z, an offset, or nothing, which means UTC; a ` + "`?`" + ` says that the page itself calls the field nullable.
- **null**: whether null is a good value. Any member may be missing, and members that are not listed pass.
- **personal data**: *none* · *id*, stands for a person, a call or a case · *contact*, names or reaches a person ·
  *content*, what somebody said or wrote, and every member that is not listed.

## Rights classes

`

func markdownClasses(b *bytes.Buffer, c *event.Catalog) {
	b.WriteString("| class | events | heard by |\n|---|---|---|\n")
	for _, r := range c.Classes {
		fmt.Fprintf(b, "| %s | %s | %s |\n", r.Class, cell(r.Summary), cell(hearerText(r.Hearers)))
	}
}

func markdownEvent(b *bytes.Buffer, t *event.Type) error {
	fmt.Fprintf(b, "\n### %s\n\n%s\n", t.Name, lines("", about(t)))
	organization := "envelope"
	if t.Organization != "" {
		organization = "`" + t.Organization + "`"
	}
	fmt.Fprintf(b, "%s · class %s · entity: %s · organization: %s", t.Semantics, t.Class, entityCell(t), organization)
	if t.Check != event.Enforce {
		fmt.Fprintf(b, " · check: %s", t.Check)
	}
	if t.Promised > 0 {
		fmt.Fprintf(b, " · again within %d s", int(t.Promised.Seconds()))
	}
	b.WriteByte('\n')
	markdownFields(b, t)
	var indented bytes.Buffer
	if err := json.Indent(&indented, example(t), "", "  "); err != nil {
		return err
	}
	fmt.Fprintf(b, "\n```json\n%s\n```\n", indented.Bytes())
	return nil
}

func markdownFields(b *bytes.Buffer, t *event.Type) {
	if len(t.Fields) == 0 {
		b.WriteString("\nNo field is known.\n")
		return
	}
	b.WriteString("\n| field | in JSON | type | null | personal data | means |\n|---|---|---|---|---|---|\n")
	for i := range t.Fields {
		f := &t.Fields[i]
		null := ""
		if f.NullAllowed() {
			null = "yes"
		}
		fmt.Fprintf(b, "| %s | `%s` | %s | %s | %s | %s |\n", f.Name, f.WireName, typeCell(f), null, f.Privacy, cell(aboutField(f)))
	}
}

// entityCell names the payload field of the entity.
func entityCell(t *event.Type) string {
	group := map[string]string{"User": "user", "Queue": "queue", "CallList": "call list"}[t.Group]
	switch {
	case t.Entity == "":
		return group + ", envelope"
	case t.EntityNullable:
		return group + ", `" + t.Entity + "` or envelope"
	}
	return group + ", `" + t.Entity + "`"
}

// typeCell is a field's type, with a link where it is described here.
func typeCell(f *event.Field) string {
	if f.Helper == nil {
		return "`" + typeText(f) + "`"
	}
	return "list of [" + f.Type + "](#" + f.Helper.Key + ")"
}

// cell makes a text safe inside a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}
