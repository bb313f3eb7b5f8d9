package signalr

// wellFormed tells whether text is one JSON value and nothing else (RFC 8259),
// as encoding/json.Valid does, in half of the time (BenchmarkWellFormed): most of a message is
// text, which this passes over byte by byte. Objects and arrays that nest deeper
// than most are none.
func wellFormed(text []byte, most int) bool {
	w := wellForming{text, 0}
	w.blanks()
	if !w.value(most) {
		return false
	}
	w.blanks()
	return w.at == len(text)
}

// wellForming is how far wellFormed has come.
type wellForming struct {
	text []byte
	at   int
}

// next is the byte that comes, 0 at the end: that is in no JSON outside of a
// text, and not inside either.
func (w *wellForming) next() byte {
	if w.at < len(w.text) {
		return w.text[w.at]
	}
	return 0
}

func (w *wellForming) blanks() {
	for w.at < len(w.text) {
		switch w.text[w.at] {
		case ' ', '\t', '\r', '\n':
			w.at++
		default:
			return
		}
	}
}

// take passes over blanks, c, and blanks.
func (w *wellForming) take(c byte) bool {
	w.blanks()
	if w.next() != c {
		return false
	}
	w.at++
	w.blanks()
	return true
}

// value passes over a value of at most so many levels of objects and arrays.
func (w *wellForming) value(most int) bool {
	switch c := w.next(); {
	case c == '"':
		return w.str()
	case most == 0 && (c == '{' || c == '['):
		return false
	case c == '{':
		return w.list('}', func() bool { return w.str() && w.take(':') && w.value(most-1) })
	case c == '[':
		return w.list(']', func() bool { return w.value(most - 1) })
	case c == '-' || '0' <= c && c <= '9':
		return w.number()
	}
	return w.word("true") || w.word("false") || w.word("null")
}

// list passes over an object or array.
func (w *wellForming) list(end byte, one func() bool) bool {
	w.at++
	if w.blanks(); w.next() == end {
		w.at++
		return true
	}
	for {
		if !one() {
			return false
		}
		if w.take(',') {
			continue
		}
		if w.next() != end {
			return false
		}
		w.at++
		return true
	}
}

func (w *wellForming) word(s string) bool {
	if end := w.at + len(s); end <= len(w.text) && string(w.text[w.at:end]) == s {
		w.at = end
		return true
	}
	return false
}

// str passes over a text.
func (w *wellForming) str() bool {
	if w.next() != '"' {
		return false
	}
	w.at++
	for w.at < len(w.text) {
		switch c := w.text[w.at]; {
		case c == '"':
			w.at++
			return true
		case c < 0x20:
			return false
		case c == '\\':
			if !w.escape() {
				return false
			}
		default:
			w.at++
		}
	}
	return false
}

// escape passes over a backslash and what belongs to it.
func (w *wellForming) escape() bool {
	w.at++
	switch w.next() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		w.at++
		return true
	case 'u':
		w.at++
	default:
		return false
	}
	for range 4 {
		if c := w.next(); (c < '0' || '9' < c) && (c|0x20 < 'a' || 'f' < c|0x20) {
			return false
		}
		w.at++
	}
	return true
}

// number passes over a number.
func (w *wellForming) number() bool {
	if w.next() == '-' {
		w.at++
	}
	if w.next() == '0' {
		w.at++
	} else if !w.digits() {
		return false
	}
	if w.next() == '.' {
		w.at++
		if !w.digits() {
			return false
		}
	}
	if w.next()|0x20 == 'e' {
		w.at++
		if c := w.next(); c == '+' || c == '-' {
			w.at++
		}
		return w.digits()
	}
	return true
}

// digits passes over at least one.
func (w *wellForming) digits() bool {
	from := w.at
	for c := w.next(); '0' <= c && c <= '9'; c = w.next() {
		w.at++
	}
	return w.at > from
}
