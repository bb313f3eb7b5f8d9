// Command hub serves the test hubs that Microsoft's released clients are
// driven against (conformance/*.test.mjs). It listens on free ports of
// loopback and writes JSON to standard output, one object a line: first the
// addresses, then what the clients cannot see, such as who was disconnected
// and why.
//
// SIGTERM tells every client to reconnect, waits for them, and exits with 0.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// patience is how long clients may take to go when the program ends.
const patience = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, newDiary(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, "hub:", err)
		os.Exit(1)
	}
}

// addresses is the first line of output.
type addresses struct {
	URL   string `json:"url"`   // of the sites, plain
	Front string `json:"front"` // of the sites, behind a proxy that ends TLS and adds a prefix
	CA    string `json:"ca"`    // PEM of the certificate that the front shows
}

// serve runs until ctx ends.
func serve(ctx context.Context, d *diary) error {
	plain, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	url := "http://" + plain.Addr().String()
	sites := build(d, url)
	back := &http.Server{Handler: mount(sites, url)}
	front, err := newFront(ctx, url)
	if err != nil {
		return fmt.Errorf("make the front: %w", err)
	}
	failed := make(chan error, 2)
	go func() { failed <- back.Serve(plain) }()
	go func() { failed <- front.serve() }()
	d.write(addresses{URL: url, Front: front.url, CA: front.ca})
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	// Every client is told to come back elsewhere, then waited for.
	ending, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, s := range sites {
		s.server.Drain(ending, 0)
	}
	for _, s := range sites {
		err = errors.Join(err, s.handler.Shutdown(ending))
		s.server.Close()
	}
	return errors.Join(err, front.server.Close(), back.Close())
}
