package ingest

import (
	"bytes"

	"rte/internal/event"
)

// Nesting of arrays and objects.
const (
	maxDepth     = 61     // in an item: deeper ones are refused. Clients stop at 64, and a push puts three around data
	maxTextDepth = 10_000 // in a text that is only read over: deeper ones are not readable
)

const depthText = "at most 61 levels of objects and arrays"

// A scanner walks over one JSON text by the grammar of RFC 8259 and writes
// what it walked over in wire form. Its methods expect at to stand on the
// first byte of what they read and leave it behind the last.
//
// Writing is by runs: in[from:at] is read, still as it was, and not written.
// A run ends where white space is dropped or a name replaced, so a payload
// that is in wire form already is copied at once.
type scanner struct {
	in []byte
	at int

	// lax reads over a text only to learn whether it is JSON: maxTextDepth
	// instead of maxDepth, and unpaired surrogates pass, because the
	// grammar has them.
	lax bool

	writing bool
	from    int
	out     []byte

	// Of the payload that is read:
	typ    *event.Type // its event
	inside string      // wire name of the list that is read, or ""
	notes  notes       // what about it differs from the catalogue
}

// peek is the next byte, or 0 at the end: no JSON token starts with it.
func (s *scanner) peek() byte {
	if s.at < len(s.in) {
		return s.in[s.at]
	}
	return 0
}

// flush writes the run that ends before upTo.
func (s *scanner) flush(upTo int) {
	if s.writing {
		s.out = append(s.out, s.in[s.from:upTo]...)
	}
}

// space reads over white space between tokens.
func (s *scanner) space() {
	if s.at < len(s.in) && s.in[s.at] <= ' ' {
		s.dropSpace()
	}
}

func (s *scanner) dropSpace() {
	start := s.at
	for s.at < len(s.in) && isSpace(s.in[s.at]) {
		s.at++
	}
	if s.at > start {
		s.flush(start)
		s.from = s.at
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// value reads any value that stands at the given depth (0 for the text's
// own value).
func (s *scanner) value(depth int) *Error {
	switch c := s.peek(); {
	case c == '"':
		_, _, e := s.str()
		return e
	case c == '{':
		return s.object(depth + 1)
	case c == '[':
		return s.array(depth + 1)
	case c == '-' || '0' <= c && c <= '9':
		_, _, e := s.number()
		return e
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	}
	return s.unexpected("a JSON value")
}

// object reads an object whose members have no meaning here.
func (s *scanner) object(depth int) *Error {
	if e := s.tooDeep(depth); e != nil {
		return e
	}
	s.at++
	s.space()
	if s.peek() == '}' {
		s.at++
		return nil
	}
	for {
		if s.peek() != '"' {
			return s.unexpected("a member name in quotes")
		}
		if _, _, e := s.str(); e != nil {
			return e
		}
		if e := s.colon(); e != nil {
			return e
		}
		if e := s.value(depth); e != nil {
			return e
		}
		if more, e := s.next('}'); !more {
			return e
		}
	}
}

// array reads an array whose items have no meaning here.
func (s *scanner) array(depth int) *Error {
	if e := s.tooDeep(depth); e != nil {
		return e
	}
	s.at++
	s.space()
	if s.peek() == ']' {
		s.at++
		return nil
	}
	for {
		if e := s.value(depth); e != nil {
			return e
		}
		if more, e := s.next(']'); !more {
			return e
		}
	}
}

func (s *scanner) tooDeep(depth int) *Error {
	switch {
	case !s.lax && depth > maxDepth:
		return refused(s.at, "deeper nesting", depthText)
	case depth > maxTextDepth:
		return unreadable(s.at, "deeper nesting", depthText)
	}
	return nil
}

// colon reads what stands between a member's name and its value.
func (s *scanner) colon() *Error {
	s.space()
	if s.peek() != ':' {
		return s.unexpected("a colon after the member name")
	}
	s.at++
	s.space()
	return nil
}

// next reads a comma and goes on, or the closing bracket and ends.
func (s *scanner) next(closing byte) (more bool, e *Error) {
	s.space()
	switch s.peek() {
	case ',':
		s.at++
		s.space()
		return true, nil
	case closing:
		s.at++
		return false, nil
	}
	if closing == ']' {
		return false, s.unexpected("a comma or ] in the array")
	}
	return false, s.unexpected("a comma or } in the object")
}

// word reads true, false or null.
func (s *scanner) word(w string) *Error {
	if len(s.in)-s.at < len(w) || string(s.in[s.at:s.at+len(w)]) != w {
		return s.unexpected("a JSON value")
	}
	s.at += len(w)
	return nil
}

// number reads a number; whole if it has neither fraction nor exponent.
func (s *scanner) number() (text []byte, whole bool, e *Error) {
	in, i := s.in, s.at
	digits := func() bool {
		start := i
		for i < len(in) && '0' <= in[i] && in[i] <= '9' {
			i++
		}
		return i > start
	}
	if in[i] == '-' {
		i++
	}
	if i < len(in) && in[i] == '0' {
		i++ // RFC 8259, 6: nothing follows a leading zero but . or e
	} else if !digits() {
		return nil, false, unreadable(i, "a number without digits", "a JSON number")
	}
	whole = true
	if i < len(in) && in[i] == '.' {
		whole = false
		if i++; !digits() {
			return nil, false, unreadable(i, "no digit after the decimal point", "a JSON number")
		}
	}
	if i < len(in) && in[i]|0x20 == 'e' {
		whole = false
		if i++; i < len(in) && (in[i] == '+' || in[i] == '-') {
			i++
		}
		if !digits() {
			return nil, false, unreadable(i, "an exponent without digits", "a JSON number")
		}
	}
	text = in[s.at:i]
	s.at = i
	return text, whole, nil
}

// unexpected ends a text in which something else was wanted.
func (s *scanner) unexpected(wanted string) *Error {
	switch {
	case s.at >= len(s.in):
		return unreadable(len(s.in), "the end of the text", wanted)
	case s.at == 0 && bytes.HasPrefix(s.in, []byte("\ufeff")):
		return unreadable(0, "a byte order mark", "JSON without one")
	}
	return unreadable(s.at, "something else", wanted)
}

// end reads white space up to the end of the text.
func (s *scanner) end() *Error {
	s.space()
	if s.at < len(s.in) {
		return unreadable(s.at, "text behind the value", "the end")
	}
	return nil
}

// atEnd finds out whether nothing but white space stands from offset at on.
func atEnd(text []byte, at int) *Error {
	s := scanner{in: text, at: at}
	if e := s.end(); e != nil {
		return e.rooted()
	}
	return nil
}

// wellFormed reads over the value at offset at and returns where it ends. A
// fault means that the text is not JSON.
func wellFormed(text []byte, at int) (end int, e *Error) {
	s := scanner{in: text, at: at, lax: true}
	s.space()
	if e := s.value(0); e != nil {
		return 0, e.rooted()
	}
	return s.at, nil
}
