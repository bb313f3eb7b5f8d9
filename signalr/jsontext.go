package signalr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// A scanner walks over JSON text that is known to be well-formed, so it only
// looks for where things end.
type scanner struct{ b []byte }

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for i, c := range s.b {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			s.b = s.b[i:]
			return c
		}
	}
	s.b = nil
	return 0
}

// stringEnd is the index behind the string that b begins with.
func stringEnd(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// value takes the next value as text, without white space around it.
func (s *scanner) value() []byte {
	switch s.peek() {
	case '"':
		return s.take(stringEnd(s.b))
	case '{', '[':
		return s.take(containerEnd(s.b))
	}
	for i, c := range s.b {
		switch c {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			return s.take(i)
		}
	}
	return s.take(len(s.b))
}

func containerEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i += stringEnd(b[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(b)
}

func (s *scanner) take(n int) []byte {
	v := s.b[:n]
	s.b = s.b[n:]
	return v
}

// members calls fn for each member of the object that comes next: its name
// without quotes and escapes, and its value as text.
func (s *scanner) members(fn func(name, value []byte) error) error {
	s.take(1)
	for s.peek() != '}' {
		if s.peek() == ',' {
			s.take(1)
		}
		s.peek()
		name := s.take(stringEnd(s.b))
		if plain, err := unquote(name); err != nil {
			return err
		} else {
			name = plain
		}
		s.peek()
		s.take(1) // the colon
		if err := fn(name, s.value()); err != nil {
			return err
		}
	}
	s.take(1)
	return nil
}

// elements calls fn for each element of the array that comes next.
func (s *scanner) elements(fn func(value []byte) error) error {
	s.take(1)
	for s.peek() != ']' {
		if s.peek() == ',' {
			s.take(1)
		}
		if err := fn(s.value()); err != nil {
			return err
		}
	}
	s.take(1)
	return nil
}

// unquote is a string's text; without escapes it is a part of the input.
func unquote(quoted []byte) ([]byte, error) {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return nil, fmt.Errorf("read string: %w", err)
	}
	return []byte(text), nil
}

func errKind(name, kind string) error {
	return fmt.Errorf("signalr: expected '%s' to be of type %s", name, kind)
}

// readString reads a member that must be text; null counts as absent, as it
// does for the released server's reader.
func readString(name string, value []byte) (string, error) {
	if string(value) == "null" {
		return "", nil
	}
	if value[0] != '"' {
		return "", errKind(name, "String")
	}
	text, err := unquote(value)
	return string(text), err
}

// readNumber reads a member that must be a whole number, written as one.
func readNumber(name string, value []byte) (int64, error) {
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return 0, errKind(name, "Number")
	}
	return n, nil
}

func readValues(value []byte) ([]Value, error) {
	if value[0] != '[' {
		return nil, errKind("arguments", "Array")
	}
	values := []Value{}
	s := scanner{value}
	err := s.elements(func(v []byte) error {
		values = append(values, Raw{bytes: v})
		return nil
	})
	return values, err
}

func readStrings(value []byte) ([]string, error) {
	if string(value) == "null" {
		return nil, nil
	}
	if value[0] != '[' {
		return nil, errKind("streamIds", "Array")
	}
	var list []string
	s := scanner{value}
	err := s.elements(func(v []byte) error {
		text, err := readString("streamIds", v)
		list = append(list, text)
		return err
	})
	return list, err
}

func readHeaders(value []byte) (map[string]string, error) {
	if value[0] != '{' {
		return nil, errKind("headers", "Object")
	}
	headers := map[string]string{}
	s := scanner{value}
	err := s.members(func(name, v []byte) error {
		if v[0] != '"' {
			return errKind("headers", "Object of String")
		}
		text, err := unquote(v)
		headers[string(name)] = string(text)
		return err
	})
	return headers, err
}

// appendHead writes headers (in the order of their names, so that equal
// messages are equal bytes) and the invocation's id, each only if there.
func appendHead(dst []byte, headers map[string]string, id string) []byte {
	if len(headers) > 0 {
		dst = append(dst, `,"headers":`...)
		sep := byte('{')
		for _, name := range slices.Sorted(maps.Keys(headers)) {
			dst = appendText(append(dst, sep), name)
			dst = appendText(append(dst, ':'), headers[name])
			sep = ','
		}
		dst = append(dst, '}')
	}
	if id != "" {
		dst = appendText(append(dst, `,"invocationId":`...), id)
	}
	return dst
}

// appendValue writes a value; nil is null.
func appendValue(dst []byte, v Value) ([]byte, error) {
	if v == nil {
		v = Null
	}
	return v.AppendJSON(dst)
}

// appendText writes a JSON string: quotes, backslashes and control characters
// are escaped (0x1E among them, which ends a record), all else stays as it
// is. Bytes that are not UTF-8 become U+FFFD.
func appendText(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
		case r < utf8.RuneSelf:
			dst = append(dst, s[i])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
