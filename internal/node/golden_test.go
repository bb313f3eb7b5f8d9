package node_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"rte/internal/event"
	"rte/signalr"
	"rte/signalr/client"
)

// A golden is one file of internal/event/testdata/golden; the README there has
// the form.
type golden struct {
	name                string // of the event
	org, entity         string
	pascal, camel, wire string
	msgpack             []byte
}

func readGolden(t testing.TB, file string) golden {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g := golden{}
	g.name, _, _ = strings.Cut(filepath.Base(file), ".")
	parts := strings.Split(string(text), "\n-- ")
	for line := range strings.Lines(parts[0]) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "organization":
			g.org = value
		case "entity":
			g.entity = value
		}
	}
	for _, part := range parts[1:] {
		name, body, ok := strings.Cut(part, " --\n")
		switch name {
		case "pascal":
			g.pascal = body
		case "camel":
			g.camel = body
		case "wire":
			g.wire = strings.TrimSuffix(body, "\n")
		case "msgpack":
			g.msgpack, err = hex.DecodeString(strings.ReplaceAll(body, "\n", ""))
		}
		if !ok || err != nil {
			t.Fatalf("%s: section %q: %v", file, name, err)
		}
	}
	return g
}

// TestGoldenPayloads: every event goes in over HTTP as the page spells it and
// in camelCase, and comes out on a JSON and on a MessagePack client, data byte
// for byte as the golden files say.
func TestGoldenPayloads(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../event/testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	w := start(t, nil)
	seen := map[string]bool{}
	var clients map[string]*goldenClient // of the organization of all files
	for _, file := range files {
		g := readGolden(t, file)
		seen[g.name] = true
		org := guid(t, g.org)
		if clients == nil {
			clients = map[string]*goldenClient{
				"JSON":        w.goldenClient(org, signalr.JSON{}),
				"MessagePack": w.goldenClient(org, signalr.MessagePack{}),
			}
		}
		for _, c := range clients {
			c.subscribe(g.entity + ":" + g.name)
		}
		for spelling, data := range map[string]string{"pascal": g.pascal, "camel": g.camel} {
			status, answer := w.post(service(t, org), "application/json",
				fmt.Sprintf(`{"organizationId":%q,"entityId":%q,"eventName":%q,"data":%s}`, g.org, g.entity, g.name, data))
			if status != http.StatusOK || !strings.HasPrefix(answer, `{"accepted":1,"rejected":[]`) {
				t.Errorf("%s, %s: %d %s", file, spelling, status, answer)
				continue
			}
			for protocol, c := range clients {
				p := c.next()
				want := map[string]string{"JSON": g.wire, "MessagePack": string(g.msgpack)}[protocol]
				if got := <-c.data; got != want {
					t.Errorf("%s, %s, on %s:\n got %q\nwant %q", file, spelling, protocol, got, want)
				}
				if p.Subscription.EntityID != g.entity || p.Subscription.EventName != strings.ToLower(g.name) {
					t.Errorf("%s, %s, on %s: the push is of %+v", file, spelling, protocol, p.Subscription)
				}
			}
		}
	}
	for _, e := range event.NewCatalog().Events {
		if !seen[e.Name] {
			t.Errorf("%s has no golden file", e.Name)
		}
	}
}

// A goldenClient is a client that keeps data as its bytes came.
type goldenClient struct {
	*visitor
	data chan string
}

func (w *world) goldenClient(org event.GUID, protocol signalr.Protocol) *goldenClient {
	w.t.Helper()
	c := &goldenClient{w.visitWith(service(w.t, org), client.Options{Protocol: protocol}), make(chan string, 100)}
	c.On("MessageReceived", func(args []signalr.Value) {
		packed := args[0].(signalr.Raw).Bytes()
		var p struct {
			Data msgpack.RawMessage
		}
		if _, isJSON := protocol.(signalr.JSON); isJSON {
			from, to := bytes.Index(packed, []byte(`,"data":`)), bytes.LastIndex(packed, []byte(`,"cursor":`))
			c.data <- string(packed[from+len(`,"data":`) : to])
			return
		}
		if err := msgpack.Unmarshal(packed, &p); err != nil {
			w.t.Errorf("the push is no MessagePack: %v", err)
		}
		c.data <- string(p.Data)
	})
	return c
}
