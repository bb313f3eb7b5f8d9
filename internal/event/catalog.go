package event

import (
	_ "embed"
	"slices"
)

// A Catalog is the set of events a node knows. It is immutable and safe for
// concurrent use.
type Catalog struct {
	Events  []*Type     // in the page's order, then those of an overlay; Events[k].Kind == Kind(k)
	Helpers []*Type     // types of list fields
	Enums   []*Enum     // value lists, in the file's order
	Classes []ClassRule // rights classes, in the file's order

	byKey map[string]*Type
}

//go:embed catalog.json
var catalogJSON []byte

// NewCatalog reads the catalogue that is built into the program.
func NewCatalog() *Catalog {
	c, err := ReadCatalog(catalogJSON)
	if err != nil {
		panic("event: built-in catalogue: " + err.Error())
	}
	return c
}

// Lookup finds an event by name, ignoring ASCII case (I01: clients ask for
// QueueCallIncoming, the page lists QueueCallInComing).
func (c *Catalog) Lookup(name string) (*Type, bool) {
	t, ok := c.byKey[name]
	if !ok {
		t, ok = c.byKey[fold(name)]
	}
	return t, ok
}

// fold makes ASCII capitals small and leaves every other letter alone: names
// match ordinally, so that no exotic letter is taken for a plain one.
func fold(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for j, c := range b {
				if 'A' <= c && c <= 'Z' {
					b[j] = c | 0x20
				}
			}
			return string(b)
		}
	}
	return s
}

// Type is the description of a kind; it panics for a kind that is not in
// this catalogue.
func (c *Catalog) Type(k Kind) *Type { return c.Events[k] }

// Names are the events' names in the page's spelling and order, then those of
// an overlay: what AvailableSubscriptions answers.
func (c *Catalog) Names() []string {
	names := make([]string, len(c.Events))
	for i, t := range c.Events {
		names[i] = t.Name
	}
	return names
}

// Only is the part of the catalogue with these events of it and what they
// need. Kinds count anew.
func (c *Catalog) Only(events ...*Type) *Catalog {
	needed := map[string]bool{} // events, types and enums by lower-case name
	for _, t := range events {
		needed[t.Key], needed["class "+string(t.Class)] = true, true
		for i := range t.Fields {
			t.Fields[i].need(needed)
		}
	}
	n := c.clone()
	unneeded := func(t *Type) bool { return !needed[t.Key] }
	n.Events = slices.DeleteFunc(n.Events, unneeded)
	n.Helpers = slices.DeleteFunc(n.Helpers, unneeded)
	n.Enums = slices.DeleteFunc(n.Enums, func(e *Enum) bool { return !needed[fold(e.Name)] })
	n.Classes = slices.DeleteFunc(n.Classes, func(r ClassRule) bool { return !needed["class "+string(r.Class)] })
	if err := n.link(); err != nil {
		panic("event: part of a good catalogue: " + err.Error())
	}
	return n
}

// need notes the type and the enum of a field.
func (f *Field) need(names map[string]bool) {
	if f.Values != nil {
		names[fold(f.Values.Name)] = true
	}
	if f.Helper == nil {
		return
	}
	names[f.Helper.Key] = true
	for i := range f.Helper.Fields {
		f.Helper.Fields[i].need(names)
	}
}
