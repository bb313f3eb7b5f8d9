// Package signalrtest is test support in the manner of net/http/httptest: a
// network in memory, and an HTTP server on it.
//
// Nothing of it touches the system's network or clock, so servers and clients
// that talk over it run inside a testing/synctest bubble, where thirty seconds
// of silence take microseconds. A connection behaves like TCP on one machine:
// it takes some bytes before a writer has to wait, it can be closed in one
// direction, and it keeps deadlines. It can also be written without waiting
// (TryWrite), so signalr/transport treats it as it treats a socket.
//
//	s := signalrtest.NewServer(handler)
//	defer s.Close()
//	c, err := client.Dial(ctx, s.URL+"/hub", nil, client.Options{HTTPClient: s.Client()})
package signalrtest
