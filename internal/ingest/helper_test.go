package ingest_test

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"rte/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	orgA   = "0f8fad5b-d9cb-469f-a165-70867728950e"
	orgB   = "11111111-2222-3333-4444-555555555555"
	queue1 = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
	user1  = "a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
)

func guid(tb testing.TB, s string) event.GUID {
	tb.Helper()
	g, err := event.ParseGUID(s)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

func eventType(tb testing.TB, name string) *event.Type {
	tb.Helper()
	t, ok := event.NewCatalog().Lookup(name)
	if !ok {
		tb.Fatalf("no event %s in the catalogue", name)
	}
	return t
}

// sample is a well-formed value of every field of a type, built from the
// catalogue. name says how a member is spelled; gap stands between tokens.
func sample(t *event.Type, name func(*event.Field) string, gap string) string {
	var b strings.Builder
	b.WriteString("{" + gap)
	for i := range t.Fields {
		f := &t.Fields[i]
		if i > 0 {
			b.WriteString(gap + "," + gap)
		}
		fmt.Fprintf(&b, "%q%s:%s%s", name(f), gap, gap, sampleValue(f, i, name, gap))
	}
	b.WriteString(gap + "}")
	return b.String()
}

func sampleValue(f *event.Field, i int, name func(*event.Field) string, gap string) string {
	switch {
	case f.List:
		return "[" + gap + sample(f.Helper, name, gap) + gap + "," + gap + sample(f.Helper, name, gap) + gap + "]"
	case f.Values != nil && f.Type == "string":
		return `"` + f.Values.Values[i%len(f.Values.Values)].Value + `"`
	case f.Values != nil:
		return f.Values.Values[i%len(f.Values.Values)].Value
	case f.Nullable && i%3 == 0:
		return "null"
	}
	switch f.Type {
	case "string":
		return []string{`"Ä \"b\" \u00e4\u2028 c"`, `""`, `"{ \"a\" : [ 1 ] }"`}[i%3]
	case "Guid":
		return fmt.Sprintf(`"%08x-ff4b-ea11-ac9c-00155d4fdcf3"`, 16+i)
	case "DateTime":
		return []string{`"2026-11-22T08:00:00Z"`, `"9999-12-31T23:59:59.9999999"`, `"2026-11-22T10:00:00.5+02:00"`}[i%3]
	case "bool":
		return []string{"true", "false"}[i%2]
	}
	return []string{"0", "-32768", "32767"}[i%3]
}

func asWire(f *event.Field) string  { return f.WireName }
func asPage(f *event.Field) string  { return f.Name }
func asUpper(f *event.Field) string { return strings.ToUpper(f.Name) }

// envelope is a publish envelope around data.
func envelope(org, entity, name, data, more string) string {
	return fmt.Sprintf(`{"organizationId":%q,"entityId":%q,"eventName":%q,"data":%s%s}`, org, entity, name, data, more)
}

// arrivedAt is a publish envelope of a queue call with that call id's number.
func arrivedAt(org string, call int) string {
	return fmt.Sprintf(`{"organizationId":%q,"eventName":"QueueCallInArrived","data":{"callId":"%08x-0000-0000-0000-000000000000","queueId":%q},"id":"call-%d"}`,
		org, call, queue1, call)
}
