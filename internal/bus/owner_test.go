package bus_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"rte/internal/bus"
	"rte/internal/event"
)

// childOwner names a NATS server in the environment of a process that takes
// part in a lease.
const childOwner = "BUS_TEST_CHILD_OWNER"

// ownerMain is the process: while it is the owner it says so, with its epoch,
// on a subject, again and again, looking at its context each time.
func ownerMain(what string) {
	url, name, _ := strings.Cut(what, "|")
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	b, err := bus.Open(context.Background(), event.NewCatalog(), bus.Options{External: bus.External{URLs: []string{url}}})
	fail(err)
	conn, err := nats.Connect(url)
	fail(err)
	fail(b.Own(context.Background(), "test", func(ctx context.Context, epoch uint64) {
		for ctx.Err() == nil {
			fail(conn.Publish("owners", fmt.Appendf(nil, "%d %s", epoch, name)))
			fail(conn.Flush())
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
		fmt.Println("lost", epoch)
	}))
}
