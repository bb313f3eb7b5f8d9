package signalr

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzWellFormed: what is well-formed is what encoding/json says.
func FuzzWellFormed(f *testing.F) {
	for _, seed := range []string{
		``, ` `, `null`, ` true `, `false`, `nul`, `"a"`, `"\u00e9\n\/"`, `"\u00g0"`, `"\x"`, "\"\x01\"", `"`, `{}`, `{ }`, `{"a":1}`, `{"a":1,}`, `{"a" : [ ] , "b":{}}`,
		`{a:1}`, `{"a"}`, `[1,2,]`, `[,]`, `[]]`, `0`, `-`, `-0`, `01`, `1.`, `1.5e+7`, `1e`, `.5`, `+1`, `1E-3`, `[[[[]]]]`, "\u00e9", "{\"a\":\"\u00e9\"}", "\x00", "[1\x00]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := wellFormed(text, 1000), json.Valid(text); got != want && strings.Count(string(text), "[")+strings.Count(string(text), "{") < 1000 {
			t.Errorf("%q is well-formed: %v, encoding/json says %v", text, got, want)
		}
	})
}

// TestWellFormedDepth: what is nested too deep is refused, whatever it is.
func TestWellFormedDepth(t *testing.T) {
	t.Parallel()
	for depth, want := range map[int]bool{1: true, 4: true, 5: false, 6: false, 1_000_000: false} {
		for _, inside := range []string{"", "1"} {
			if got := wellFormed([]byte(strings.Repeat("[", depth)+inside+strings.Repeat("]", depth)), 4); got != want {
				t.Errorf("%d arrays around %q, of at most 4: %v", depth, inside, got)
			}
		}
	}
}

func BenchmarkWellFormed(b *testing.B) {
	text := []byte(`{"type":1,"target":"MessageReceived","arguments":[{"subscription":{"entityId":"cbeeb190-ff4b-ea11-ac9c-00155d4fdcf3","eventName":"queuecallinarrived"},"data":{"queueName":"` +
		strings.Repeat("x", 300) + `"},"cursor":"a1.5","time":"2026-11-22T07:08:07.006Z"}]}`)
	b.Run("own", func(b *testing.B) {
		for b.Loop() {
			wellFormed(text, maxDepth)
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		for b.Loop() {
			json.Valid(text)
		}
	})
}
