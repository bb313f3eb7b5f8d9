package producer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"rte/producer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A script answers requests one after another, and remembers what they had.
type script struct {
	t       *testing.T
	answers []string // "status[ header=value]|body", or "!error"
	began   time.Time
	heard   []string // "seconds token ids"
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	var ids []string
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(body)) {
		var e struct{ ID string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			s.t.Errorf("line %q: %v", line, err)
		}
		ids = append(ids, e.ID)
	}
	if r.Method != http.MethodPost || r.URL.String() != "http://node/rt/api/v1/events" || r.Header.Get("Content-Type") != "application/x-ndjson" {
		s.t.Errorf("request %s %s %v", r.Method, r.URL, r.Header)
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.heard = append(s.heard, fmt.Sprint(time.Since(s.began).Seconds(), " ", token, " ", strings.Join(ids, ",")))
	if len(s.answers) == 0 {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	next := s.answers[0]
	s.answers = s.answers[1:]
	if text, failed := strings.CutPrefix(next, "!"); failed {
		return nil, errors.New(text)
	}
	head, text, _ := strings.Cut(next, "|")
	resp := &http.Response{Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}
	words := strings.Fields(head)
	if _, err := fmt.Sscan(words[0], &resp.StatusCode); err != nil {
		s.t.Fatal(err)
	}
	for _, h := range words[1:] {
		name, value, _ := strings.Cut(h, "=")
		resp.Header.Set(name, value)
	}
	return resp, nil
}

// TestPublish goes through what a node, and what stands between, may answer.
func TestPublish(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		answers []string
		heard   []string
		want    producer.Result
		err     string // a part of it, "" for none
	}{
		{"all good", []string{`200|{"accepted":3,"rejected":[],"cursor":"c"}`}, []string{"0 t1 a,b,c"}, producer.Result{Accepted: 3, Done: 3, Cursor: "c"}, ""},
		{"some refused", []string{`200|{"accepted":2,"rejected":[{"index":1,"path":"$.data","error":"found null"}],"cursor":"c"}`}, []string{"0 t1 a,b,c"},
			producer.Result{Accepted: 2, Rejected: []producer.Rejection{{Index: 1, Path: "$.data", Reason: "found null"}}, Done: 3, Cursor: "c"}, ""},
		{"goes on at next", []string{`200|{"accepted":0,"rejected":[{"index":0,"error":"x"}],"cursor":"","next":1}`, `200|{"accepted":1,"rejected":[{"index":1,"error":"y"}],"cursor":"d"}`},
			[]string{"0 t1 a,b,c", "0 t2 b,c"}, producer.Result{Accepted: 1, Rejected: []producer.Rejection{{Index: 0, Reason: "x"}, {Index: 2, Reason: "y"}}, Done: 3, Cursor: "d"}, ""},
		{"later: as the node says", []string{`429 Retry-After=7|{"error":"full","accepted":0,"rejected":[],"cursor":"","next":0}`, `503 Retry-After=2|{"error":"gone","accepted":2,"rejected":[],"cursor":"c","next":2}`, `200|{"accepted":1,"rejected":[],"cursor":"d"}`},
			[]string{"0 t1 a,b,c", "7 t2 a,b,c", "9 t3 c"}, producer.Result{Accepted: 3, Done: 3, Cursor: "d"}, ""},
		{"stored behind next counts once", []string{`503 Retry-After=1|{"error":"gone","accepted":2,"rejected":[],"cursor":"c","next":1,"stored":[2]}`, `200|{"accepted":2,"rejected":[],"cursor":"c"}`},
			[]string{"0 t1 a,b,c", "1 t2 b,c"}, producer.Result{Accepted: 3, Done: 3, Cursor: "c"}, ""},
		{"network: longer and longer, to the limit", []string{"!refused", "!reset", "!reset", "!reset", "!reset", `200|{"accepted":3,"rejected":[],"cursor":"c"}`},
			[]string{"0 t1 a,b,c", "0.1 t2 a,b,c", "0.3 t3 a,b,c", "0.7 t4 a,b,c", "1.5 t5 a,b,c", "2.5 t6 a,b,c"}, producer.Result{Accepted: 3, Done: 3, Cursor: "c"}, ""},
		{"no answer: once more after the timeout", []string{}, []string{"0 t1 a,b,c", "60.1 t2 a,b,c"}, producer.Result{}, "deadline"},
		{"a proxy's 502", []string{`502|<html>Bad gateway</html>`, `200|{"accepted":3,"rejected":[],"cursor":"c"}`}, []string{"0 t1 a,b,c", "0.1 t2 a,b,c"}, producer.Result{Accepted: 3, Done: 3, Cursor: "c"}, ""},
		{"a login page", []string{`200|<html>Hello</html>`, `200|{"accepted":3,"rejected":[],"cursor":"c"}`}, []string{"0 t1 a,b,c", "0.1 t2 a,b,c"}, producer.Result{Accepted: 3, Done: 3, Cursor: "c"}, ""},
		{"answers that cannot be", []string{`200|{"accepted":4}`, `200|{"accepted":0,"next":0}`, `200|{"accepted":0,"next":4}`, `200|{"accepted":1,"rejected":[{"index":3}]}`, `200|{"accepted":3,"rejected":[],"cursor":"c"}`},
			[]string{"0 t1 a,b,c", "0.1 t2 a,b,c", "0.3 t3 a,b,c", "0.7 t4 a,b,c", "1.5 t5 a,b,c"}, producer.Result{Accepted: 3, Done: 3, Cursor: "c"}, ""},
		{"an old token", []string{`401|`, `200|{"accepted":3,"rejected":[],"cursor":"c"}`}, []string{"0 t1 a,b,c", "0 t2 a,b,c"}, producer.Result{Accepted: 3, Done: 3, Cursor: "c"}, ""},
		{"a bad token", []string{`401|`, `401|`}, []string{"0 t1 a,b,c", "0 t2 a,b,c"}, producer.Result{}, "status 401: Unauthorized"},
		{"no right", []string{`403|{"error":"this token's role may not publish"}`}, []string{"0 t1 a,b,c"}, producer.Result{}, "status 403: this token's role may not publish"},
		{"all of another organization", []string{`403|{"error":"foreign","accepted":0,"rejected":[{"index":0,"error":"x"},{"index":1,"error":"x"},{"index":2,"error":"x"}],"cursor":""}`}, []string{"0 t1 a,b,c"},
			producer.Result{Rejected: []producer.Rejection{{Index: 0, Reason: "x"}, {Index: 1, Reason: "x"}, {Index: 2, Reason: "x"}}, Done: 3}, ""},
		{"not readable", []string{`400|{"error":"line 2, column 1","accepted":1,"rejected":[],"cursor":"c","next":1}`}, []string{"0 t1 a,b,c"}, producer.Result{Accepted: 1, Done: 1, Cursor: "c"}, "status 400: line 2, column 1"},
		{"wrong path", []string{`404|404 page not found`}, []string{"0 t1 a,b,c"}, producer.Result{}, "status 404: Not Found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &script{t: t, answers: tt.answers, began: time.Now()}
				tokens := 0
				c, err := producer.New("http://node/rt/", producer.Options{
					HTTPClient: &http.Client{Transport: s}, LongPause: time.Second,
					Token: func(context.Context) (string, error) { tokens++; return fmt.Sprint("t", tokens), nil },
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Second)
				defer cancel()
				got, err := c.Publish(ctx, producer.Event{Name: "X", ID: "a"}, producer.Event{Name: "X", ID: "b"}, producer.Event{Name: "X", ID: "c"})
				if d := cmp.Diff(tt.want, got); d != "" {
					t.Errorf("result (-want +got):\n%s", d)
				}
				if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want %q", err, tt.err)
				}
				if d := cmp.Diff(tt.heard, s.heard); d != "" {
					t.Errorf("requests: second, token, events (-want +got):\n%s", d)
				}
			})
		})
	}
}

// TestPatience: without progress a call gives up in the end; progress gives it
// its time again.
func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const later = `503 Retry-After=20|{"error":"gone","accepted":0,"rejected":[],"cursor":"","next":0}`
		s := &script{t: t, began: time.Now(), answers: []string{later, later, `503 Retry-After=20|{"error":"gone","accepted":1,"rejected":[],"cursor":"c","next":1}`, later, later, later, later}}
		var waits []string
		c, err := producer.New("http://node/rt", producer.Options{
			HTTPClient: &http.Client{Transport: s}, Patience: 50 * time.Second,
			Waiting: func(why error, pause time.Duration) { waits = append(waits, fmt.Sprint(why, " ", pause)) },
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Publish(t.Context(), producer.Event{ID: "a"}, producer.Event{ID: "b"})
		if e, ok := errors.AsType[*producer.StatusError](err); !ok || e.Status != 503 || got.Done != 1 || got.Accepted != 1 {
			t.Errorf("got %+v, %v; want the first stored and the last answer as the reason", got, err)
		}
		if took := time.Since(s.began); took != 100*time.Second || len(waits) != 5 || waits[0] != "status 503: gone 20s" {
			t.Errorf("gave up after %v and the waits %q", took, waits)
		}
	})
}

func TestBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &script{t: t, began: time.Now(), answers: []string{`200|{"accepted":2}`, `200|{"accepted":1}`, `200|{"accepted":2}`, `200|{"accepted":1,"cursor":"z"}`}}
		c, err := producer.New("http://node/rt", producer.Options{HTTPClient: &http.Client{Transport: s}, BatchEvents: 2, BatchBytes: 300})
		if err != nil {
			t.Fatal(err)
		}
		large := strings.Repeat("x", 400)
		got, err := c.Publish(t.Context(), producer.Event{ID: "a"}, producer.Event{ID: "b"}, producer.Event{ID: "c", Data: map[string]string{"x": large}},
			producer.Event{ID: "d"}, producer.Event{ID: "e"}, producer.Event{ID: "f"})
		if err != nil || got.Accepted != 6 || got.Done != 6 || got.Cursor != "z" {
			t.Errorf("got %+v, %v", got, err)
		}
		if d := cmp.Diff([]string{"0  a,b", "0  c", "0  d,e", "0  f"}, s.heard); d != "" {
			t.Errorf("requests (-want +got):\n%s", d)
		}
	})
}

func TestLine(t *testing.T) {
	t.Parallel()
	full := producer.Event{
		Organization: "o", Entity: "e", Name: "UserStatus", Data: json.RawMessage(`{"UserId":"u"}`), ID: "i",
		Time: time.Date(2026, 11, 22, 8, 0, 0, 5e8, time.UTC), PreviousAssignedUser: "p", Traceparent: "00-1",
	}
	line, err := full.Line()
	if want := `{"organizationId":"o","entityId":"e","eventName":"UserStatus","id":"i","time":"2026-11-22T08:00:00.5Z","previousAssignedUserId":"p","traceparent":"00-1","data":{"UserId":"u"}}`; err != nil || string(line) != want {
		t.Errorf("got  %s, %v\nwant %s", line, err, want)
	}
	ids := map[string]bool{}
	for range 100 {
		e := producer.Event{Organization: "o", Name: "UserStatus", Data: struct{ Talking bool }{true}}
		line, err := e.Line()
		var got map[string]any
		if err != nil || json.Unmarshal(line, &got) != nil || len(got) != 4 {
			t.Fatalf("%s, %v", line, err)
		}
		ids[got["id"].(string)] = true
	}
	if len(ids) != 100 {
		t.Errorf("%d ids of 100 events without one, want 100", len(ids))
	}
	bad := producer.Event{Data: func() {}}
	if _, err := bad.Line(); err == nil {
		t.Error("a function was encoded")
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]bool{
		"http://127.0.0.1:8080": true, "https://rte.example.com/rt/": true, "HTTP://[::1]:80": true,
		"": false, "127.0.0.1:8080": false, "node": false, "ws://node": false, "http://": false, "http://a b": false, "http://node?x=1": false,
	} {
		if _, err := producer.New(url, producer.Options{}); (err == nil) != want {
			t.Errorf("New(%q): %v, want good %v", url, err, want)
		}
	}
	if _, err := producer.New("ftp://user:secret@node", producer.Options{}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v, want an error without the password", err)
	}
}
