package session

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzItems: what the quick way reads, encoding/json reads alike.
func FuzzItems(f *testing.F) {
	for _, seed := range []string{
		`[]`, ` [ ] `, `[{}]`, `[{"EntityId":"a","EventName":"b"}]`, `[ { "entityid" : "a" , "eVENTNAME":"b" } , {"After":"x"} ]`,
		`[{"EntityId":"a","EntityId":"b"}]`, `[null]`, `[{"EntityId":null}]`, `[{"EntityId":"\u0041"}]`, `[{"Snapshot":true}]`,
		`[{"Other":"x"}]`, `[{"EntityId":"ä"}]`, `[{"entityſd":"x"}]`, `null`, `{}`, `[{"EntityId":"a"},]`, `[{"EntityId":"a",}]`, `[{"a"}]`, `[{"EntityId":5}]`,
		`[{"EntityId":"a"}] x`, `[{"EntityId":"a"}`, "[{\"EntityId\":\"a\x01\"}]", `[[]]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, argument []byte) {
		got, ok := quickItems(argument, 5)
		if !ok {
			return
		}
		var want []item
		if err := json.Unmarshal(argument, &want); err != nil {
			t.Fatalf("%q is read as %+v, and is %v", argument, got, err)
		}
		if d := cmp.Diff(want, got, cmp.AllowUnexported(item{}, text{}, cursor{})); d != "" {
			t.Errorf("%q (-encoding/json +quick):\n%s", argument, d)
		}
	})
}

// TestQuickItems: what every client sends goes the quick way.
func TestQuickItems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`[{"EntityId":"cbeeb190-ff4b-ea11-ac9c-00155d4fdcf3","EventName":"QueueStatus"}]`:                   true,
		`[{"entityId":"cbeeb190-ff4b-ea11-ac9c-00155d4fdcf3","eventName":"QueueStatus","after":"a1.5"},{}]`: true,
		`[{},{},{}]`:                         false, // more than the most
		`[{"EntityId":"a","Snapshot":true}]`: false,
		`[{"EntityId":"a"},null]`:            false,
	} {
		if _, ok := quickItems([]byte(text), 2); ok != want {
			t.Errorf("%s: %v, want %v", text, ok, want)
		}
	}
}
