package event

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

// A Kind is an event's place in the catalogue; it stands for the name
// wherever names would be compared.
type Kind uint16

// Semantics says what a newer event of the same pair means for an older one.
type Semantics string

// The kinds of meaning an event can have (domain report, 3.1).
const (
	State        Semantics = "state"        // the newest value replaces older ones
	Occurrence   Semantics = "occurrence"   // every one counts, in order
	ItemChange   Semantics = "item-change"  // whole snapshot of one item of the entity
	Notification Semantics = "notification" // one-off message for a person or a sender
	Command      Semantics = "command"      // instruction to another component
)

// A Class groups events under one rule of who may hear them.
type Class string

// The classes of the rule table (auth decides; domain report, 7.2).
const (
	Personal  Class = "personal"  // addressed to one user
	Presence  Class = "presence"  // a user's availability and status
	UserCalls Class = "userCalls" // a user's own calls
	Queue     Class = "queue"     // a service queue's calls and counters
	List      Class = "list"      // a call list's callbacks and counters
	Senders   Class = "senders"   // mail and SMS orders of a call list
)

// A Type describes one event, or one helper type of a list field.
type Type struct {
	Name      string    `json:"name"`      // as the product's page writes it
	Group     string    `json:"group"`     // User, Queue or CallList; "" for helpers
	Class     Class     `json:"class"`     // who may hear it; "" for helpers
	Semantics Semantics `json:"semantics"` // "" for helpers
	Summary   string    `json:"summary"`

	// Entity names the payload field that holds the entity's id; "" where
	// only the envelope says it.
	Entity string `json:"entity"`
	// EntityNullable: the entity field may be null or missing, so the
	// envelope must say it then.
	EntityNullable bool `json:"entityNullable"`
	// Organization names the payload field that holds the organization's
	// id; "" where only the envelope says it.
	Organization string `json:"organization"`

	// Check is what the doors do with a payload that does not fit.
	Check Check `json:"check"`

	Fields []Field `json:"fields"`

	Kind Kind   `json:"-"` // place in the catalogue
	Key  string `json:"-"` // lower-case name: what results and pushes carry

	fields map[string]int // by lower-case name
}

// Field finds a member by its name, ignoring case.
func (t *Type) Field(name string) (*Field, bool) {
	i, ok := t.fields[name]
	if !ok {
		if i, ok = t.fields[fold(name)]; !ok {
			return nil, false
		}
	}
	return &t.Fields[i], true
}

// Keeps reports whether the newest value replaces older ones: such an event
// may be conflated for a slow client, and no other.
func (t *Type) Keeps() bool { return t.Semantics == State }

// A Field is one member of a payload.
type Field struct {
	Name      string `json:"name"`      // as the product's page writes it
	WireName  string `json:"wireName"`  // camelCase, as JSON carries it
	Type      string `json:"type"`      // string, Guid, int, short, long, bool, DateTime, or a helper type
	List      bool   `json:"list"`      // an array of Type
	Nullable  bool   `json:"nullable"`  // the page's type ends in '?'
	MayBeNull bool   `json:"mayBeNull"` // a reference type in C#: the page cannot exclude null
	Enum      string `json:"enum"`      // name of its value list, or ""
	Summary   string `json:"summary"`
	Note      string `json:"note"`

	Index  int   `json:"-"` // place in Type.Fields
	Helper *Type `json:"-"` // the helper type of a list, else nil
	Values *Enum `json:"-"` // the value list named by Enum, else nil
}

// NullAllowed reports whether JSON null is a good value.
func (f *Field) NullAllowed() bool { return f.Nullable || f.MayBeNull }

// An Enum lists a field's values; only a closed one refuses others.
type Enum struct {
	Closed bool        `json:"closed"`
	Values []EnumValue `json:"values"`
	Note   string      `json:"note"`
}

// Has reports whether the value (a JSON string's text, or a number as
// written) is in the list.
func (e *Enum) Has(v string) bool {
	for i := range e.Values {
		if e.Values[i].Value == v {
			return true
		}
	}
	return false
}

// String lists the values for an error text: "a, b or c".
func (e *Enum) String() string {
	var b strings.Builder
	for i, v := range e.Values {
		switch {
		case i == 0:
		case i == len(e.Values)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(v.Value)
	}
	return b.String()
}

// An EnumValue is one value; numeric ones also have a name and a meaning.
type EnumValue struct {
	Value   string
	Name    string
	Meaning string
}

// UnmarshalJSON reads "text" or {"value": 5, "name": …, "meaning": …}.
func (v *EnumValue) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &v.Value)
	}
	var o struct {
		Value   json.Number
		Name    string
		Meaning string
	}
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	*v = EnumValue{Value: o.Value.String(), Name: o.Name, Meaning: o.Meaning}
	return nil
}

// A Catalog is the set of events a node knows. It is immutable and safe for
// concurrent use.
type Catalog struct {
	Events  []*Type // in the page's order; Events[k].Kind == Kind(k)
	Helpers []*Type // types of list fields

	byKey map[string]*Type
}

//go:embed catalog.json
var catalogJSON []byte

// NewCatalog reads the catalogue that is built into the program.
func NewCatalog() *Catalog {
	c, err := parseCatalog(catalogJSON)
	if err != nil {
		panic("event: built-in catalogue: " + err.Error())
	}
	return c
}

func parseCatalog(b []byte) (*Catalog, error) {
	var doc struct {
		Enums  map[string]*Enum
		Events []*Type
		Types  []*Type
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("parse catalogue: %w", err)
	}
	c := &Catalog{Events: doc.Events, Helpers: doc.Types, byKey: make(map[string]*Type, 2*len(doc.Events))}
	helpers := make(map[string]*Type, len(doc.Types))
	for _, t := range doc.Types {
		helpers[t.Name] = t
	}
	for _, t := range append(doc.Types[:len(doc.Types):len(doc.Types)], doc.Events...) {
		if err := t.link(helpers, doc.Enums); err != nil {
			return nil, err
		}
	}
	for i, t := range c.Events {
		t.Kind = Kind(i)
		if c.byKey[t.Key] != nil {
			return nil, fmt.Errorf("catalogue: event %s is there twice", t.Name)
		}
		c.byKey[t.Key], c.byKey[t.Name] = t, t
	}
	return c, nil
}

// link fills in what the file says by name.
func (t *Type) link(helpers map[string]*Type, enums map[string]*Enum) error {
	t.Key = fold(t.Name)
	t.fields = make(map[string]int, 3*len(t.Fields))
	for i := range t.Fields {
		f := &t.Fields[i]
		f.Index = i
		key := fold(f.Name)
		if _, twice := t.fields[key]; twice {
			return fmt.Errorf("catalogue: %s.%s is there twice", t.Name, f.Name)
		}
		if f.WireName != CamelCase(f.Name) {
			return fmt.Errorf("catalogue: %s.%s has wire name %s, wanted %s", t.Name, f.Name, f.WireName, CamelCase(f.Name))
		}
		// The exact spellings first: they need no lower-casing at ingest.
		t.fields[key], t.fields[f.Name], t.fields[f.WireName] = i, i, i
		if f.List {
			if f.Helper = helpers[f.Type]; f.Helper == nil {
				return fmt.Errorf("catalogue: %s.%s: no helper type %s", t.Name, f.Name, f.Type)
			}
		}
		if f.Enum != "" {
			if f.Values = enums[f.Enum]; f.Values == nil {
				return fmt.Errorf("catalogue: %s.%s: no enum %s", t.Name, f.Name, f.Enum)
			}
		}
	}
	for _, name := range []string{t.Entity, t.Organization} {
		if _, ok := t.fields[name]; name != "" && !ok {
			return fmt.Errorf("catalogue: %s has no field %s", t.Name, name)
		}
	}
	return nil
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

// Names are the events' names in the page's spelling and order: what
// AvailableSubscriptions answers.
func (c *Catalog) Names() []string {
	names := make([]string, len(c.Events))
	for i, t := range c.Events {
		names[i] = t.Name
	}
	return names
}
