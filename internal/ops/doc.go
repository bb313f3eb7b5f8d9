// Package ops is what an operator sees of a node: health, readiness, metrics,
// profiles. It imports no other room; the rooms' figures are handed to it.
//
// The wallboard's built pages live here too, in web; their source is the
// folder web at the root of the repository.
package ops
