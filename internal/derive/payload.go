package derive

import (
	"bytes"
	"encoding/json"
	"strconv"

	"rte/internal/event"
)

// text is a payload as JSON, without the escapes that only HTML needs.
func text(p event.Payload) []byte {
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	if err := w.Encode(p); err != nil {
		panic("derive: " + p.Event() + " cannot be written: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// members gives f each member of a JSON object, as written; f gets a name
// without quotes and escapes. It reports false where the text is no object,
// having given what came before: the doors let no such payload in.
func members(object []byte, f func(name, value, whole []byte)) bool {
	i := blanks(object, 0)
	if i >= len(object) || object[i] != '{' {
		return false
	}
	for i++; ; i++ {
		i = blanks(object, i)
		if i < len(object) && object[i] == '}' {
			return true
		}
		start := i
		end := value(object, i)
		if i >= len(object) || object[i] != '"' || end < 0 {
			return false
		}
		name := object[i+1 : end-1]
		if i = blanks(object, end); i >= len(object) || object[i] != ':' {
			return false
		}
		i = blanks(object, i+1)
		if end = value(object, i); end < 0 {
			return false
		}
		if bytes.IndexByte(name, '\\') >= 0 {
			name = []byte(unquote(object[start : start+len(name)+2]))
		}
		f(name, object[i:end], object[start:end])
		if i = blanks(object, end); i >= len(object) || object[i] != ',' && object[i] != '}' {
			return false
		}
		if object[i] == '}' {
			return true
		}
	}
}

func blanks(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

// value is the end of the JSON value that begins at i, below 0 if it has none.
func value(text []byte, i int) int {
	depth := 0
	for ; i < len(text); i++ {
		switch text[i] {
		case '"':
			if i = quoted(text, i); i < 0 {
				return -1
			}
			if depth == 0 {
				return i
			}
			i--
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return -1
			} else if depth == 0 {
				return i + 1
			}
		case ' ', '\n', '\t', '\r', ',', ':':
			if depth == 0 {
				return -1
			}
		default: // a number or a word
			for i++; i < len(text) && bytes.IndexByte([]byte(" \n\t\r,:{}[]\""), text[i]) < 0; i++ {
			}
			if depth == 0 {
				return i
			}
			i--
		}
	}
	return -1
}

// quoted is the end of the string that begins at i.
func quoted(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// unquote is the text of a JSON string, "" for anything else.
func unquote(value []byte) string {
	n := len(value)
	if n < 2 || value[0] != '"' {
		return ""
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : n-1])
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

// member is the value of one member, nil if there is none or it is null.
func member(text []byte, wireName string) (found []byte) {
	members(text, func(name, value, _ []byte) {
		if string(name) == wireName && string(value) != "null" {
			found = value
		}
	})
	return found
}

// guid reads a Guid; anything else, null too, is the zero one, which
// producers use for "none" themselves.
func guid(value []byte) (g event.GUID) {
	if len(value) > 2 && value[0] == '"' {
		g, _ = event.ParseGUID(unquote(value))
	}
	return g
}

// date reads a moment; what is none, null too, never comes.
func date(value []byte) moment {
	if len(value) > 2 && value[0] == '"' {
		text := value[1 : len(value)-1]
		if bytes.IndexByte(text, '\\') >= 0 { // some writers escape the plus of an offset
			text = []byte(unquote(value))
		}
		if t, ok := event.ParseDateTime(text); ok {
			return momentOf(t)
		}
	}
	return never
}

// number reads an integer.
func number(value []byte) event.Null[int32] {
	if n, err := strconv.ParseInt(string(value), 10, 32); err == nil {
		return event.Some(int32(n))
	}
	return event.Null[int32]{}
}
