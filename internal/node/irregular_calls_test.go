package node_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"rte/internal/auth"
	"rte/signalr"
	"rte/signalr/client"
)

// irregularCalls are about the methods of the hub and the connection.
func irregularCalls() []irregularity {
	item := func(entity, name string) string { return fmt.Sprintf(`{"EntityId":%q,"EventName":%q}`, entity, name) }
	result := func(subscribed bool, message, entity, name string) string {
		return fmt.Sprintf(`{"subscribed":%v,"message":%s,"entityId":%s,"eventName":%s}`, subscribed, message, entity, name)
	}
	quoted := func(text string) string { return `"` + text + `"` }
	return []irregularity{
		{"I31", "UnsubscribeAll and AvailableSubscriptions ignore arguments; the first removes everything", func(s *stage) {
			v := s.user(nil)
			v.subscribe(userText+":UserStatus", queueText+":QueueStatus")
			names := v.call("AvailableSubscriptions")
			v.says(names, "AvailableSubscriptions", raw(`[`+item(userText, "UserStatus")+`]`))
			v.says("true", "UnsubscribeAll", raw(`[`+item(userText, "UserStatus")+`]`))
			v.says("[]", "GetActiveSubscriptions")
			v.says("true", "UnsubscribeAll")
		}},
		{"I32", "a null element is one failed result", func(s *stage) {
			v := s.user(nil)
			v.says(`[`+result(true, "null", quoted(userText), `"userstatus"`)+`,`+result(false, `"Invalid EntityId"`, "null", "null")+`]`,
				"Subscribe", raw(`[`+item(userText, "UserStatus")+`,null]`))
			v.says(`[`+result(false, `"Invalid EntityId"`, "null", "null")+`]`, "Unsubscribe", raw(`[null]`))
		}},
		{"I33", "the first failing check is told: id, name, permission", func(s *stage) {
			foreign := s.id()
			s.user(nil).says(`[`+strings.Join([]string{
				result(false, `"Invalid EntityId"`, `"no Guid"`, `"nothing"`),
				result(false, `"Invalid event name"`, quoted(foreign), `"nothing"`),
				result(false, `"Unauthorized"`, quoted(foreign), `"userstatus"`),
			}, ",")+`]`, "Subscribe", raw(`[`+item("no Guid", "Nothing")+`,`+item(foreign, "Nothing")+`,`+item(foreign, "UserStatus")+`]`))
		}},
		{"I34", "one id may be allowed for a user's event and not for a queue's", func(s *stage) {
			s.user(nil).says(`[`+result(true, "null", quoted(userText), `"userstatus"`)+`,`+result(false, `"Unauthorized"`, quoted(userText), `"queuestatus"`)+`]`,
				"Subscribe", raw(`[`+item(userText, "UserStatus")+`,`+item(userText, "QueueStatus")+`]`))
		}},
		{"I35", "Unsubscribe answers each item, in order, with its id", func(s *stage) {
			v := s.user(nil)
			v.subscribe(userText+":UserStatus", queueText+":QueueStatus")
			v.says(`[`+result(false, "null", quoted(queueText), `"queuestatus"`)+`,`+result(false, "null", quoted(userText), `"userstatus"`)+`]`,
				"Unsubscribe", raw(`[`+item(queueText, "QueueStatus")+`,`+item(userText, "UserStatus")+`]`))
		}},
		{"I36", "Unsubscribe of an unknown pair is no error, of an invalid one it is", func(s *stage) {
			unknown := s.id()
			s.user(nil).says(`[`+strings.Join([]string{
				result(false, "null", quoted(unknown), `"userstatus"`), result(false, `"Invalid EntityId"`, `"x"`, `"userstatus"`), result(false, `"Invalid event name"`, quoted(unknown), `"x"`),
			}, ",")+`]`, "Unsubscribe", raw(`[`+item(unknown, "UserStatus")+`,`+item("x", "UserStatus")+`,`+item(unknown, "X")+`]`))
		}},
		{"I37", "GetActiveSubscriptions is a method of the hub, too", func(s *stage) {
			v := s.user(nil)
			v.says("[]", "GetActiveSubscriptions")
			v.subscribe(userText + ":UserCallIncoming")
			v.says(`[{"entityId":"`+userText+`","eventName":"usercallincoming"}]`, "GetActiveSubscriptions")
		}},
		{"I38", "negotiation offers WebSockets, and can be skipped", func(s *stage) {
			if status, body := s.knock("negotiate", "header", sign(s.t, nil)); status != http.StatusOK || !strings.Contains(body, `"transport":"WebSockets"`) {
				s.t.Errorf("negotiate: %d %s", status, body)
			}
			c, err := client.Dial(s.t.Context(), s.HubURL(), nil, client.Options{Token: tokenOf(sign(s.t, nil)), SkipNegotiation: true})
			if err != nil {
				s.t.Fatal(err)
			}
			c.Close()
		}},
		{"I39", "an expired token is refused on connecting, and ends no connection", func(s *stage) {
			// One second before the end of what clocks may differ.
			token := sign(s.t, func(c *auth.Claims) { c.Expires = time.Now().Add(time.Second - auth.DefaultLeeway) })
			v := s.visit(token)
			v.subscribe(userText + ":UserStatus")
			deadline, tick := time.After(20*time.Second), time.NewTicker(50*time.Millisecond)
			defer tick.Stop()
			for refused := false; !refused; {
				select {
				case <-deadline:
					s.t.Fatal("the token is good after it has expired")
				case <-tick.C:
				}
				c, err := client.Dial(s.t.Context(), s.HubURL(), nil, client.Options{Token: tokenOf(token)})
				e, ok := errors.AsType[*client.StatusError](err)
				if refused = ok && e.Status == http.StatusUnauthorized; err == nil {
					c.Close()
				}
			}
			s.publish(orgA, "UserStatus", userText, `{"talking":true}`)
			if got := string(v.next().Data); got != `{"talking":true}` {
				s.t.Errorf("heard %s", got)
			}
			v.says(`[{"entityId":"`+userText+`","eventName":"userstatus"}]`, "GetActiveSubscriptions")
		}},
	}
}

// arguments hands on what comes for a target, as JSON text.
func (v *visitor) arguments(target string) <-chan []string {
	all := make(chan []string, 100)
	v.On(target, func(args []signalr.Value) {
		var texts []string
		for _, a := range args {
			b, err := a.AppendJSON(nil)
			if err != nil {
				v.t.Error(err)
			}
			texts = append(texts, string(b))
		}
		all <- texts
	})
	return all
}
