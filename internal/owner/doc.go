// Package owner runs the rules of a partition while this node owns it: it reads
// the partition's events, gives them and the clock to [derive.Rules], and stores
// and publishes what comes out.
//
// Nothing is lost and nothing comes twice when the owner changes. An owner goes
// on from what the one before kept, and from the events behind the place up to
// which that had done everything; what was done behind it is done again, with
// the same ids, and what was published already is left out.
package owner
