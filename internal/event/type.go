package event

import (
	"encoding/json"
	"time"
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

// A Type describes one event, or one helper type of a list field.
type Type struct {
	Name      string    // as the product's page writes it
	Group     string    // User, Queue or CallList: what the entity is; "" for helpers
	Class     Class     // "" for helpers
	Hearers   Hearers   // who may hear it, by its class; 0 for helpers
	Semantics Semantics // "" for helpers
	Summary   string
	Note      string // what is odd about it, or ""

	// Entity names the payload field that holds the entity's id; "" where
	// only the envelope says it.
	Entity string
	// EntityNullable: the entity field may be null or missing, so the
	// envelope must say it then.
	EntityNullable bool
	// Organization names the payload field that holds the organization's
	// id; "" where only the envelope says it.
	Organization string

	// Promised is by when a state's source says it again, changed or not; 0:
	// nothing is promised.
	Promised time.Duration

	// Check is what the doors do with a payload that does not fit.
	Check Check

	Fields []Field

	// Example is a realistic payload in wire form, white space aside; nil
	// where the catalogue has none, and for helpers.
	Example json.RawMessage

	Kind  Kind   // place in the catalogue
	Key   string // lower-case name: what results and pushes carry
	Added bool   // an overlay brought it

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

// Privacy is the class of a member's value; a member that the catalogue does
// not know counts as content.
func (t *Type) Privacy(name string) Privacy {
	if f, ok := t.Field(name); ok {
		return f.Privacy
	}
	return Content
}

// Keeps reports whether the newest value replaces older ones: such an event
// may be conflated for a slow client, and no other.
func (t *Type) Keeps() bool { return t.Semantics == State }

// A Field is one member of a payload.
type Field struct {
	Name      string  // as the product's page writes it
	WireName  string  // camelCase, as JSON carries it
	Type      string  // string, Guid, int, short, long, bool, DateTime, or a helper type
	List      bool    // an array of Type
	Nullable  bool    // the page's type ends in '?'
	MayBeNull bool    // a reference type in C#: the page cannot exclude null
	Unit      string  // of a number: seconds, calls, …; or ""
	Privacy   Privacy // how close the value is to a person
	Summary   string
	Note      string // what is odd about it, or ""

	Index  int   // place in Type.Fields
	Helper *Type // the helper type of a list, else nil
	Values *Enum // its value list, or nil
	Added  bool  // an overlay brought it
}

// NullAllowed reports whether JSON null is a good value.
func (f *Field) NullAllowed() bool { return f.Nullable || f.MayBeNull }

// An Enum lists a field's values; only a closed one refuses others.
type Enum struct {
	Name   string
	Closed bool
	Values []EnumValue
	Note   string
}

// An EnumValue is one value; numeric ones also have a name and a meaning.
type EnumValue struct {
	Value   string // a JSON string's text, or a number as written
	Number  bool
	Name    string
	Meaning string
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
	texts := make([]string, len(e.Values))
	for i := range e.Values {
		texts[i] = e.Values[i].Value
	}
	return orList(texts)
}
