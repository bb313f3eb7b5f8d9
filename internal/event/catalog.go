package event

import _ "embed"

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
