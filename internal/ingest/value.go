package ingest

import "rte/internal/event"

// stringField reads a string; one of a closed list must be in it.
func (s *scanner) stringField(f *event.Field) *Error {
	start := s.at
	text, e := s.text(f)
	if e != nil {
		return e
	}
	if f.Values != nil && f.Values.Closed && !f.Values.Has(string(text)) {
		return misfit(KindEnum, start, "another string", allowed(f))
	}
	return nil
}

// text reads a string and returns what it stands for; without escapes that
// is a part of the text read.
func (s *scanner) text(f *event.Field) ([]byte, *Error) {
	if s.peek() != '"' {
		return nil, s.wrongKind(allowed(f))
	}
	raw, escaped, e := s.str()
	if e == nil && escaped && (f.Type != "string" || f.Values != nil) {
		// System.Text.Json escapes more than it must, the plus of a zone
		// offset for one.
		raw = unescape(raw)
	}
	return raw, e
}

// guidField reads a Guid in any spelling of event.ParseGUID.
func (s *scanner) guidField(f *event.Field) (event.GUID, *Error) {
	start := s.at
	text, e := s.text(f)
	if e != nil {
		return event.GUID{}, e
	}
	g, ok := parseGUID(text)
	if !ok {
		return event.GUID{}, misfit(KindFormat, start, "a string that is not a Guid", allowed(f))
	}
	return g, nil
}

// parseGUID is event.ParseGUID without an allocation for the usual spelling:
// a converted string of up to 32 bytes stays on the stack, so the hyphens
// are taken out first.
func parseGUID(b []byte) (event.GUID, bool) {
	if len(b) == 36 && b[8] == '-' && b[13] == '-' && b[18] == '-' && b[23] == '-' {
		var n [32]byte
		copy(n[:], b[:8])
		copy(n[8:], b[9:13])
		copy(n[12:], b[14:18])
		copy(n[16:], b[19:23])
		copy(n[20:], b[24:])
		g, err := event.ParseGUID(string(n[:]))
		return g, err == nil
	}
	g, err := event.ParseGUID(string(b))
	return g, err == nil
}

// wholeField reads a signed number of 16, 32 or 64 bits. A fraction or an
// exponent is refused even where it says nothing (5.0): .NET clients read
// neither into a whole number.
func (s *scanner) wholeField(f *event.Field, bits int) *Error {
	start := s.at
	if c := s.peek(); c != '-' && (c < '0' || c > '9') {
		return s.wrongKind(allowed(f))
	}
	text, whole, e := s.number()
	switch {
	case e != nil:
		return e
	case !whole:
		return misfit(KindRange, start, "a number with a fraction or an exponent", allowed(f))
	case !fits(text, bits):
		return misfit(KindRange, start, "a number out of range", allowed(f))
	case f.Values != nil && f.Values.Closed && !f.Values.Has(string(text)):
		return misfit(KindEnum, start, "another number", allowed(f))
	}
	return nil
}

// fits reports whether a whole number's text is in the range of a signed
// number of that many bits.
func fits(text []byte, bits int) bool {
	limit := uint64(1)<<(bits-1) - 1
	if text[0] == '-' {
		text = text[1:]
		limit++
	}
	if len(text) > 19 { // 19 digits always fit 64 bits without a sign
		return false
	}
	n := uint64(0)
	for _, c := range text {
		n = n*10 + uint64(c-'0')
	}
	return n <= limit
}

// dateField reads a DateTime as .NET reads and writes it.
func (s *scanner) dateField(f *event.Field) *Error {
	start := s.at
	text, e := s.text(f)
	if e != nil {
		return e
	}
	if _, ok := event.ParseDateTime(text); !ok {
		return misfit(KindFormat, start, "a string that is not such a date", allowed(f))
	}
	return nil
}
