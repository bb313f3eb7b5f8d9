package hub_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"rte/signalr"
	"rte/signalr/client"
	"rte/signalr/hub"
	"rte/signalr/signalrtest"
	"rte/signalr/transport"
)

// A hub with one method, served at /echo, and a client that calls it. In a
// program of its own, http.ListenAndServe stands where the test server is.
func Example() {
	server := hub.New(hub.Options{
		Methods: map[string]hub.Method{
			"Shout": func(_ context.Context, call *hub.Call) (signalr.Value, error) {
				var text string
				if err := call.Bind(&text); err != nil {
					return nil, err
				}
				return signalr.Any(strings.ToUpper(text)), nil
			},
		},
		OnConnected: func(_ context.Context, c *hub.Conn) error {
			c.Send(signalr.NewFrame(&signalr.Invocation{
				Target:    "Greeting",
				Arguments: []signalr.Value{signalr.Any("hello")},
			}))
			return nil
		},
	})
	handler := transport.NewHandler(server.Accept, transport.Options{})
	web := signalrtest.NewServer(transport.Mount("/echo", handler, http.NotFoundHandler()))

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	on := map[string]func([]signalr.Value){
		"Greeting": func(args []signalr.Value) {
			var text string
			if signalr.Decode(args[0], &text) == nil {
				fmt.Println("pushed:", text)
			}
		},
	}
	c, err := client.Dial(ctx, web.URL+"/echo", on, client.Options{HTTPClient: web.Client()})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := c.Invoke(ctx, "Shout", "is anybody there?")
	if err != nil {
		fmt.Println(err)
		return
	}
	var text string
	if signalr.Decode(result, &text) == nil {
		fmt.Println("answered:", text)
	}
	if _, err := c.Invoke(ctx, "Whisper"); err != nil {
		fmt.Println(err)
	}

	// To stop: tell everybody to come back elsewhere, wait until they have
	// gone, then end the hub.
	server.Drain(ctx, time.Second)
	<-c.Done()
	fmt.Println(c.Err())
	if err := handler.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
	server.Close()
	c.Close()
	web.Close()
	// Output:
	// pushed: hello
	// answered: IS ANYBODY THERE?
	// Failed to invoke 'Whisper' due to an error on the server. HubException: Method does not exist.
	// the server closed the connection
}
