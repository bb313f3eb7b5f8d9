package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"rte/internal/event"
	"rte/internal/ingest"
)

// A recorder is a store that keeps what it is given and answers what verdict
// says; a nil verdict stores everything.
type recorder struct {
	verdict func(ctx context.Context, ids []string) []error

	mu      sync.Mutex
	batches [][]string // ids of the stored events
	data    []string   // of the stored events
}

func (s *recorder) store(ctx context.Context, batch []*event.Event) []error {
	ids := make([]string, len(batch))
	for i, e := range batch {
		ids[i] = e.ID
	}
	var errs []error
	if s.verdict != nil {
		errs = s.verdict(ctx, ids)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var stored []string
	for i, e := range batch {
		if errs == nil || errs[i] == nil {
			e.Cursor = "at-" + e.ID
			stored = append(stored, e.ID)
			s.data = append(s.data, string(e.Data))
		}
	}
	s.batches = append(s.batches, stored)
	return errs
}

func (s *recorder) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []string{}
	for _, b := range s.batches {
		all = append(all, b...)
	}
	return all
}

// authorize knows some tokens by their names.
func authorize(tb testing.TB) func(*http.Request) (ingest.Publisher, error) {
	a := guid(tb, orgA)
	return func(r *http.Request) (ingest.Publisher, error) {
		switch r.Header.Get("Authorization") {
		case "Bearer service":
			return ingest.Publisher{Org: a}, nil
		case "Bearer service B", "Bearer service C", "Bearer service D":
			return ingest.Publisher{Org: event.GUID{r.Header.Get("Authorization")[15]}}, nil
		case "Bearer platform":
			return ingest.Publisher{Any: true}, nil
		case "Bearer user":
			return ingest.Publisher{}, ingest.ErrForbidden
		}
		return ingest.Publisher{}, errors.New("the signature does not match")
	}
}

type result struct {
	Error    string
	Accepted *int
	Rejected []struct {
		Index int
		Path  string
		Error string
	}
	Cursor               *string
	Next                 *int
	Stored               []int
	Offset, Line, Column int64
}

// post sends a request as the service of organization A unless a header says
// otherwise, and decodes the answer.
func post(tb testing.TB, h http.Handler, body io.Reader, header ...string) (*http.Response, result) {
	tb.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, srv.URL+"/api/v1/events", body)
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer service")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := srv.Client()
	resp, err := client.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	var got result
	if resp.StatusCode == http.StatusUnauthorized {
		if len(text) > 0 {
			tb.Errorf("401 with a body: %s", text)
		}
		return resp, got
	}
	if err := json.Unmarshal(text, &got); err != nil {
		tb.Fatalf("answer %d is not JSON: %v: %s", resp.StatusCode, err, text)
	}
	if (resp.StatusCode != http.StatusOK) != (got.Error != "") {
		tb.Errorf("answer %d with error text %q", resp.StatusCode, got.Error)
	}
	return resp, got
}

func (r result) String() string {
	s := "-"
	if r.Accepted != nil {
		s = fmt.Sprintf("accepted %d cursor %s", *r.Accepted, *r.Cursor)
	}
	for _, x := range r.Rejected {
		s += fmt.Sprintf(" rejected %d %s", x.Index, x.Path)
	}
	if r.Next != nil {
		s += fmt.Sprintf(" next %d", *r.Next)
	}
	if r.Stored != nil {
		s += fmt.Sprint(" stored ", r.Stored)
	}
	if r.Line > 0 {
		s += fmt.Sprintf(" at %d:%d (%d)", r.Line, r.Column, r.Offset)
	}
	return s
}

func zipped(tb testing.TB, text string) string {
	tb.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

var ndjson = []string{"Content-Type", "application/x-ndjson"}
