// Package derive has the rules for events that follow from events: the copies
// of a changed callback for the users concerned, the counters of callback
// lists, alerts that users have set, how long a state has been silent, and the
// figures of a queue's day.
//
// [Rules] is the state of one partition. It is a machine without a clock,
// goroutine or store: it is given events ([Rules.Event]) and moments
// ([Rules.Tick]) one after the other, and fills an [Output] with what follows.
// The same inputs give the same bytes in the same order, on any node. Exactly
// one owner per partition runs it; what it must remember over a change of owner
// is in the output, in small records, and comes back by the Restore methods.
//
// Events that come of it have an id that is made of their cause ([event.OwnID]),
// so that the store takes a second owner's copy for the duplicate it is, and
// carry their cause's cursor.
//
// [Freshness] needs no owner: every node can tell its own clients what is stale.
package derive
