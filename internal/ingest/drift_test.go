package ingest_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
	"rte/internal/ingest"
)

// modes are the catalogue with every event in one mode of the check.
func modes() map[event.Check]*event.Catalog {
	all := map[event.Check]*event.Catalog{}
	for _, mode := range []event.Check{event.Enforce, event.Warn, event.Off} {
		cat := event.NewCatalog()
		for _, t := range cat.Events {
			t.Check = mode
		}
		all[mode] = cat
	}
	return all
}

func counts(d *ingest.Drift) string {
	var b strings.Builder
	for _, c := range d.Counts() {
		fmt.Fprintf(&b, "%s %s %d,", c.Event, c.Kind, c.Count)
	}
	return b.String()
}

// TestModes: what enforce refuses passes with warn, counted, and with off,
// unseen; names are converted all the same.
func TestModes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, event, in, out, enforced, warned string }{
		{"type", "QueueStatus", `{"NbrOfConnected":"5","QueueName":"a"}`, `{"nbrOfConnected":"5","queueName":"a"}`, "type 1,", "type 1,"},
		{"object for a string", "QueueStatus", `{"QueueName":{"A" : [1]}}`, `{"queueName":{"A":[1]}}`, "type 1,", "type 1,"},
		{"null", "QueueStatus", `{"NbrOfConnected":null}`, `{"nbrOfConnected":null}`, "null 1,", "null 1,"},
		{"Guid", "QueueStatus", `{"QueueId":"5"}`, `{"queueId":"5"}`, "format 1,", "format 1,"},
		{"date", "UserStatus", `{"WrapUpEnd":"soon"}`, `{"wrapUpEnd":"soon"}`, "format 1,", "format 1,"},
		{"range", "QueueStatus", `{"NbrOfConnected":2147483648,"MaxWaitTime":1.5}`, `{"nbrOfConnected":2147483648,"maxWaitTime":1.5}`, "range 1,", "range 2,"},
		{"closed enum", "UserAvailability", `{"Availability":"Away"}`, `{"availability":"Away"}`, "enum 1,", "enum 1,"},
		{"closed enum of numbers", "QueueStatus", `{"OpenStatus":9}`, `{"openStatus":9}`, "enum 1,", "enum 1,"},
		{"no list", "QueueAttachedUsers", `{"AttachedUsers":{"Active":1}}`, `{"attachedUsers":{"Active":1}}`, "type 1,", "type 1,"},
		{"items of a list", "QueueAttachedUsers", `{"AttachedUsers":[{"Priority":"high","UserId":"x","Extra":1}, 5 ,null,{"Active":true}]}`,
			`{"attachedUsers":[{"priority":"high","userId":"x","extra":1},5,null,{"active":true}]}`, "type 1,", "type 3,format 1,unknown 1,"},
		{"unknown members pass always", "UserStatus", `{"EventType":141,"Other":{"X":1}}`, `{"eventType":141,"other":{"X":1}}`, "unknown 2,", "unknown 2,"},
		{"good", "UserStatus", `{"Talking":true}`, `{"talking":true}`, "", ""},
	} {
		for mode, cat := range modes() {
			drift := ingest.NewDrift(cat, nil)
			typ, _ := cat.Lookup(tt.event)
			out, _, err := drift.Check(nil, guid(t, orgA), typ, []byte(tt.in))
			want := map[event.Check]string{event.Enforce: tt.enforced, event.Warn: tt.warned}[mode]
			want = strings.ReplaceAll(want, ",", ","+tt.event+" ")
			if want = strings.TrimSuffix(want, tt.event+" "); want != "" {
				want = tt.event + " " + want
			}
			if got := counts(drift); got != want {
				t.Errorf("%s, %v: counted %q, want %q", tt.name, mode, got, want)
			}
			if refused := mode == event.Enforce && tt.enforced != "" && tt.enforced[0] != 'u'; refused != (err != nil) {
				t.Errorf("%s, %v: error %v, want refused %v", tt.name, mode, err, refused)
			} else if !refused && string(out) != tt.out {
				t.Errorf("%s, %v:\n got %s\nwant %s", tt.name, mode, out, tt.out)
			}
		}
	}
}

// TestModesRefuse: what no client could read, or would be about somebody
// else, is refused in every mode.
func TestModesRefuse(t *testing.T) {
	t.Parallel()
	pair := `"organizationId":"` + orgA + `","entityId":"` + queue1 + `","eventName":"QueueStatus","data":`
	for _, tt := range []struct{ name, in, path string }{
		{"not JSON", `{` + pair + `{"queueName":nul}}`, "$.data.queueName"},
		{"no object", `{` + pair + `[]}`, "$.data"},
		{"null", `{` + pair + `null}`, "$.data"},
		{"a member twice", `{` + pair + `{"MaxWaitTime":"x","maxWaitTime":1}}`, "$.data.maxWaitTime"},
		{"half of a surrogate pair", `{` + pair + `{"maxWaitTime":"\ud800"}}`, "$.data.maxWaitTime"},
		{"half of a surrogate pair in a value of another type", `{` + pair + `{"maxWaitTime":["\ud800"]}}`, "$.data.maxWaitTime"},
		{"too deep", `{` + pair + `{"maxWaitTime":` + strings.Repeat("[", 61) + strings.Repeat("]", 61) + `}}`, "$.data.maxWaitTime"},
		{"another organization", `{` + pair + `{"OrganizationId":"` + orgB + `"}}`, "$.data.organizationId"},
		{"another entity", `{` + pair + `{"queueId":"` + user1 + `"}}`, "$.data.queueId"},
		{"no entity", `{"organizationId":"` + orgA + `","eventName":"QueueStatus","data":{"queueId":"none"}}`, "$.entityId"},
		{"envelope", `{"organizationId":5}`, "$.organizationId"},
	} {
		for mode, cat := range modes() {
			_, err := ingest.ReadEnvelope(cat, []byte(tt.in), 0)
			var e *ingest.Error
			if !errors.As(err, &e) {
				t.Errorf("%s, %v: got %v, want an error", tt.name, mode, err)
			} else if e.Path != tt.path && (mode != event.Enforce || e.Kind != ingest.KindFormat) {
				t.Errorf("%s, %v: path %s, want %s (%v)", tt.name, mode, e.Path, tt.path, e)
			}
		}
	}
}

// TestDriftOfTheDoor: the report counts what is accepted, and what is refused
// for its payload; a text that is no JSON and a foreign organization say
// nothing about the catalogue.
func TestDriftOfTheDoor(t *testing.T) {
	t.Parallel()
	cat := event.NewCatalog()
	status, _ := cat.Lookup("UserStatus")
	status.Check = event.Warn
	store := &recorder{}
	h := ingest.NewHTTP(cat, authorize(t), store.store, ingest.Options{})
	lines := []string{
		envelope(orgA, user1, "UserStatus", `{"Talking":1,"More":2}`, `,"id":"a"`),
		envelope(orgA, queue1, "QueueStatus", `{"NbrOfConnected":"1","More":2}`, ``),
		envelope(orgA, queue1, "QueueStatus", `{"More":2}`, `,"id":"b"`),
		envelope(orgB, queue1, "QueueStatus", `{"More":2}`, ``),
		envelope(orgA, "x", "QueueStatus", `{}`, ``),
		envelope(orgA, queue1, "QueueStatus", `{"More":2,"more":2}`, ``),
		`{"data":{"Talking":0},"eventName":"UserStatus","organizationId":"` + orgA + `","entityId":"` + user1 + `","id":"c"}`,
		envelope(orgA, queue1, "QueueStatus", `{"More":2,"NbrOfConnected":tru}`, ``),
	}
	resp, got := post(t, h, strings.NewReader(strings.Join(lines, "\n")), ndjson...)
	if want := "accepted 3 cursor at-c rejected 1 $.data.nbrOfConnected rejected 3 $.organizationId rejected 4 $.entityId rejected 5 $.data.more next 7 at 8:168 (1258)"; resp.StatusCode != 400 || got.String() != want {
		t.Errorf("answer %d %s\nwant %s", resp.StatusCode, got, want)
	}
	want := []ingest.DriftCount{
		{Event: "UserStatus", Kind: ingest.KindType, Count: 2}, {Event: "UserStatus", Kind: ingest.KindUnknown, Count: 1},
		{Event: "QueueStatus", Kind: ingest.KindType, Count: 1}, {Event: "QueueStatus", Kind: ingest.KindUnknown, Count: 1},
	}
	if d := cmp.Diff(want, h.Stats().Drift); d != "" {
		t.Errorf("drift (-want +got):\n%s", d)
	}
	if want := `{"talking":1,"more":2}{"more":2}{"talking":0}`; strings.Join(store.data, "") != want {
		t.Errorf("stored %s, want %s", strings.Join(store.data, ""), want)
	}
}

// TestDriftLog: one line for each kind and event, the next ten minutes later,
// and no value in any.
func TestDriftLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const secret = "358401234567"
		var log bytes.Buffer
		cat := modes()[event.Warn]
		drift := ingest.NewDrift(cat, slog.New(slog.NewTextHandler(&log, nil)))
		typ, _ := cat.Lookup("QueueAttachedUsers")
		send := func() {
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					data := `{"attachedUsers":[{"priority":"` + secret + `","` + secret + `":1}],"queueId":` + secret + `,"organizationId":"` + secret + `"}`
					if _, _, err := drift.Check(nil, guid(t, orgA), typ, []byte(data)); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		for round := range 3 {
			log.Reset()
			send()
			send()
			text := log.String()
			for _, want := range []string{
				`level=WARN msg="payload and catalogue disagree" event=QueueAttachedUsers org=` + orgA + ` reason="type at $.attachedUsers[].priority: found a string, wanted a whole number`,
				`level=WARN msg="payload and catalogue disagree" event=QueueAttachedUsers org=` + orgA + ` reason="format at $.organizationId: found a string that is not a Guid`,
				`level=INFO msg="payload and catalogue disagree" event=QueueAttachedUsers org=` + orgA + ` reason="unknown at $.attachedUsers[].?: found a member that is not in the catalogue`,
				"check=warn",
			} {
				if !strings.Contains(text, want) {
					t.Errorf("round %d: the log has no %s:\n%s", round, want, text)
				}
			}
			if n := strings.Count(text, "\n"); n != 3 || strings.Contains(text, secret) {
				t.Errorf("round %d: %d lines, want 3 without a value:\n%s", round, n, text)
			}
			time.Sleep(10 * time.Minute)
		}
		if got, want := counts(drift), "QueueAttachedUsers type 240,QueueAttachedUsers format 120,QueueAttachedUsers unknown 120,"; got != want {
			t.Errorf("counted %s, want %s", got, want)
		}
	})
}
