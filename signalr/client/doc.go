// Package client is a SignalR client: it talks to hubs of ASP.NET Core, and of
// signalr/hub.
//
// [New] makes a client, which is given its handlers and then started; [Dial]
// does all of it at once. [Client.Invoke] calls a method and waits for its
// result, [Client.Send] does not wait, [Client.Stream] is a loop over the items
// of a streaming method. An [Upload] among the arguments is a stream the other
// way. What the hub sends goes to the functions of [Client.On]; what it asks is
// answered by those of [Client.Handle]. Received values are [signalr.Raw];
// [signalr.Decode] reads them.
//
// # Connecting
//
// The client negotiates, follows redirects, and takes the first transport that
// the hub offers and that works: WebSockets, server-sent events or long
// polling, each with JSON, the first and the last with MessagePack. Options
// fix any of it.
//
// # When the connection is lost
//
// By default the client ends: Done is closed, and Err says why. With
// Options.Reconnect it connects again. To the hub that is a new connection,
// with another id and without groups or subscriptions, so it is
// Options.OnReconnected that makes them anew. Calls under way fail with
// [ErrLost], those made meanwhile with [ErrReconnecting], or they wait
// (Options.CallsWait).
//
// With Options.StatefulReconnect, if the hub has it too, the loss of a
// WebSocket is not the loss of the connection: another one takes its place,
// both sides send again what the other has not acknowledged, and the program
// sees nothing of it but a delay. This is tried once; then the connection is
// lost, as above. A hub waits for the other WebSocket for some seconds only.
//
// # Bounds
//
// Nothing that a server sends takes memory without bound: see the options whose
// names begin with Max. Tokens, which are secrets, are in no error.
//
// The rules are those of HubProtocol.md and TransportProtocols.md of
// dotnet/aspnetcore and, where text and released programs differ, of the
// programs.
package client
