package signalr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// errPacked is what every unreadable record is.
var errPacked = errors.New("signalr: message is not MessagePack of the expected form")

// An unpacker reads MessagePack; the first error sticks, and what is read
// behind it is zero.
type unpacker struct {
	b   []byte
	err error
}

func (u *unpacker) fail(err error) {
	if u.err == nil {
		u.err = err
	}
}

func (u *unpacker) wrong(field, kind string) {
	u.fail(fmt.Errorf("%w: reading '%s' as %s failed", errPacked, field, kind))
}

// take returns the next n bytes, nil when there are not so many.
func (u *unpacker) take(n uint64) []byte {
	if u.err != nil || n > uint64(len(u.b)) {
		u.fail(errPacked)
		return nil
	}
	p := u.b[:n:n]
	u.b = u.b[n:]
	return p
}

// number reads a big-endian number of n bytes.
func (u *unpacker) number(n uint64) uint64 {
	var full [8]byte
	copy(full[8-n:], u.take(n))
	return binary.BigEndian.Uint64(full[:])
}

func (u *unpacker) peek() byte {
	if u.err != nil || len(u.b) == 0 {
		u.fail(errPacked)
		return packedNil
	}
	return u.b[0]
}

// nilNext takes a nil if one comes.
func (u *unpacker) nilNext() bool {
	if u.peek() != packedNil || u.err != nil {
		return false
	}
	u.b = u.b[1:]
	return true
}

// count reads the head of an array or a map. What says that it has more
// elements than bytes that follow is refused before anything is made for it.
func (u *unpacker) count(field string, short, medium byte, kind string) int {
	var n uint64
	switch c := u.peek(); {
	case c&0xf0 == short:
		n = uint64(c & 0x0f)
		u.take(1)
	case c == medium:
		u.take(1)
		n = u.number(2)
	case c == medium+1:
		u.take(1)
		n = u.number(4)
	default:
		u.wrong(field, kind)
	}
	if u.err != nil || n > uint64(len(u.b)) {
		u.wrong(field, kind)
		return 0
	}
	return int(n)
}

func (u *unpacker) array(field string) int { return u.count(field, 0x90, 0xdc, "Array") }

func (u *unpacker) integer(field string) int64 {
	c := u.peek()
	switch {
	case c < 0x80 || c >= 0xe0:
		u.take(1)
		return int64(int8(c))
	case c >= 0xcc && c <= 0xcf:
		u.take(1)
		n := u.number(1 << (c - 0xcc))
		if n > math.MaxInt64 {
			u.wrong(field, "Int64")
		}
		return int64(n)
	case c >= 0xd0 && c <= 0xd3:
		u.take(1)
		size := uint64(1) << (c - 0xd0)
		return int64(u.number(size)<<(64-8*size)) >> (64 - 8*size)
	}
	u.wrong(field, "Int64")
	return 0
}

func (u *unpacker) boolean(field string) bool {
	switch c := u.peek(); c {
	case packedTrue, packedFalse:
		u.take(1)
		return c == packedTrue
	}
	u.wrong(field, "Boolean")
	return false
}

// text reads a string; nil is "".
func (u *unpacker) text(field string) string {
	if u.nilNext() {
		return ""
	}
	var n uint64
	switch c := u.peek(); {
	case c&0xe0 == 0xa0:
		u.take(1)
		n = uint64(c & 0x1f)
	case c >= 0xd9 && c <= 0xdb:
		u.take(1)
		n = u.number(1 << (c - 0xd9))
	default:
		u.wrong(field, "String")
		return ""
	}
	p := u.take(n)
	if !utf8.Valid(p) {
		u.wrong(field, "String")
		return ""
	}
	return string(p)
}

// required is text that must not be empty.
func (u *unpacker) required(field string) string {
	s := u.text(field)
	if s == "" {
		u.fail(errMissing(field))
	}
	return s
}

func (u *unpacker) headers() map[string]string {
	n := u.count("headers", 0x80, 0xde, "Map")
	if n == 0 {
		return nil
	}
	headers := make(map[string]string, min(n, 16))
	for range n {
		name := u.text("headers")
		headers[name] = u.text("headers")
	}
	return headers
}

func (u *unpacker) texts(field string) []string {
	if u.nilNext() {
		return nil
	}
	var list []string
	for range u.array(field) {
		list = append(list, u.required(field))
		if u.err != nil {
			return nil
		}
	}
	return list
}

func (u *unpacker) values(field string) []Value {
	n := u.array(field)
	values := make([]Value, 0, min(n, 64))
	for range n {
		values = append(values, u.value(field))
		if u.err != nil {
			return nil
		}
	}
	return values
}

// value takes the next value as it is.
func (u *unpacker) value(field string) Value {
	begin := u.b
	u.skip(field, maxDepth)
	if u.err != nil {
		return nil
	}
	n := len(begin) - len(u.b)
	return Raw{bytes: begin[:n:n], packed: true}
}

// skip passes over one value.
func (u *unpacker) skip(field string, depth int) {
	if depth == 0 {
		u.wrong(field, "a value of less depth")
		return
	}
	c := u.peek()
	switch {
	case u.err != nil:
	case c&0xf0 == 0x90, c == 0xdc, c == 0xdd:
		for range u.array(field) {
			if u.skip(field, depth-1); u.err != nil {
				return
			}
		}
	case c&0xf0 == 0x80, c == 0xde, c == 0xdf:
		for range 2 * u.count(field, 0x80, 0xde, "Map") {
			if u.skip(field, depth-1); u.err != nil {
				return
			}
		}
	case c&0xe0 == 0xa0, c >= 0xd9 && c <= 0xdb:
		u.text(field)
	default:
		u.scalar(field, c)
	}
}

// scalar passes over a value that holds no other.
func (u *unpacker) scalar(field string, c byte) {
	u.take(1)
	switch {
	case c < 0x80, c >= 0xe0, c == packedNil, c == packedTrue, c == packedFalse:
	case c >= 0xc4 && c <= 0xc6: // bin
		u.take(u.number(1 << (c - 0xc4)))
	case c >= 0xc7 && c <= 0xc9: // ext with a length
		u.take(u.number(1<<(c-0xc7)) + 1)
	case c == 0xca:
		u.take(4)
	case c == 0xcb:
		u.take(8)
	case c >= 0xcc && c <= 0xcf:
		u.take(1 << (c - 0xcc))
	case c >= 0xd0 && c <= 0xd3:
		u.take(1 << (c - 0xd0))
	case c >= 0xd4 && c <= 0xd8: // ext of fixed length
		u.take(1 + 1<<(c-0xd4))
	default:
		u.wrong(field, "a value")
	}
}
