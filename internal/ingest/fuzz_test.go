package ingest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
	"rte/internal/ingest"
)

// A member is one of an object, in order.
type member struct {
	name  string
	value string     // of members that are no list of helpers: without white space
	items [][]member // of a list of helpers
}

// expected reads a payload the slow way, with encoding/json, and gives its
// members their wire names.
func expected(tb testing.TB, t *event.Type, data []byte) []member {
	tb.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		tb.Fatalf("encoding/json: %v", err)
	}
	var all []member
	for d.More() {
		token, err := d.Token()
		if err != nil {
			tb.Fatalf("encoding/json: %v", err)
		}
		name := token.(string)
		f, known := t.Field(name)
		if !known {
			name = event.CamelCase(name)
			f, known = t.Field(name)
		}
		if known {
			name = f.WireName
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			tb.Fatalf("encoding/json: %v", err)
		}
		m := member{name: name}
		if known && f.List && raw[0] == '[' {
			var items []json.RawMessage
			if err := json.Unmarshal(raw, &items); err != nil {
				tb.Fatalf("encoding/json: %v", err)
			}
			for _, item := range items {
				m.items = append(m.items, expected(tb, f.Helper, item))
			}
		} else {
			var b bytes.Buffer
			if err := json.Compact(&b, raw); err != nil {
				tb.Fatalf("encoding/json: %v", err)
			}
			m.value = b.String()
		}
		all = append(all, m)
	}
	return all
}

// What Check accepts, encoding/json accepts; the result holds the same
// members and values, and checking it again changes nothing. What it calls
// unreadable, encoding/json does not accept either.
func FuzzCheck(f *testing.F) {
	cat := event.NewCatalog()
	for i, t := range cat.Events {
		f.Add(uint8(i), []byte(sample(t, asPage, " ")))
	}
	for _, seed := range []string{
		`{}`, ` {"a" : [1, -0.5e+7, true, null, {"B" : ""}]} `, `{"\u0041\ud83d\ude00B\"":"\u00e4\/"}`, `{"a":"\ud800"}`, `{"a":1,"A":2}`,
		`{"callId":"{A1EEB030-FF4B-EA11-AC9C-00155D4FDCF3}","İd":1,"Kd":2}`, `{"x":` + strings.Repeat("[", 64), "{\"a\":\"\xff\"}", `{"nbrOfConnected":1.0,"wrapUpEnd":"9999-12-31T23:59:59.9999999-01:00"}`,
	} {
		for _, i := range []uint8{0, 8, 25, 35} {
			f.Add(i, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, data []byte) {
		typ := cat.Events[int(i)%len(cat.Events)]
		out, found, err := ingest.Check(nil, typ, data)
		if err != nil {
			var e *ingest.Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(data) || !strings.HasPrefix(e.Path, "$") {
				t.Fatalf("error %#v", err)
			}
			if e.Unreadable && json.Valid(data) && utf8.Valid(data) {
				t.Fatalf("called unreadable: %v", err)
			}
			return
		}
		if !json.Valid(data) || !json.Valid(out) || !utf8.Valid(out) {
			t.Fatalf("accepted and not JSON\n in %q\nout %q", data, out)
		}
		if diff := cmp.Diff(expected(t, typ, data), expected(t, typ, out), cmp.AllowUnexported(member{})); diff != "" {
			t.Fatalf("in %q\nout %q\n%s", data, out, diff)
		}
		var names map[string]json.RawMessage
		if err := json.Unmarshal(out, &names); err != nil || len(names) != len(expected(t, typ, out)) {
			t.Fatalf("a member twice in %q (%v)", out, err)
		}
		again, foundAgain, err := ingest.Check(nil, typ, out)
		if err != nil || !bytes.Equal(again, out) || found != foundAgain {
			t.Fatalf("checked again\n in %q\nout %q\nnow %q, %v", data, out, again, err)
		}
	})
}

// An accepted envelope's event can be written as an envelope and read again,
// and everything in it is fit to be sent on.
func FuzzEnvelope(f *testing.F) {
	cat := event.NewCatalog()
	for _, seed := range []string{
		arrivedAt(orgA, 1), envelope(orgB, user1, "UserQueueAlert", `{"QueueId" : "`+queue1+`"}`, `,"time":"2026-11-22T10:00:00.5+02:00","id":"a\u0062"`),
		`{"data":{"listId":null},"eventName":"callbackrequestnotification","entityId":"` + queue1 + `","organizationId":"` + orgA + `"}`,
		envelope(orgA, user1, "UserStatus", "{}", `,"traceparent":"`+trace+`","previousAssignedUserId":"`+user1+`","x":[{}]`),
		envelope(orgA, user1, "QueueStatus", `{"queueId":"`+queue1+`"}`, ``), `{}`, `[]`, `{"time":"9999-12-31T23:59:59-01:00"}`, `{"eventName":"UserStatuss"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ingest.ReadEnvelope(cat, text, 1000)
		if err != nil {
			var fault *ingest.Error
			if !errors.As(err, &fault) || fault.Unreadable && json.Valid(text) && utf8.Valid(text) {
				t.Fatalf("ReadEnvelope(%q): %v", text, err)
			}
			return
		}
		if !json.Valid(text) || len(e.Data) > 1000 || len(e.ID) > 200 || e.Time.Location() != time.UTC {
			t.Fatalf("ReadEnvelope(%q): %+v", text, e)
		}
		id, err := json.Marshal(e.ID)
		if err != nil {
			t.Fatal(err)
		}
		at, err := json.Marshal(e.Time)
		if err != nil {
			t.Fatalf("ReadEnvelope(%q): the time cannot be written: %v", text, err)
		}
		b := fmt.Sprintf(`{"organizationId":"%s","entityId":"%s","eventName":"%s","data":%s,"id":%s,"time":%s,"previousAssignedUserId":"%s","traceparent":"%s"}`,
			e.Org, e.Entity, cat.Type(e.Kind).Name, e.Data, id, at, e.PreviousAssignedUser, e.Traceparent)
		got, err := ingest.ReadEnvelope(cat, []byte(b), 1000)
		if err != nil {
			t.Fatalf("ReadEnvelope(%q), written as %q: %v", text, b, err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Fatalf("ReadEnvelope(%q) (-first +again):\n%s", text, diff)
		}
	})
}

// Any body gets an answer that adds up, and the same one however it is cut
// into reads.
func FuzzBody(f *testing.F) {
	cat := event.NewCatalog()
	one, two, foreign := arrivedAt(orgA, 1), arrivedAt(orgA, 2), arrivedAt(orgB, 3)
	for _, seed := range []string{
		one, "[" + one + "," + two + "]", one + "\n" + two + "\n", one + "\n\n{}\n" + foreign + "\nx", "", " \n", "[]", "[1,[],{}]", one + two,
		"[" + one + ",{\"a\":\"\xff\"}]", strings.Repeat("{}\n", 1001), "[" + strings.Repeat("1,", 1001) + "1]", "\ufeff{}", strings.Repeat(" ", 9000) + "\n" + one,
	} {
		f.Add(false, false, []byte(seed))
		f.Add(true, false, []byte(seed))
		f.Add(true, true, []byte(zipped(f, seed)))
	}
	f.Fuzz(func(t *testing.T, stream, zip bool, body []byte) {
		send := func(r io.Reader) (int, string, int) {
			store := &recorder{}
			h := ingest.NewHTTP(cat, authorize(t), store.store, ingest.Options{MaxBodyBytes: 50_000, MaxEventBytes: 400})
			req := httptest.NewRequest("POST", "/api/v1/events", r)
			req.ContentLength = -1
			req.Header.Set("Authorization", "Bearer service")
			if stream {
				req.Header.Set(ndjson[0], ndjson[1])
			}
			if zip {
				req.Header.Set("Content-Encoding", "gzip")
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			return rec.Code, rec.Body.String(), len(store.ids())
		}
		code, text, stored := send(bytes.NewReader(body))
		var got result
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("answer %q: %v", text, err)
		}
		told := *got.Accepted + len(got.Rejected)
		switch {
		case *got.Accepted != stored:
			t.Fatalf("stored %d: %s", stored, text)
		case code == 400 && !stream && stored > 0, code != 200 && code != 400 && code != 403 && code != 413:
			t.Fatalf("answer %d: %s", code, text)
		case got.Next != nil && *got.Next != told, len(got.Rejected) > 1000:
			t.Fatalf("does not add up: %s", text)
		case !stream && !zip && len(body) <= 50_000 && (code == 400) == isBody(body):
			t.Fatalf("answer %d: %q", code, body)
		}
		for i := range got.Rejected {
			if i > 0 && got.Rejected[i].Index <= got.Rejected[i-1].Index || got.Rejected[i].Index >= told {
				t.Fatalf("indices: %s", text)
			}
		}
		if code2, text2, _ := send(iotest.OneByteReader(bytes.NewReader(body))); code2 != code || text2 != text {
			t.Fatalf("cut into bytes: %d %s\nas a whole:     %d %s", code2, text2, code, text)
		}
	})
}

// isBody is what an object or array body must be, by encoding/json.
func isBody(b []byte) bool {
	first := bytes.TrimLeft(b, " \n\r\t")
	return json.Valid(b) && utf8.Valid(b) && (first[0] == '{' || first[0] == '[')
}
