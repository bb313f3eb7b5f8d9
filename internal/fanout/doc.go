// Package fanout is the heart of a node: who hears an event ([Index]) and how
// one event becomes bytes once and reaches all of them ([Index.Deliver]).
//
// Subscriptions are kept by organization. An organization has one lock: an
// event is delivered, and a client joins or leaves, one after the other under
// it. That is what makes "joined" a moment: everything stored before it is
// not heard, everything after it is, exactly once and in order.
package fanout
