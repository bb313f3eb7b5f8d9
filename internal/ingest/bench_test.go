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

func BenchmarkCheck(b *testing.B) {
	t := eventType(b, "QueueCallInArrived")
	pascal := strings.NewReplacer(`"call`, `"Call`, `"queue`, `"Queue`, `"org`, `"Org`, `"leg`, `"Leg`, `"target`, `"Target`).Replace(arrived)
	for _, bm := range []struct{ name, data string }{{"wire", arrived}, {"pascal", pascal}} {
		data := []byte(bm.data)
		b.Run("case="+bm.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			dst := make([]byte, 0, 2*len(data))
			for b.Loop() {
				if _, _, err := ingest.Check(dst, t, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEncodingJSON is the way not taken: decode into a struct and encode
// again.
func BenchmarkEncodingJSON(b *testing.B) {
	type payload struct {
		CallerNumber   string     `json:"callerNumber"`
		CallID         event.GUID `json:"callId"`
		LegID          string     `json:"legId"`
		OrganizationID event.GUID `json:"organizationId"`
		QueueID        event.GUID `json:"queueId"`
		QueueName      string     `json:"queueName"`
		QueueNumber    string     `json:"queueNumber"`
		TargetNumber   string     `json:"targetNumber"`
	}
	data := []byte(arrived)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		var p payload
		if err := json.Unmarshal(data, &p); err != nil {
			b.Fatal(err)
		}
		if _, err := json.Marshal(&p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkValid is what only looking at the grammar costs.
func BenchmarkValid(b *testing.B) {
	data := []byte(arrived)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if !json.Valid(data) {
			b.Fatal("not valid")
		}
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
