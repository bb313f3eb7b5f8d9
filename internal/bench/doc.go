// Package bench shows what a running RTE does under load, and whether it
// keeps its promise. Its tools are programs like any other: they connect as
// clients, publish over HTTP, and know nothing of a node but its addresses.
//
// [Connect], [Idle], [Fanout], [Sparse], [Ingest] and [Resume] put load on a
// node with a crowd of clients, and say how long things took and what they cost:
// the node's CPU and memory as its metrics tell them, and their own, because a
// load program that has too little of the machine measures itself. They count
// every delivery: one that is missing or doubled is a fault.
//
// [Verify] is the checker of losses. It publishes numbered events over many
// pairs, hears them with many clients that come back with their cursors
// whenever they lose a connection, and compares: faults are made from outside
// meanwhile, by a test or by hand. Every event of a pair must come to every
// client that hears it, once and in order; of a state pair values may be left
// out, but none may come after a newer one, and the last must be right.
//
// What is compared is a history, a list of [Record]s. The verdict is computed
// from it and nothing else ([Judge]), so that a history in a file can be judged
// again ([Replay]).
package bench
