package ingest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/event"
	"rte/internal/ingest"
)

const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

func TestReadEnvelope(t *testing.T) {
	t.Parallel()
	cat := event.NewCatalog()
	pair := func(name, entity string) event.Pair {
		return event.Pair{Kind: eventType(t, name).Kind, Entity: guid(t, entity)}
	}
	a, b := guid(t, orgA), guid(t, orgB)
	queue := `"organizationId":"` + orgA + `","eventName":"QueueStatus","data":{"queueId":"` + queue1 + `"}`
	queueEvent := event.Event{Topic: event.Topic{Org: a, Pair: pair("QueueStatus", queue1)}, Data: []byte(`{"queueId":"` + queue1 + `"}`)}
	with := func(change func(*event.Event)) event.Event {
		e := queueEvent
		change(&e)
		return e
	}
	for _, tt := range []struct {
		name, in string
		want     event.Event
	}{
		{"entity from the payload", `{` + queue + `}`, queueEvent},
		{"entity from both, other spelling", `{` + queue + `,"entityId":"{` + strings.ToUpper(queue1) + `}"}`, queueEvent},
		{"organization in both", `{"organizationId":"` + orgA + `","eventName":"QueueStatus","data":{"organizationId":"` + strings.ToUpper(orgA) + `","queueId":"` + queue1 + `"}}`,
			with(func(e *event.Event) {
				e.Data = []byte(`{"organizationId":"` + strings.ToUpper(orgA) + `","queueId":"` + queue1 + `"}`)
			})},
		{"names in any case and escaped", strings.NewReplacer("organizationId", "ORGANIZATIONID", "eventName", `\u0045ventname`, "data", "Data", "QueueStatus", `queue\u0073TATUS`).Replace(`{` + queue + `}`), queueEvent},
		{"data before the event's name", `{"data" : { "QueueId" : "` + queue1 + `" } , "eventName":"QueueStatus","organizationId":"` + orgA + `"}`, queueEvent},
		{"unknown members ignored", `{"x":[1,{"data":5}],` + queue + `,"userId":null}`, queueEvent},
		{"null for what may be missing", `{` + queue + `,"entityId":null,"id":null,"time":null,"previousAssignedUserId":null,"traceparent":null}`, queueEvent},
		{"white space", " \n{ " + strings.ReplaceAll(queue, `":`, "\" :\t") + "\r\n} ", queueEvent},
		{"entity only in the envelope", `{"organizationId":"` + orgB + `","entityId":"` + user1 + `","eventName":"UserQueueAlert","data":{"QueueId":"` + queue1 + `"}}`,
			event.Event{Topic: event.Topic{Org: b, Pair: pair("UserQueueAlert", user1)}, Data: []byte(`{"queueId":"` + queue1 + `"}`)}},
		{"payload without its entity field", `{"organizationId":"` + orgA + `","entityId":"` + queue1 + `","eventName":"QueueStatus","data":{}}`, with(func(e *event.Event) { e.Data = []byte("{}") })},
		{"entity null in the payload (I15)", `{"organizationId":"` + orgA + `","entityId":"` + queue1 + `","eventName":"CallbackRequestNotification","data":{"ListId":null}}`,
			event.Event{Topic: event.Topic{Org: a, Pair: pair("CallbackRequestNotification", queue1)}, Data: []byte(`{"listId":null}`)}},
		{"zero Guid as entity (I20)", `{"organizationId":"` + orgA + `","eventName":"QueueStatus","data":{"queueId":"00000000-0000-0000-0000-000000000000"}}`,
			event.Event{Topic: event.Topic{Org: a, Pair: event.Pair{Kind: queueEvent.Kind}}, Data: []byte(`{"queueId":"00000000-0000-0000-0000-000000000000"}`)}},
		{"id", `{` + queue + `,"id":"call \"17\" ä"}`, with(func(e *event.Event) { e.ID = `call "17" ä` })},
		{"longest id", `{` + queue + `,"id":"` + strings.Repeat("x", 200) + `"}`, with(func(e *event.Event) { e.ID = strings.Repeat("x", 200) })},
		{"empty id", `{` + queue + `,"id":""}`, queueEvent},
		{"time", `{` + queue + `,"time":"2026-11-22T10:00:00.5+02:00"}`, with(func(e *event.Event) { e.Time = time.Date(2026, 11, 22, 8, 0, 0, 5e8, time.UTC) })},
		{"time without a zone is UTC (I42)", `{` + queue + `,"time":"2026-11-22T10:00:00.5"}`, with(func(e *event.Event) { e.Time = time.Date(2026, 11, 22, 10, 0, 0, 5e8, time.UTC) })},
		{"previous user", `{` + queue + `,"previousAssignedUserId":"` + user1 + `"}`, with(func(e *event.Event) { e.PreviousAssignedUser = guid(t, user1) })},
		{"trace context", `{` + queue + `,"traceparent":"` + trace + `"}`, with(func(e *event.Event) { e.Traceparent = trace })},
		{"trace context of all zeros", `{` + queue + `,"traceparent":"00-00000000000000000000000000000000-00f067aa0ba902b7-01"}`, queueEvent},
		{"trace context without a parent", `{` + queue + `,"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"}`, queueEvent},
		{"trace context in capitals", `{` + queue + `,"traceparent":"` + strings.ToUpper(trace) + `"}`, queueEvent},
		{"trace context of version ff", `{` + queue + `,"traceparent":"ff` + trace[2:] + `"}`, queueEvent},
		{"trace context with a line break", `{` + queue + `,"traceparent":"` + trace[:53] + `\r\n"}`, queueEvent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := []byte(tt.in)
			got, err := ingest.ReadEnvelope(cat, in, 0)
			if err != nil {
				t.Fatalf("ReadEnvelope(%s): %v", tt.in, err)
			}
			clear(in) // the event must not live in the request's memory
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("ReadEnvelope(%s) (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func TestReadEnvelopeRefuses(t *testing.T) {
	t.Parallel()
	cat := event.NewCatalog()
	ok := `"organizationId":"` + orgA + `","eventName":"QueueStatus","data":{"queueId":"` + queue1 + `"}`
	for _, tt := range []struct{ name, in, path, words string }{
		{"no object", `[]`, "$", "found an array, wanted an object with organizationId"},
		{"empty object", `{}`, "$.organizationId", "found nothing, wanted the organization's Guid"},
		{"no event name", `{"organizationId":"` + orgA + `"}`, "$.eventName", "found nothing"},
		{"no data", `{"organizationId":"` + orgA + `","eventName":"QueueStatus"}`, "$.data", "found nothing"},
		{"organization null", `{"organizationId":null}`, "$.organizationId", "found null, wanted a Guid"},
		{"organization no Guid", `{"organizationId":"acme"}`, "$.organizationId", "not a Guid"},
		{"entity a number", `{` + ok + `,"entityId":7}`, "$.entityId", "found a number, wanted a Guid"},
		{"event name a number", `{"eventName":7}`, "$.eventName", "found a number, wanted one of the catalogue's 41 event names"},
		{"event name null", `{"eventName":null}`, "$.eventName", "found null"},
		{"unknown event, near", `{"eventName":"QueueCalInArived"}`, "$.eventName", "perhaps QueueCallInArrived"},
		{"unknown event, far", `{"eventName":"Weather"}`, "$.eventName", "found a name that is not in the catalogue, wanted one of the catalogue's 41 event names"},
		{"unknown event, very long", `{"eventName":"` + strings.Repeat("Queue", 9999) + `"}`, "$.eventName", "not in the catalogue"},
		{"data null", `{"organizationId":"` + orgA + `","eventName":"QueueStatus","data":null}`, "$.data", "found null, wanted an object"},
		{"data of another type", `{"organizationId":"` + orgA + `","eventName":"QueueStatus","data":{"NbrOfConnected":"x"}}`, "$.data.nbrOfConnected", "found a string, wanted a whole number"},
		{"data of another type, before the name", `{"data":{"NbrOfConnected":"x"},"organizationId":"` + orgA + `","eventName":"QueueStatus"}`, "$.data.nbrOfConnected", "found a string"},
		{"list in data", `{"organizationId":"` + orgA + `","eventName":"QueueAttachedUsers","data":{"attachedUsers":[{},{"priority":null}]}}`, "$.data.attachedUsers[1].priority", "found null"},
		{"organizations disagree", `{"organizationId":"` + orgA + `","eventName":"QueueStatus","data":{"QueueId":"` + queue1 + `","OrganizationId":"` + orgB + `"}}`, "$.data.organizationId", "another organization than organizationId of the envelope"},
		{"entities disagree", `{` + ok + `,"entityId":"` + user1 + `"}`, "$.data.queueId", "another entity than entityId of the envelope"},
		{"no entity, payload could name it", `{"organizationId":"` + orgA + `","eventName":"QueueStatus","data":{}}`, "$.entityId", "here or as queueId in data"},
		{"no entity, payload cannot name it", `{"organizationId":"` + orgA + `","eventName":"UserMissedCallNotification","data":{}}`, "$.entityId", "the payload of this event does not name it"},
		{"no entity, null in the payload", `{"organizationId":"` + orgA + `","eventName":"CallbackRequestNotification","data":{"ListId":null}}`, "$.entityId", "here or as listId in data"},
		{"member twice", `{` + ok + `,"ID":"a","id":"a"}`, "$.id", "a second time"},
		{"data twice", `{` + ok + `,"data":{}}`, "$.data", "a second time"},
		{"null and then a value", `{` + ok + `,"id":null,"id":"a"}`, "$.id", "a second time"},
		{"id of RTE's own", `{` + ok + `,"id":"rte/UserAlert/1"}`, "$.id", "begins with rte/"},
		{"id a number", `{` + ok + `,"id":5}`, "$.id", "found a number, wanted a string of at most 200 bytes"},
		{"id too long", `{` + ok + `,"id":"` + strings.Repeat("x", 201) + `"}`, "$.id", "found a string of 201 bytes"},
		{"id not printable", `{` + ok + `,"id":"a\nb"}`, "$.id", "cannot be printed"},
		{"time a number", `{` + ok + `,"time":5}`, "$.time", "found a number, wanted a time"},
		{"time of another form", `{` + ok + `,"time":"22.11.2026"}`, "$.time", "not such a time, wanted a time in quotes, like 2026-11-22T08:00:00Z"},
		{"time that leaves the calendar", `{` + ok + `,"time":"9999-12-31T23:59:59-01:00"}`, "$.time", "not such a time"},
		{"previous user no Guid", `{` + ok + `,"previousAssignedUserId":"x"}`, "$.previousAssignedUserId", "not a Guid"},
		{"trace context a number", `{` + ok + `,"traceparent":5}`, "$.traceparent", "found a number"},
		{"surrogate in an unknown member", `{` + ok + `,"x":"\ud800"}`, "$.x", "half of a surrogate pair"},
		{"too large", `{"organizationId":"` + orgA + `","eventName":"QueueStatus","data":{"queueId":"` + queue1 + `","x":"` + strings.Repeat("x", 300) + `"}}`, "$.data", "bytes, wanted at most 300"},

		{"not JSON", `{"organizationId":`, "$.organizationId", ""},
		{"no name", `{5:5}`, "$", ""},
		{"no colon", `{"id" "x"}`, "$", ""},
		{"bad unknown member", `{"x":[}`, "$.x", ""},
		{"text behind", `{` + ok + `} {`, "$", ""},
		{"not closed", `{` + ok, "$", ""},
		{"bad UTF-8 in data", `{"eventName":"QueueStatus","data":{"x":"` + "\xff" + `"}}`, "$.data.x", ""},
		{"bad UTF-8 in a name", "{\"\xff\":1}", "$", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ingest.ReadEnvelope(cat, []byte(tt.in), 300)
			var e *ingest.Error
			if !errors.As(err, &e) {
				t.Fatalf("ReadEnvelope(%s): got %+v, %v; want an *Error", tt.in, got, err)
			}
			if e.Path != tt.path || e.Unreadable != (tt.words == "") || !strings.Contains(e.Text(), tt.words) {
				t.Errorf("ReadEnvelope(%s): got %v (unreadable %v), want path %s and %q", tt.in, err, e.Unreadable, tt.path, tt.words)
			}
		})
	}
}

// The size counts in wire form: a payload with white space may be longer.
func TestReadEnvelopeSize(t *testing.T) {
	t.Parallel()
	text := func(n int) []byte {
		return []byte(envelope(orgA, queue1, "QueueStatus", `{  "X"  :  "`+strings.Repeat("x", n-len(`{"x":""}`))+`"}`, ""))
	}
	cat := event.NewCatalog()
	if e, err := ingest.ReadEnvelope(cat, text(ingest.DefaultMaxEventBytes), 0); err != nil || len(e.Data) != ingest.DefaultMaxEventBytes || cap(e.Data) > len(e.Data)+len(e.Data)/4 {
		t.Errorf("largest event: %v", err)
	}
	if _, err := ingest.ReadEnvelope(cat, text(ingest.DefaultMaxEventBytes+1), 0); err == nil {
		t.Error("one byte more was accepted")
	}
}
