// Package hub serves SignalR hubs: handshake, methods, the outgoing queue,
// keep-alive and the close rules, on connections that package transport
// makes.
//
// A [Server] is one hub. It is fed: the transport calls [Conn.Feed] with
// bytes and [Conn.Writable] when there is room, and neither blocks, so the
// same hub runs over a goroutine for each socket, a poller, or a test. Hub
// methods run one at a time for each connection, on a goroutine that lives
// only while there is something to run; streams, and methods that the client
// sends streams to, run beside them on their own.
//
// What goes out is a list of shared frames for each connection, drained by
// one flusher per core with one write for all that is pending. Nothing that
// sends ever waits for a client.
package hub
