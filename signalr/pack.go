package signalr

import (
	"encoding/binary"
	"math"
	"time"
)

// Bytes of the MessagePack format (github.com/msgpack/msgpack, spec.md).
const (
	packedNil   = 0xc0
	packedFalse = 0xc2
	packedTrue  = 0xc3

	// timestampType is the extension type of dates (spec.md, "Timestamp").
	timestampType = 0xff
)

// AppendPackedNil appends nil.
func AppendPackedNil(dst []byte) []byte { return append(dst, packedNil) }

// AppendPackedBool appends a truth value.
func AppendPackedBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, packedTrue)
	}
	return append(dst, packedFalse)
}

// AppendPackedInt appends an integer in its shortest form.
func AppendPackedInt(dst []byte, v int64) []byte {
	switch {
	case v >= 0:
		return AppendPackedUint(dst, uint64(v))
	case v >= -32:
		return append(dst, byte(v))
	case v >= math.MinInt8:
		return append(dst, 0xd0, byte(v))
	case v >= math.MinInt16:
		return binary.BigEndian.AppendUint16(append(dst, 0xd1), uint16(v))
	case v >= math.MinInt32:
		return binary.BigEndian.AppendUint32(append(dst, 0xd2), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd3), uint64(v))
}

// AppendPackedUint appends an unsigned integer in its shortest form.
func AppendPackedUint(dst []byte, v uint64) []byte {
	switch {
	case v < 128:
		return append(dst, byte(v))
	case v <= math.MaxUint8:
		return append(dst, 0xcc, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xcd), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xce), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xcf), v)
}

// AppendPackedFloat appends a number with a fraction.
func AppendPackedFloat(dst []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, 0xcb), math.Float64bits(v))
}

// AppendPackedText appends text; it must be UTF-8.
func AppendPackedText(dst []byte, s string) []byte {
	return append(packedTextHead(dst, len(s)), s...)
}

func packedTextHead(dst []byte, n int) []byte {
	switch {
	case n < 32:
		return append(dst, 0xa0|byte(n))
	case n <= math.MaxUint8:
		return append(dst, 0xd9, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xda), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0xdb), uint32(n))
}

// AppendPackedBytes appends bytes (format family bin).
func AppendPackedBytes(dst, p []byte) []byte {
	switch n := len(p); {
	case n <= math.MaxUint8:
		dst = append(dst, 0xc4, byte(n))
	case n <= math.MaxUint16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0xc5), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xc6), uint32(n))
	}
	return append(dst, p...)
}

// AppendPackedArray begins an array of n elements.
func AppendPackedArray(dst []byte, n int) []byte {
	switch {
	case n < 16:
		return append(dst, 0x90|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xdc), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0xdd), uint32(n))
}

// AppendPackedMap begins a map of n pairs.
func AppendPackedMap(dst []byte, n int) []byte {
	switch {
	case n < 16:
		return append(dst, 0x80|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 0xde), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0xdf), uint32(n))
}

// AppendPackedTime appends a date as the timestamp extension, in its
// shortest form.
func AppendPackedTime(dst []byte, t time.Time) []byte {
	s, ns := t.Unix(), uint64(t.Nanosecond())
	switch {
	case s>>34 != 0: // negative, or beyond the year 2514
		dst = binary.BigEndian.AppendUint32(append(dst, 0xc7, 12, timestampType), uint32(ns))
		return binary.BigEndian.AppendUint64(dst, uint64(s))
	case ns == 0 && s <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, 0xd6, timestampType), uint32(s))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd7, timestampType), ns<<34|uint64(s))
}
