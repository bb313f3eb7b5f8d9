// Package signalr is the ASP.NET Core SignalR hub protocol as bytes and
// messages: the nine messages, the handshake, the JSON encoding, and frames
// that are encoded once and sent to many.
//
// It has no network, no goroutine and no clock. The bytes over HTTP are in
// package signalr/transport, a server of hubs in signalr/hub, a client in
// signalr/client.
//
// The source of the rules is HubProtocol.md of dotnet/aspnetcore and, where
// that text and the released programs differ, the programs; docs/protocol.md
// of this repository goes through it clause by clause.
package signalr
