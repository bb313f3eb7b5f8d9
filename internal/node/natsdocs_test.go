package node_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"rte/internal/bus"
	"rte/internal/node"
)

// block is a code block of a page, the one that begins with a line.
func block(t *testing.T, page, first string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n"+first+"\n")
	body, _, ended := strings.Cut(rest, "\n```")
	if !found || !ended {
		t.Fatalf("%s has no block that begins with %q", page, first)
	}
	return first + "\n" + body + "\n"
}

// TestDocumentedServer runs a NATS server with the configuration that
// docs/operations.md shows, a node on it, and a producer.
func TestDocumentedServer(t *testing.T) {
	t.Parallel()
	conf := block(t, "docs/operations.md", "# nats-server.conf")
	for from, to := range map[string]string{"/var/lib/nats": t.TempDir(), "$RTE_PASSWORD": "wort", "$CALLCORE_PASSWORD": "other"} {
		if strings.Count(conf, from) != 1 {
			t.Fatalf("the configuration names %s %d times, want once", from, strings.Count(conf, from))
		}
		conf = strings.Replace(conf, from, to, 1)
	}
	file := filepath.Join(t.TempDir(), "nats.conf")
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
	v := w.visit(sign(t, nil))
	v.subscribe(userText + ":UserStatus")

	org := regexp.MustCompile(`rte\.in\.([0-9a-f-]{36})`).FindStringSubmatch(conf)[1]
	p := produce(t, s.ClientURL(), nats.UserInfo("callcore", "other"))
	if a := p.ask(guid(t, org), "QueueStatus", queueText, `{"queueName":"Sales"}`); a.Accepted != 1 {
		t.Errorf("answer %+v", a)
	}
	if err := p.Publish("rte.in."+orgA.String()+".QueueStatus."+queueText, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.refused:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("told %v, want a permission violation", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("another organization's subject went well")
	}
	w.publish(orgA, "UserStatus", userText, `{}`)
	v.next()
}

// TestDocumentedUsers: the users that docs/operations.md shows can come in.
func TestDocumentedUsers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "users.yaml")
	if err := os.WriteFile(file, []byte(block(t, "docs/operations.md", "users:")), 0o600); err != nil {
		t.Fatal(err)
	}
	users, err := bus.ReadUsers(file)
	if err != nil || len(users) != 2 || len(users[0].Orgs) != 1 || !users[1].Any {
		t.Errorf("%+v, %v", users, err)
	}
}
