package node

import "rte/internal/owner"

// ruleFigures are those of what follows from events. But for the alerts that
// are kept, they are not 0 on the owner alone.
func (n *Node) ruleFigures(one func(name, help string, v float64), labelled func(name, help, label, text string, v float64)) {
	var sum owner.Stats
	owned := 0
	for _, w := range n.consequences.owners {
		s := w.Stats()
		if s.Owner {
			owned++
		}
		sum.Ticks += s.Ticks
		sum.Read += s.Read
		sum.Skipped += s.Skipped
		sum.Refused += s.Refused
		sum.Retries += s.Retries
		sum.Lag = max(sum.Lag, s.Lag)
		r := &sum.Rules
		r.Callbacks += s.Rules.Callbacks
		r.OpenCallbacks += s.Rules.OpenCallbacks
		r.Lists += s.Rules.Lists
		r.Users += s.Rules.Users
		r.Alerts += s.Rules.Alerts
		r.Queues += s.Rules.Queues
		r.WaitingCalls += s.Rules.WaitingCalls
		r.UserCallbacks += s.Rules.UserCallbacks
		r.ListStatuses += s.Rules.ListStatuses
		r.AlertsFired += s.Rules.AlertsFired
		r.Forgotten += s.Rules.Forgotten
		r.Refused += s.Rules.Refused
	}
	r := &sum.Rules
	one("alerts", "Alerts that users have set, on all nodes.", float64(n.consequences.alertCount()))
	one("rules_owned", "Partitions for which this node draws the conclusions.", float64(owned))
	one("rules_ticks_total", "Seconds told to the rules.", float64(sum.Ticks))
	one("rules_events_total", "Events given to the rules.", float64(sum.Read))
	one("rules_lag_seconds", "Longest time of the last second between the store and the rules.", sum.Lag.Seconds())
	one("rules_retries_total", "Times that the rules had to wait for the store.", float64(sum.Retries))
	x := n.index.Stats().Promises
	one("promised_topics", "States of organizations with clients on this node that are to be said again by a moment.", float64(x.Followed))
	one("stale_topics", "Of these: whose source is silent for longer.", float64(x.Stale))
	one("promises_refused_total", "Events of states beyond those that can be followed.", float64(x.Refused))
	for _, e := range []struct {
		name string
		n    uint64
	}{{"UserCallbackChanged", r.UserCallbacks}, {"CallbackListStatus", r.ListStatuses}, {"UserAlert", r.AlertsFired}} {
		labelled("derived_events_total", "Events that followed from others, by event, since this node owns; one that was published before counts, too.", "event", e.name, float64(e.n))
	}
	one("derived_skipped_total", "Of these: left out because the owner before had published them.", float64(sum.Skipped))
	one("derived_refused_total", "Of these: refused by the store for good.", float64(sum.Refused))
	labelled("rules_callbacks", "Callbacks that are remembered, by state.", "state", "open", float64(r.OpenCallbacks))
	labelled("rules_callbacks", "Callbacks that are remembered, by state.", "state", "closed", float64(r.Callbacks-r.OpenCallbacks))
	one("rules_lists", "Callback lists that are counted.", float64(r.Lists))
	one("rules_users", "Users whose status is remembered for that.", float64(r.Users))
	one("rules_alerts", "Alerts that are judged.", float64(r.Alerts))
	one("rules_queues", "Queues whose day is counted.", float64(r.Queues))
	one("rules_waiting_calls", "Calls that wait in these.", float64(r.WaitingCalls))
	one("rules_forgotten_total", "Open callbacks and waiting calls forgotten because there were too many.", float64(r.Forgotten))
	one("rules_refused_total", "Events about more entities than are remembered.", float64(r.Refused))
}
