package ingest_test

import (
	"context"
	"sync/atomic"
	"testing"

	"rte/internal/event"
	"rte/internal/ingest"
)

// BenchmarkNATS is the door by itself, from a message to its answer, with a
// store that costs nothing and a thousand messages under way.
func BenchmarkNATS(b *testing.B) {
	door := ingest.NewNATS(event.NewCatalog(), func(_ context.Context, events []*event.Event) []error {
		for _, e := range events {
			e.Cursor = "EB8OCV4AAQ"
		}
		return nil
	}, ingest.Options{})
	free := make(chan struct{}, 1000)
	for range cap(free) {
		free <- struct{}{}
	}
	var accepted atomic.Int64
	m := ingest.Message{
		Subject: "rte.in." + orgB + ".QueueCallInArrived." + queue1,
		Header:  map[string][]string{"Nats-Msg-Id": {"call-4711"}, "traceparent": {"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}},
		Data:    []byte(`{"callerNumber":"+358401234567","callId":"5b0cb9f4-1f55-4c3a-8a8f-3f2f9a1c7d10","queueId":"` + queue1 + `","queueName":"Customer service, Helsinki"}`),
		Reply: func(h map[string][]string, _ []byte) {
			if h == nil {
				accepted.Add(1)
			}
			free <- struct{}{}
		},
	}
	b.ReportAllocs()
	taken := int64(0)
	for b.Loop() {
		<-free
		door.Take(m)
		taken++
	}
	for range cap(free) {
		<-free
	}
	if err := door.Close(b.Context()); err != nil || accepted.Load() != taken {
		b.Errorf("%d of %d accepted, Close: %v", accepted.Load(), taken, err)
	}
}
