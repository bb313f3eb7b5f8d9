package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"rte/signalr"
	"rte/signalr/client"
	"rte/signalr/hub"
	"rte/signalr/transport"
)

// TestEveryTransportAndProtocol is one conversation over each way of carrying
// bytes and each way of writing messages, on real sockets.
func TestEveryTransportAndProtocol(t *testing.T) {
	t.Parallel()
	type point struct {
		X    int       `json:"x"`
		Name string    `json:"name"`
		At   time.Time `json:"at"`
	}
	ended := make(chan struct{}, 10)
	s := hub.New(hub.Options{
		Methods: map[string]hub.Method{
			"Echo": func(_ context.Context, call *hub.Call) (signalr.Value, error) {
				var p point
				if err := call.Bind(&p); err != nil {
					return nil, err
				}
				return signalr.Any(p), nil
			},
			"Many": func(_ context.Context, call *hub.Call) (signalr.Value, error) {
				for n := range 200 {
					call.Conn.Send(signalr.NewFrame(&signalr.Invocation{Target: "N", Arguments: []signalr.Value{signalr.Any(n)}}))
				}
				return signalr.Null, nil
			},
		},
		OnDisconnected: func(*hub.Conn, error) { ended <- struct{}{} },
	})
	h := transport.NewHandler(s.Accept, transport.Options{})
	server := httptest.NewServer(transport.Mount("/hub", h, http.NotFoundHandler()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s.Drain(ctx, 0)
		server.Close()
		if err := h.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		s.Close()
	})
	for _, c := range []struct {
		transport client.Transport
		protocol  signalr.Protocol
	}{
		{client.WebSockets, signalr.JSON{}}, {client.WebSockets, signalr.MessagePack{}},
		{client.ServerSentEvents, signalr.JSON{}},
		{client.LongPolling, signalr.JSON{}}, {client.LongPolling, signalr.MessagePack{}},
	} {
		t.Run(fmt.Sprintf("%s %s", c.transport, c.protocol.Name()), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			numbers := make(chan int, 1000)
			on := map[string]func([]signalr.Value){"N": func(args []signalr.Value) {
				var n int
				if err := signalr.Decode(args[0], &n); err != nil {
					t.Error(err)
				}
				numbers <- n
			}}
			conn, err := client.Dial(ctx, server.URL+"/hub", on, client.Options{Transport: c.transport, Protocol: c.protocol, HTTPClient: server.Client()})
			if err != nil {
				t.Fatal(err)
			}
			want := point{7, "ä 日本 🙂", time.Date(2026, 11, 22, 8, 0, 0, 123_000_000, time.UTC)}
			answer, err := conn.Invoke(ctx, "echo", want)
			if err != nil {
				t.Fatal(err)
			}
			var got point
			if err := signalr.Decode(answer, &got); err != nil || got != want {
				t.Errorf("echo = %+v, %v, want %+v", got, err, want)
			}
			if _, err := conn.Invoke(ctx, "Many"); err != nil {
				t.Fatal(err)
			}
			for n := range 200 { // they came before the answer
				if got := <-numbers; got != n {
					t.Fatalf("push %d is %d", n, got)
				}
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
			select {
			case <-ended:
			case <-ctx.Done():
				t.Error("the server did not see the end")
			}
		})
	}
	_, err := client.Dial(t.Context(), server.URL+"/hub", nil, client.Options{Transport: client.ServerSentEvents, Protocol: signalr.MessagePack{}})
	wantText := "client: ServerSentEvents carries text, which messagepack is not"
	if err == nil || err.Error() != wantText {
		t.Errorf("MessagePack over server-sent events: got %v, want %s", err, wantText)
	}
}
