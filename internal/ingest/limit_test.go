package ingest_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"rte/internal/event"
	"rte/internal/ingest"
)

type counting struct {
	io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	const limit = 128 << 10
	long := "[" + strings.Repeat(" ", 2<<20) + "]"
	for _, tt := range []struct {
		name, body string
		known      bool // the length is
		zip        bool
		most       int64 // bytes read
	}{
		{"length known", long, true, false, 0},
		{"length unknown", long, false, false, limit + 2},
		{"zipped", zipped(t, long), true, true, limit},
	} {
		store := &recorder{}
		h := ingest.NewHTTP(event.NewCatalog(), authorize(t), store.store, ingest.Options{MaxBodyBytes: limit})
		body := &counting{Reader: strings.NewReader(tt.body)}
		req := httptest.NewRequest("POST", "/api/v1/events", body)
		req.Header.Set("Authorization", "Bearer service")
		req.ContentLength = -1
		if tt.known {
			req.ContentLength = int64(len(tt.body))
		}
		if tt.zip {
			req.Header.Set("Content-Encoding", "gzip")
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code != 413 || !strings.Contains(rec.Body.String(), "131072 bytes") || !strings.Contains(rec.Body.String(), "application/x-ndjson") {
			t.Errorf("%s: got %d %s", tt.name, rec.Code, rec.Body)
		}
		if body.n > tt.most {
			t.Errorf("%s: read %d bytes, want at most %d", tt.name, body.n, tt.most)
		}
	}
	exact := "[" + strings.Repeat(" ", limit-2) + "]"
	h := ingest.NewHTTP(event.NewCatalog(), authorize(t), (&recorder{}).store, ingest.Options{MaxBodyBytes: limit})
	if resp, _ := post(t, h, strings.NewReader(exact)); resp.StatusCode != 200 {
		t.Errorf("a body of just the limit: got %d, want 200", resp.StatusCode)
	}
	if resp, _ := post(t, h, io.MultiReader(strings.NewReader(long))); resp.StatusCode != 413 {
		t.Errorf("over the network: got %d, want 413", resp.StatusCode)
	}
}

func TestBrokenBody(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err    error
		status int
	}{{io.ErrUnexpectedEOF, 400}, {os.ErrDeadlineExceeded, 408}, {net.ErrClosed, 400}} {
		for _, stream := range []bool{true, false} {
			store := &recorder{}
			text, want := calls(0, 3, "\n"), `"accepted":2,"rejected":[],"cursor":"at-call-1","next":2`
			if !stream {
				text, want = "["+calls(0, 3, ","), `"accepted":0,"rejected":[],"cursor":"","next":0`
			}
			req := httptest.NewRequest("POST", "/api/v1/events", io.MultiReader(strings.NewReader(text[:len(text)-1]), iotest.ErrReader(tt.err)))
			req.Header.Set("Authorization", "Bearer service")
			if stream {
				req.Header.Set(ndjson[0], ndjson[1])
			}
			rec := httptest.NewRecorder()
			door(t, store).ServeHTTP(rec, req)
			if rec.Code != tt.status || !strings.Contains(rec.Body.String(), want) {
				t.Errorf("%v, stream %v: got %d %s, want %d with %s", tt.err, stream, rec.Code, rec.Body, tt.status, want)
			}
		}
	}
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	for _, contentType := range []string{"application/x-ndjson", "application/json"} {
		ctx, cancel := context.WithCancel(t.Context())
		called := make(chan struct{}, 1)
		store := &recorder{verdict: func(context.Context, []string) []error { called <- struct{}{}; return nil }}
		h := door(t, store)
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if contentType == "application/json" {
				called <- struct{}{}
			}
			h.ServeHTTP(w, r)
		}))
		srv.Config.BaseContext = func(net.Listener) context.Context { return ctx }
		srv.Start()
		r, w := io.Pipe()
		go func() {
			_, _ = io.WriteString(w, arrivedAt(orgA, 1)+"\n")
			<-called
			cancel()
		}()
		req, err := http.NewRequest("POST", srv.URL, r)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer service")
		req.Header.Set("Content-Type", contentType)
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		want := `"accepted":1,"rejected":[],"cursor":"at-call-1","next":1`
		if contentType == "application/json" {
			want = `"accepted":0,"rejected":[],"cursor":"","next":0`
		}
		if resp.StatusCode != 503 || !strings.Contains(string(body), want) {
			t.Errorf("%s: got %d %s %v, want 503 with %s", contentType, resp.StatusCode, body, err, want)
		}
		resp.Body.Close()
		w.Close()
		srv.Close()
		cancel()
	}
}

func TestContextEndsAtTheStore(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		ctx, cancel := context.WithCancel(t.Context())
		store := &recorder{verdict: func(ctx context.Context, ids []string) []error {
			cancel()
			return []error{nil, ctx.Err()}
		}}
		want := `"accepted":1,"rejected":[],"cursor":"at-call-0","next":1`
		if before {
			cancel()
			want = `"accepted":0,"rejected":[],"cursor":"","next":0`
		}
		req := httptest.NewRequestWithContext(ctx, "POST", "/api/v1/events", strings.NewReader("["+calls(0, 2, ",")+"]"))
		req.Header.Set("Authorization", "Bearer service")
		rec := httptest.NewRecorder()
		door(t, store).ServeHTTP(rec, req)
		if rec.Code != 503 || !strings.Contains(rec.Body.String(), want) {
			t.Errorf("before %v: got %d %s, want 503 with %s", before, rec.Code, rec.Body, want)
		}
		cancel()
	}
}
