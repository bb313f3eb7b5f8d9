package bench

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzStamp: whatever a hub sends, only what is written as a stamp is one.
func FuzzStamp(f *testing.F) {
	s := stamp{"run7", 12, 345, 67890}
	f.Add([]byte(s.payload(350)))
	f.Add([]byte(stampWord + "run7 1 2"))
	f.Add([]byte(stampWord + "run7 1 2 99999999999999999999"))
	f.Add([]byte(stampWord + "run8 1 2 3"))
	f.Add([]byte(`"cursor":"`))
	f.Fuzz(func(t *testing.T, message []byte) {
		if s, ok := findStamp(message, "run7"); ok {
			if again, ok := findStamp(s.payload(0), "run7"); !ok || again != s {
				t.Errorf("%+v is written as %+v", s, again)
			}
		}
		if c, ok := findCursor(message); ok && !bytes.Contains(message, []byte(`"cursor":"`+c+`"`)) {
			t.Errorf("%q is no cursor", c)
		}
	})
}

func TestStamp(t *testing.T) {
	t.Parallel()
	s := stamp{"run7", 12, 345, 67890}
	text := s.payload(350)
	if len(text) != 350 {
		t.Errorf("%d bytes, want 350", len(text))
	}
	if got, ok := findStamp(text, "run7"); !ok || got != s {
		t.Errorf("read %+v, wrote %+v", got, s)
	}
}

func TestParseMetrics(t *testing.T) {
	t.Parallel()
	got, err := parseMetrics(strings.NewReader("# TYPE a counter\na 1\nb{x=\"} 5\"} 2.5e3 1700000000000\nbroken\nc{y=\"z\"} NaNcy\n"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]float64{"a": 1, `b{x="} 5"}`: 2500}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
