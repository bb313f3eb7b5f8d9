package gen

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// An object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order (json.Marshaler).
func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := marshal(m.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads an object and all objects in it (json.Unmarshaler).
func (o *object) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := ordered(d)
	if err != nil {
		return err
	}
	read, ok := v.(object)
	if !ok {
		return fmt.Errorf("%.20s is not an object", text)
	}
	*o = read
	return nil
}

// ordered reads the next value.
func ordered(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		o := object{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			value, err := ordered(d)
			if err != nil {
				return nil, err
			}
			o = append(o, member{name.(string), value})
		}
		_, err = d.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			value, err := ordered(d)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err = d.Token()
		return list, err
	}
	return token, nil
}

// set puts a value at a path of members, which are made where they are
// missing.
func (o *object) set(value any, path ...string) {
	for i := range *o {
		m := &(*o)[i]
		if m.name != path[0] {
			continue
		}
		if len(path) > 1 {
			inner, _ := m.value.(object)
			inner.set(value, path[1:]...)
			value = inner
		}
		m.value = value
		return
	}
	if len(path) > 1 {
		inner := object{}
		inner.set(value, path[1:]...)
		value = inner
	}
	*o = append(*o, member{path[0], value})
}

// remove takes the member at a path away.
func (o *object) remove(path ...string) {
	for i, m := range *o {
		switch inner, isObject := m.value.(object); {
		case m.name != path[0]:
		case len(path) == 1:
			*o = append((*o)[:i:i], (*o)[i+1:]...)
			return
		case isObject:
			inner.remove(path[1:]...)
			(*o)[i].value = inner
		}
	}
}

// marshal is json.Marshal without escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// document is a value as a file: indented, with a line end.
func document(v any) ([]byte, error) {
	text, err := marshal(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", " "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
