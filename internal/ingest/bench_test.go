package ingest_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"rte/internal/event"
	"rte/internal/ingest"
)

// arrived is a QueueCallInArrived payload of about 350 bytes, in wire form.
const arrived = `{"callerNumber":"+358401234567","callId":"5b0cb9f4-1f55-4c3a-8a8f-3f2f9a1c7d10",` +
	`"legId":"66299cde606b3db6d413cd208f7e5cab@203.0.113.7_br1","organizationId":"0f8fad5b-d9cb-469f-a165-70867728950e",` +
	`"queueId":"7c9e6679-7425-40de-944b-e07fc1f90ae7","queueName":"Customer service, Helsinki","queueNumber":"+358942450100","targetNumber":"+358942450100"}`

// BenchmarkCheck is the door's one pass over a payload: checked, and written in
// wire form. The payloads are the golden ones: as the page spells them,
// indented, and in wire form.
func BenchmarkCheck(b *testing.B) {
	for _, name := range benchmarked {
		t := eventType(b, name)
		g := readGolden(b, "../event/testdata/golden/"+name+".txt")
		for _, data := range []struct{ spelling, text string }{{"wire", g.wire}, {"page", g.pascal}} {
			b.Run(name+"/"+data.spelling, func(b *testing.B) {
				text := []byte(data.text)
				b.ReportAllocs()
				b.SetBytes(int64(len(text)))
				dst := make([]byte, 0, 2*len(text))
				for b.Loop() {
					if _, _, err := ingest.Check(dst, t, text); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkEncodingJSON is the way not taken: decode the same payloads into
// their structs, which checks types and nothing else, and encode them again.
func BenchmarkEncodingJSON(b *testing.B) {
	for _, name := range benchmarked {
		g := readGolden(b, "../event/testdata/golden/"+name+".txt")
		for _, data := range []struct{ spelling, text string }{{"wire", g.wire}, {"page", g.pascal}} {
			b.Run(name+"/"+data.spelling, func(b *testing.B) {
				text := []byte(data.text)
				b.ReportAllocs()
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					payload := structOf(name)
					if err := json.Unmarshal(text, payload); err != nil {
						b.Fatal(err)
					}
					if _, err := json.Marshal(payload); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// benchmarked are a call, counters, and the largest event there is.
var benchmarked = [...]string{"QueueCallInArrived", "QueueStatus", "CallbackChanged"}

func structOf(name string) event.Payload {
	switch name {
	case "QueueStatus":
		return &event.QueueStatus{}
	case "CallbackChanged":
		return &event.CallbackChanged{}
	}
	return &event.QueueCallInArrived{}
}

// BenchmarkValid is what only looking at the grammar costs.
func BenchmarkValid(b *testing.B) {
	for _, name := range benchmarked {
		b.Run(name+"/wire", func(b *testing.B) {
			text := []byte(readGolden(b, "../event/testdata/golden/"+name+".txt").wire)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if !json.Valid(text) {
					b.Fatal("not valid")
				}
			}
		})
	}
}

func BenchmarkReadEnvelope(b *testing.B) {
	cat := event.NewCatalog()
	text := []byte(envelope(orgA, queue1, "QueueCallInArrived", arrived, `,"id":"5b0cb9f4-1f55-4c3a-8a8f-3f2f9a1c7d10"`))
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := ingest.ReadEnvelope(cat, text, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHTTP is a request without the network; the time is that of all
// its events.
func BenchmarkHTTP(b *testing.B) {
	one := envelope(orgA, queue1, "QueueCallInArrived", arrived, `,"id":"5b0cb9f4-1f55-4c3a-8a8f-3f2f9a1c7d10"`)
	h := ingest.NewHTTP(event.NewCatalog(), authorize(b), func(context.Context, []*event.Event) []error { return nil }, ingest.Options{})
	for _, bm := range []struct{ name, body, contentType string }{
		{"form=object/events=1", one, "application/json"},
		{"form=array/events=100", "[" + strings.Repeat(one+",", 99) + one + "]", "application/json"},
		{"form=ndjson/events=100", strings.Repeat(one+"\n", 100), "application/x-ndjson"},
		{"form=ndjson/events=10000", strings.Repeat(one+"\n", 10_000), "application/x-ndjson"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bm.body)))
			for b.Loop() {
				req := httptest.NewRequest("POST", "/api/v1/events", strings.NewReader(bm.body))
				req.Header.Set("Authorization", "Bearer service")
				req.Header.Set("Content-Type", bm.contentType)
				rec := httptest.NewRecorder()
				if h.ServeHTTP(rec, req); rec.Code != 200 {
					b.Fatal(rec.Body)
				}
			}
		})
	}
}
