package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// fieldTypes are the types of plain values; see domain report, 3.
var fieldTypes = [...]string{"string", "Guid", "int", "short", "long", "bool", "DateTime"}

// fields adds fields to a type, or sees that they are the ones it has.
func (m *merger) fields(t *Type, texts []json.RawMessage, helper bool) error {
	return each("fields", texts, func(text json.RawMessage) (string, error) {
		var ff fileField
		if err := strict(text, &ff); err != nil {
			return ff.Name, err
		}
		f, err := m.field(&ff)
		if err != nil {
			return ff.Name, err
		}
		if helper && f.List {
			return ff.Name, errors.New("lists do not nest")
		}
		for i := range t.Fields {
			if fold(t.Fields[i].Name) == fold(f.Name) {
				return ff.Name, m.again(&t.Fields[i], f, &ff)
			}
		}
		t.Fields = append(t.Fields, *f)
		return ff.Name, nil
	})
}

// field is the field that a file describes.
func (m *merger) field(ff *fileField) (*Field, error) {
	if err := goodName("a field", ff.Name); err != nil {
		return nil, err
	}
	f := &Field{
		Name: ff.Name, WireName: CamelCase(ff.Name), Type: ff.Type, List: ff.List, Nullable: ff.Nullable,
		MayBeNull: ff.List || ff.Type == "string", Unit: ff.Unit, Summary: ff.Summary, Note: ff.Note, Added: m.overlay,
	}
	if ff.MayBeNull != nil {
		f.MayBeNull = *ff.MayBeNull
	}
	if ff.Privacy != nil {
		f.Privacy = *ff.Privacy
	}
	if ff.WireName != "" && ff.WireName != f.WireName {
		return nil, fmt.Errorf("its wireName is %s, wanted %s", ff.WireName, f.WireName)
	}
	if t := find(m.Helpers, f.Type); f.List && (t == nil || t.Name != f.Type) {
		return nil, fmt.Errorf("its type %q is not one of types, which a list's items must be of", f.Type)
	}
	if !f.List && !slices.Contains(fieldTypes[:], f.Type) {
		return nil, fmt.Errorf("its type is %q, wanted %s, or with list one of types", f.Type, orList(fieldTypes[:]))
	}
	if ff.Enum == "" {
		return f, nil
	}
	f.Values = m.findEnum(ff.Enum)
	switch {
	case f.Values == nil:
		return nil, fmt.Errorf("no enum is called %s", ff.Enum)
	case f.List, !holds(f.Type, f.Values):
		return nil, fmt.Errorf("values of the enum %s are none of its type", ff.Enum)
	}
	return f, nil
}

// holds reports whether a type's values can be those of an enum.
func holds(typ string, e *Enum) bool {
	switch typ {
	case "string":
		return !e.Values[0].Number
	case "short", "int", "long":
		return e.Values[0].Number
	}
	return false
}

// again sees that a field which is there is described as it is; what the file
// leaves out is as it was. Only its privacy may change, to a class that is
// masked more.
func (m *merger) again(was, is *Field, ff *fileField) error {
	switch {
	case !m.overlay:
		return errors.New("this field is there twice")
	case was.Name != is.Name:
		return fmt.Errorf("the catalogue spells it %s", was.Name)
	case was.Type != is.Type, was.List != is.List, was.Nullable != is.Nullable,
		ff.MayBeNull != nil && was.MayBeNull != is.MayBeNull, ff.Enum != "" && was.Values != is.Values:
		return fmt.Errorf("it is %s in the catalogue, which an overlay cannot change", was.kind())
	case ff.Privacy != nil && is.Privacy > was.Privacy:
		return fmt.Errorf("its privacy is %s in the catalogue, and may only be made stricter", was.Privacy)
	case ff.Privacy != nil:
		was.Privacy = is.Privacy
	}
	return nil
}

// kind is what a field is, in words of the catalogue.
func (f *Field) kind() string {
	text := "a " + f.Type
	if f.List {
		text = "a list of " + f.Type
	}
	if f.Nullable {
		text += " that is nullable"
	}
	if f.MayBeNull {
		text += " that may be null"
	}
	if f.Values != nil {
		text += " of the enum " + f.Values.Name
	}
	return text
}
