package node_test

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// irregularMeaning are about what an event or a field means, and what values
// it takes.
func irregularMeaning() []irregularity {
	return []irregularity{
		{"I21", "QueueAttachedUsers is a state: the newest list is kept", func(s *stage) { s.keepsNewest("QueueAttachedUsers", "attachedUsers") }},
		{"I22", "UserStatus is a state: the newest is kept", func(s *stage) { s.keepsNewest("UserStatus", "serviceTerminals") }},
		{"I23", "NbrOfAgentsOnWrapUp is agents in wrap-up", func(s *stage) {
			f, other := s.field("QueueStatus", "NbrOfAgentsOnWrapUp"), s.field("QueueStatus", "NbrOfAgentsCheckedInQueue")
			if !strings.HasPrefix(f.Summary, "agents in wrap-up") || f.Summary == other.Summary {
				s.t.Errorf("%s is %q, %s is %q", f.Name, f.Summary, other.Name, other.Summary)
			}
			s.becomes("QueueStatus", `{"NbrOfAgentsOnWrapUp":1,"NbrOfAgentsCheckedInQueue":5}`, `{"nbrOfAgentsOnWrapUp":1,"nbrOfAgentsCheckedInQueue":5}`)
		}},
		{"I24", "CallbackExtra.Id is a number", func(s *stage) {
			s.becomes("CallbackChanged", `{"CallbackExtras":[{"Id":7,"Name":"Case","Value":"1234"}]}`, `{"callbackExtras":[{"id":7,"name":"Case","value":"1234"}]}`)
			s.refused("CallbackChanged", s.id(), `{"CallbackExtras":[{"Id":"Case"}]}`, "$.data.callbackExtras[0].id")
		}},
		{"I25", "CallListNotification.ListId is the list's id", func(s *stage) {
			list := s.id()
			s.through("CallListNotification", list, `{"ListId":"`+list+`"}`, "")
			s.refused("CallListNotification", s.id(), `{"ListId":"Sales"}`, "$.data.listId")
		}},
		{"I26", "CallListNotification.ContactName is the contact's name", func(s *stage) {
			if f := s.field("CallListNotification", "ContactName"); !strings.Contains(f.Summary, "name") || f.Summary == s.field("CallListNotification", "ContactNumber").Summary {
				s.t.Errorf("ContactName is %q", f.Summary)
			}
			s.becomes("CallListNotification", `{"ContactName":"Anna","ContactNumber":"+358457399901"}`, `{"contactName":"Anna","contactNumber":"+358457399901"}`)
		}},
		{"I27", "TechNumber is a number in the text of both events", func(s *stage) {
			for _, name := range []string{"UserCallInOverflow", "QueueCallInOverflow"} {
				if f := s.field(name, "TechNumber"); f.Type != "string" || !strings.Contains(f.Summary, "number") {
					s.t.Errorf("%s.TechNumber is a %s, %q", name, f.Type, f.Summary)
				}
				s.becomes(name, `{"TechNumber":"+358457399901"}`, `{"techNumber":"+358457399901"}`)
			}
		}},
		{"I28", "InterruptOverflow and BusyOnBusy are two values of an open list", func(s *stage) {
			f := s.field("UserCallInUserOverflow", "Reason")
			if f.Values == nil || f.Values.Closed || !f.Values.Has("InterruptOverflow") || !f.Values.Has("BusyOnBusy") {
				s.t.Errorf("Reason has the values %+v", f.Values)
			}
			for _, reason := range []string{"InterruptOverflow", "BusyOnBusy", "InterruptOverflow BusyOnBusy", "Something new"} {
				s.becomes("UserCallInUserOverflow", `{"Reason":"`+reason+`"}`, `{"reason":"`+reason+`"}`)
			}
		}},
		{"I29", "ExpiresIn24h is a rolling day", func(s *stage) {
			if f := s.field("CallbackListStatus", "ExpiresIn24h"); !strings.Contains(f.Summary+f.Note, "rolling 24 h") {
				s.t.Errorf("ExpiresIn24h is %q, %q", f.Summary, f.Note)
			}
			s.becomes("CallbackListStatus", `{"ExpiresIn24h":3}`, `{"expiresIn24h":3}`)
		}},
		{"I30", "MaxWaitTime and TimeToLive are whole numbers, taken for seconds", func(s *stage) {
			for name, field := range map[string]string{"QueueStatus": "MaxWaitTime", "UserConfigurationSetNextCLI": "TimeToLive"} {
				f := s.field(name, field)
				if f.Unit != "seconds" || !strings.Contains(f.Note, "assumed") {
					s.t.Errorf("%s.%s is in %q, %q; want seconds, assumed", name, field, f.Unit, f.Note)
				}
				s.becomes(name, `{"`+field+`":90}`, `{"`+f.WireName+`":90}`)
				s.refused(name, s.id(), `{"`+field+`":"00:01:30"}`, "$.data."+f.WireName)
			}
		}},
		{"I40", "subscribing to a state brings no present value", func(s *stage) {
			queue := s.id()
			if status, answer := s.offer("QueueStatus", queue, `{"MaxWaitTime":1}`); status != 200 {
				s.t.Fatal(status, answer)
			}
			if got := string(s.through("QueueStatus", queue, `{"MaxWaitTime":2}`).Data); got != `{"maxWaitTime":2}` {
				s.t.Errorf("the first push is %s", got)
			}
		}},
		{"I41", "eventType in data is kept", func(s *stage) {
			s.becomes("UserAvailability", `{"EventType":1,"Availability":"Busy"}`, `{"eventType":1,"availability":"Busy"}`)
		}},
		{"I42", "the maximum stays as it is, times pass with and without Z, RTE's own have it", func(s *stage) {
			for _, end := range []string{"9999-12-31T23:59:59.9999999", "9999-12-31T23:59:59.9999999Z", "2026-11-22T08:00:00", "2026-11-22T08:00:00Z", "2026-11-22T10:00:00.1234567+02:00"} {
				p := s.through("UserAvailability", s.id(), `{"EndTime":"`+end+`"}`)
				if got := string(p.Data); got != `{"endTime":"`+end+`"}` {
					s.t.Errorf("%s became %s", end, got)
				}
				if _, err := time.Parse("2006-01-02T15:04:05.000Z", p.Time); err != nil {
					s.t.Errorf("the push's own time: %v", err)
				}
			}
		}},
		{"I43", "targets are opaque text", func(s *stage) {
			for name, field := range map[string]string{"UserCallInUserOverflow": "Target", "UserCallInTransferStarted": "TransferTarget", "QueueCallInTransferConnected": "ConnectedTarget"} {
				wire := s.field(name, field).WireName
				for _, target := range []string{userText, "+358457399901", userText + "," + queueText, ""} {
					s.becomes(name, `{"`+field+`":"`+target+`"}`, `{"`+wire+`":"`+target+`"}`)
				}
			}
		}},
		{"I44", "LegId is opaque text", func(s *stage) {
			s.becomes("QueueCallInArrived", `{"LegId":"66299cde606b3db6d413cd208f7e5cab@203.0.113.7_br1"}`, `{"legId":"66299cde606b3db6d413cd208f7e5cab@203.0.113.7_br1"}`)
		}},
	}
}

// keepsNewest publishes two values of one pair and one of another event: the
// store keeps one of the two.
func (s *stage) keepsNewest(name, field string) {
	s.t.Helper()
	value := map[bool]string{true: "[]", false: "1"}[field == "attachedUsers"]
	entity := s.id()
	const kept = `rte_stream_messages{stream="rte_state_0"}`
	_, before := s.get(s.AdminURL() + "/metrics")
	for range 3 {
		s.through(name, entity, `{"`+field+`":`+value+`}`)
	}
	_, after := s.get(s.AdminURL() + "/metrics")
	if got := metric(s.t, after, kept) - metric(s.t, before, kept); got != 1 {
		s.t.Errorf("the store keeps %v of three, want 1", got)
	}
}

// metric is one figure of the metrics' text.
func metric(t testing.TB, text, name string) float64 {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\n"+name+" ")
	line, _, _ := strings.Cut(rest, "\n")
	v, err := strconv.ParseFloat(line, 64)
	if !ok || err != nil {
		t.Fatalf("the metrics have no figure %s: %v", name, err)
	}
	return v
}
