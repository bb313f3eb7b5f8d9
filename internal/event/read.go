package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// ReadCatalog reads a whole catalogue of the form of catalog.json.
func ReadCatalog(text []byte) (*Catalog, error) { return new(Catalog).merge(text, false) }

// Overlay returns the catalogue with what a file of the same form adds:
// classes, values of enums, enums, types, events, and fields of those that
// are there. What is there keeps its meaning: an overlay that says otherwise
// is refused, but for an event's check mode and its example. c stays as it is.
func (c *Catalog) Overlay(text []byte) (*Catalog, error) { return c.merge(text, true) }

func (c *Catalog) merge(text []byte, overlay bool) (*Catalog, error) {
	f, err := readFile(text)
	if err != nil {
		return nil, err
	}
	n := c.clone()
	m := merger{Catalog: n, overlay: overlay}
	for _, part := range [...]struct {
		name  string
		texts []json.RawMessage
		add   func(json.RawMessage) (name string, err error)
	}{
		{"classes", f.Classes, m.class},
		{"enums", f.Enums, m.enum},
		{"types", f.Types, m.helper},
		{"events", f.Events, m.event},
	} {
		if err := each(part.name, part.texts, part.add); err != nil {
			return nil, err
		}
	}
	if err := n.link(); err != nil {
		return nil, err
	}
	return n, nil
}

// each adds parts one by one; an error names the part.
func each(list string, texts []json.RawMessage, add func(json.RawMessage) (string, error)) error {
	for i, text := range texts {
		name, err := add(text)
		if err != nil && name != "" {
			return fmt.Errorf("%s[%d] %s: %w", list, i, name, err)
		}
		if err != nil {
			return fmt.Errorf("%s[%d]: %w", list, i, err)
		}
	}
	return nil
}

// clone copies what a merge may change.
func (c *Catalog) clone() *Catalog {
	n := &Catalog{Classes: slices.Clone(c.Classes)}
	for _, e := range c.Enums {
		copied := *e
		copied.Values = slices.Clone(e.Values)
		n.Enums = append(n.Enums, &copied)
	}
	types := func(list []*Type) (out []*Type) {
		for _, t := range list {
			copied := *t
			copied.Fields = slices.Clone(t.Fields)
			for i := range copied.Fields {
				f := &copied.Fields[i]
				f.Helper = nil // link finds the copies by name
				if f.Values != nil {
					f.Values = n.findEnum(f.Values.Name)
				}
			}
			out = append(out, &copied)
		}
		return out
	}
	n.Helpers, n.Events = types(c.Helpers), types(c.Events)
	return n
}

func (c *Catalog) findEnum(name string) *Enum {
	for _, e := range c.Enums {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// find looks for a type by its name in any case.
func find(types []*Type, name string) *Type {
	for _, t := range types {
		if fold(t.Name) == fold(name) {
			return t
		}
	}
	return nil
}

// link fills in what depends on the whole.
func (c *Catalog) link() error {
	c.byKey = make(map[string]*Type, 2*len(c.Events))
	for i, t := range c.Events {
		t.Kind = Kind(i)
		if err := t.link(c); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		c.byKey[t.Key], c.byKey[t.Name] = t, t
	}
	for _, t := range c.Helpers {
		if err := t.link(c); err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	return nil
}

func (t *Type) link(c *Catalog) error {
	t.Key = fold(t.Name)
	t.fields = make(map[string]int, 3*len(t.Fields))
	for i := range t.Fields {
		f := &t.Fields[i]
		f.Index = i
		if f.List {
			f.Helper = find(c.Helpers, f.Type)
		}
		// The exact spellings, too: they need no lower-casing at ingest.
		t.fields[fold(f.Name)], t.fields[f.Name], t.fields[f.WireName] = i, i, i
	}
	for _, r := range c.Classes {
		if r.Class == t.Class {
			t.Hearers = r.Hearers
		}
	}
	for _, name := range []string{t.Entity, t.Organization} {
		if name == "" {
			continue
		}
		f, ok := t.Field(name)
		if !ok || f.Name != name {
			return fmt.Errorf("it has no field %s", name)
		}
		if f.Type != "Guid" || f.List {
			return fmt.Errorf("%s names whom it is about and must be a Guid, not a %s", name, f.Type)
		}
	}
	if f, ok := t.Field(t.Entity); ok && f.Nullable != t.EntityNullable {
		return errors.New("entityNullable must say whether " + t.Entity + " is nullable")
	}
	return nil
}
