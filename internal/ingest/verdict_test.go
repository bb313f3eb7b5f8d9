package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rte/internal/event"
)

func TestStoreVerdicts(t *testing.T) {
	t.Parallel()
	full := errors.New("larger than the stream takes")
	down := fmt.Errorf("publish: %w", event.ErrUnavailable)
	verdicts := func(errs ...error) func(context.Context, []string) []error {
		return func(context.Context, []string) []error { return errs }
	}
	for _, tt := range []struct {
		name, body string
		verdict    func(context.Context, []string) []error
		status     int
		want       string
	}{
		{"all stored, said one by one", calls(0, 2, "\n"), verdicts(nil, nil), 200, "accepted 2 cursor at-call-1"},
		{"one refused", calls(0, 3, "\n"), verdicts(nil, full, nil), 200, "accepted 2 cursor at-call-2 rejected 1 "},
		{"refusals in order with those of the check", calls(0, 1, "\n") + "\n{}\n" + calls(2, 1, ""), verdicts(full, full), 200,
			"accepted 0 cursor  rejected 0  rejected 1 $.organizationId rejected 2 "},
		{"store gone", calls(0, 2, "\n"), verdicts(down, down), 503, "accepted 0 cursor  next 0"},
		{"store gone in the middle", "{}\n" + calls(1, 2, "\n") + "\n{}", verdicts(nil, down), 503, "accepted 1 cursor at-call-1 rejected 0 $.organizationId next 2"},
		{"store gone for one pair only", calls(0, 5, "\n"), verdicts(nil, full, down, nil, full), 503, "accepted 2 cursor at-call-3 rejected 1  next 2 stored [3]"},
		{"store gone before a fault", calls(0, 1, "\n") + "\nx", verdicts(down), 503, "accepted 0 cursor  next 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			resp, got := post(t, door(t, &recorder{verdict: tt.verdict}), strings.NewReader(tt.body), ndjson...)
			if resp.StatusCode != tt.status || got.String() != tt.want {
				t.Errorf("got %d %s\nwant %d %s", resp.StatusCode, got, tt.status, tt.want)
			}
			if after := resp.Header.Get("Retry-After"); (after != "") != (tt.status == 503) {
				t.Errorf("Retry-After: %q", after)
			}
			if len(got.Rejected) > 0 && got.Rejected[0].Path == "" && !strings.Contains(got.Rejected[0].Error, "larger than the stream takes") {
				t.Errorf("the store's refusal is told as %q", got.Rejected[0].Error)
			}
		})
	}
}

func TestResume(t *testing.T) {
	t.Parallel()
	n := 0
	store := &recorder{verdict: func(_ context.Context, ids []string) []error {
		if n++; n != 3 {
			return nil
		}
		return slices.Repeat([]error{event.ErrUnavailable}, len(ids))
	}}
	h := door(t, store)
	resp, got := post(t, h, strings.NewReader("["+calls(0, 1000, ",")+"]"))
	if resp.StatusCode != 503 || got.String() != "accepted 512 cursor at-call-511 next 512" {
		t.Fatalf("got %d %s", resp.StatusCode, got)
	}
	resp, got = post(t, h, strings.NewReader("["+calls(*got.Next, 1000-*got.Next, ",")+"]"))
	if resp.StatusCode != 200 || *got.Accepted != 488 || !slices.Equal(store.ids(), callIDs(0, 1000)) {
		t.Errorf("got %d %s", resp.StatusCode, got)
	}
}

func TestManyRejections(t *testing.T) {
	t.Parallel()
	refuse := func(_ context.Context, ids []string) []error {
		return slices.Repeat([]error{errors.New("no")}, len(ids))
	}
	lines := func(n int) string { return strings.Repeat("{}\n", n) }
	for _, tt := range []struct {
		name, body string
		verdict    func(context.Context, []string) []error
		accepted   int
		next       int // -1: none
	}{
		{"by the check", calls(0, 1, "") + "\n" + lines(1500), nil, 1, 1001},
		{"exactly as many", lines(1000) + "\n", nil, 0, -1},
		{"one more", lines(1000) + calls(0, 1, ""), nil, 0, 1000},
		{"by the store", calls(0, 1500, "\n"), refuse, 0, 1000},
		{"by both", lines(990) + calls(0, 5, "\n") + "\n" + lines(4) + calls(0, 5, "\n"), refuse, 0, 1000},
	} {
		array := "[" + strings.ReplaceAll(strings.TrimSpace(tt.body), "\n", ",") + "]"
		for _, body := range []struct{ text, contentType string }{{tt.body, ndjson[1]}, {array, "application/json"}} {
			_, got := post(t, door(t, &recorder{verdict: tt.verdict}), strings.NewReader(body.text), "Content-Type", body.contentType)
			next := -1
			if got.Next != nil {
				next = *got.Next
			}
			if *got.Accepted != tt.accepted || next != tt.next || len(got.Rejected) != 1000 {
				t.Errorf("%s as %s: accepted %d, next %d, %d rejected; want %d, %d, 1000",
					tt.name, body.contentType, *got.Accepted, next, len(got.Rejected), tt.accepted, tt.next)
			}
			for i := range got.Rejected {
				if i > 0 && got.Rejected[i].Index != got.Rejected[i-1].Index+1 {
					t.Errorf("%s: rejection %d has index %d", tt.name, i, got.Rejected[i].Index)
				}
			}
		}
	}
}
