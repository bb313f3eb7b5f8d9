package ingest

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// str reads a string and returns what stands between its quotes, and whether
// that holds escapes.
func (s *scanner) str() (text []byte, escaped bool, e *Error) {
	in, i := s.in, s.at+1
	for i < len(in) {
		if len(in)-i >= 8 {
			n := plain(binary.LittleEndian.Uint64(in[i:]))
			if i += n; n == 8 {
				continue
			}
		}
		switch c := in[i]; {
		case c == '"':
			text = in[s.at+1 : i]
			s.at = i + 1
			return text, escaped, nil
		case c == '\\':
			escaped = true
			n, e := s.escape(i)
			if e != nil {
				return nil, false, e
			}
			i += n
		case c < ' ':
			return nil, false, unreadable(i, "a control character in a string", `an escape such as \n`)
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(in[i:])
			if r == utf8.RuneError && n == 1 {
				return nil, false, unreadable(i, "bytes that are not UTF-8", "JSON in UTF-8")
			}
			i += n
		}
	}
	return nil, false, unreadable(len(in), "the end of the text inside a string", "a closing quote")
}

// plain counts how many of eight bytes, the lowest first, are ASCII and
// neither a quote, a backslash nor a control character. In each term a byte's
// top bit is set where the byte is to be found; a borrow can only set it
// wrongly above a byte that was found. (Eight at a time halve the time of a
// string of 36.)
func plain(w uint64) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	found := w | (w - ' '*ones) | ((w ^ '"'*ones) - ones) | ((w ^ '\\'*ones) - ones)
	return bits.TrailingZeros64(found&tops) / 8
}

// escape returns the length of the escape at offset i: of both, if it is the
// first of a surrogate pair.
func (s *scanner) escape(i int) (int, *Error) {
	rest := s.in[i:]
	if len(rest) < 2 {
		return 0, unreadable(len(s.in), "the end of the text inside a string", "a closing quote")
	}
	switch rest[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, nil
	case 'u':
		r, ok := hex4(rest[2:])
		if !ok {
			return 0, unreadable(i, "an unknown escape in a string", `\u and four hexadecimal digits`)
		}
		if r < 0xD800 || r > 0xDFFF {
			return 6, nil
		}
		if r < 0xDC00 && len(rest) >= 12 && rest[6] == '\\' && rest[7] == 'u' {
			if low, ok := hex4(rest[8:]); ok && 0xDC00 <= low && low <= 0xDFFF {
				return 12, nil
			}
		}
		if s.lax {
			return 6, nil
		}
		return 0, refused(i, "half of a surrogate pair in a string", "text that UTF-8 can hold")
	}
	return 0, unreadable(i, "an unknown escape in a string", `one of \" \\ \/ \b \f \n \r \t \u`)
}

// hex4 reads the four digits of a \u escape.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unescape is the text that a checked string stands for.
func unescape(raw []byte) []byte {
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			b = append(b, raw[i])
			continue
		}
		i++
		switch raw[i] {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, _ := hex4(raw[i+1:])
			i += 4
			if 0xD800 <= r && r <= 0xDFFF {
				low, _ := hex4(raw[i+3:])
				r = 0x10000 + (r-0xD800)<<10 + (low - 0xDC00)
				i += 6
			}
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, raw[i])
		}
	}
	return b
}

// appendEscaped writes a text as it stands between quotes, escaping only
// what must be (RFC 8259, 7).
func appendEscaped(dst, text []byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
