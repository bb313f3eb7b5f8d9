package sim_test

import (
	"strings"
	"time"
)

// A callSeen is one call as its envelopes told it.
type callSeen struct {
	entity  string // the queue or the user it began with
	names   []string
	stage   string // the last event's name
	user    string // rung at or talked to
	passed  []string
	arrived time.Time
	fixed   map[string]any // members that all events of a call share
}

// call holds the checks of the domain report, 4.2, on one call, and counts
// the sequence it turns out to be when it ends.
func (w *watch) call(e envelope) {
	w.t.Helper()
	id := e.Data["CallId"].(string)
	k := w.calls[id]
	if k == nil {
		if first := e.Name; first != "QueueCallInComing" && first != "UserCallInComing" && first != "UserCallOutGoing" {
			w.t.Fatalf("call %s begins with %s", id, first)
		}
		k = &callSeen{entity: e.Entity.String(), fixed: map[string]any{}}
		w.calls[id] = k
	}
	if strings.HasSuffix(k.stage, "Disconnected") {
		w.t.Fatalf("call %s: %s after the end: %v", id, e.Name, k.names)
	}
	if e.Entity.String() != k.entity {
		w.t.Fatalf("call %s: %s of %s, it began with %s", id, e.Name, e.Entity, k.entity)
	}
	for _, name := range []string{"CallerNumber", "TargetNumber", "QueueName", "QueueNumber", "UserNumber"} {
		v, ok := e.Data[name]
		if !ok {
			continue
		}
		if number := v.(string); strings.HasSuffix(name, "Number") && !fictional(number) {
			w.t.Fatalf("%s: %s %q is not of a reserved range", e.Name, name, number)
		}
		if name == "UserNumber" {
			name += " of " + e.Data["UserId"].(string)
		}
		if before, ok := k.fixed[name]; ok && before != v {
			w.t.Fatalf("call %s: %s was %v, is %v", id, name, before, v)
		}
		k.fixed[name] = v
	}
	if strings.HasPrefix(e.Name, "Queue") {
		w.queueCall(id, k, e)
	}
	k.names = append(k.names, e.Name)
	k.stage = e.Name
	if strings.HasSuffix(e.Name, "Disconnected") {
		w.ended[w.sequence(id, k)]++
	}
}

// queueCall holds the rules of one (queue, call) stream.
func (w *watch) queueCall(id string, k *callSeen, e envelope) {
	w.t.Helper()
	user, _ := e.Data["UserId"].(string)
	var ok bool
	switch e.Name {
	case "QueueCallInComing":
		ok = k.stage == ""
	case "QueueCallInArrived":
		ok = k.stage == "QueueCallInComing"
		k.arrived = e.Time
		w.queues[k.entity].calls[id] = k
	case "QueueCallInUserAllocated":
		ok = (k.stage == "QueueCallInArrived" || k.stage == "QueueCallInUserCancelled") && w.attached(k.entity, user)
		k.user = user
	case "QueueCallInUserCancelled":
		ok = k.stage == "QueueCallInUserAllocated" && user == k.user
		k.passed = append(k.passed, user)
	case "QueueCallInUserConnected":
		ok = k.stage == "QueueCallInUserAllocated" && user == k.user
	case "QueueCallInDisconnected":
		ok = k.stage == "QueueCallInArrived" || k.stage == "QueueCallInUserConnected"
		delete(w.queues[k.entity].calls, id)
	default:
		ok = false
	}
	if !ok {
		w.t.Fatalf("call %s: %s of user %q after %v", id, e.Name, user, k.names)
	}
}

// attached tells whether the queue's last list has the user as active.
func (w *watch) attached(queue, user string) bool {
	for _, u := range w.members[queue].Data["AttachedUsers"].([]any) {
		if u := u.(map[string]any); u["UserId"] == user {
			return u["Active"] == true
		}
	}
	return false
}

// sequence finds the number of a finished call in the table of the domain
// report, 4.1; a call that is none of them fails.
func (w *watch) sequence(id string, k *callSeen) string {
	w.t.Helper()
	table := map[string]string{
		"Queue InComing Arrived UserAllocated UserConnected Disconnected":                             "1",
		"Queue InComing Arrived Disconnected":                                                         "2",
		"Queue InComing Arrived UserAllocated UserCancelled UserAllocated UserConnected Disconnected": "5",
		"User InComing Arrived UserAllocated UserConnected Disconnected":                              "11",
		"Out Going Connected Disconnected":                                                            "16",
	}
	var story string
	for i, name := range k.names {
		for _, group := range []string{"QueueCallIn", "UserCallIn", "UserCallOut"} {
			if rest, ok := strings.CutPrefix(name, group); ok {
				// InComing is written together with the group's In.
				rest = strings.Replace(rest, "Coming", "InComing", 1)
				if i == 0 {
					story = map[string]string{"QueueCallIn": "Queue", "UserCallIn": "User", "UserCallOut": "Out"}[group]
				}
				story += " " + rest
			}
		}
	}
	n, ok := table[story]
	if !ok {
		w.t.Fatalf("call %s is no sequence of the table: %q", id, story)
	}
	if n == "5" && k.passed[0] == k.user {
		w.t.Fatalf("call %s: the agent who did not answer was asked again (number 6)", id)
	}
	return n
}

// fictional tells whether a number is E.164 and of a range that is never
// assigned: Ofcom's numbers for drama, North America's 555-0100 to 0199.
func fictional(number string) bool {
	for _, prefix := range []string{
		"+447700900", "+441632960", "+448081570",
		"+442079460", "+441614960", "+441314960", "+441174960", "+441214960", "+441134960", "+441154960", "+441164960",
	} {
		if strings.HasPrefix(number, prefix) && len(number) == 13 {
			return true
		}
	}
	return len(number) == 12 && strings.HasPrefix(number, "+1") && number[5:10] == "55501"
}
