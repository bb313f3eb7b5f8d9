package node_test

import (
	"fmt"
	"slices"
	"strings"

	"rte/internal/event"
)

// irregularNames are about names, spellings and fields that are there or not.
func irregularNames() []irregularity {
	return []irregularity{
		{"I01", "event names match ignoring ASCII case", func(s *stage) {
			user := s.id()
			v := s.visit(service(s.t, orgA))
			v.subscribe(user + ":UserCallIncoming")
			if status, answer := s.offer("userCALLincoming", user, `{}`); status != 200 || !strings.HasPrefix(answer, `{"accepted":1,`) {
				s.t.Errorf("%d %s", status, answer)
			}
			v.next()
			v.says(`[{"subscribed":false,"message":"Invalid event name","entityId":"`+user+`","eventName":"userſtatus"}]`, "Subscribe", raw(`[{"EntityId":"`+user+`","EventName":"Userſtatus"}]`))
		}},
		{"I02", "results carry event names in lower case, AvailableSubscriptions the catalogue's spelling", func(s *stage) {
			v := s.user(nil)
			v.says(`[{"subscribed":true,"message":null,"entityId":"`+userText+`","eventName":"usercallincoming"}]`, "Subscribe", raw(`[{"EntityId":"`+userText+`","EventName":"UserCallIncoming"}]`))
			v.says(`[{"subscribed":false,"message":null,"entityId":"`+userText+`","eventName":"usercallincoming"}]`, "Unsubscribe", raw(`[{"EntityId":"`+userText+`","EventName":"USERCALLINCOMING"}]`))
			if got := v.call("AvailableSubscriptions"); !strings.Contains(got, `"UserCallInComing"`) || strings.Contains(got, "usercallincoming") {
				s.t.Errorf("AvailableSubscriptions: %s", got)
			}
		}},
		{"I03", "a push names the pair as Subscribe answered it", func(s *stage) {
			user := s.id()
			v := s.visit(service(s.t, orgA))
			answer := v.call("Subscribe", raw(`[{"EntityId":"{`+strings.ToUpper(user)+`}","EventName":"UserCallInComing"}]`))
			s.offer("UserCallInComing", user, `{}`)
			p := v.next()
			want := fmt.Sprintf(`"entityId":%q,"eventName":%q`, p.Subscription.EntityID, p.Subscription.EventName)
			if !strings.Contains(answer, want) {
				s.t.Errorf("answered %s, pushed %s", answer, want)
			}
		}},
		{"I04", "members of requests match ignoring case, answers are camelCase", func(s *stage) {
			for _, item := range []string{`"EntityId":%q,"EventName":%q`, `"entityId":%q,"eventName":%q`, `"ENTITYID":%q,"eventname":%q`} {
				s.user(nil).says(`[{"subscribed":true,"message":null,"entityId":"`+userText+`","eventName":"userstatus"}]`, "Subscribe", raw(`[{`+fmt.Sprintf(item, userText, "UserStatus")+`}]`))
			}
		}},
		{"I05", "a push is one argument with subscription and data", func(s *stage) {
			v := s.visit(service(s.t, orgA))
			args := v.arguments("MessageReceived")
			user := s.id()
			v.subscribe(user + ":UserStatus")
			s.offer("UserStatus", user, `{"Talking":true}`)
			v.next()
			got := <-args
			if want := `{"subscription":{"entityId":"` + user + `","eventName":"userstatus"},"data":{"talking":true},"cursor":"`; len(got) != 1 || !strings.HasPrefix(got[0], want) {
				s.t.Errorf("arguments %s, want one that begins %s", got, want)
			}
		}},
		{"I06", "userName and username, as each event has it", func(s *stage) {
			small := []string{"UserCallInComing", "UserCallInDisconnected", "UserCallInOverflow", "UserCallInTransferCancelled", "UserCallInTransferConnected", "UserCallInTransferStarted", "UserCallInUserOverflow"}
			large := []string{
				"UserAvailability", "UserCallInArrived", "UserCallInUserAllocated", "UserCallInUserCancelled", "UserCallInUserConnected", "UserCallOutConnected",
				"UserCallOutDisconnected", "UserCallOutGoing", "QueueCallInUserAllocated", "QueueCallInUserCancelled", "QueueCallInUserConnected",
			}
			for _, typ := range s.cat.Events {
				switch {
				case slices.Contains(small, typ.Name):
					s.becomes(typ.Name, `{"UserName":"a"}`, `{"username":"a"}`)
				case slices.Contains(large, typ.Name):
					s.becomes(typ.Name, `{"Username":"a"}`, `{"userName":"a"}`)
				default:
					if f, ok := typ.Field("username"); ok {
						s.t.Errorf("%s has %s, the page has it in %d others", typ.Name, f.Name, len(small)+len(large))
					}
				}
			}
		}},
		{"I07", "callBackId beside callbackAttempts", func(s *stage) {
			s.becomes("CallbackChanged", `{"CallbackId":"`+userText+`","CallBackAttempts":[{}],"callbackextras":[],"CallbackRelatedItems":null}`,
				`{"callBackId":"`+userText+`","callbackAttempts":[{}],"callbackExtras":[],"callbackRelatedItems":null}`)
		}},
		{"I08", "each event has its own entity field", func(s *stage) {
			for name, field := range map[string]string{
				"CallbackChanged": "callListId", "CallListNotification": "listId", "UserAssistedCallbackRequest": "targetUser",
				"UserCallbackChanged": "targetUser", "UserStatus": "userId", "QueueCallInTransferStarted": "queueId",
			} {
				// The envelope does not say it, and other ids stand beside it.
				entity := s.id()
				data := fmt.Sprintf(`{"callId":%q,"x":%q,%q:%q}`, s.id(), s.id(), field, entity)
				s.through(name, entity, data, "")
			}
			s.becomes("QueueCallInTransferStarted", `{"TechType":"a","TechSource":"b"}`, `{"techType":"a","techSource":"b"}`)
		}},
		{"I09", "String is string", func(s *stage) {
			s.becomes("UserAvailability", `{"EventSource":"a","Note":null}`, `{"eventSource":"a","note":null}`)
			s.refused("UserAvailability", s.id(), `{"EventSource":5}`, "$.data.eventSource")
			s.refused("UserAvailability", s.id(), `{"Note":5}`, "$.data.note")
		}},
		{"I10", "unknown fields pass untouched", func(s *stage) {
			s.becomes("UserVoiceMailNotification", `{"EmailTranscript":true,"Extra":{"Deep":[1.50,"\u00e4"]},"ZZTop":1}`, `{"emailTranscript":true,"extra":{"Deep":[1.50,"\u00e4"]},"zzTop":1}`)
		}},
		{"I11", "the organization comes from the envelope", func(s *stage) {
			without := 0
			for _, typ := range s.cat.Events {
				if typ.Organization == "" {
					without++
					s.becomes(typ.Name, `{}`, `{}`)
				}
			}
			if without != 6 {
				s.t.Errorf("%d events without organization, want 6", without)
			}
			status, answer := s.post(service(s.t, orgA), "application/json", fmt.Sprintf(`{"entityId":%q,"eventName":"UserStatus","data":{"organizationId":%q}}`, s.id(), orgA))
			if status != 200 || !strings.Contains(answer, `"path":"$.organizationId"`) {
				s.t.Errorf("without organization: %d %s", status, answer)
			}
		}},
		{"I12", "events that name nobody need the envelope's entity", func(s *stage) {
			for _, name := range []string{"UserMissedCallNotification", "UserVoiceMailNotification"} {
				s.becomes(name, `{"CallId":"`+userText+`"}`, `{"callId":"`+userText+`"}`)
				s.refused(name, "", `{"CallId":"`+userText+`","UserId":"`+userText+`"}`, "$.entityId")
			}
		}},
		{"I13", "UserQueueAlert is about the envelope's user, with the alert's fields passed on", func(s *stage) {
			s.becomes("UserQueueAlert", `{"QueueId":"`+queueText+`","AlertId":"`+userText+`","ConditionName":"MaxWaitTime"}`, `{"queueId":"`+queueText+`","alertId":"`+userText+`","conditionName":"MaxWaitTime"}`)
			s.refused("UserQueueAlert", "", `{"QueueId":"`+queueText+`"}`, "$.entityId")
		}},
		{"I14", "UserAlert stays without a queue", func(s *stage) {
			alert := `{"alertId":"` + queueText + `","conditionName":"NbrOfQueuingRequesters","conditionExpression":">","conditionValue":"5","value":"7"}`
			s.becomes("UserAlert", alert, alert)
		}},
		{"I15", "the envelope's entity wins over a null list; without either it is refused and counted", func(s *stage) {
			s.becomes("CallbackRequestNotification", `{"ListId":null}`, `{"listId":null}`)
			s.becomes("CallbackRequestReceivedNotification", `{"ListId":null}`, `{"listId":null}`)
			_, before := s.get(s.AdminURL() + "/metrics")
			s.refused("CallbackRequestNotification", "", `{"ListId":null}`, "$.entityId")
			s.refused("CallbackRequestReceivedNotification", "", `{}`, "$.entityId")
			_, after := s.get(s.AdminURL() + "/metrics")
			if got := metric(s.t, after, "rte_rejected_events_total") - metric(s.t, before, "rte_rejected_events_total"); got != 2 {
				s.t.Errorf("counted %v refused events, want 2", got)
			}
		}},
		{"I16", "no status is invented for a callback", func(s *stage) {
			closed := `{"lastAttemptTypeId":4,"expiryDate":"2020-01-01T00:00:00Z","callbackRelatedItems":[{"isClosed":true,"statusId":3}]}`
			s.becomes("CallbackChanged", closed, closed)
		}},
		{"I17", "events of a pair come in order, and nothing is added to data", func(s *stage) {
			v := s.visit(service(s.t, orgA))
			user := s.id()
			v.subscribe(user + ":UserCallInArrived")
			const n = 300
			var lines strings.Builder
			for i := range n {
				fmt.Fprintf(&lines, `{"organizationId":%q,"entityId":%q,"eventName":"UserCallInArrived","data":{"legId":"%d"}}`+"\n", orgA, user, i)
			}
			s.post(service(s.t, orgA), "application/x-ndjson", lines.String())
			for i := range n {
				if got, want := string(v.next().Data), fmt.Sprintf(`{"legId":"%d"}`, i); got != want {
					s.t.Fatalf("heard %s, want %s", got, want)
				}
			}
		}},
		{"I18", "each event has its own fields", func(s *stage) {
			for name, want := range map[string]bool{
				"QueueCallInComing": true, "QueueCallInArrived": true, "QueueCallInUserAllocated": true, "QueueCallInUserCancelled": true, "QueueCallInUserConnected": true,
				"QueueCallInOverflow": false, "QueueCallInTransferStarted": false, "QueueCallInTransferConnected": false, "QueueCallInTransferCancelled": false, "QueueCallInDisconnected": false,
			} {
				typ, _ := s.cat.Lookup(name)
				if _, got := typ.Field("QueueNumber"); got != want {
					s.t.Errorf("%s has QueueNumber: %v, want %v", name, got, want)
				}
				s.becomes(name, `{"QueueNumber":"42"}`, `{"queueNumber":"42"}`)
				if status, answer := s.offer(name, s.id(), `{"QueueNumber":42}`); strings.HasPrefix(answer, `{"accepted":0`) != want {
					s.t.Errorf("%s with a QueueNumber of another type: %d %s; want it refused %v", name, status, answer, want)
				}
			}
		}},
		{"I19", "a hand-made case has the zero Guid as call", func(s *stage) {
			zero := event.GUID{}.String()
			s.becomes("UserAssistedCallbackRequest", `{"CallId":"`+zero+`"}`, `{"callId":"`+zero+`"}`)
			s.refused("UserAssistedCallbackRequest", s.id(), `{"CallId":null}`, "$.data.callId")
			s.becomes("CallbackChanged", `{"CallId":null}`, `{"callId":null}`)
		}},
		{"I20", "the zero Guid is a Guid, as technical queue and as entity", func(s *stage) {
			zero := event.GUID{}.String()
			s.becomes("UserCallInOverflow", `{"TechQueueId":"`+zero+`"}`, `{"techQueueId":"`+zero+`"}`)
			s.refused("UserCallInOverflow", s.id(), `{"TechQueueId":null}`, "$.data.techQueueId")
			s.through("QueueStatus", zero, `{"QueueId":"`+zero+`"}`)
		}},
	}
}
