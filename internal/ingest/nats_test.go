package ingest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
	"rte/internal/ingest"
)

// A reply is what a producer got for a message.
type reply struct {
	header map[string][]string
	body   string
}

func (r reply) code() string {
	if v := r.header["Nats-Service-Error-Code"]; len(v) > 0 {
		return v[0]
	}
	return "200"
}

// ask takes a message and waits for the answer.
func ask(n *ingest.NATS, subject string, header map[string][]string, data string) reply {
	got := make(chan reply, 1)
	n.Take(ingest.Message{Subject: subject, Header: header, Data: []byte(data), Reply: func(h map[string][]string, b []byte) { got <- reply{h, string(b)} }})
	return <-got
}

func closeNATS(t *testing.T, n *ingest.NATS) {
	t.Helper()
	if err := n.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// TestNATSAnswersAsHTTP: a message is answered as the same event is over HTTP:
// accepted, every kind of rejection, not readable, the store away.
func TestNATSAnswersAsHTTP(t *testing.T) {
	t.Parallel()
	var stored []*event.Event
	cat := event.NewCatalog()
	store := func(_ context.Context, events []*event.Event) []error {
		for i, e := range events {
			switch e.ID {
			case "away":
				return slices.Repeat([]error{event.ErrUnavailable}, len(events))
			case "never":
				return slices.Repeat([]error{errors.New("too large")}, len(events))
			}
			e.Cursor = fmt.Sprint("cursor-", i)
			stored = append(stored, e)
		}
		return nil
	}
	door := ingest.NewNATS(cat, store, ingest.Options{MaxEventBytes: 400})
	defer closeNATS(t, door)
	web := ingest.NewHTTP(cat, func(*http.Request) (ingest.Publisher, error) { return ingest.Publisher{Any: true}, nil }, store, ingest.Options{MaxEventBytes: 400})
	const good = `{"queueId":"` + queue1 + `","queueName":null}`
	const accepted = `{"accepted":1,"rejected":[],"cursor":"cursor-0"}`
	trace := "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for _, row := range []struct {
		name                     string
		org, event, entity, data string
		id, time, previous, more string
		want, code               string
	}{
		{name: "good", data: good, want: accepted},
		{name: "PascalCase, white space", data: "\n{ \"QueueId\" : \"" + queue1 + "\" }\t", want: accepted},
		{name: "all headers", data: good, id: "a b Ä \"7\"", time: "2026-11-22T10:00:00.5+02:00", previous: user1, want: accepted},
		{name: "event in another case", event: "QUEUECALLINARRIVED", data: good, want: accepted},
		{name: "entity in another form", entity: "{" + strings.ToUpper(queue1) + "}", data: good, want: accepted},
		{name: "empty object", data: "{}", want: accepted},
		{name: "no Guid as organization", org: "mine", data: good, want: `"$.organizationId"`},
		{name: "no event", event: "QueueCallInArived", data: good, want: "perhaps QueueCallInArrived"},
		{name: "no Guid as entity", entity: "_", data: good, want: `"$.entityId"`},
		{name: "another entity in the payload", entity: user1, data: good, want: `"$.data.queueId"`},
		{name: "another organization in the payload", event: "CallbackChanged", entity: queue1, data: `{"organizationId":"` + orgB + `"}`, want: `"$.data.organizationId"`},
		{name: "wrong type", data: `{"queueId":"` + queue1 + `","queueName":7}`, want: `"$.data.queueName"`},
		{name: "twice", data: `{"queueId":"` + queue1 + `","QueueId":"` + queue1 + `"}`, want: "a second time"},
		{name: "array", data: `[]`, want: `"$.data"`},
		{name: "text", data: `"x"`, want: `"$.data"`},
		{name: "too large", data: `{"x":"` + strings.Repeat("y", 500) + `"}`, want: "at most 400"},
		{name: "long id", data: good, id: strings.Repeat("x", 201), want: `"$.id"`},
		{name: "id that cannot be printed", data: good, id: "a\tb", want: `"$.id"`},
		{name: "no time", data: good, time: "noon", want: `"$.time"`},
		{name: "no previous assignee", data: good, previous: "nobody", want: `"$.previousAssignedUserId"`},
		{name: "refused by the store", data: good, id: "never", want: "the store refused"},
		{name: "store away", data: good, id: "away", code: "503", want: `"next":0`},
	} {
		t.Run(row.name, func(t *testing.T) {
			org, name, entity := or(row.org, orgA), or(row.event, "QueueCallInArrived"), or(row.entity, queue1)
			header := map[string][]string{
				"Nats-Expected-Stream": {"x"}, "Nats-Rollup": {"all"}, "Nats-TTL": {"1s"}, "organizationId": {orgB}, "entityId": {user1}, "data": {"{}"}, "other": {"x"},
			}
			envelope := map[string]any{"organizationId": org, "entityId": entity, "eventName": name, "data": json.RawMessage(row.data)}
			for _, h := range []struct{ header, member, value string }{
				{"Nats-Msg-Id", "id", row.id}, {"Time", "time", row.time}, {"PreviousAssignedUserId", "previousAssignedUserId", row.previous}, {"traceparent", "traceparent", trace},
			} {
				if h.value != "" {
					header[h.header], envelope[h.member] = []string{h.value}, h.value
				}
			}
			text, err := json.Marshal(envelope)
			if err != nil {
				t.Fatal(err)
			}
			stored = nil
			w := httptest.NewRecorder()
			web.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(string(text))))
			want := stored
			stored = nil
			got := ask(door, "rte.in."+org+"."+name+"."+entity, header, row.data)
			if d := cmp.Diff(want, stored); d != "" {
				t.Errorf("stored (-HTTP +NATS):\n%s", d)
			}
			if wantBody := strings.ReplaceAll(w.Body.String(), " in quotes", ""); strings.TrimSpace(strings.ReplaceAll(got.body, " in quotes", "")) != forOne(wantBody) {
				t.Errorf("answer\n NATS %s\n HTTP %s", got.body, wantBody)
			}
			if !strings.Contains(got.body, row.want) || (len(stored) == 1) != (row.want == accepted) {
				t.Errorf("answer %s, %d stored; want %s", got.body, len(stored), row.want)
			}
			if got.code() != fmt.Sprint(w.Code) || got.code() != or(row.code, "200") {
				t.Errorf("code %s over NATS, %d over HTTP, want %s: %s", got.code(), w.Code, or(row.code, "200"), w.Body)
			}
			if got.code() != "200" && (got.header["Retry-After"][0] != w.Header().Get("Retry-After") || got.header["Nats-Service-Error"][0] == "") {
				t.Errorf("headers %v over NATS, %v over HTTP", got.header, w.Header())
			}
		})
	}
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// forOne is an answer over HTTP in the words for one event.
func forOne(body string) string {
	return strings.TrimSpace(strings.Replace(body, "send the events from next on again", "send the event again", 1))
}

// TestNATSUnreadable: data that is no JSON is told where.
func TestNATSUnreadable(t *testing.T) {
	t.Parallel()
	door := ingest.NewNATS(event.NewCatalog(), func(context.Context, []*event.Event) []error { panic("stored") }, ingest.Options{})
	for data, want := range map[string]string{
		"":                             `"offset":0,"line":1,"column":1}`,
		"{":                            `"offset":1,"line":1,"column":2}`,
		"{}\n x":                       `"offset":4,"line":2,"column":2}`,
		"{}{}":                         `"offset":2,"line":1,"column":3}`,
		"{},\"organizationId\":\"x\"}": `"offset":2,"line":1,"column":3}`,
		"{\"a\":\"\xff\"}":             `"offset":6,"line":1,"column":7}`,
	} {
		got := ask(door, "rte.in."+orgA+".QueueStatus."+queue1, nil, data)
		if got.code() != "400" || !strings.HasSuffix(strings.TrimSpace(got.body), want) || !strings.Contains(got.body, `"accepted":0,"rejected":[],"cursor":"","next":0,`) {
			t.Errorf("%q: %s %s, want 400 and %s", data, got.code(), got.body, want)
		}
	}
	closeNATS(t, door)
	if s := door.Stats(); s.Unreadable != 6 || s.Messages != 6 {
		t.Errorf("%+v, want 6 unreadable of 6", s)
	}
}

// TestNATSSubjects: a subject of another form is refused, with the right one.
func TestNATSSubjects(t *testing.T) {
	t.Parallel()
	door := ingest.NewNATS(event.NewCatalog(), func(context.Context, []*event.Event) []error { panic("stored") }, ingest.Options{})
	defer closeNATS(t, door)
	for _, subject := range []string{
		"rte.in", "rte.in.", "rte.in." + orgA, "rte.in." + orgA + ".QueueStatus", "rte.in." + orgA + ".QueueStatus." + queue1 + ".more",
		"rte.out." + orgA + ".QueueStatus." + queue1, "",
	} {
		got := ask(door, subject, nil, "{}")
		if got.code() != "200" || !strings.Contains(got.body, `{"index":0,"path":"$","error":"found another subject, wanted rte.in.<organizationId>.<eventName>.<entityId>"}`) {
			t.Errorf("%q: %s %s", subject, got.code(), got.body)
		}
	}
	for subject, path := range map[string]string{
		"rte.in..QueueStatus." + queue1: "$.organizationId", "rte.in." + orgA + ".." + queue1: "$.eventName", "rte.in." + orgA + ".QueueStatus.": "$.entityId",
	} {
		if got := ask(door, subject, nil, "{}"); !strings.Contains(got.body, `"path":"`+path+`"`) {
			t.Errorf("%q: %s, want the path %s", subject, got.body, path)
		}
	}
	// A header that says two things says nothing.
	got := ask(door, "rte.in."+orgA+".QueueStatus."+queue1, map[string][]string{"Nats-Msg-Id": {"1", "2"}}, "{}")
	if !strings.Contains(got.body, `"path":"$.id","error":"found the member a second time`) {
		t.Errorf("two ids: %s", got.body)
	}
	got = ask(door, "rte.in."+orgA+".QueueStatus."+queue1, map[string][]string{"Nats-Msg-Id": {"a\xff"}}, "{}")
	if !strings.Contains(got.body, `"path":"$.id"`) || got.code() != "200" {
		t.Errorf("an id that is no UTF-8: %s", got.body)
	}
}

// TestNATSOrder: while the store is busy messages gather; then those of each
// pair go on in order, in batches, other pairs beside them.
func TestNATSOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const pairs, perPair = 40, 100
		var mu sync.Mutex
		got := map[event.GUID][]string{}
		batches, busy := 0, make(chan struct{})
		door := ingest.NewNATS(event.NewCatalog(), func(_ context.Context, events []*event.Event) []error {
			<-busy
			mu.Lock()
			defer mu.Unlock()
			batches++
			if len(events) > 256 {
				t.Errorf("a batch of %d", len(events))
			}
			for _, e := range events {
				got[e.Entity] = append(got[e.Entity], e.ID)
			}
			return nil
		}, ingest.Options{})
		for n := range perPair {
			for p := range pairs {
				entity := fmt.Sprintf("%08x-0000-0000-0000-000000000000", p)
				if n%2 == 1 {
					entity = strings.ToUpper(entity)
				}
				door.Take(ingest.Message{Subject: "rte.in." + orgA + ".QueueStatus." + entity, Data: []byte("{}"), Header: map[string][]string{"Nats-Msg-Id": {fmt.Sprint(n)}}})
			}
		}
		close(busy)
		closeNATS(t, door)
		if len(got) != pairs || batches > pairs*perPair/10 {
			t.Errorf("%d pairs in %d batches, want %d in few", len(got), batches, pairs)
		}
		for entity, ids := range got {
			for n, id := range ids {
				if id != fmt.Sprint(n) {
					t.Fatalf("pair %s: %v", entity, ids)
				}
			}
			if len(ids) != perPair {
				t.Errorf("pair %s has %d events, want %d", entity, len(ids), perPair)
			}
		}
		if s := door.Stats(); s.Accepted != pairs*perPair {
			t.Errorf("%+v", s)
		}
	})
}

// TestNATSBounds: what waits is bounded, for an organization and for all; what
// is beyond is refused at once and told so.
func TestNATSBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		busy := make(chan struct{})
		door := ingest.NewNATS(event.NewCatalog(), func(context.Context, []*event.Event) []error {
			<-busy
			return nil
		}, ingest.Options{MaxHeldBytes: 400 << 10})
		var mu sync.Mutex
		codes := map[string]int{}
		send := func(org string, messages int) {
			for n := range messages {
				data, header := `{"x":"`+strings.Repeat("y", 1016)+`"}`, map[string][]string(nil)
				if n%2 == 1 { // headers weigh as much
					data, header = `{}`, map[string][]string{"x": {strings.Repeat("y", 1021)}}
				}
				door.Take(ingest.Message{
					Subject: fmt.Sprintf("rte.in.%s.QueueStatus.%08x-0000-0000-0000-000000000000", org, n), Data: []byte(data), Header: header,
					Reply: func(h map[string][]string, b []byte) {
						mu.Lock()
						defer mu.Unlock()
						codes[org+" "+reply{h, ""}.code()]++
					},
				})
			}
		}
		orgs := []string{orgA, orgB, user1, queue1, strings.Replace(orgA, "0", "1", 1)}
		for _, org := range orgs {
			send(org, 60) // 2 KiB each; one organization may have 100 KiB
		}
		synctest.Wait()
		mu.Lock()
		want := map[string]int{orgA + " 429": 10, orgB + " 429": 10, user1 + " 429": 10, queue1 + " 429": 10, orgs[4] + " 503": 60}
		if d := cmp.Diff(want, codes); d != "" {
			t.Errorf("refused while the store is busy (-want +got):\n%s", d)
		}
		clear(codes)
		mu.Unlock()
		close(busy)
		synctest.Wait()
		send(orgs[4], 1)
		synctest.Wait()
		mu.Lock()
		want = map[string]int{orgs[4] + " 200": 1}
		for _, org := range orgs[:4] {
			want[org+" 200"] = 50
		}
		if d := cmp.Diff(want, codes); d != "" {
			t.Errorf("afterwards (-want +got):\n%s", d)
		}
		mu.Unlock()
		closeNATS(t, door)
		if s := door.Stats(); s.TooMany != 40 || s.Unavailable != 60 || s.Accepted != 201 || s.Messages != 301 {
			t.Errorf("%+v", s)
		}
	})
}

// TestNATSClose: what was taken is answered, what comes later is refused, and
// a store that does not come to an end is cut off.
func TestNATSClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		door := ingest.NewNATS(event.NewCatalog(), func(ctx context.Context, events []*event.Event) []error {
			<-ctx.Done()
			return slices.Repeat([]error{ctx.Err()}, len(events))
		}, ingest.Options{})
		got := make(chan reply, 2)
		message := ingest.Message{Subject: "rte.in." + orgA + ".QueueStatus." + queue1, Data: []byte("{}"), Reply: func(h map[string][]string, b []byte) { got <- reply{h, string(b)} }}
		door.Take(message)
		ctx, cancel := context.WithTimeout(t.Context(), 1)
		defer cancel()
		if err := door.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close = %v, want that the time ran out", err)
		}
		door.Take(message)
		for range 2 {
			if r := <-got; r.code() != "503" || r.header["Retry-After"] == nil {
				t.Errorf("answer %v, want 503", r)
			}
		}
	})
}

// TestNATSLog: refusals without a reply show in the log, not each of them, and
// nothing of what was sent.
func TestNATSLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var book strings.Builder
		door := ingest.NewNATS(event.NewCatalog(), func(context.Context, []*event.Event) []error { return nil }, ingest.Options{
			Logger: slog.New(slog.NewTextHandler(&book, nil)),
		})
		for range 100 {
			door.Take(ingest.Message{Subject: "rte.in." + orgA + ".geheim." + queue1, Data: []byte(`{"geheim":"+358401234567"}`)})
		}
		door.Take(ingest.Message{Subject: "rte.in.geheim.geheim.geheim", Data: []byte(`{`)})
		closeNATS(t, door)
		lines := slices.DeleteFunc(strings.Split(book.String(), "\n"), func(l string) bool { return !strings.Contains(l, "events from the NATS door refused") })
		if len(lines) != 1 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], "count=") {
			t.Errorf("%d lines for 101 refusals, want one with a count:\n%s", len(lines), book.String())
		}
		if strings.Contains(book.String(), "geheim") || strings.Contains(book.String(), "+358") {
			t.Errorf("the log tells what was sent:\n%s", book.String())
		}
		if s := door.Stats(); s.Rejected != 100 || s.Unreadable != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// FuzzNATSMessage: no subject, header or body gets past the door but what an
// envelope of these parts does over HTTP, and each message is answered once.
func FuzzNATSMessage(f *testing.F) {
	good := "rte.in." + orgA + ".QueueStatus." + queue1
	for _, seed := range [][4]string{
		{good, "7", "2026-11-22T08:00:00Z", "{}"}, {good, "", "", `{"queueId":"` + queue1 + `"}`}, {good, "\xff", "\"", "{},\"x\":1}"},
		{"rte.in.a.b.c", "", "", ""}, {"rte.in....", "", "", "{"}, {"rte.in." + orgA + ".queuestatus.{" + queue1 + "}", "a\x00", "\\u0000", " {} "},
		{"rte.in." + orgA + "\".QueueStatus." + queue1, "\",\"id\":\"x", "}", "{}"},
	} {
		f.Add(seed[0], seed[1], seed[2], []byte(seed[3]))
	}
	cat := event.NewCatalog()
	f.Fuzz(func(t *testing.T, subject, id, at string, data []byte) {
		var stored []*event.Event
		door := ingest.NewNATS(cat, func(_ context.Context, events []*event.Event) []error {
			stored = append(stored, events...)
			return nil
		}, ingest.Options{})
		answers := 0
		door.Take(ingest.Message{Subject: subject, Header: map[string][]string{"Nats-Msg-Id": {id}, "time": {at}}, Data: data, Reply: func(map[string][]string, []byte) { answers++ }})
		if err := door.Close(t.Context()); err != nil || answers != 1 {
			t.Fatalf("%d answers, Close: %v", answers, err)
		}
		var want *event.Event
		if parts := strings.Split(subject, "."); len(parts) == 5 && parts[0] == "rte" && parts[1] == "in" && json.Valid(data) {
			text, err := json.Marshal(map[string]any{"organizationId": parts[2], "eventName": parts[3], "entityId": parts[4], "id": id, "time": at, "data": json.RawMessage(data)})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(slices.Sorted(maps.Values(map[int]string{0: subject, 1: id, 2: at})), func(s string) bool { return strings.ToValidUTF8(s, "") != s }) {
				want, _ = ingest.ReadEnvelope(cat, text, 0)
			}
		}
		switch {
		case (want == nil) != (len(stored) == 0) || len(stored) > 1:
			t.Fatalf("stored %d events over NATS; over HTTP it would be %v", len(stored), want)
		case want != nil:
			if d := cmp.Diff(want, stored[0]); d != "" {
				t.Errorf("-HTTP +NATS:\n%s", d)
			}
		}
	})
}
