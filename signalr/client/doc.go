// Package client is a SignalR client: it negotiates, connects, shakes hands,
// invokes hub methods and hears what the hub sends.
package client
