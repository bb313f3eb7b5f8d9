package node

import (
	"strings"

	"rte/internal/bus"
	"rte/internal/ingest"
	"rte/internal/ops"
	"rte/internal/session"
	"rte/internal/tail"
	"rte/signalr/hub"
)

// closeReasons have a metric from the start, so that a dashboard shows zeros
// instead of gaps.
var closeReasons = [...]hub.CloseReason{
	hub.Goodbye, hub.Lost, hub.Slow, hub.Timeout, hub.Protocol, hub.Draining, hub.Refused, hub.Aborted, hub.Expired, hub.Aged,
	closeLimit, closeBehind, session.Revoked, session.Admin,
}

// figures hands the rooms' snapshots to ops.
func (n *Node) figures(add func(ops.Figure)) {
	if n.state.Load() == starting {
		return // the rooms are not made yet
	}
	one := func(name, help string, v float64) { add(ops.Figure{Name: name, Help: help, Value: v}) }
	labelled := func(name, help, label, text string, v float64) {
		add(ops.Figure{Name: name, Help: help, Labels: []ops.Label{{Name: label, Value: text}}, Value: v})
	}

	h := n.hub.Stats()
	one("connections", "Clients connected now.", float64(h.Connections))
	one("messages_total", "Hub messages queued for clients, pings not counted.", float64(h.Messages))
	one("sent_bytes_total", "Bytes of hub messages handed to transports.", float64(h.Bytes))
	one("invocations_total", "Hub methods called by clients.", float64(h.Invocations))
	one("pings_total", "Pings sent to clients.", float64(h.Pings))
	one("resumptions_total", "Connections that went on with a new socket (stateful reconnect).", float64(h.Resumptions))
	one("replayed_messages_total", "Hub messages sent again by these.", float64(h.Replayed))
	for _, why := range closeReasons {
		labelled("closes_total", "Connections that ended, by reason.", "reason", string(why), float64(h.Closes[why]))
	}

	x := n.index.Stats()
	one("organizations", "Organizations with clients on this node, now or in the last minutes.", float64(x.Organizations))
	one("topics", "Pairs of entity and event with subscribers.", float64(x.Topics))
	one("subscriptions", "Subscriptions of all clients.", float64(x.Subscriptions))
	one("events_total", "Events that came to this node for its organizations.", float64(x.Events))
	one("deliveries_total", "Events queued for subscribers, each counted once for each.", float64(x.Deliveries))
	one("journal_bytes", "Memory of what is remembered of organizations, about.", float64(x.JournalBytes))
	one("replayed_events_total", "Events sent to clients that came back with a cursor.", float64(x.Replayed))
	labelled("cursors_total", "Cursors that clients came back with, by what became of them.", "outcome", "recovered", float64(x.Recovered))
	labelled("cursors_total", "Cursors that clients came back with, by what became of them.", "outcome", "unrecovered", float64(x.Unrecovered))
	one("journal_reads_total", "Reads of the store for cursors that were older than what is remembered.", float64(x.Reads))
	one("renewed_states_total", "States that took an older value's place in the queue of a slow client.", float64(h.Renewed))
	one("foreign_events_total", "Events stopped at the tenant wall; anything but 0 is a bug.", float64(x.Foreign))

	t := n.transport.Stats()
	one("negotiations_total", "Negotiations answered.", float64(t.Negotiations))
	one("connections_total", "Connections made.", float64(t.Accepted))

	n.tokenFigures(one, labelled)
	n.registryFigures(one, labelled)
	n.limitFigures(add)
	n.streamFigures(one, labelled)
	n.ruleFigures(one, labelled)

	i := n.ingest.Stats()
	one("publish_requests_total", "Requests to the publish API.", float64(i.Requests))
	one("published_events_total", "Events accepted and stored by the publish API.", float64(i.Accepted))
	one("rejected_events_total", "Events refused by the publish API.", float64(i.Rejected))
	for _, refused := range []struct {
		why string
		n   uint64
	}{
		{"unreadable", i.Unreadable}, {"unauthorized", i.Unauthorized}, {"forbidden", i.Forbidden},
		{"toolarge", i.TooLarge}, {"toomany", i.TooMany}, {"unavailable", i.Unavailable},
	} {
		labelled("publish_refused_total", "Publish requests that were not answered 200, by reason.", "reason", refused.why, float64(refused.n))
	}

	driftFigures(i.Drift, add)

	if n.nats != nil {
		m := n.nats.Stats()
		one("nats_messages_total", "Messages that came in by the NATS door.", float64(m.Messages))
		one("nats_events_total", "Events accepted and stored by the NATS door.", float64(m.Accepted))
		for _, refused := range []struct {
			why string
			n   uint64
		}{
			{"rejected", m.Rejected}, {"unreadable", m.Unreadable}, {"toomany", m.TooMany}, {"unavailable", m.Unavailable},
		} {
			labelled("nats_refused_total", "Messages of the NATS door that were not stored, by reason.", "reason", refused.why, float64(refused.n))
		}
	}
	b := n.bus.Stats()
	storeFigures(&b, n.nats != nil, one, labelled)
	clusterFigures(&b, add)
	n.otherFigures(one)
}

// driftFigures are those of payloads that are not as the catalogue says.
func driftFigures(drift []ingest.DriftCount, add func(ops.Figure)) {
	for _, d := range drift {
		add(ops.Figure{
			Name: "drift_total", Help: "Values of payloads that are not as the catalogue says, by event and kind.",
			Labels: []ops.Label{{Name: "event", Value: d.Event}, {Name: "kind", Value: d.Kind.String()}}, Value: float64(d.Count),
		})
	}
}

// storeFigures are those of the bus.
func storeFigures(b *bus.Stats, door bool, one func(name, help string, v float64), labelled func(name, help, label, text string, v float64)) {
	connected := 0.0
	if b.Connected {
		connected = 1
	}
	one("store_connected", "1 while there is a connection to the store's server.", connected)
	one("store_silent_seconds", "How long no leader of the store that most servers follow could be reached; 0 while it can.", b.Silent.Seconds())
	one("store_reconnects_total", "Times the connection to the store's server was made again.", float64(b.Reconnects))
	if door {
		one("nats_dropped_total", "Messages dropped because this node was too slow to take them.", float64(b.DoorDropped))
	}
	one("stored_events_total", "Events that went into the store.", float64(b.Stored))
	one("duplicate_events_total", "Events whose id the store knew already.", float64(b.Duplicates))
	one("store_refused_total", "Events the store refused for good.", float64(b.Refused))
	one("store_unavailable_total", "Events given up because the store did not answer.", float64(b.Unavailable))
	one("store_retries_total", "Messages sent to the store again.", float64(b.Retries))
	one("live_unreadable_total", "Live messages that were no event of the catalogue.", float64(b.Unreadable))
	one("live_dropped_total", "Live messages dropped because this node was slow.", float64(b.Dropped))
	one("live_holes_total", "Times a pair was found to miss what the live lane has lost.", float64(b.Holes))
	one("live_refilled_total", "Events read from the store because the live lane has lost them.", float64(b.Refilled))
	one("live_checks_total", "Checks of organizations for what was lost without a trace.", float64(b.Checks))
	one("followed_organizations", "Organizations whose events come to this node.", float64(b.Flows))
	one("store_reads_total", "Batches read from the store.", float64(b.Reads))
	for _, s := range b.Streams {
		name := strings.ToLower(s.Name)
		labelled("stream_messages", "Messages kept, by stream.", "stream", name, float64(s.Messages))
		labelled("stream_bytes", "Bytes kept, by stream.", "stream", name, float64(s.Bytes))
	}
}

// deliveryBuckets are in seconds, from a tenth of a millisecond to 3.3 s.
func deliveryBuckets() []float64 {
	b := []float64{0.0001}
	for len(b) < 16 {
		b = append(b, b[len(b)-1]*2)
	}
	return b
}

// tokenFigures are those of keys, tokens and the resolver.
func (n *Node) tokenFigures(one func(name, help string, v float64), labelled func(name, help, label, text string, v float64)) {
	a := n.verifier.Stats()
	one("tokens_accepted_total", "Tokens found good.", float64(a.Accepted))
	one("tokens_demoted_total", "Of these: with a role that was not honoured and counts as user.", float64(a.Demoted))
	for reason, count := range a.Refused {
		labelled("unauthorized_total", "Tokens refused with 401, by reason.", "reason", reason.String(), float64(count))
	}
	for need, count := range a.Unavailable {
		labelled("tokens_undecided_total", "Tokens answered with 503, by what could not be had to judge them.", "reason", need.String(), float64(count))
	}
	one("key_set_reads_total", "Attempts to read key sets.", float64(a.KeySetLooks))
	one("key_set_failures_total", "Of these: without success.", float64(a.KeySetFailed))
	one("key_set_age_seconds", "Since the key set was read that was read longest ago; 0 without key sets, or before the first.", a.KeySetAge.Seconds())
	one("resolver_questions_total", "Questions to the resolver.", float64(a.Asked))
	one("resolver_failures_total", "Questions without an answer.", float64(a.AskFailed))
	one("resolver_remembered_total", "Answers of the resolver that were given from memory.", float64(a.Remembered))
	one("resolver_memory_bytes", "Memory of the resolver's answers, about.", float64(a.AnswerBytes))
}

// registryFigures are those of what operators and the platform have said.
func (n *Node) registryFigures(one func(name, help string, v float64), labelled func(name, help, label, text string, v float64)) {
	r := n.registry.Stats()
	one("rights", "Users with rights that the platform has set, or had.", float64(r.Rights))
	one("revocations", "Selections of tokens that are revoked.", float64(r.Revocations))
	one("call_lists", "Call lists that the platform has posted.", float64(r.Lists))
	one("queue_memberships", "Queues whose members are known by their events.", float64(r.Queues))
	one("subscriptions_removed_total", "Subscriptions that ended because the right to them fell.", float64(n.session.Fallen()))
	a := n.operators.Stats()
	for act, count := range a.Acts {
		labelled("admin_acts_total", "Acts of operators that went well, by act.", "act", act, float64(count))
	}
	one("admin_refused_total", "Requests to the admin API of nobody who may.", float64(a.Refused))
}

// streamFigures are those of back-end programs that read.
func (n *Node) streamFigures(one func(name, help string, v float64), labelled func(name, help, label, text string, v float64)) {
	r := n.tail.Stats()
	one("streams", "Streams of back-end programs open now.", float64(r.Streams))
	one("stream_lines_total", "Lines with events that were handed to them.", float64(r.Lines))
	for _, why := range tail.Ends() {
		labelled("stream_ends_total", "Streams that ended, by reason.", "reason", string(why), float64(r.Ends[why]))
	}
}
