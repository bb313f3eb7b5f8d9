package producer_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"rte/producer"
)

// A call centre tells that a queue has grown and that a call has come. The
// node's URL and the token are what its operator gives out; here a server
// stands in for the node.
func Example() {
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"accepted":2,"rejected":[],"cursor":"AAEC"}`)
	}))
	defer node.Close()

	rte, err := producer.New(node.URL, producer.Options{
		Token: func(context.Context) (string, error) { return "the service's token", nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	const (
		org   = "5e0b1c52-3a7d-4f0e-9a51-2f6d1c8e7b10"
		queue = "c4b1f0a2-8e4e-eb11-b1ac-00155d4f21a7"
	)
	result, err := rte.Publish(context.Background(),
		producer.Event{
			Organization: org, Name: "QueueStatus", ID: "queue-status-10871",
			Data: map[string]any{"QueueId": queue, "NbrOfQueuingRequesters": 3, "MaxWaitTime": 41},
		},
		producer.Event{
			Organization: org, Entity: queue, Name: "QueueCallInArrived", Time: time.Now(),
			Data: struct{ CallerNumber, QueueName string }{"+447700900188", "Support"},
		},
	)
	if err != nil {
		fmt.Println("events from", result.Done, "on have no verdict:", err)
		return
	}
	for _, r := range result.Rejected {
		fmt.Println("event", r.Index, "was refused:", r.Path, r.Reason)
	}
	fmt.Println(result.Accepted, "stored")
	// Output: 2 stored
}
