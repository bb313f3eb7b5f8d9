package signalr

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// AppendRepacked appends JSON text, known to be well-formed, as MessagePack.
func AppendRepacked(dst, text []byte) ([]byte, error) {
	s := scanner{text}
	return s.repack(dst)
}

// AppendRepackedObject appends a JSON object, known to be well-formed, as a
// map; fn writes name and value of each member.
func AppendRepackedObject(dst, text []byte, fn func(dst, name, value []byte) ([]byte, error)) ([]byte, error) {
	begin, n := len(dst), 0
	dst = append(dst, 0)
	s := scanner{text}
	s.peek()
	err := s.members(func(name, value []byte) (err error) {
		n++
		dst, err = fn(dst, name, value)
		return err
	})
	if err != nil {
		return nil, err
	}
	return fitHead(dst, begin, n, AppendPackedMap), nil
}

// AppendRepackedArray appends a JSON array, known to be well-formed; fn
// writes each element.
func AppendRepackedArray(dst, text []byte, fn func(dst, value []byte) ([]byte, error)) ([]byte, error) {
	begin, n := len(dst), 0
	dst = append(dst, 0)
	s := scanner{text}
	s.peek()
	err := s.elements(func(value []byte) (err error) {
		n++
		dst, err = fn(dst, value)
		return err
	})
	if err != nil {
		return nil, err
	}
	return fitHead(dst, begin, n, AppendPackedArray), nil
}

func (s *scanner) repack(dst []byte) ([]byte, error) {
	switch s.peek() {
	case '{':
		return AppendRepackedObject(dst, s.value(), func(dst, name, value []byte) ([]byte, error) {
			return AppendRepacked(append(packedTextHead(dst, len(name)), name...), value)
		})
	case '[':
		return AppendRepackedArray(dst, s.value(), AppendRepacked)
	case '"':
		text, err := unquote(s.value())
		return append(packedTextHead(dst, len(text)), text...), err
	case 't', 'f':
		return AppendPackedBool(dst, s.value()[0] == 't'), nil
	case 'n':
		s.value()
		return append(dst, packedNil), nil
	}
	return repackNumber(dst, s.value()), nil
}

// fitHead puts the head of n elements at begin, where one byte was left for
// it: enough for most.
func fitHead(dst []byte, begin, n int, head func([]byte, int) []byte) []byte {
	var room [5]byte
	h := head(room[:0], n)
	if extra := len(h) - 1; extra > 0 {
		dst = append(dst, room[:extra]...)
		copy(dst[begin+len(h):], dst[begin+1:])
	}
	copy(dst[begin:], h)
	return dst
}

func repackNumber(dst, text []byte) []byte {
	t := string(text)
	if !strings.ContainsAny(t, ".eE") {
		if n, err := strconv.ParseInt(t, 10, 64); err == nil {
			return AppendPackedInt(dst, n)
		}
		if n, err := strconv.ParseUint(t, 10, 64); err == nil {
			return AppendPackedUint(dst, n)
		}
	}
	// What is too large for 64 bits is infinite, as it is for a browser that
	// reads the JSON; that is the only error a JSON number can give.
	f, _ := strconv.ParseFloat(t, 64)
	return AppendPackedFloat(dst, f)
}

// holds tells whether a value that begins with c is an array or a map.
func holds(c byte) bool { return c >= 0x80 && c <= 0x9f || c >= 0xdc && c <= 0xdf }

// appendUnpacked appends a MessagePack value as JSON: bytes as base64, dates
// as RFC 3339 in UTC, what JSON has no word for as null.
func appendUnpacked(dst, packed []byte) ([]byte, error) {
	u := unpacker{b: packed}
	dst = u.unpack(dst, maxDepth)
	return dst, u.err
}

func (u *unpacker) unpack(dst []byte, depth int) []byte {
	if depth == 0 {
		u.wrong("value", "a value of less depth")
		return dst
	}
	c := u.peek()
	switch {
	case u.err != nil:
		return dst
	case c&0xf0 == 0x90, c == 0xdc, c == 0xdd:
		dst = append(dst, '[')
		for i := range u.array("value") {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst = u.unpack(dst, depth-1); u.err != nil {
				return dst
			}
		}
		return append(dst, ']')
	case c&0xf0 == 0x80, c == 0xde, c == 0xdf:
		return u.unpackMap(dst, depth)
	case c&0xe0 == 0xa0, c >= 0xd9 && c <= 0xdb:
		return appendText(dst, u.text("value"))
	}
	return u.unpackScalar(dst, c)
}

func (u *unpacker) unpackMap(dst []byte, depth int) []byte {
	dst = append(dst, '{')
	for i := range u.count("value", 0x80, 0xde, "Map") {
		if i > 0 {
			dst = append(dst, ',')
		}
		if holds(u.peek()) {
			// Quoted as text in text, it would double with each level.
			u.wrong("value", "a map with plain names")
		}
		key := u.unpack(nil, depth-1)
		if u.err != nil {
			return dst
		}
		if key[0] != '"' { // a number or such: JSON wants text
			key = appendText(nil, string(key))
		}
		dst = append(append(dst, key...), ':')
		if dst = u.unpack(dst, depth-1); u.err != nil {
			return dst
		}
	}
	return append(dst, '}')
}

func (u *unpacker) unpackScalar(dst []byte, c byte) []byte {
	switch {
	case c < 0x80, c >= 0xe0, c >= 0xd0 && c <= 0xd3, c >= 0xcc && c <= 0xce:
		return strconv.AppendInt(dst, u.integer("value"), 10)
	case c == 0xcf:
		u.take(1)
		return strconv.AppendUint(dst, u.number(8), 10)
	case c == packedTrue, c == packedFalse:
		return strconv.AppendBool(dst, u.boolean("value"))
	case c == 0xca:
		u.take(1)
		return appendFloat(dst, float64(math.Float32frombits(uint32(u.number(4)))), 32)
	case c == 0xcb:
		u.take(1)
		return appendFloat(dst, math.Float64frombits(u.number(8)), 64)
	}
	begin := u.b
	u.scalar("value", c)
	if u.err != nil {
		return dst
	}
	whole := begin[:len(begin)-len(u.b)]
	switch {
	case c >= 0xc4 && c <= 0xc6:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, whole[1+1<<(c-0xc4):])
		return append(dst, '"')
	case c >= 0xc7 && c <= 0xc9, c >= 0xd4 && c <= 0xd8:
		if t, ok := timestamp(whole); ok {
			return append(t.AppendFormat(append(dst, '"'), time.RFC3339Nano), '"')
		}
	}
	return append(dst, "null"...)
}

func appendFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	b, err := json.Marshal(f)
	if bits == 32 {
		b, err = json.Marshal(float32(f))
	}
	if err != nil { // a finite number can be written
		return append(dst, "null"...)
	}
	return append(dst, b...)
}

// The years that RFC 3339 can write, in seconds since 1970.
const (
	firstSecond = -62167219200 // 0000-01-01
	lastSecond  = 253402300799 // 9999-12-31
)

// timestamp reads the three forms of the timestamp extension. A date that
// RFC 3339 has no word for is none.
func timestamp(ext []byte) (time.Time, bool) {
	var s int64
	var ns uint64
	switch {
	case len(ext) == 6 && ext[0] == 0xd6 && ext[1] == timestampType:
		s = int64(binary.BigEndian.Uint32(ext[2:]))
	case len(ext) == 10 && ext[0] == 0xd7 && ext[1] == timestampType:
		n := binary.BigEndian.Uint64(ext[2:])
		s, ns = int64(n&(1<<34-1)), n>>34
	case len(ext) == 15 && bytes.HasPrefix(ext, []byte{0xc7, 12, timestampType}):
		s, ns = int64(binary.BigEndian.Uint64(ext[7:])), uint64(binary.BigEndian.Uint32(ext[3:]))
	default:
		return time.Time{}, false
	}
	if s < firstSecond || s > lastSecond || ns >= uint64(time.Second) {
		return time.Time{}, false
	}
	return time.Unix(s, int64(ns)).UTC(), true
}
