package bus

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
)

// A Lane is the kind of stream an event lives in.
type Lane uint8

// The two lanes. The numbers are part of every cursor: they never change.
const (
	StateLane Lane = 0 // the newest message per pair, for ever
	EventLane Lane = 1 // every message, for a time
)

// String is the lane's word in subjects.
func (l Lane) String() string {
	if l == StateLane {
		return "state"
	}
	return "event"
}

// A Cursor is an event's place in the store. Outside this room it is opaque
// text ([Cursor.String]): URL-safe, at most 24 characters, usually 14.
// It is comparable; sequences of different stores, lanes or partitions say
// nothing about each other.
type Cursor struct {
	Store     uint32 // the stream's identity: another one after the store was wiped
	Lane      Lane
	Partition uint16
	Sequence  uint64 // the stream's sequence number; 0 is the place before the first message
}

// The bytes of a cursor, in unpadded base64url:
//
//	1      format (high half, now 1) and lane (low half)
//	4      store identity, big endian
//	1..3   partition, uvarint
//	1..10  sequence, uvarint
const (
	cursorFormat = 1
	cursorHead   = 1 + 4
	cursorBytes  = cursorHead + 3 + binary.MaxVarintLen64
)

var errCursor = errors.New("malformed cursor")

// AppendText appends the cursor's text (encoding.TextAppender); it never
// returns an error.
func (c Cursor) AppendText(dst []byte) ([]byte, error) {
	var b [cursorBytes]byte
	b[0] = cursorFormat<<4 | byte(c.Lane)
	binary.BigEndian.PutUint32(b[1:], c.Store)
	n := cursorHead
	n += binary.PutUvarint(b[n:], uint64(c.Partition))
	n += binary.PutUvarint(b[n:], c.Sequence)
	return base64.RawURLEncoding.AppendEncode(dst, b[:n]), nil
}

// String is the cursor's text.
func (c Cursor) String() string {
	var b [24]byte
	text, _ := c.AppendText(b[:0])
	return string(text)
}

// ParseCursor reads the text that [Cursor.String] wrote, and only that: every
// cursor has exactly one spelling. Whether its store still exists is not
// looked at.
func ParseCursor(s string) (Cursor, error) {
	var b [cursorBytes]byte
	if len(s) > base64.RawURLEncoding.EncodedLen(len(b)) {
		return Cursor{}, errCursor
	}
	n, err := base64.RawURLEncoding.Decode(b[:], []byte(s))
	if err != nil || n < cursorHead || b[0]>>4 != cursorFormat {
		return Cursor{}, errCursor
	}
	c := Cursor{Lane: Lane(b[0] & 0xf), Store: binary.BigEndian.Uint32(b[1:])}
	partition, used := binary.Uvarint(b[cursorHead:n])
	if used <= 0 || partition > math.MaxUint16 || c.Lane > EventLane {
		return Cursor{}, errCursor
	}
	at := cursorHead + used
	sequence, used := binary.Uvarint(b[at:n])
	if used <= 0 || at+used != n {
		return Cursor{}, errCursor
	}
	c.Partition, c.Sequence = uint16(partition), sequence
	// Both base64 and uvarint have second spellings; writing it again finds them.
	var again [24]byte
	if text, _ := c.AppendText(again[:0]); string(text) != s {
		return Cursor{}, errCursor
	}
	return c, nil
}
