package gen

import (
	"encoding/json"
	"slices"

	"rte/internal/event"
)

// dialect is the JSON Schema that the schemas are written in.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// Patterns of texts. They take all that the doors let in; formats of JSON
// Schema would say less (a date without a zone is none to them) or nothing
// (validators may ignore them).
const (
	guidPattern = `^\s*[{(]?[0-9A-Fa-f]{8}(-?[0-9A-Fa-f]{4}){4}[0-9A-Fa-f]{8}[)}]?\s*$`
	datePattern = `^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])` +
		`(T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?)?$`
)

// JSONSchema is the schema of an event's data on the wire (JSON Schema
// 2020-12). Members may be left out, and others may be there, as at the door.
func JSONSchema(t *event.Type) ([]byte, error) {
	return document(append(object{{"$schema", dialect}}, standalone(t)...))
}

// JSONSchemas is one document with the schemas of all events and types in
// $defs, by their names.
func JSONSchemas(c *event.Catalog) ([]byte, error) {
	ref := refTo("#/$defs/")
	defs := object{}
	for _, list := range [][]*event.Type{c.Events, c.Helpers} {
		for _, t := range list {
			defs = append(defs, member{t.Name, schema(t, ref)})
		}
	}
	return document(object{
		{"$schema", dialect},
		{"title", "RTE events"},
		{"description", "The data of each event as it is pushed, by the event's name."},
		{"$defs", defs},
	})
}

// refTo makes references to types below a place in the document.
func refTo(place string) func(*event.Type) object {
	return func(t *event.Type) object { return object{{"$ref", place + t.Name}} }
}

// standalone is a type's schema with all it refers to.
func standalone(t *event.Type) object {
	ref := refTo("#/$defs/")
	o := schema(t, ref)
	for i := range t.Fields {
		if h := t.Fields[i].Helper; h != nil {
			o.set(schema(h, ref), "$defs", h.Name)
		}
	}
	return o
}

// schema is a type's schema; ref makes references to helper types.
func schema(t *event.Type, ref func(*event.Type) object) object {
	properties := object{}
	for i := range t.Fields {
		f := &t.Fields[i]
		properties = append(properties, member{f.WireName, fieldSchema(f, ref)})
	}
	o := object{
		{"title", t.Name},
		{"description", about(t)},
		{"type", "object"},
		{"properties", properties},
		{"additionalProperties", true},
	}
	if t.Class != "" {
		o = append(o, member{"examples", []any{example(t)}})
	}
	return o
}

func fieldSchema(f *event.Field, ref func(*event.Type) object) object {
	o := object{{"description", aboutField(f)}}
	kind := ""
	switch {
	case f.List:
		kind = "array"
		o = append(o, member{"items", ref(f.Helper)})
	case f.Type == "Guid":
		kind = "string"
		o = append(o, member{"pattern", guidPattern})
	case f.Type == "DateTime":
		kind = "string"
		o = append(o, member{"pattern", datePattern})
	case f.Type == "bool":
		kind = "boolean"
	case f.Type == "short":
		kind = "integer"
		o = append(o, member{"minimum", -1 << 15}, member{"maximum", 1<<15 - 1})
	case f.Type == "int":
		kind = "integer"
		o = append(o, member{"minimum", -1 << 31}, member{"maximum", 1<<31 - 1})
	case f.Type == "long":
		kind = "integer"
		o = append(o, member{"minimum", int64(-1 << 63)}, member{"maximum", int64(1<<63 - 1)})
	default:
		kind = "string"
	}
	var kinds any = kind
	if f.NullAllowed() {
		kinds = []string{kind, "null"}
	}
	o = slices.Insert(o, 1, member{"type", kinds})
	if f.Values == nil {
		return o
	}
	list := make([]any, len(f.Values.Values))
	for i, v := range f.Values.Values {
		list[i] = v.Value
		if v.Number {
			list[i] = json.Number(v.Value)
		}
	}
	switch {
	case !f.Values.Closed:
		return append(o, member{"examples", list})
	case f.NullAllowed():
		list = append(list, nil)
	}
	return append(o, member{"enum", list})
}

// example is the catalogue's payload, or a sample where it has none.
func example(t *event.Type) json.RawMessage {
	if t.Example != nil {
		return t.Example
	}
	return event.JoinMembers(t.Sample(
		event.GUID{0x5e, 0x0b, 0x1c, 0x52, 0x3a, 0x7d, 0x4f, 0x0e, 0x9a, 0x51, 0x2f, 0x6d, 0x1c, 0x8e, 0x7b, 0x10},
		event.GUID{0x6f, 0x1c, 0x2a, 0x40, 0x8d, 0x3e, 0xeb, 0x11, 0xb1, 0xac, 0x00, 0x15, 0x5d, 0x4f, 0x21, 0xa7}))
}
