package sim_test

import "time"

// queueStatus holds the rules of the domain report, 5.2, and the counters
// against what the other streams have said so far.
func (w *watch) queueStatus(e envelope) {
	w.t.Helper()
	d := e.Data
	n := func(name string) int { return int(d[name].(float64)) }
	q := w.queues[e.Entity.String()]
	if !q.statusAt.IsZero() && e.Time.Sub(q.statusAt) < time.Second {
		w.t.Fatalf("queue %s: QueueStatus at %v and already at %v", e.Entity, q.statusAt, e.Time)
	}
	checkedIn, notServed := n("NbrOfAgentsCheckedInQueue"), n("NbrOfNotServedRequesters")
	q.statusAt, q.waiting = e.Time, notServed > 0
	switch {
	case n("NbrOfServingAgentsEstimate") < min(2, len(w.members[e.Entity.String()].Data["AttachedUsers"].([]any))):
		w.t.Fatalf("too few agents are left to serve: %v", d)
	case n("NbrOfRequesters") != n("NbrOfQueuingRequesters")+n("NbrOfAllocated")+n("NbrOfConnected"),
		notServed != n("NbrOfQueuingRequesters")+n("NbrOfAllocated"),
		checkedIn != n("NbrOfAgentsImmediatelyFree")+n("NbrOfAgentsShortTermAway")+n("NbrOfAgentsLongTermAway"),
		n("NbrOfServingAgentsEstimate") != checkedIn-n("NbrOfAgentsLongTermAway"),
		n("NbrOfAgentsOnWrapUp") > n("NbrOfAgentsShortTermAway"),
		n("NbrOfProviders") < checkedIn,
		(n("MaxWaitTime") == 0) != (notServed == 0):
		w.t.Fatalf("counters contradict one another: %v", d)
	}
	q.said, q.changed = d, time.Time{}
	for name, v := range w.countersOf(e.Entity.String(), e.Time, n("MaxWaitTime")) {
		if n(name) != v {
			w.t.Fatalf("at %v: %s is %d, the streams say %d: %v", e.Time, name, n(name), v, d)
		}
	}
}

// compare notes since when a queue's last QueueStatus is out of date.
func (w *watch) compare(queue string, at time.Time) {
	q := w.queues[queue]
	if q == nil || q.said == nil {
		return // a user's own call, or the beginning
	}
	for name, v := range w.countersOf(queue, at, 0) {
		if name != "MaxWaitTime" && q.said[name] != float64(v) {
			if q.changed.IsZero() {
				q.changed = at
			}
			return
		}
	}
	q.changed = time.Time{}
}

// countersOf rebuilds a queue's counters from its calls, its members and
// their newest UserStatus. maxWait is what the queue itself says: envelopes
// carry whole milliseconds, so that at the edge of a second a wait may be
// read one way or the other.
func (w *watch) countersOf(queue string, at time.Time, maxWait int) map[string]int {
	c := map[string]int{
		"NbrOfQueuingRequesters": 0, "NbrOfAllocated": 0, "NbrOfConnected": 0, "NbrOfProviders": 0,
		"NbrOfAgentsCheckedInQueue": 0, "NbrOfAgentsImmediatelyFree": 0, "NbrOfAgentsLongTermAway": 0,
		"NbrOfAgentsOnWrapUp": 0, "NbrOfAgentsShortTermAway": 0, "MaxWaitTime": 0,
	}
	for _, k := range w.queues[queue].calls {
		switch k.stage {
		case "QueueCallInUserConnected":
			c["NbrOfConnected"]++
			continue
		case "QueueCallInUserAllocated":
			c["NbrOfAllocated"]++
		default:
			c["NbrOfQueuingRequesters"]++
		}
		c["MaxWaitTime"] = max(c["MaxWaitTime"], int(at.Sub(k.arrived)/time.Second)+1)
	}
	if off := maxWait - c["MaxWaitTime"]; maxWait > 0 && (off == 1 || off == -1) {
		c["MaxWaitTime"] = maxWait
	}
	for _, u := range w.members[queue].Data["AttachedUsers"].([]any) {
		u := u.(map[string]any)
		s := w.status[u["UserId"].(string)].Data
		if u["Active"] != true {
			continue
		}
		c["NbrOfProviders"]++
		if s["Serving"] != true {
			continue
		}
		c["NbrOfAgentsCheckedInQueue"]++
		switch {
		case s["Available"] != true:
			c["NbrOfAgentsLongTermAway"]++
		case s["CanBeAllocatedTo"] == true:
			c["NbrOfAgentsImmediatelyFree"]++
		default:
			c["NbrOfAgentsShortTermAway"]++
			if s["WrapUpEnd"] != nil {
				c["NbrOfAgentsOnWrapUp"]++
			}
		}
	}
	return c
}
