package ingest

import (
	"unicode/utf8"

	"rte/internal/event"
)

// members remembers which wire names an object has had. Known members are a
// bit each; unknown ones a short list, and a map once that is full.
type members struct {
	next    int // the field after the last known one: producers keep an order
	known   [4]uint64
	unknown [6][]byte
	n       int
	more    map[string]struct{}
}

// lookup finds a member of t by its name, ignoring ASCII case. It tries the
// field after the last one first, which spares the map (a third of the time of
// a payload in the catalogue's order), and folds the case on
// the stack, which spares an allocation for names that are not found.
func (m *members) lookup(t *event.Type, name []byte) (*event.Field, bool) {
	if m.next < len(t.Fields) {
		f := &t.Fields[m.next]
		if string(name) == f.WireName || string(name) == f.Name {
			m.next++
			return f, true
		}
	}
	var small [32]byte // a converted string of up to 32 bytes stays on the stack
	lower := small[:]
	if len(name) > len(small) {
		lower = make([]byte, len(name))
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lower[i] = c
	}
	f, ok := t.Field(string(lower[:len(name)]))
	if ok {
		m.next = f.Index + 1
	}
	return f, ok
}

// seen notes a known member and reports whether it was there before.
func (m *members) seen(f *event.Field) bool {
	if f.Index >= 64*len(m.known) {
		return m.seenName([]byte(f.WireName))
	}
	word, bit := f.Index/64, uint64(1)<<(f.Index%64)
	before := m.known[word]&bit != 0
	m.known[word] |= bit
	return before
}

// seenName does the same by name.
func (m *members) seenName(name []byte) bool {
	for _, other := range m.unknown[:m.n] {
		if string(other) == string(name) {
			return true
		}
	}
	if m.n < len(m.unknown) {
		m.unknown[m.n] = name
		m.n++
		return false
	}
	if m.more == nil {
		m.more = make(map[string]struct{})
	}
	before := len(m.more)
	m.more[string(name)] = struct{}{}
	return len(m.more) == before
}

// member reads a member's name and puts its wire form in its place. For a
// member that the type does not have the field is nil.
func (s *scanner) member(t *event.Type, had *members) (f *event.Field, name []byte, e *Error) {
	if s.peek() != '"' {
		return nil, nil, s.unexpected("a member name in quotes")
	}
	start := s.at
	raw, escaped, e := s.str()
	if e != nil {
		return nil, nil, e
	}
	name = raw
	if escaped {
		name = unescape(raw)
	}
	f, known := had.lookup(t, name)
	if !known && startsCapital(name) {
		name = []byte(event.CamelCase(string(name)))
		// An exotic capital may have become a plain letter (the Kelvin sign
		// a k): the name is then a known one on the wire.
		f, known = had.lookup(t, name)
	}
	switch {
	case known && had.seen(f) || !known && had.seenName(name):
		e = refused(start, "the member a second time", "each member once, whatever the case of its letters")
		return nil, nil, e.under(step(f, name))
	case known && string(raw) != f.WireName:
		s.rename(start, f.WireName)
	case !known && string(raw) != string(name):
		s.rename(start, string(appendEscaped(nil, name)))
	}
	return f, name, nil
}

// startsCapital reports whether camelCase may change the name.
func startsCapital(name []byte) bool {
	return len(name) > 0 && ('A' <= name[0] && name[0] <= 'Z' || name[0] >= utf8.RuneSelf)
}

// step is a member as a step of a path: a known one by its wire name.
func step(f *event.Field, name []byte) string {
	if f != nil {
		return "." + f.WireName
	}
	return pathStep(name)
}

// rename writes another text between the quotes of the string that was just
// read and began at start.
func (s *scanner) rename(start int, name string) {
	s.flush(start + 1)
	s.from = s.at - 1
	if s.writing {
		s.out = append(s.out, name...)
	}
}

// sameName compares a member name with a lower-case one, ignoring ASCII case
// only, as the catalogue does.
func sameName(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
