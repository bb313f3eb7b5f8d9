package event_test

import (
	"encoding/json"
	"strings"
	"testing"

	"rte/internal/event"
)

func TestParseGUID(t *testing.T) {
	t.Parallel()
	const d = "a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
	good := []string{
		d, strings.ToUpper(d), strings.ReplaceAll(d, "-", ""), "{" + d + "}", "(" + d + ")",
		" " + d + "\t", "{" + strings.ToUpper(d) + "}",
	}
	for _, text := range good {
		g, err := event.ParseGUID(text)
		if err != nil || g.String() != d {
			t.Errorf("ParseGUID(%q) = %v, %v; want %s", text, g, err, d)
		}
	}
	bad := []string{
		"", "x", d[:35], d + "0", "{" + d, d + "}", "{" + d + ")", "(" + d + "}", "[" + d + "]",
		strings.Replace(d, "a", "g", 1), strings.Replace(d, "-", "_", 1), d[:35] + "-", "-" + d[1:],
		"{" + strings.ReplaceAll(d, "-", "") + "}", strings.ReplaceAll(d, "-", "")[:31],
		"{0xa1eeb030,0xff4b,0xea11,{0xac,0x9c,0x00,0x15,0x5d,0x4f,0xdc,0xf3}}", // .NET's X form, which nobody sends
		"urn:uuid:" + d, d[:8] + d[9:] + "0",
	}
	for _, text := range bad {
		if g, err := event.ParseGUID(text); err == nil {
			t.Errorf("ParseGUID(%q) = %v, want an error", text, g)
		} else if text != "" && strings.Contains(err.Error(), text) && len(text) > 3 {
			t.Errorf("ParseGUID(%q): the error repeats the text: %v", text, err)
		}
	}
	if zero, err := event.ParseGUID("00000000-0000-0000-0000-000000000000"); err != nil || !zero.IsZero() {
		t.Errorf("the zero Guid: %v, %v", zero, err)
	}
}

func TestGUIDText(t *testing.T) {
	t.Parallel()
	var v struct{ ID event.GUID }
	if err := json.Unmarshal([]byte(`{"id":"{A1EEB030-FF4B-EA11-AC9C-00155D4FDCF3}"}`), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if got, want := string(b), `{"ID":"a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3"}`; err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	if err := json.Unmarshal([]byte(`{"id":"no"}`), &v); err == nil {
		t.Error("a bad Guid was read")
	}
}

func FuzzParseGUID(f *testing.F) {
	for _, s := range []string{"", "a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3", "{A1EEB030-FF4B-EA11-AC9C-00155D4FDCF3}", "a1eeb030ff4bea11ac9c00155d4fdcf3", " (", strings.Repeat("-", 36)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		g, err := event.ParseGUID(s)
		if err != nil {
			return
		}
		if again, err := event.ParseGUID(g.String()); err != nil || again != g {
			t.Errorf("ParseGUID(%q) = %v, which reads as %v, %v", s, g, again, err)
		}
	})
}

func TestCamelCase(t *testing.T) {
	t.Parallel()
	// By System.Text.Json's JsonNamingPolicy.CamelCase.
	for name, want := range map[string]string{
		"CBRId": "cbrId", "SMSTo": "smsTo", "RUser": "rUser", "OrganizationId": "organizationId",
		"Id": "id", "ID": "id", "A": "a", "": "", "already": "already", "iPhone": "iPhone",
		"URLValue": "urlValue", "URL": "url", "I": "i", "IsCIA": "isCIA", "ABCde Fg": "abCde Fg",
		"A B": "a B", "AB c": "ab c", "Über": "über", "ÄÖü": "äÖü", "_Id": "_Id", "1A": "1A", "ExpiresIn24h": "expiresIn24h",
	} {
		if got := event.CamelCase(name); got != want {
			t.Errorf("CamelCase(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestNewGUID(t *testing.T) {
	t.Parallel()
	seen := map[event.GUID]bool{}
	for range 100 {
		g := event.NewGUID()
		if text := g.String(); seen[g] || text[14] != '4' || !strings.ContainsRune("89ab", rune(text[19])) {
			t.Errorf("%s is no new Guid of version 4", text)
		}
		seen[g] = true
	}
}
