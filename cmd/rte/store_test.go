package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// A kept message is one in the store of a node that has ended.
type kept struct {
	subject, id, data string
}

// readStore reads all that a node's folder holds of one stream, oldest first,
// past all of RTE's own code.
func readStore(t *testing.T, dir, stream string) []kept {
	t.Helper()
	srv, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: dir, JetStreamMaxStore: 1 << 50, JetStreamMaxMemory: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	defer srv.WaitForShutdown()
	defer srv.Shutdown()
	return readStream(t, srv, stream)
}

// readStream reads all of a server's stream, oldest first.
func readStream(t *testing.T, srv *server.Server, stream string) []kept {
	t.Helper()
	conn, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := conn.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	var info *nats.StreamInfo
	var sub *nats.Subscription
	until(t, func() bool { // a cluster that has just found its leaders may not answer
		if info, err = js.StreamInfo(stream); err == nil {
			sub, err = js.SubscribeSync("", nats.OrderedConsumer(), nats.BindStream(stream))
		}
		return !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, nats.ErrTimeout)
	})
	if err != nil {
		t.Fatalf("%s: %v", stream, err)
	}
	all := make([]kept, 0, info.State.Msgs)
	for range info.State.Msgs {
		m, err := sub.NextMsg(30 * time.Second)
		if err != nil {
			t.Fatalf("%s: message %d of %d: %v", stream, len(all), info.State.Msgs, err)
		}
		all = append(all, kept{m.Subject, m.Header.Get("Rte-Id"), string(m.Data)})
	}
	return all
}

// subjectOf is where the store has a pair.
func subjectOf(lane, org, event, entity string) string {
	return fmt.Sprintf("rte.%s.0.%s.%s.%s", lane, org, event, entity)
}
