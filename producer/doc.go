// Package producer hands contact-centre events to an RTE node over HTTP.
//
// A [Client] sends events in requests of a good size and goes on after every
// answer that says "later" and after every failure of the network, until each
// event has its verdict: stored, or refused with a reason. Events have ids, so
// that one whose answer was lost is not stored twice when it is sent again
// (the node remembers ids for its --dedupe-window after it has stored them).
//
// Events of one pair of entity and event are stored in the order in which one
// call has them. Calls may run at the same time; no order is promised between
// them.
package producer
