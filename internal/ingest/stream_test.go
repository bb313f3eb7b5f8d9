package ingest_test

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"rte/internal/event"
	"rte/internal/ingest"
)

// calls are n envelopes numbered from first, with sep between them.

func calls(first, n int, sep string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = arrivedAt(orgA, first+i)
	}
	return strings.Join(all, sep)
}

func callIDs(first, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("call-%d", first+i)
	}
	return ids
}

func door(tb testing.TB, store *recorder) *ingest.HTTP {
	tb.Helper()
	return ingest.NewHTTP(event.NewCatalog(), authorize(tb), store.store, ingest.Options{})
}

// Items reach the store in the order of the body, in batches of some hundred.

func TestBatches(t *testing.T) {
	t.Parallel()
	for _, body := range []struct{ name, text, contentType string }{
		{"array", "[" + calls(0, 1000, ",") + "]", "application/json"},
		{"ndjson", calls(0, 1000, "\n"), "application/x-ndjson"},
	} {
		store := &recorder{}
		_, got := post(t, door(t, store), strings.NewReader(body.text), "Content-Type", body.contentType)
		if want := "accepted 1000 cursor at-call-999"; got.String() != want {
			t.Errorf("%s: got %s, want %s", body.name, got, want)
		}
		if !slices.Equal(store.ids(), callIDs(0, 1000)) {
			t.Errorf("%s: not stored in order", body.name)
		}
		// Each event has its own memory, also beside the others of a batch.
		for i, data := range store.data {
			if want := fmt.Sprintf(`{"callId":"%08x-0000-0000-0000-000000000000","queueId":"%s"}`, i, queue1); data != want {
				t.Fatalf("%s: event %d has data %s, want %s", body.name, i, data, want)
			}
		}
		for _, b := range store.batches {
			if len(b) > 256 {
				t.Errorf("%s: a batch of %d", body.name, len(b))
			}
		}
		if body.contentType == "application/json" && len(store.batches) != 4 {
			t.Errorf("array: got %d batches, want 4", len(store.batches))
		}
	}
}

// Large events end a batch early.
func TestBatchesOfLargeEvents(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	for range 100 {
		lines.WriteString(envelope(orgA, queue1, "QueueStatus", `{"x":"`+strings.Repeat("x", 60_000)+`"}`, "") + "\n")
	}
	store := &recorder{}
	_, got := post(t, door(t, store), strings.NewReader(lines.String()), ndjson...)
	if *got.Accepted != 100 {
		t.Fatalf("got %s", got)
	}
	for _, b := range store.batches {
		if len(b) > 18 { // 1 MiB
			t.Errorf("a batch of %d events of 60 kB", len(b))
		}
	}
}

// What has come of a slow stream is stored before more is waited for.

func TestSlowStream(t *testing.T) {
	t.Parallel()
	stored := make(chan string, 10)
	store := &recorder{verdict: func(_ context.Context, ids []string) []error {
		for _, id := range ids {
			stored <- id
		}
		return nil
	}}
	r, w := io.Pipe()
	done := make(chan result, 1)
	go func() {
		_, got := post(t, door(t, store), r, ndjson...)
		done <- got
	}()
	for i := range 3 {
		if _, err := io.WriteString(w, arrivedAt(orgA, i)+"\n"); err != nil {
			t.Fatal(err)
		}
		if got, want := <-stored, fmt.Sprintf("call-%d", i); got != want {
			t.Fatalf("stored %s, want %s", got, want)
		}
	}
	w.Close()
	if got := (<-done).String(); got != "accepted 3 cursor at-call-2" {
		t.Errorf("answer: %s", got)
	}
}

// When the store goes in the third batch, two batches are told as accepted,

// and sending from next on completes the job.

// At most 1,000 rejections are listed, whoever refuses.

// counting counts what is read of it.

// A body over the limit is answered 413 without reading it all, also when it

// is small until it is unzipped.

// A body that breaks off leaves what came before it stored and told.

// A request whose context ends stops at once, although its body never comes

// to an end, and tells what was stored.

// A context that ends before the store is asked, or while it works, is no

// verdict on the events.

func TestConcurrentRequests(t *testing.T) {
	t.Parallel()
	store := &recorder{}
	h := door(t, store)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			req := httptest.NewRequest("POST", "/api/v1/events", strings.NewReader(calls(100*g, 100, "\n")))
			req.Header.Set("Authorization", "Bearer service")
			req.Header.Set(ndjson[0], ndjson[1])
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			if rec.Code != 200 {
				t.Errorf("got %d %s", rec.Code, rec.Body)
			}
		})
	}
	wg.Wait()
	got, want := store.ids(), callIDs(0, 800)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || h.Stats().Accepted != 800 {
		t.Errorf("stored %d events, counted %d, want the 800 sent", len(got), h.Stats().Accepted)
	}
}

// A stream of 100,000 lines, some of them far too long, leaves no more in

// memory than a few buffers. Not parallel: it looks at the whole heap.

func TestStreamMemory(t *testing.T) {
	const n, most = 100_000, 12 << 20
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	runtime.GC()
	idle, peak, batches, events := heap(), uint64(0), 0, 0
	h := ingest.NewHTTP(event.NewCatalog(), authorize(t), func(_ context.Context, batch []*event.Event) []error {
		if batches++; batches%50 == 0 {
			peak = max(peak, heap())
		}
		events += len(batch)
		return nil
	}, ingest.Options{})
	r, w := io.Pipe()
	go func() {
		line, long := []byte(arrivedAt(orgA, 1)+"\n"), []byte(strings.Repeat("x", 1<<20)+"\n")
		chunk := slices.Repeat(line, 1000)
		for i := range n / 1000 {
			_, _ = w.Write(chunk) // a failure shows in the answer
			if i%20 == 0 {
				_, _ = w.Write(long)
			}
		}
		w.Close()
	}()
	_, got := post(t, h, r, ndjson...)
	if *got.Accepted != n || events != n || len(got.Rejected) != 5 {
		t.Errorf("accepted %d, stored %d, rejected %d; want %d, %d, 5", *got.Accepted, events, len(got.Rejected), n, n)
	}
	if peak > idle+most {
		t.Errorf("heap: %d KiB at most, %d KiB before; want no more than %d KiB beyond", peak>>10, idle>>10, most>>10)
	}
	t.Logf("heap: %d KiB beyond the idle process, %d batches", (peak-min(peak, idle))>>10, batches)
}
