package ingest

import (
	"strconv"

	"rte/internal/event"
)

// Found is what a payload itself says about where it belongs. Only the
// fields that the catalogue names as entity and organization count.
type Found struct {
	Org, Entity       event.GUID
	HasOrg, HasEntity bool // false: left out or null
}

// Check verifies one payload, a JSON object, against its event type and
// appends it to dst in wire form: camelCase members (of the object and of
// the helper objects in its lists), values byte for byte, no white space
// between tokens. Checking wire form again gives the same bytes.
//
// Every member may be left out; members that the type does not have are
// kept. Known names match ignoring ASCII case. Refused are values of another
// type, null where [event.Field.NullAllowed] says no, values outside a
// closed enum, a member that is there twice under its wire name, half of a
// surrogate pair, and nesting deeper than 61. The first three pass as they are
// when the event's [event.Check] is not enforced; such an entity or
// organization is then not found. The others nobody could read, in any mode.
//
// The error is an [*Error]; out is then dst as it was. It allocates nothing
// but dst's growth, except for names that hold escapes, are unknown and
// begin with a capital, or are unknown and longer than 32 bytes or more than
// six in one object.
func Check(dst []byte, t *event.Type, data []byte) (out []byte, found Found, err error) {
	var none *Drift
	return none.Check(dst, event.GUID{}, t, data)
}

// Check is [Check], and counts the drift of a payload of that organization.
func (d *Drift) Check(dst []byte, org event.GUID, t *event.Type, data []byte) (out []byte, found Found, err error) {
	s := scanner{in: data, writing: true, out: dst, notes: notes{drift: d}}
	s.space()
	e := s.check(t, &found)
	if e == nil {
		s.flush(s.at)
		s.writing = false
		e = s.end()
	}
	if e == nil || e.Kind != kindNone {
		s.notes.settle(t, org)
	}
	if e != nil {
		return dst, Found{}, e.rooted()
	}
	return s.out, found, nil
}

// check reads the payload of an event of type t.
func (s *scanner) check(t *event.Type, found *Found) *Error {
	s.typ = t
	e := s.payload(t, found, 1)
	if e != nil && e.Kind != kindNone {
		s.note(e)
	}
	return e
}

// note takes down a value that does not fit; its error has its path up to the
// payload.
func (s *scanner) note(e *Error) {
	s.notes.take(s.typ, e.Kind, func() *Error {
		told := *e // whose path goes on
		return told.rooted()
	})
}

// passes tells whether a value may stay that does not fit, and takes it down.
// step is its place in what is read.
func (s *scanner) passes(e *Error, step string) bool {
	if e.Kind == kindNone || s.typ.Check == event.Enforce {
		return false
	}
	s.note(e.under(step).under(s.inList()))
	return true
}

// unknown takes down a member that the catalogue does not know.
func (s *scanner) unknown(name []byte) {
	s.notes.take(s.typ, KindUnknown, func() *Error {
		return (&Error{Path: s.inList() + pathStep(name), Found: "a member that is not in the catalogue", Allowed: "none but its own"}).rooted()
	})
}

// inList is the list that is read as a step of a path.
func (s *scanner) inList() string {
	if s.inside == "" {
		return ""
	}
	return "." + s.inside + "[]"
}

// payload reads an object of type t that stands at the given depth. found is
// nil for a helper object.
func (s *scanner) payload(t *event.Type, found *Found, depth int) *Error {
	if s.peek() != '{' {
		return s.wrongKind("an object")
	}
	if e := s.tooDeep(depth); e != nil {
		return e
	}
	s.at++
	s.space()
	if s.peek() == '}' {
		s.at++
		return nil
	}
	var had members
	for {
		f, name, e := s.member(t, &had)
		if e != nil {
			return e
		}
		if e := s.colon(); e != nil {
			return e.under(step(f, name))
		}
		start := s.at
		if f == nil {
			s.unknown(name)
			e = s.value(depth)
		} else if e = s.field(t, f, found, depth); e != nil && s.passes(e, step(f, name)) {
			s.at = start // of a value that does not fit nothing has been written
			e = s.value(depth)
		}
		if e != nil {
			return e.under(step(f, name))
		}
		if more, e := s.next('}'); !more {
			return e
		}
	}
}

// field reads the value of a known member.
func (s *scanner) field(t *event.Type, f *event.Field, found *Found, depth int) *Error {
	if s.peek() == 'n' {
		start := s.at
		if e := s.word("null"); e != nil || f.NullAllowed() {
			return e
		}
		return misfit(KindNull, start, "null", allowed(f))
	}
	if f.List {
		return s.list(f, depth+1)
	}
	switch f.Type {
	case "string":
		return s.stringField(f)
	case "Guid":
		g, e := s.guidField(f)
		if e == nil && found != nil {
			switch f.Name {
			case t.Entity:
				found.Entity, found.HasEntity = g, true
			case t.Organization:
				found.Org, found.HasOrg = g, true
			}
		}
		return e
	case "DateTime":
		return s.dateField(f)
	case "int":
		return s.wholeField(f, 32)
	case "short":
		return s.wholeField(f, 16)
	case "long":
		return s.wholeField(f, 64)
	case "bool":
		switch s.peek() {
		case 't':
			return s.word("true")
		case 'f':
			return s.word("false")
		}
		return s.wrongKind(allowed(f))
	}
	// A type that a later catalogue brings and this code does not know.
	return s.value(depth)
}

// list reads an array of helper objects.
func (s *scanner) list(f *event.Field, depth int) *Error {
	if s.peek() != '[' {
		return s.wrongKind(allowed(f))
	}
	if e := s.tooDeep(depth); e != nil {
		return e
	}
	s.at++
	s.space()
	if s.peek() == ']' {
		s.at++
		return nil
	}
	s.inside = f.WireName
	for i := 0; ; i++ {
		start := s.at
		e := s.payload(f.Helper, nil, depth+1)
		if e != nil && s.passes(e, "") {
			s.at = start
			e = s.value(depth)
		}
		if e != nil {
			return e.under("[" + strconv.Itoa(i) + "]")
		}
		if more, e := s.next(']'); !more {
			s.inside = ""
			return e
		}
	}
}

// wrongKind refuses the value that begins here by its first byte.
func (s *scanner) wrongKind(wanted string) *Error {
	kind := ""
	switch c := s.peek(); {
	case c == '"':
		kind = "a string"
	case c == '{':
		kind = "an object"
	case c == '[':
		kind = "an array"
	case c == '-' || '0' <= c && c <= '9':
		kind = "a number"
	case c == 't':
		kind = "true"
	case c == 'f':
		kind = "false"
	case c == 'n':
		kind = "null"
	default:
		return s.unexpected(wanted)
	}
	return misfit(KindType, s.at, kind, wanted)
}

// allowed describes a field's good values for an error.
func allowed(f *event.Field) string {
	text := ""
	switch {
	case f.List:
		text = "an array of objects"
	case f.Values != nil && f.Values.Closed:
		text = "one of " + f.Values.String()
	default:
		text = typeText(f.Type)
	}
	if f.NullAllowed() {
		text += ", or null"
	}
	return text
}

// typeText describes a type of the catalogue for an error.
func typeText(name string) string {
	switch name {
	case "string":
		return "a string"
	case "Guid":
		return "a Guid in quotes, like 00000000-0000-0000-0000-000000000000"
	case "DateTime":
		return "a date and time in quotes, like 2026-11-22T08:00:00Z, with at most 9 digits after the seconds"
	case "short":
		return "a whole number from -32768 to 32767"
	case "int":
		return "a whole number from -2147483648 to 2147483647"
	case "long":
		return "a whole number from -9223372036854775808 to 9223372036854775807"
	case "bool":
		return "true or false"
	}
	return "a JSON value"
}
