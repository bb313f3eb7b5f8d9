package client_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"rte/signalr"
	"rte/signalr/client"
	"rte/signalr/hub"
	"rte/signalr/signalrtest"
	"rte/signalr/transport"
)

// serve is the hub of the examples: in memory, at /desk.
func serve() (web *signalrtest.Server, stop func()) {
	server := hub.New(hub.Options{
		Methods: map[string]hub.Method{
			"Watch": func(_ context.Context, call *hub.Call) (signalr.Value, error) {
				call.Conn.Send(signalr.NewFrame(&signalr.Invocation{Target: "Waiting", Arguments: []signalr.Value{signalr.Any(3)}}))
				return signalr.Any("watching"), nil
			},
			"Restart": func(_ context.Context, call *hub.Call) (signalr.Value, error) {
				call.Conn.Close(hub.Draining, "restart", true)
				return nil, nil
			},
			"Order": func(ctx context.Context, call *hub.Call) (signalr.Value, error) {
				return call.Conn.Invoke(ctx, "Confirm", signalr.Any("two teas"))
			},
			"Sum": func(ctx context.Context, call *hub.Call) (signalr.Value, error) {
				total := 0
				for {
					v, err := call.Uploads[0].Next(ctx)
					if err != nil {
						return signalr.Any(total), nil
					}
					var n int
					if err := signalr.Decode(v, &n); err != nil {
						return nil, err
					}
					total += n
				}
			},
		},
		Streams: map[string]hub.Stream{"Countdown": func(_ context.Context, _ *hub.Call, send func(signalr.Value) error) error {
			for n := 3; n > 0; n-- {
				if err := send(signalr.Any(n)); err != nil {
					return err
				}
			}
			return nil
		}},
		Uploads: map[string]int{"Sum": 1},
	})
	handler := transport.NewHandler(server.Accept, transport.Options{})
	web = signalrtest.NewServer(transport.Mount("/desk", handler, http.NotFoundHandler()))
	return web, func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := handler.Shutdown(ctx); err != nil {
			fmt.Println(err)
		}
		server.Close()
		web.Close()
	}
}

// A client that comes back: it subscribes behind Start, and again each time it
// has reconnected.
func Example() {
	web, stop := serve()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	heard := make(chan int, 10)
	watch := func(c *client.Client) {
		answer, err := c.Invoke(ctx, "Watch")
		if err != nil {
			fmt.Println(err) // lost again: another OnReconnected follows
			return
		}
		var text string
		if signalr.Decode(answer, &text) == nil {
			fmt.Println(text)
		}
	}
	c := client.New(web.URL+"/desk", client.Options{
		HTTPClient:     web.Client(),
		Reconnect:      client.Backoff(10*time.Millisecond, time.Second),
		OnReconnecting: func(_ *client.Client, lost error) { fmt.Println(lost) },
		OnReconnected:  func(c *client.Client, _ string) { watch(c) },
	})
	c.On("Waiting", func(args []signalr.Value) {
		var n int
		if len(args) == 1 && signalr.Decode(args[0], &n) == nil {
			heard <- n
		}
	})
	if err := c.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	watch(c)
	fmt.Println("waiting:", <-heard)

	if err := c.Send(ctx, "Restart"); err != nil {
		fmt.Println(err)
	}
	fmt.Println("waiting:", <-heard)
	c.Close()
	// Unordered output:
	// watching
	// waiting: 3
	// the server closed the connection: restart
	// watching
	// waiting: 3
}

func ExampleClient_Stream() {
	web, stop := serve()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial(ctx, web.URL+"/desk", nil, client.Options{HTTPClient: web.Client()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	for item, err := range c.Stream(ctx, "Countdown") {
		if err != nil {
			fmt.Println(err)
			return
		}
		var n int
		if err := signalr.Decode(item, &n); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(n)
		if n == 2 {
			break // the hub is told
		}
	}
	// Output:
	// 3
	// 2
}

func ExampleClient_Handle() {
	web, stop := serve()
	defer stop()
	ctx := context.Background()
	c := client.New(web.URL+"/desk", client.Options{HTTPClient: web.Client()})
	c.Handle("Confirm", func(_ context.Context, args []signalr.Value) (signalr.Value, error) {
		var what string
		if err := signalr.Decode(args[0], &what); err != nil {
			return nil, err
		}
		return signalr.Any("yes, " + what), nil
	})
	if err := c.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	answer, err := c.Invoke(ctx, "Order")
	if err != nil {
		fmt.Println(err)
		return
	}
	var text string
	fmt.Println(signalr.Decode(answer, &text), text)
	// Output: <nil> yes, two teas
}

func ExampleUpload() {
	web, stop := serve()
	defer stop()
	ctx := context.Background()
	c, err := client.Dial(ctx, web.URL+"/desk", nil, client.Options{HTTPClient: web.Client()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	answer, err := c.Invoke(ctx, "Sum", client.Upload(func(_ context.Context, send func(any) error) error {
		for n := range 10 {
			if err := send(n); err != nil {
				return err
			}
		}
		return nil
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	var total int
	fmt.Println(signalr.Decode(answer, &total), total)
	// Output: <nil> 45
}
