package event

import (
	"encoding/json"
	"time"
)

// MarshalJSON writes the catalogue in the form that ReadCatalog reads, with
// everything said that a file may leave out (json.Marshaler).
func (c *Catalog) MarshalJSON() ([]byte, error) {
	w := writer{}
	f := file{Schema: fileSchema}
	for _, r := range c.Classes {
		w.add(&f.Classes, fileClass{r.Class, r.Summary, r.Hearers.Names()})
	}
	for _, e := range c.Enums {
		out := fileEnum{Name: e.Name, Closed: &e.Closed, Note: e.Note}
		for _, v := range e.Values {
			if v.Number {
				w.add(&out.Values, fileValue{json.Number(v.Value), v.Name, v.Meaning})
			} else {
				w.add(&out.Values, v.Value)
			}
		}
		w.add(&f.Enums, out)
	}
	for _, t := range c.Helpers {
		w.add(&f.Types, fileType{Name: t.Name, Summary: t.Summary, Note: t.Note, Fields: w.fields(t)})
	}
	for _, t := range c.Events {
		var promised *int32 // of what is no state nothing can be
		if t.Keeps() {
			n := int32(t.Promised / time.Second)
			promised = &n
		}
		w.add(&f.Events, fileType{
			Name: t.Name, Group: t.Group, Class: t.Class, Semantics: t.Semantics, Summary: t.Summary, Note: t.Note,
			Entity: t.Entity, EntityNullable: &t.EntityNullable, Organization: t.Organization, Check: &t.Check, Promised: promised,
			Fields: w.fields(t), Example: t.Example,
		})
	}
	if w.err != nil {
		return nil, w.err
	}
	return json.Marshal(f)
}

// A writer remembers the first error.
type writer struct{ err error }

func (w *writer) add(list *[]json.RawMessage, part any) {
	text, err := json.Marshal(part)
	if err != nil && w.err == nil {
		w.err = err
	}
	*list = append(*list, text)
}

func (w *writer) fields(t *Type) (list []json.RawMessage) {
	for i := range t.Fields {
		f := &t.Fields[i]
		out := fileField{
			Name: f.Name, WireName: f.WireName, Type: f.Type, List: f.List, Nullable: f.Nullable, MayBeNull: &f.MayBeNull,
			Unit: f.Unit, Privacy: &f.Privacy, Summary: f.Summary, Note: f.Note,
		}
		if f.Values != nil {
			out.Enum = f.Values.Name
		}
		w.add(&list, out)
	}
	return list
}
