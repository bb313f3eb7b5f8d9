package ingest_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"rte/internal/ingest"
)

// Strings are read eight bytes at a time: every byte at every place must be
// taken or refused as encoding/json does it.
func TestCheckEveryByte(t *testing.T) {
	t.Parallel()
	typ := eventType(t, "UserStatus")
	for at := range 18 {
		for c := range 256 {
			in := []byte(`{"x":"` + strings.Repeat("a", 18) + `"}`)
			in[len(`{"x":"`)+at] = byte(c)
			_, _, err := ingest.Check(nil, typ, in)
			if want := json.Valid(in) && utf8.Valid(in); (err == nil) != want {
				t.Errorf("byte %#02x at %d: got %v, want good %v", c, at, err, want)
			}
		}
	}
}

func TestCheckDates(t *testing.T) {
	t.Parallel()
	typ := eventType(t, "UserAvailability")
	for _, tt := range []struct {
		date string
		good bool
	}{
		{"2026-11-22T08:00:00Z", true}, {"2026-11-22T08:00:00", true}, {"2026-11-22T08:00:00.1", true},
		{"2026-11-22T08:00:00.1234567Z", true}, {"2026-11-22T08:00:00.1234567+05:30", true},
		{"2026-11-22T08:00:00.123456789Z", true},                                      // what Go and Java write
		{"9999-12-31T23:59:59.9999999", true}, {"9999-12-31T23:59:59.9999999Z", true}, // I42
		{"9999-12-31T23:59:59+01:00", true}, {"0001-01-01T00:00:00", true}, {"0001-01-01T00:00:00-01:00", true},
		{"2026-11-22", true}, {"2026-11-22T08:00", true}, {"2026-11-22T08:00Z", true}, {"2026-11-22T08:00-02:00", true},
		{"2024-02-29", true}, {"2000-02-29", true}, {"2026-04-30T23:59:59-14:00", true}, {`2026-11-22T08:00:00\u002B01:00`, true},

		{"", false}, {"2026", false}, {"2026-11", false}, {"2026-11-22T", false}, {"2026-11-22T08", false}, {"2026-11-22T08:0", false},
		{"2026-11-22T08:00:", false}, {"2026-11-22T08:00:0", false}, {"2026-11-22T08:00:00.", false}, {"2026-11-22T08:00:00.1234567890", false},
		{"2026-11-22T08:00:00z", false}, {"2026-11-22t08:00:00Z", false}, {"2026-11-22 08:00:00", false}, {" 2026-11-22", false},
		{"2026-11-22T08:00:00ZZ", false}, {"2026-11-22T08:00:00+1:00", false}, {"2026-11-22T08:00:00+01", false}, {"2026-11-22T08:00:00+0100", false},
		{"2026-11-22T08:00:00+14:01", false}, {"2026-11-22T08:00:00+15:00", false}, {"2026-11-22T08:00:00+01:60", false}, {"2026-11-22T08:00:00+01:00x", false},
		{"2026-13-22", false}, {"2026-00-22", false}, {"2026-11-31", false}, {"2026-11-00", false}, {"2025-02-29", false}, {"1900-02-29", false},
		{"0000-01-01", false}, {"2026-11-22T24:00:00", false}, {"2026-11-22T08:60:00", false}, {"2026-11-22T08:00:60", false},
		{"9999-12-31T23:59:59.9999999-00:01", false}, {"0001-01-01T00:00:00+00:01", false}, {"10000-01-01", false},
		{"20x6-11-22", false}, {"x026-11-22", false}, {"2026/11/22", false}, {"22.11.2026", false}, {"2026-11-22Z", false},
	} {
		_, _, err := ingest.Check(nil, typ, []byte(`{"endTime":"`+tt.date+`"}`))
		if (err == nil) != tt.good {
			t.Errorf("endTime %q: got %v, want good %v", tt.date, err, tt.good)
		}
	}
}

// No error repeats a value or a strange name.
func TestErrorsTellNoContent(t *testing.T) {
	t.Parallel()
	const secret = "+358401234567"
	for _, in := range []string{
		`{"userId":"` + secret + `"}`, `{"wrapUpEnd":"` + secret + `"}`, `{"` + secret + `":1,"` + secret + `":1}`,
		`{"` + secret + `":"\ud800"}`, `{"a":` + secret + `}`, `{"talking":"` + secret + `"}`, secret, `"` + secret + `"`, `{} ` + secret,
	} {
		_, _, err := ingest.Check(nil, eventType(t, "UserStatus"), []byte(in))
		if err == nil || strings.Contains(err.Error(), "358") {
			t.Errorf("Check(%s): %v", in, err)
		}
	}
}

func TestCheckAllocatesNothing(t *testing.T) {
	typ := eventType(t, "QueueCallInArrived")
	for _, in := range []string{
		arrived,
		strings.NewReplacer(`"call`, `"Call`, `"queue`, `"Queue`, `"org`, `"Org`, `"leg`, `"Leg`, `"target`, `"Target`).Replace(arrived),
		`{"callId":"` + user1 + `","anUnknownName":{"a":[1,2.5,"x"]},"other":null}`,
	} {
		dst := make([]byte, 0, 1024)
		if n := testing.AllocsPerRun(100, func() {
			if _, _, err := ingest.Check(dst, typ, []byte(in)[:len(in):len(in)]); err != nil {
				t.Fatal(err)
			}
		}); n > 1 { // the conversion of in
			t.Errorf("Check(%s) allocates %v times", in, n-1)
		}
	}
}
