// Package journal is what a node remembers of an organization, so that clients
// that come, or come back, need no round trip: the newest value of each state
// and the events of the last minutes.
//
// A [Log] is passive: its owner puts events in, under the same lock under which
// it joins clients to the live stream. That is what makes "joined" a moment:
// what the log says, and nothing else, lies before it. All logs of a node share
// a [Budget].
//
// What it does not remember is in the store; [Store] and [Flow] say what is
// wanted of that.
package journal
