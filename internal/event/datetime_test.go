package event_test

import (
	"testing"
	"time"

	"rte/internal/event"
)

// Good forms, and the moment each means; what is refused is in the tests of
// the door (ingest, TestCheckDates).
func TestParseDateTime(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-11-22":                          "2026-11-22T00:00:00Z",
		"2026-11-22T08:00":                    "2026-11-22T08:00:00Z",
		"2026-11-22T08:09:10":                 "2026-11-22T08:09:10Z", // without a zone: UTC (I42)
		"2026-11-22T08:09:10Z":                "2026-11-22T08:09:10Z",
		"2026-11-22T08:00+02:00":              "2026-11-22T06:00:00Z",
		"2026-11-22T00:30:00.5+01:00":         "2026-11-21T23:30:00.5Z",
		"2026-12-31T23:30:00-14:00":           "2027-01-01T13:30:00Z",
		"2024-02-29T23:59:59.000000001-00:01": "2024-03-01T00:00:59.000000001Z",
		"2026-11-22T08:00:00.120":             "2026-11-22T08:00:00.12Z",
		"9999-12-31T23:59:59.9999999":         "9999-12-31T23:59:59.9999999Z",
		"9999-12-31T23:59:59.999999999Z":      "9999-12-31T23:59:59.999999999Z",
		"0001-01-01":                          "0001-01-01T00:00:00Z",
	} {
		got, ok := event.ParseDateTime([]byte(text))
		if s := got.Format(time.RFC3339Nano); !ok || s != want || got.Location() != time.UTC {
			t.Errorf("ParseDateTime(%q) = %s, %v; want %s", text, s, ok, want)
		}
	}
	for _, text := range []string{"", "soon", "2026-11-22T08:00:00.1234567890", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"} {
		if got, ok := event.ParseDateTime([]byte(text)); ok {
			t.Errorf("ParseDateTime(%q) = %v, want none", text, got)
		}
	}
}

// Whatever is taken is in .NET's years, and is taken again as RFC 3339.
func FuzzParseDateTime(f *testing.F) {
	for _, s := range []string{"", "2026-11-22", "2026-11-22T08:00", "9999-12-31T23:59:59.9999999", "0001-01-01T00:00:00-14:00", "2026-11-22T08:00:00.123456789+05:30"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, ok := event.ParseDateTime(text)
		if !ok {
			return
		}
		if got.Year() < 1 || got.Year() > 9999 {
			t.Fatalf("ParseDateTime(%q) = %v", text, got)
		}
		again, ok := event.ParseDateTime([]byte(got.Format(time.RFC3339Nano)))
		if !ok || !again.Equal(got) {
			t.Fatalf("ParseDateTime(%q) = %v, written and read again %v, %v", text, got, again, ok)
		}
		if std, err := time.Parse(time.RFC3339Nano, string(text)); err == nil && !std.Equal(got) {
			t.Fatalf("ParseDateTime(%q) = %v, package time says %v", text, got, std)
		}
	})
}
