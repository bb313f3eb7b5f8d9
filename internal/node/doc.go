// Package node is a whole RTE node: it reads the configuration, makes the
// rooms, joins them, starts them in order and drains them in the opposite
// order. It is the only room that knows them all, and it decides nothing
// about events.
//
//	publisher → ingest → bus → fanout → hub → transport → client
package node
