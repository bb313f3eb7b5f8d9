package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rte/internal/node"
)

// What docs/consumers.md shows.

// consume hands each event of an organization to take, in the order of the
// store, until ctx ends. One that take has not finished comes again.
func consume(ctx context.Context, conn *nats.Conn, organization string, take func(subject string, data []byte) error) error {
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	consumer, err := js.CreateOrUpdateConsumer(ctx, "RTE_EVENT_0", jetstream.ConsumerConfig{
		Durable:       "billing",
		FilterSubject: "rte.event.0." + organization + ".>",
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       5 * time.Second, // what take does not finish in this time comes again
		MaxAckPending: 1,               // the next one comes when this one is done; more are faster, and not in order
	})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(1))
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, messages.Stop)()
	defer messages.Stop()
	for {
		m, err := messages.Next()
		if err != nil {
			return ctx.Err()
		}
		if take(m.Subject(), m.Data()) != nil {
			continue // it comes again
		}
		if err := m.DoubleAck(ctx); err != nil {
			return err
		}
	}
}

// TestDocumentedConsumer runs the page's program on a NATS server with the
// page's user: it goes on where it was, and can read nobody else's events.
func TestDocumentedConsumer(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("consumers_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(block(t, "docs/consumers.md", "```go"), "\n")
	if !strings.Contains(string(source), code) {
		t.Fatal("docs/consumers.md has another program than this test")
	}
	const org = "a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
	user := strings.Replace(block(t, "docs/consumers.md", "# a consumer of events"), "$BILLING_PASSWORD", "secret", 1)
	file := filepath.Join(t.TempDir(), "nats.conf")
	conf := fmt.Sprintf("jetstream { store_dir: %q }\naccounts { RTE { jetstream: enabled, users: [{ user: rte, password: wort }, {\n%s\n}] } }\n", t.TempDir(), user)
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	parsed, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parsed.Host, parsed.Port, parsed.NoSigs, parsed.NoLog, parsed.DisableJetStreamBanner = "127.0.0.1", server.RANDOM_PORT, true, true, true
	s := natsServer(t, func(o *server.Options) { *o = *parsed })
	w := start(t, func(c *node.Config) { c.NATSURL = []string{"nats://rte:wort@" + s.Addr().String()} })

	conn, err := nats.Connect(s.ClientURL(), nats.UserInfo("billing", "secret"), nats.CustomInboxPrefix("_INBOX.billing"),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var got, want []string
	for n := range 6 {
		w.publish(guid(t, org), "QueueCallInArrived", queueText, fmt.Sprintf(`{"queueName":"%d"}`, n))
		w.publish(orgB, "QueueCallInArrived", queueText, `{"queueName":"another's"}`)
		want = append(want, fmt.Sprintf(`rte.event.0.%s.queuecallinarrived.%s {"queueName":"%d"}`, org, queueText, n))
	}
	for _, most := range []int{2, len(want)} { // it is stopped in the middle of one, and started again
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second) // what got lost on a busy machine comes again after the 30 s of AckWait
		err := consume(ctx, conn, org, func(subject string, data []byte) error {
			if len(got) == most {
				cancel()
				return errors.New("stopped")
			}
			got = append(got, subject+" "+string(data))
			if len(got) == len(want) {
				time.AfterFunc(100*time.Millisecond, cancel) // when it is acknowledged
			}
			return nil
		})
		if cancel(); !errors.Is(err, context.Canceled) {
			t.Fatalf("it ended with %v behind %d events", err, len(got))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err = consume(ctx, conn, orgB.String(), func(string, []byte) error {
		t.Error("another organization's event was read")
		return nil
	})
	if err == nil {
		t.Error("another organization's events may be read")
	}
}
