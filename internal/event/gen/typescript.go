package gen

import (
	"bytes"
	"fmt"
	"strings"

	"rte/internal/event"
)

// TypeScript is the types of the events, the map from names to payloads, and
// a guard that tells which event a pushed message is.
func TypeScript(c *event.Catalog) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("// " + notice + "\n\n" + tsHead)
	for _, e := range c.Enums {
		tsEnum(&b, e)
	}
	for _, t := range c.Helpers {
		tsInterface(&b, t)
	}
	for _, t := range c.Events {
		tsInterface(&b, t)
	}
	b.WriteString("\n/** The payload of each event, by its name. */\nexport interface EventMap {\n")
	for _, t := range c.Events {
		fmt.Fprintf(&b, "  %s: %s;\n", t.Name, t.Name)
	}
	b.WriteString("}\n\n/** The names of all events, in the catalogue's order. */\nexport const eventNames = [\n")
	for _, t := range c.Events {
		fmt.Fprintf(&b, "  %q,\n", t.Name)
	}
	b.WriteString("] as const satisfies readonly (keyof EventMap)[];\n")
	b.WriteString("\n/** The events whose newest value replaces the earlier ones: Subscribe can give it first (Snapshot). */\nexport const stateEventNames = [\n")
	for _, t := range c.Events {
		if t.Semantics == event.State {
			fmt.Fprintf(&b, "  %q,\n", t.Name)
		}
	}
	b.WriteString("] as const satisfies readonly (keyof EventMap)[];\n")
	tsHelperLists(&b, c)
	b.WriteString(tsTail)
	return b.Bytes(), nil
}

const tsHead = `/** A Guid as text, in any usual spelling. Compare ignoring case. */
export type Guid = string;

/**
 * A date and time as text: up to nine digits behind the seconds, then Z, an
 * offset, or nothing, which means UTC. The last moment of the year 9999 is "no end".
 */
export type DateTime = string;
`

const tsTail = `
/** The name of an event, as the catalogue spells it. */
export type EventName = keyof EventMap;

/** A pair, spelled as Subscribe answered it. */
export interface Subscription<N extends EventName = EventName> {
  entityId: Guid;
  /** Lower case, or with the node's --event-name-case catalog as in EventName. */
  eventName: N | Lowercase<N>;
}

/** The argument of MessageReceived for one event. */
export interface Push<N extends EventName = EventName> {
  subscription: Subscription<N>;
  /** Members may be missing where a producer left them out, and others may come. */
  data: EventMap[N];
  /** The event's place in the store. */
  cursor?: string;
  /** When it happened, in UTC. */
  time?: DateTime;
  /** The cursor of the event that this one follows from. */
  cause?: string;
}

/** The argument of MessageReceived: any event, also one that is not listed here. */
export interface AnyPush {
  subscription: { entityId: Guid; eventName: string };
  data: unknown;
  cursor?: string;
  time?: DateTime;
  cause?: string;
}

/** Tells whether a push is of this event, and gives its data the event's type. */
export function isEvent<N extends EventName>(push: AnyPush, name: N): push is Push<N> {
  return push.subscription.eventName.toLowerCase() === name.toLowerCase();
}
`

// tsHelperLists tells in which members of which events helpers lie, so that a
// client can give their members the names of JSON.
func tsHelperLists(b *bytes.Buffer, c *event.Catalog) {
	b.WriteString("\n/** The members that are lists of helpers, by the event's name in lower case. */\nexport const helperLists: Readonly<Record<string, readonly string[]>> = {\n")
	for _, t := range c.Events {
		var names []string
		for i := range t.Fields {
			if f := &t.Fields[i]; f.List {
				names = append(names, quoted(f.WireName))
			}
		}
		if names != nil {
			fmt.Fprintf(b, "  %s: [%s],\n", strings.ToLower(t.Name), strings.Join(names, ", "))
		}
	}
	b.WriteString("};\n")
}

func tsEnum(b *bytes.Buffer, e *event.Enum) {
	list := make([]string, len(e.Values))
	base := "string"
	var meanings []string
	for i, v := range e.Values {
		list[i] = quoted(v.Value)
		if v.Number {
			list[i], base = v.Value, "number"
			meanings = append(meanings, fmt.Sprintf("%s %s (%s)", v.Value, v.Name, v.Meaning))
		}
	}
	about := "Values: others are refused."
	if !e.Closed {
		about = "Known values; others may come."
		list = append(list, "("+base+" & {})") // keeps the known ones for completion
	}
	if meanings != nil {
		about += " " + strings.Join(meanings, ", ") + "."
	}
	fmt.Fprintf(b, "\n/** %s */\nexport type %s = %s;\n", comment(about), tsName(e), strings.Join(list, " | "))
}

func tsName(e *event.Enum) string { return strings.ToUpper(e.Name[:1]) + e.Name[1:] }

func tsInterface(b *bytes.Buffer, t *event.Type) {
	facts := ""
	if t.Class != "" {
		facts = fmt.Sprintf("Semantics: %s. Entity: %s", t.Semantics, entityText(t))
	}
	b.WriteString("\n/**\n" + lines(" * ", comment(text(about(t), facts))) + " */\n")
	fmt.Fprintf(b, "export interface %s {\n", t.Name)
	for i := range t.Fields {
		f := &t.Fields[i]
		if f.Summary != "" || f.Note != "" {
			fmt.Fprintf(b, "  /** %s */\n", comment(text(sentence(f.Summary), unitText(f), sentence(f.Note))))
		}
		fmt.Fprintf(b, "  %s: %s;\n", f.WireName, tsType(f))
	}
	b.WriteString("}\n")
}

// comment makes a text safe inside a comment.
func comment(s string) string { return strings.ReplaceAll(s, "*/", "* /") }

// quoted is a text as a literal, which JSON and TypeScript write alike.
func quoted(s string) string {
	text, err := marshal(s)
	if err != nil { // a text can always be written
		return `""`
	}
	return string(text)
}

func tsType(f *event.Field) string {
	s := map[string]string{"Guid": "Guid", "DateTime": "DateTime", "bool": "boolean", "string": "string"}[f.Type]
	switch {
	case f.List:
		s = f.Type + "[]"
	case f.Values != nil:
		s = tsName(f.Values)
	case s == "":
		s = "number"
	}
	if f.NullAllowed() {
		s += " | null"
	}
	return s
}
