package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
	"rte/internal/ingest"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	one, two, three, foreign := arrivedAt(orgA, 1), arrivedAt(orgA, 2), arrivedAt(orgA, 3), arrivedAt(orgB, 9)
	bad := `{"organizationId":"` + orgA + `","eventName":"QueueStatus","data":{"openStatus":7}}`
	big := `{"organizationId":"` + orgA + `","entityId":"` + queue1 + `","eventName":"QueueStatus","data":{"x":"` + strings.Repeat("x", 70_000) + `"}}`
	for _, tt := range []struct {
		name, body string
		header     []string
		status     int
		want       string // result.String
		stored     string // ids
	}{
		{"one object", one, nil, 200, "accepted 1 cursor at-call-1", "[call-1]"},
		{"object with space around", " \n" + one + "\n ", nil, 200, "accepted 1 cursor at-call-1", "[call-1]"},
		{"array", "[" + one + "," + two + "]", nil, 200, "accepted 2 cursor at-call-2", "[call-1 call-2]"},
		{"array with space", " [ " + one + " ,\n" + two + " ] ", nil, 200, "accepted 2 cursor at-call-2", "[call-1 call-2]"},
		{"empty array", " [ ] ", nil, 200, "accepted 0 cursor ", "[]"},
		{"one bad of three", "[" + one + "," + bad + "," + three + "]", nil, 200, "accepted 2 cursor at-call-3 rejected 1 $.data.openStatus", "[call-1 call-3]"},
		{"items of all kinds", `[1,"x",null,[` + one + `],` + two + `,{}]`, nil, 200, "accepted 1 cursor at-call-2 rejected 0 $ rejected 1 $ rejected 2 $ rejected 3 $ rejected 5 $.organizationId", "[call-2]"},
		{"bad object", bad, nil, 200, "accepted 0 cursor  rejected 0 $.data.openStatus", "[]"},
		{"event too large", "[" + big + "," + one + "]", nil, 200, "accepted 1 cursor at-call-1 rejected 0 $.data", "[call-1]"},
		{"surrogate is one item's fault", `[{"a":"\ud800"},` + one + "]", nil, 200, "accepted 1 cursor at-call-1 rejected 0 $.a", "[call-1]"},
		{"depth is one item's fault", `[{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `},` + one + "]", nil, 200, "accepted 1 cursor at-call-1 rejected 0 $.a", "[call-1]"},
		{"gzip", zipped(t, one), []string{"Content-Encoding", "gzip"}, 200, "accepted 1 cursor at-call-1", "[call-1]"},
		{"identity", one, []string{"Content-Encoding", "Identity"}, 200, "accepted 1 cursor at-call-1", "[call-1]"},
		{"JSON with charset", one, []string{"Content-Type", "application/json; charset=UTF-8"}, 200, "accepted 1 cursor at-call-1", "[call-1]"},
		{"JSON by suffix", one, []string{"Content-Type", "application/cloudevents+json"}, 200, "accepted 1 cursor at-call-1", "[call-1]"},
		{"fetch's content type", one, []string{"Content-Type", "text/plain;charset=UTF-8"}, 200, "accepted 1 cursor at-call-1", "[call-1]"},
		{"curl's content type", one, []string{"Content-Type", "application/x-www-form-urlencoded"}, 200, "accepted 1 cursor at-call-1", "[call-1]"},

		{"ndjson", one + "\n" + two + "\n", ndjson, 200, "accepted 2 cursor at-call-2", "[call-1 call-2]"},
		{"ndjson without the last line end", one + "\r\n" + two, ndjson, 200, "accepted 2 cursor at-call-2", "[call-1 call-2]"},
		{"ndjson blank lines have no index", "\n\n" + bad + "\n \t\r\n" + two, ndjson, 200, "accepted 1 cursor at-call-2 rejected 0 $.data.openStatus", "[call-2]"},
		{"ndjson line too long", strings.Repeat(" ", 200_000) + "\n" + one + "\n" + big + big + big, ndjson, 200, "accepted 1 cursor at-call-1 rejected 0 $ rejected 2 $", "[call-1]"},
		{"ndjson gzip", zipped(t, one+"\n"+two), []string{"Content-Type", "application/x-ndjson", "Content-Encoding", "GZIP"}, 200, "accepted 2 cursor at-call-2", "[call-1 call-2]"},
		{"ndjson array in a line", "[" + one + "]\n" + two, ndjson, 200, "accepted 1 cursor at-call-2 rejected 0 $", "[call-2]"},

		{"empty body", "", nil, 400, "accepted 0 cursor  next 0 at 1:1 (0)", "[]"},
		{"only space", " \n ", nil, 400, "accepted 0 cursor  next 0 at 2:2 (3)", "[]"},
		{"ndjson empty", "", ndjson, 400, "accepted 0 cursor  next 0", "[]"},
		{"ndjson only space", "\n \n", ndjson, 400, "accepted 0 cursor  next 0", "[]"},
		{"gzip of nothing at all", "", []string{"Content-Encoding", "gzip"}, 400, "accepted 0 cursor  next 0", "[]"},
		{"gzip that is none", one, []string{"Content-Encoding", "gzip"}, 400, "accepted 0 cursor  next 0", "[]"},
		{"gzip cut short", zipped(t, one)[:60], []string{"Content-Encoding", "gzip"}, 400, "accepted 0 cursor  next 0", "[]"},
		{"number", "5", nil, 400, "accepted 0 cursor  next 0 at 1:1 (0)", "[]"},
		{"byte order mark", "\ufeff" + one, nil, 400, "accepted 0 cursor  next 0 at 1:1 (0)", "[]"},
		{"object not closed", one[:len(one)-1], nil, 400, fmt.Sprintf("accepted 0 cursor  next 0 at 1:%d (%d)", len(one), len(one)-1), "[]"},
		{"array stores nothing before a fault", "[" + one + ",\n" + two + ",\n  x]", nil, 400, fmt.Sprintf("accepted 0 cursor  next 0 at 3:3 (%d)", len(one)+len(two)+7), "[]"},
		{"text behind the array", "[" + one + "] x", nil, 400, fmt.Sprintf("accepted 0 cursor  next 0 at 1:%d (%d)", len(one)+4, len(one)+3), "[]"},
		{"lines without the content type", one + "\n" + two, nil, 400, fmt.Sprintf("accepted 0 cursor  next 0 at 2:1 (%d)", len(one)+1), "[]"},
		{"bad UTF-8", "[" + one + `,{"x":"` + "\xff" + `"}]`, nil, 400, fmt.Sprintf("accepted 0 cursor  next 0 at 1:%d (%d)", len(one)+9, len(one)+8), "[]"},
		{"far too deep", strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), nil, 400, "accepted 0 cursor  next 0 at 1:10001 (10000)", "[]"},
		{"ndjson stops at a fault", one + "\n\n" + bad + "\n" + `{"id" "x"}` + "\n" + two, ndjson, 400,
			fmt.Sprintf("accepted 1 cursor at-call-1 rejected 1 $.data.openStatus next 2 at 4:7 (%d)", len(one)+2+len(bad)+1+6), "[call-1]"},
		{"ndjson two in a line", one + two, ndjson, 400, fmt.Sprintf("accepted 0 cursor  next 0 at 1:%d (%d)", len(one)+1, len(one)), "[]"},
		{"ndjson gzip cut short", zipped(t, one+"\n"+strings.Repeat(two+"\n", 3))[:100], []string{"Content-Type", "application/x-ndjson", "Content-Encoding", "gzip"}, 400, "", ""},

		{"no token", one, []string{"Authorization", ""}, 401, "", "[]"},
		{"bad token", one, []string{"Authorization", "Bearer x"}, 401, "", "[]"},
		{"role that may not", one, []string{"Authorization", "Bearer user"}, 403, "-", "[]"},
		{"nobody can say now", one, []string{"Authorization", "Bearer nobody knows"}, 503, "accepted 0 cursor  next 0", "[]"},
		{"foreign organization", foreign, nil, 403, "accepted 0 cursor  rejected 0 $.organizationId", "[]"},
		{"foreign organization only", "[" + foreign + "," + foreign + "]", nil, 403, "accepted 0 cursor  rejected 0 $.organizationId rejected 1 $.organizationId", "[]"},
		{"foreign organization among others", "[" + one + "," + foreign + "," + two + "]", nil, 200, "accepted 2 cursor at-call-2 rejected 1 $.organizationId", "[call-1 call-2]"},
		{"foreign organization in lines", foreign + "\n" + one, ndjson, 200, "accepted 1 cursor at-call-1 rejected 0 $.organizationId", "[call-1]"},
		{"platform publishes for any", "[" + foreign + "," + one + "]", []string{"Authorization", "Bearer platform"}, 200, "accepted 2 cursor at-call-1", "[call-9 call-1]"},

		{"content encoding not known", one, []string{"Content-Encoding", "br"}, 415, "-", "[]"},
		{"content encoded twice", one, []string{"Content-Encoding", "gzip, gzip"}, 415, "-", "[]"},
		{"charset not known", one, []string{"Content-Type", "application/json; charset=iso-8859-1"}, 415, "-", "[]"},
		{"not JSON", one, []string{"Content-Type", "text/xml"}, 415, "-", "[]"},
		{"content type not readable", one, []string{"Content-Type", "application/json; charset"}, 415, "-", "[]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			store := &recorder{}
			var log bytes.Buffer
			h := ingest.NewHTTP(event.NewCatalog(), authorize(t), store.store, ingest.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			resp, got := post(t, h, strings.NewReader(tt.body), tt.header...)
			if resp.StatusCode != tt.status {
				t.Errorf("status: got %d, want %d (%s)", resp.StatusCode, tt.status, got.Error)
			}
			if tt.want != "" && got.String() != tt.want {
				t.Errorf("answer:\n got %s\nwant %s\n(%s)", got, tt.want, got.Error)
			}
			if ids := fmt.Sprint(store.ids()); tt.stored != "" && ids != tt.stored {
				t.Errorf("stored: got %s, want %s", ids, tt.stored)
			}
			if tt.status == 200 && got.Rejected == nil {
				t.Error("rejected is not an array")
			}
			// Not a word of a payload, not a token.
			for _, secret := range []string{queue1, "Bearer", "xxxx"} {
				if strings.Contains(log.String(), secret) || strings.Contains(got.Error, secret) {
					t.Errorf("log or answer tells %q:\n%s", secret, log.String())
				}
			}
			if refused := tt.status != 200 || len(got.Rejected) > 0; refused != (log.Len() > 0) {
				t.Errorf("log: %q", log.String())
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	h := ingest.NewHTTP(event.NewCatalog(), authorize(t), (&recorder{}).store, ingest.Options{})
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(method, "/api/v1/events", nil))
		if rec.Code != 405 || rec.Header().Get("Allow") != "POST" || !strings.Contains(rec.Body.String(), `"error":`) {
			t.Errorf("%s: got %d, Allow %q, %s", method, rec.Code, rec.Header().Get("Allow"), rec.Body)
		}
	}
	resp, _ := post(t, h, strings.NewReader("{}"), "Authorization", "")
	if got := resp.Header.Get("WWW-Authenticate"); got != "Bearer" {
		t.Errorf("WWW-Authenticate of a 401: got %q, want Bearer", got)
	}
	resp, _ = post(t, h, strings.NewReader("{}"), "Content-Encoding", "br")
	if got := resp.Header.Get("Accept-Encoding"); got != "gzip" {
		t.Errorf("Accept-Encoding of a 415: got %q, want gzip", got)
	}
	resp, _ = post(t, h, strings.NewReader("{}"))
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type: got %q, want application/json", got)
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	store := &recorder{verdict: func(_ context.Context, ids []string) []error {
		if ids[0] == "call-7" {
			return []error{event.ErrUnavailable}
		}
		return nil
	}}
	h := ingest.NewHTTP(event.NewCatalog(), authorize(t), store.store, ingest.Options{MaxBodyBytes: 5000})
	one := arrivedAt(orgA, 1)
	for _, r := range []struct{ body, token string }{
		{"[" + one + ",{}," + one + "]", "service"}, {"x", "service"}, {one, "none"}, {one, "user"},
		{arrivedAt(orgB, 1), "service"}, {strings.Repeat(" ", 5001), "service"}, {arrivedAt(orgA, 7), "service"},
	} {
		post(t, h, strings.NewReader(r.body), "Authorization", "Bearer "+r.token)
	}
	want := ingest.Stats{Requests: 7, Accepted: 2, Rejected: 2, Unreadable: 1, Unauthorized: 1, Forbidden: 2, TooLarge: 1, Unavailable: 1}
	if diff := cmp.Diff(want, h.Stats()); diff != "" {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
}
