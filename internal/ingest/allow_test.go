package ingest_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
	"rte/internal/ingest"
)

// sparing lets so many events of each organization come, and only small ones.
func sparing(most int) func(event.GUID, int) (time.Duration, error) {
	seen := map[event.GUID]int{}
	return func(org event.GUID, bytes int) (time.Duration, error) {
		switch {
		case bytes > 1000:
			return 1500 * time.Millisecond, errors.New("too many bytes")
		case seen[org] == most:
			return 9 * time.Second, errors.New("too many events")
		}
		seen[org]++
		return 0, nil
	}
}

// What must wait is answered 429: what came before it is stored and told, next
// names it, and nothing behind it was looked at.
func TestAllow(t *testing.T) {
	t.Parallel()
	bad := `{"organizationId":"` + orgA + `","eventName":"QueueStatus","data":{"openStatus":7}}`
	big := `{"organizationId":"` + orgA + `","entityId":"` + queue1 + `","eventName":"QueueStatus","data":{"x":"` + strings.Repeat("x", 2000) + `"}}`
	one, two, three, other := arrivedAt(orgA, 1), arrivedAt(orgA, 2), arrivedAt(orgA, 3), arrivedAt(orgB, 4)
	var long []string
	for i := range 700 {
		long = append(long, arrivedAt(orgA, i))
	}
	for _, tt := range []struct {
		name   string
		most   int
		bodies []string // one behind the other
		header []string
		status int // of the last
		after  string
		want   string
		stored int
	}{
		{"within", 2, []string{"[" + one + "," + two + "]"}, nil, 200, "", "accepted 2 cursor at-call-2", 2},
		{"array", 2, []string{"[" + one + "," + bad + "," + two + "," + three + "," + bad + "]"}, nil, 429, "9", "accepted 2 cursor at-call-2 rejected 1 $.data.openStatus next 3", 2},
		{"lines", 2, []string{one + "\n" + two + "\n" + three + "\n{not json"}, ndjson, 429, "9", "accepted 2 cursor at-call-2 next 2", 2},
		{"last line", 1, []string{one + "\n" + two}, ndjson, 429, "9", "accepted 1 cursor at-call-1 next 1", 1},
		{"object", 1, []string{one, two}, nil, 429, "9", "accepted 0 cursor  next 0", 1},
		{"nothing at all", 0, []string{"[" + one + "," + two + "]"}, nil, 429, "9", "accepted 0 cursor  next 0", 0},
		{"over many batches", 600, []string{"[" + strings.Join(long, ",") + "]"}, nil, 429, "9", "accepted 600 cursor at-call-599 next 600", 600},
		{"many bytes", 9, []string{"[" + one + "," + big + "," + two + "]"}, nil, 429, "2", "accepted 1 cursor at-call-1 next 1", 1},
		{"refused items are not counted", 1, []string{"[" + bad + "," + bad + "," + one + "]"}, nil, 200, "", "accepted 1 cursor at-call-1 rejected 0 $.data.openStatus rejected 1 $.data.openStatus", 1},
		{"each organization for itself", 1, []string{"[" + one + "," + other + "]"}, []string{"Authorization", "Bearer platform"}, 200, "", "accepted 2 cursor at-call-4", 2},
	} {
		store := &recorder{}
		h := ingest.NewHTTP(event.NewCatalog(), authorize(t), store.store, ingest.Options{Allow: sparing(tt.most)})
		var resp *http.Response
		var got result
		for _, body := range tt.bodies {
			resp, got = post(t, h, strings.NewReader(body), tt.header...)
		}
		if after := resp.Header.Get("Retry-After"); resp.StatusCode != tt.status || after != tt.after {
			t.Errorf("%s: status %d, Retry-After %q, want %d, %q", tt.name, resp.StatusCode, after, tt.status, tt.after)
		}
		if diff := cmp.Diff(tt.want, got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		n := 0
		for _, batch := range store.batches {
			n += len(batch)
		}
		if n != tt.stored {
			t.Errorf("%s: %d stored, want %d", tt.name, n, tt.stored)
		}
		if want := uint64(tt.status / 429); h.Stats().TooMany != want {
			t.Errorf("%s: counted %d, want %d", tt.name, h.Stats().TooMany, want)
		}
	}
}

// A producer that goes on from next, as it is told, stores all, in order.
func TestAllowIsGoneOnWith(t *testing.T) {
	t.Parallel()
	left := 0
	store := &recorder{}
	h := ingest.NewHTTP(event.NewCatalog(), authorize(t), store.store, ingest.Options{Allow: func(event.GUID, int) (time.Duration, error) {
		if left == 0 {
			return time.Second, errors.New("too many events")
		}
		left--
		return 0, nil
	}})
	const events = 1000
	for next, rounds := 0, 0; next < events; rounds++ {
		if rounds > 60 {
			t.Fatalf("%d are stored after %d requests", next, rounds)
		}
		left = 37
		var b strings.Builder
		for i := next; i < events; i++ {
			fmt.Fprintln(&b, arrivedAt(orgA, i))
		}
		_, got := post(t, h, strings.NewReader(b.String()), ndjson...)
		if got.Next == nil {
			next += *got.Accepted
			continue
		}
		next += *got.Next
	}
	var want, ids []string
	for i := range events {
		want = append(want, fmt.Sprint("call-", i))
	}
	for _, batch := range store.batches {
		ids = append(ids, batch...)
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// The NATS door answers likewise.
func TestNATSAllow(t *testing.T) {
	t.Parallel()
	store := &recorder{}
	n := ingest.NewNATS(event.NewCatalog(), store.store, ingest.Options{Allow: sparing(1)})
	defer closeNATS(t, n)
	const subject = "rte.in." + orgA + ".QueueCallInArrived." + queue1
	const data = `{"queueId":"` + queue1 + `"}`
	if got := ask(n, subject, nil, data); got.code() != "200" {
		t.Errorf("the first: %+v", got)
	}
	got := ask(n, subject, nil, data)
	want := reply{
		header: map[string][]string{"Nats-Service-Error-Code": {"429"}, "Nats-Service-Error": {"too many events; send the event again after Retry-After seconds"}, "Retry-After": {"9"}},
		body:   `{"error":"too many events; send the event again after Retry-After seconds","accepted":0,"rejected":[],"cursor":"","next":0}` + "\n",
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(reply{})); diff != "" {
		t.Errorf("the second (-want +got):\n%s", diff)
	}
	if got := ask(n, "rte.in."+orgB+".QueueCallInArrived."+queue1, nil, data); got.code() != "200" {
		t.Errorf("another organization's: %+v", got)
	}
	if s := n.Stats(); s.Accepted != 2 || s.TooMany != 1 {
		t.Errorf("stats %+v", s)
	}
}
