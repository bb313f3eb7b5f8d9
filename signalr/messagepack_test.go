package signalr_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/signalr"
)

func TestMessagePackProtocol(t *testing.T) {
	t.Parallel()
	if p := (signalr.MessagePack{}); p.Name() != "messagepack" || !p.Binary() {
		t.Errorf("Name, Binary = %q, %t, want messagepack, true", p.Name(), p.Binary())
	}
}

// packedRecord is a message's record, without the length in front of it.
func packedRecord(t testing.TB, m signalr.Message) []byte {
	t.Helper()
	b, err := signalr.MessagePack{}.Append(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	record, taken, err := signalr.MessagePack{}.Split(b, 0)
	if err != nil || taken != len(b) {
		t.Fatalf("Split(%x) = %d, %v, want all of it", b, taken, err)
	}
	return record
}

// unpackedResult is an answer's result as JSON, or why it cannot be read.
func unpackedResult(value []byte) (string, error) {
	m, err := signalr.MessagePack{}.Parse(append([]byte{0x95, 3, 0x80, 0xa1, '1', 3}, value...))
	if err != nil {
		return "", fmt.Errorf("parse: %w", err)
	}
	b, err := m.(*signalr.Completion).Result.AppendJSON(nil)
	if err != nil {
		return "", fmt.Errorf("append: %w", err)
	}
	return string(b), nil
}

// Every vector's message cut at every byte: an error or a shorter message,
// never a panic, and a cut frame is no whole record.
func TestMessagePackTruncated(t *testing.T) {
	t.Parallel()
	n := 0
	for _, v := range readVectors(t) {
		if v.msgpack == nil || v.expect == "incomplete" || strings.HasPrefix(v.expect, "error") {
			continue
		}
		n++
		record, taken, err := signalr.MessagePack{}.Split(v.msgpack, 0)
		if err != nil || taken == 0 {
			t.Fatalf("%s: Split = %d, %v", v.name, taken, err)
		}
		for i := range v.msgpack {
			if _, taken, err := (signalr.MessagePack{}).Split(v.msgpack[:i], 0); taken != 0 || err != nil {
				t.Errorf("%s: Split of the first %d bytes = %d, %v, want nothing yet", v.name, i, taken, err)
			}
		}
		for i := range record {
			m, err := signalr.MessagePack{}.Parse(bytes.Clone(record[:i]))
			if v.expect == "both" && err == nil {
				t.Errorf("%s: Parse of the first %d bytes = %s, want an error", v.name, i, describe(t, m))
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d vectors, want 50", n)
	}
}

// The vectors' frames in one stream, cut anywhere.
func TestMessagePackReaderEverySplit(t *testing.T) {
	t.Parallel()
	var stream []byte
	var want []string
	for _, v := range readVectors(t) {
		if v.expect == "both" && v.msgpack != nil && len(v.msgpack) < 200 {
			record, _, err := signalr.MessagePack{}.Split(v.msgpack, 0)
			if err != nil {
				t.Fatal(err)
			}
			stream, want = append(stream, v.msgpack...), append(want, string(record))
		}
	}
	// A length in more bytes than it needs, and an empty record.
	stream = append(stream, 0x82, 0x80, 0x80, 0x80, 0x00, 0x91, 0x06, 0x00, 0x05)
	want = append(want, "\x91\x06", "")
	check := func(pieces ...[]byte) {
		t.Helper()
		r := &signalr.Reader{}
		var got []string
		for _, p := range pieces {
			err := r.Feed(signalr.MessagePack{}, 200, p, func(record []byte) error {
				got = append(got, string(record))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if r.Held() > 200 {
				t.Fatalf("the reader holds %d bytes, want at most 200", r.Held())
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || r.Pending() != 1 {
			t.Fatalf("%d pieces, %d bytes pending (-want +got):\n%s", len(pieces), r.Pending(), diff)
		}
	}
	for i := range stream {
		check(stream[:i], stream[i:])
		if j := i + 1 + i%11; j < len(stream) {
			check(stream[:i], stream[i:j], stream[j:])
		}
	}
	var single [][]byte
	for i := range stream {
		single = append(single, stream[i:i+1])
	}
	check(single...)
}

// Lengths of one to four bytes; the fifth would be a message of 256 MB.
func TestMessagePackLengths(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ size, prefix int }{
		{127, 1}, {128, 2}, {1<<14 - 1, 2}, {1 << 14, 3}, {1<<21 - 1, 3}, {1 << 21, 4},
	} {
		overhead := 6 + 5 // the elements around the text, and its own head of at most 5 bytes
		text := strings.Repeat("x", c.size-overhead)
		m := &signalr.Completion{ID: "1", Result: signalr.Any(text)}
		for len(packedRecord(t, m)) < c.size {
			text += "x"
			m.Result = signalr.Any(text)
		}
		b, err := signalr.MessagePack{}.Append([]byte("before"), m)
		if got := len(b) - len("before") - c.size; err != nil || got != c.prefix || !bytes.HasPrefix(b, []byte("before")) {
			t.Fatalf("message of %d bytes has %d in front, %v, want %d", c.size, got, err, c.prefix)
		}
		record, taken, err := signalr.MessagePack{}.Split(b[len("before"):], 0)
		if err != nil || taken != c.size+c.prefix || len(record) != c.size {
			t.Fatalf("Split of %d bytes took %d, %v", c.size, taken, err)
		}
		if diff := cmp.Diff(describe(t, m), describe(t, parsePacked(t, record))); diff != "" {
			t.Errorf("message of %d bytes is read differently", c.size)
		}
		r := &signalr.Reader{}
		if err := r.Feed(signalr.MessagePack{}, c.size, b[len("before"):], nil); !errors.Is(err, signalr.ErrTooLarge) {
			t.Errorf("a reader of at most %d bytes: %v, want %v", c.size, err, signalr.ErrTooLarge)
		}
	}
}

func parsePacked(t testing.TB, record []byte) signalr.Message {
	t.Helper()
	m, err := signalr.MessagePack{}.Parse(record)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What says that it is large costs nothing. Not parallel: it reads the
// allocator's own count.
func TestMessagePackClaimsAllocateNothing(t *testing.T) {
	claims := [][]byte{
		{0xdd, 0x80, 0, 0, 0, 6},
		{0x95, 1, 0x80, 0xc0, 0xa1, 'T', 0xdd, 0x80, 0, 0, 0},
		{0x95, 1, 0xdf, 0x80, 0, 0, 0, 0xa1, 'a'},
		{0x96, 1, 0x80, 0xc0, 0xa1, 'T', 0x90, 0xdd, 0x80, 0, 0, 0},
		{0x95, 3, 0x80, 0xa1, '1', 3, 0xdf, 0xff, 0xff, 0xff, 0xff, 1, 1},
		{0x95, 3, 0x80, 0xa1, '1', 3, 0xc6, 0xff, 0xff, 0xff, 0xff, 1},
		{0x95, 3, 0x80, 0xdb, 0xff, 0xff, 0xff, 0xff, '1'},
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, record := range claims {
		if m, err := (signalr.MessagePack{}).Parse(record); err == nil {
			t.Errorf("Parse(%x) = %v, want an error", record, m)
		}
	}
	r := &signalr.Reader{}
	if err := r.Feed(signalr.MessagePack{}, 1<<20, []byte{0xff, 0xff, 0xff, 0xff, 7, 0x91, 6}, nil); err != nil {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<10 {
		t.Errorf("%d records that claim 2³¹ elements allocate %d bytes", len(claims), n)
	}
}

// Values nest 64 deep, as in JSON.
func TestMessagePackDepth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		open  []byte
		depth int
		ok    bool
	}{
		{"arrays", []byte{0x91}, 63, true},
		{"too many arrays", []byte{0x91}, 64, false},
		{"maps", []byte{0x81, 0xa1, 'a'}, 63, true},
		{"too many maps", []byte{0x81, 0xa1, 'a'}, 64, false},
		{"very many", []byte{0x91}, 1 << 20, false},
		{"very many as names", []byte{0x81}, 1 << 20, false},
	} {
		text, err := unpackedResult(append(bytes.Repeat(c.open, c.depth), 1))
		if (err == nil) != c.ok {
			t.Errorf("%s: %.50q, %v, want ok=%t", c.name, text, err, c.ok)
		}
	}
}

// A map whose name is a map whose name is a map … would double its quotes
// with each level: a few bytes, and all memory is gone.
func TestMessagePackNamesThatHoldOthers(t *testing.T) {
	t.Parallel()
	for _, name := range [][]byte{{0x80}, {0x90}, {0x91, 1}, {0xdc, 0, 0}, {0xdd, 0, 0, 0, 0}, {0xde, 0, 0}, {0xdf, 0, 0, 0, 0}} {
		if text, err := unpackedResult(append(append([]byte{0x81}, name...), 1)); err == nil {
			t.Errorf("a map with the name %x = %s, want an error", name, text)
		}
	}
	// Map of map of …, each in the place of the name, 60 deep.
	deep := append(bytes.Repeat([]byte{0x81}, 60), 0xa1, 'a')
	deep = append(deep, bytes.Repeat([]byte{1}, 60)...)
	if text, err := unpackedResult(deep); err == nil {
		t.Errorf("60 maps as names = %d bytes, want an error", len(text))
	}
	// It can still be passed on to another client of the same protocol.
	m := parsePacked(t, append([]byte{0x95, 3, 0x80, 0xa1, '1', 3}, deep...))
	if b := packedRecord(t, m); !bytes.HasSuffix(b, deep) {
		t.Errorf("passed on as %x", b)
	}
	var into any
	if err := signalr.Decode(m.(*signalr.Completion).Result, &into); err == nil {
		t.Error("Decode: no error")
	}
}
