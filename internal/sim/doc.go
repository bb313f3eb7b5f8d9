// Package sim is a simulated contact centre: agents, queues and calls that
// live by themselves and announce what happens as the events of the
// catalogue. It exists so that RTE can be seen, tried and loaded before a
// customer's producers are connected.
//
// The core is pure: time goes in by [Centre.Step], envelopes come out, and
// nothing in it reads a clock, starts a goroutine or draws a random number
// but from the seed. [Centre.Run] is the small driver around it.
//
// # What it shows
//
// Calls follow the numbered sequences of the domain report, 4.1 (file
// sequence.go lists those that are built); availability, status and wrap-up
// follow 4.4; the counters obey 5.1 and 5.2 in every envelope. Across streams
// it keeps more than RTE promises: whenever a QueueStatus comes out, the
// envelopes before it tell the same story.
//
// # How often states are sent
//
// At the first Step every state is announced once. After that UserAvailability,
// UserStatus and QueueAttachedUsers are sent on each change, QueueStatus at
// most once a second for each queue, and every five seconds while someone
// waits. Moreover every state is announced again each [Options.Announce]
// (5 s), spread evenly, and the first time within two seconds of the start, so
// that a page opened at any time is complete within seconds even where nobody
// keeps last values for it.
package sim
