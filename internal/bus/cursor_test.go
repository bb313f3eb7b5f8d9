package bus_test

import (
	"math"
	"strings"
	"testing"

	"rte/internal/bus"
)

var cursors = []bus.Cursor{
	{},
	{Store: 1, Lane: bus.EventLane, Sequence: 1},
	{Store: 0xdeadbeef, Lane: bus.StateLane, Partition: 7, Sequence: 127},
	{Store: 0xdeadbeef, Lane: bus.EventLane, Partition: 128, Sequence: 128},
	{Store: math.MaxUint32, Lane: bus.EventLane, Partition: math.MaxUint16, Sequence: math.MaxUint64},
}

func TestCursorText(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range cursors {
		text := c.String()
		if len(text) > 24 {
			t.Errorf("%+v: %q has %d characters, want at most 24", c, text, len(text))
		}
		if strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("%+v: %q is not URL-safe", c, text)
		}
		if seen[text] {
			t.Errorf("%+v: %q stands for another cursor too", c, text)
		}
		seen[text] = true
		got, err := bus.ParseCursor(text)
		if err != nil || got != c {
			t.Errorf("ParseCursor(%q) = %+v, %v, want %+v", text, got, err, c)
		}
	}
}

func TestParseCursorRefuses(t *testing.T) {
	t.Parallel()
	good := bus.Cursor{Store: 5, Lane: bus.EventLane, Partition: 3, Sequence: 300}.String()
	for _, row := range []struct{ name, text string }{
		{"empty", ""},
		{"short", good[:4]},
		{"cut", good[:len(good)-2]},
		{"longer", good + "AA"},
		{"too long", strings.Repeat("A", 25)},
		{"very long", strings.Repeat("A", 1<<20)},
		{"padded", good + "="},
		{"blank", good + " "},
		{"line break inside", good[:4] + "\n" + good[4:]},
		{"standard alphabet", "EQ+/" + good[4:]},
		{"other letters", "ÄÖÜ" + good[6:]},
		{"other format", "I" + good[1:]},
		{"other lane", "Eg" + good[2:]},
		{"partition of three bytes, too large", "EQAAAAX__38B"},
		{"sequence in a long spelling", "EQAAAAUDgQA"},
		{"trailing bits", "EQAAAAUDAR"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if c, err := bus.ParseCursor(row.text); err == nil {
				t.Errorf("ParseCursor(%.40q) = %+v, want an error", row.text, c)
			}
		})
	}
}

// FuzzParseCursor: what can be read has one spelling, and none panics.
func FuzzParseCursor(f *testing.F) {
	for _, c := range cursors {
		f.Add(c.String())
	}
	for _, s := range []string{"", "A", "EQAAAAUDgQA", "EQAAAAX__38B", "not a cursor", strings.Repeat("_", 24)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := bus.ParseCursor(s)
		if err != nil {
			return
		}
		if got := c.String(); got != s {
			t.Errorf("ParseCursor(%q) = %+v, whose text is %q", s, c, got)
		}
	})
}
