// Package bus stores events and hands them to whoever listens: a NATS server
// with JetStream, embedded in the process and reached without a socket, or
// servers outside that several nodes share ([External]). Which of them it is
// makes no difference to what follows.
//
// The way of an event: [Bus.Publish] puts it on the subject of its pair,
//
//	rte.<state|event>.<partition>.<organizationId>.<eventname>.<entityId>
//
// and returns when JetStream has stored it. [Bus.Watch] hears what was stored,
// one organization at a time. With the store inside, the bus hands that on as
// the answers come. External servers, where other nodes store too, republish it
// on the live lane,
//
//	rte.live.<partition>.<organizationId>.<eventname>.<entityId>
//
// with its sequence number and that of its predecessor on the same subject
// (Nats-Sequence, Nats-Last-Sequence). Either way may lose something;
// [Bus.Follow] finds out what, and reads it from the store. [Bus.Last] asks for
// the newest message of a subject, [Bus.Read] for what lies between two places,
// [Bus.Scan] for all of an organization behind one.
//
// There are two streams per partition. State keeps the newest message of each
// subject and forgets nothing; Events keeps every message of the other events,
// limited by age and bytes. A pair lives in exactly one of them. An
// organization lives in one partition; there is one partition now.
//
// Nodes talk among themselves on rte.control.> ([Control]), and keep what must
// hold for all of them in buckets ([KV]). Producers' messages come in on
// rte.in.> ([Bus.Serve]), on servers outside or on the embedded one, if it is
// opened to them ([Door]).
//
// The payload is the message's body. What else an event carries travels in
// headers: Nats-Msg-Id, Rte-Time, Rte-Id, Rte-Previous-Assignee, traceparent.
package bus
