// Package transport makes a connection of bytes out of HTTP: negotiation, the
// WebSocket transport, and what the other transports will share.
//
// A [Handler] serves one hub's path. For each connection it asks for a
// [Receiver] and feeds it what the client sends; the receiver answers through
// the [Conn]. The receiver never reads, so how bytes are waited for is this
// package's private matter.
//
// The source of the rules is TransportProtocols.md of dotnet/aspnetcore and
// the behaviour of its released server; see docs/protocol.md.
package transport
