package session

import "strings"

// quickItems reads the argument of Subscribe as every client writes it: a list
// of objects of plain texts. For anything else ok is false, and
// encoding/json decides: nulls, escapes, letters beyond ASCII, members of other
// types. What it reads it reads as encoding/json would, member names in any
// case and the last of two alike, in a tenth of the time and with two
// allocations (FuzzItems compares them).
func quickItems(argument []byte, most int) (items []item, ok bool) {
	s := scanner{text: string(argument)} // the items' texts are parts of it
	if !s.take('[') {
		return nil, false
	}
	items = make([]item, 0, min(most, 1+strings.Count(s.text, "},")))
	if s.take(']') {
		return items, s.end()
	}
	for {
		if len(items) == most { // too many: their number is for the other way to say
			return nil, false
		}
		var it item
		if !s.item(&it) {
			return nil, false
		}
		items = append(items, it)
		if s.take(',') {
			continue
		}
		return items, s.take(']') && s.end()
	}
}

// A scanner reads plain JSON.
type scanner struct {
	text string
	at   int
}

// item reads one object.
func (s *scanner) item(it *item) bool {
	if !s.take('{') {
		return false
	}
	if s.take('}') {
		return true
	}
	for {
		name, ok := s.plain()
		if !ok || !s.take(':') {
			return false
		}
		value, ok := s.plain()
		if !ok {
			return false
		}
		switch {
		case strings.EqualFold(name, "entityId"):
			it.entity = text{value, true}
		case strings.EqualFold(name, "eventName"):
			it.name = text{value, true}
		case strings.EqualFold(name, "after"):
			it.after = cursor{true, value}
		default: // snapshot is no text
			return false
		}
		if !s.take(',') {
			return s.take('}')
		}
	}
}

// take passes over blanks and one character.
func (s *scanner) take(c byte) bool {
	s.blanks()
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) blanks() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) end() bool {
	s.blanks()
	return s.at == len(s.text)
}

// plain reads a text without escapes, of printable ASCII.
func (s *scanner) plain() (string, bool) {
	if !s.take('"') {
		return "", false
	}
	from := s.at
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return s.text[from : s.at-1], true
		case c < 0x20 || c > 0x7e || c == '\\':
			return "", false
		}
	}
	return "", false
}
