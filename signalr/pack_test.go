package signalr_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"rte/signalr"
)

// Integers, dates, bytes written by the server's own helpers, read back.
func TestAppendPacked(t *testing.T) {
	t.Parallel()
	check := func(b []byte, want string) {
		t.Helper()
		if got, err := unpackedResult(b); err != nil || got != want {
			t.Errorf("%x = %s, %v, want %s", b, got, err, want)
		}
	}
	for shift := range 64 {
		for _, off := range []int64{-2, -1, 0, 1, 2} {
			for _, n := range []int64{1<<shift + off, -1<<shift + off} {
				check(signalr.AppendPackedInt(nil, n), fmt.Sprint(n))
			}
			n := uint64(1)<<shift + uint64(off)
			check(signalr.AppendPackedUint(nil, n), fmt.Sprint(n))
		}
	}
	for _, n := range []int{0, 31, 32, 255, 256, 65535, 65536} {
		text := strings.Repeat("ä", n/2) + strings.Repeat("x", n%2)
		check(signalr.AppendPackedText(nil, text), `"`+text+`"`)
		check(signalr.AppendPackedBytes(nil, make([]byte, n)), describeBytes(t, n))
		list := signalr.AppendPackedArray(nil, n)
		pairs := signalr.AppendPackedMap(nil, n)
		for range n {
			list = signalr.AppendPackedNil(list)
			pairs = signalr.AppendPackedBool(signalr.AppendPackedText(pairs, "k"), true)
		}
		check(list, "["+strings.TrimSuffix(strings.Repeat("null,", n), ",")+"]")
		check(pairs, "{"+strings.TrimSuffix(strings.Repeat(`"k":true,`, n), ",")+"}")
	}
	for _, f := range []float64{0, 1.5, -math.MaxFloat64, math.SmallestNonzeroFloat64} {
		b, err := signalr.Any(f).AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		check(signalr.AppendPackedFloat(nil, f), string(b))
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		check(signalr.AppendPackedFloat(nil, f), "null")
	}
}

func describeBytes(t *testing.T, n int) string {
	t.Helper()
	b, err := signalr.Any(make([]byte, n)).AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAppendPackedTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		size int // of the extension
	}{
		{"1970-01-01T00:00:00Z", 6},
		{"2106-02-07T06:28:15Z", 6},
		{"2106-02-07T06:28:16Z", 10},
		{"2026-11-22T07:08:07.006Z", 10},
		{"2514-05-30T01:53:03.999999999Z", 10},
		{"2514-05-30T01:53:04Z", 15},
		{"1969-12-31T23:59:59.999999999Z", 15},
		{"0001-01-01T00:00:00Z", 15},
		{"9999-12-31T23:59:59.9999999Z", 15},
	} {
		at, err := time.Parse(time.RFC3339Nano, c.text)
		if err != nil {
			t.Fatal(err)
		}
		b := signalr.AppendPackedTime(nil, at.In(time.FixedZone("", -3600)))
		if got, err := unpackedResult(b); err != nil || got != `"`+c.text+`"` || len(b) != c.size {
			t.Errorf("%s = %x (%d bytes), read as %s, %v, want %d bytes", c.text, b, len(b), got, err, c.size)
		}
		var back time.Time
		v := parsePacked(t, append([]byte{0x95, 3, 0x80, 0xa1, '1', 3}, b...)).(*signalr.Completion).Result
		if err := signalr.Decode(v, &back); err != nil || !back.Equal(at) {
			t.Errorf("Decode(%x) = %s, %v, want %s", b, back, err, at)
		}
	}
}

// JSON of every size class, sent to a MessagePack client and read back.
func TestAppendRepackedSizes(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 15, 16, 65535, 65536} {
		list := "[" + strings.TrimSuffix(strings.Repeat("7,", n), ",") + "]"
		object := "{" + strings.TrimSuffix(strings.Repeat(`"k":[7],`, n), ",") + "}"
		for _, text := range []string{list, object, "[" + list + "," + object + "]"} {
			b, err := signalr.AppendRepacked([]byte("x"), []byte(text))
			if err != nil || b[0] != 'x' {
				t.Fatal(err)
			}
			if got, err := unpackedResult(b[1:]); err != nil || got != text {
				t.Errorf("%d elements, %d bytes of JSON: read back differently, %v", n, len(text), err)
			}
		}
	}
}

// Numbers that 64 bits cannot hold become what a browser makes of them.
func TestAppendRepackedNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"1e400", "\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"},
		{"-1e400", "\xcb\xff\xf0\x00\x00\x00\x00\x00\x00"},
		{"1e-400", "\xcb\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"18446744073709551615", "\xcf\xff\xff\xff\xff\xff\xff\xff\xff"},
		{"18446744073709551616", "\xcb\x43\xf0\x00\x00\x00\x00\x00\x00"},
		{"-9223372036854775809", "\xcb\xc3\xe0\x00\x00\x00\x00\x00\x00"},
		{"1.0", "\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"},
		{"-32", "\xe0"},
	} {
		for _, text := range []string{c.text, `{"a":` + c.text + `}`, `[[` + c.text + `]]`} {
			b, err := signalr.AppendRepacked([]byte("something before"), []byte(text))
			if err != nil || !strings.HasSuffix(string(b), c.want) {
				t.Errorf("%s = %x, %v, want %x", text, b, err, c.want)
			}
		}
	}
}
