package node_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
	"rte/signalr"
	"rte/signalr/client"
)

const secret = "a secret of the tests of more than 32 bytes"

// Ids of the product page's samples.
const (
	userText  = "a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
	queueText = "cbeeb190-ff4b-ea11-ac9c-00155d4fdcf3"
)

var (
	orgA = event.GUID{0xa} //nolint:gochecknoglobals // constants of the tests
	orgB = event.GUID{0xb} //nolint:gochecknoglobals // constants of the tests
)

// logBook is what the node has written, at debug level.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// A world is a running node and what a test does with it.
type world struct {
	*node.Node
	t   testing.TB
	log *logBook
}

// defaults are the settings of `rte serve`, on free ports.
func defaults(t testing.TB) node.Config {
	t.Helper()
	var cfg node.Config
	if err := kong.ApplyDefaults(&cfg); err != nil {
		t.Fatal(err)
	}
	cfg.Listen, cfg.AdminListen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.DataDir = ""
	cfg.JWTSecret = secret
	cfg.Drain = 100 * time.Millisecond
	return cfg
}

func start(t testing.TB, change func(*node.Config)) *world {
	t.Helper()
	cfg := defaults(t)
	if change != nil {
		change(&cfg)
	}
	w := &world{t: t, log: &logBook{}}
	var err error
	w.Node, err = node.New(cfg, slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.stop()
		http.DefaultClient.CloseIdleConnections()
		if t.Failed() {
			t.Logf("the node's log:\n%s", w.log)
		}
	})
	return w
}

func (w *world) stop() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := w.Stop(ctx); err != nil {
		w.t.Errorf("stop: %v", err)
	}
}

func sign(t testing.TB, change func(*auth.Claims)) string {
	t.Helper()
	c := auth.Claims{
		User: guid(t, userText), Org: orgA, Queues: []event.GUID{guid(t, queueText)},
		IssuedAt: time.Now(), Expires: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(&c)
	}
	token, err := auth.Sign([]byte(secret), c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func service(t testing.TB, org event.GUID) string {
	t.Helper()
	return sign(t, func(c *auth.Claims) { c.Role, c.Org, c.Queues = auth.Service, org, nil })
}

func guid(t testing.TB, s string) event.GUID {
	t.Helper()
	g, err := event.ParseGUID(s)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A visitor is a connected client and what was pushed to it.
type visitor struct {
	*client.Client
	t      testing.TB
	pushes chan push
}

type push struct {
	Subscription struct{ EntityID, EventName string }
	Data         json.RawMessage
	Cursor, Time string
	Cause        string
}

func (w *world) visit(token string) *visitor { return w.visitWith(token, client.Options{}) }

// visitWith is visit with more than the token.
func (w *world) visitWith(token string, o client.Options) *visitor {
	w.t.Helper()
	o.Token = tokenOf(token)
	v := &visitor{t: w.t, pushes: make(chan push, 10_000)}
	on := map[string]func([]signalr.Value){"MessageReceived": func(args []signalr.Value) {
		var p push
		if err := signalr.Decode(args[0], &p); err != nil {
			w.t.Errorf("push: %v", err)
		}
		v.pushes <- p
	}}
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	var err error
	v.Client, err = client.Dial(ctx, w.HubURL(), on, o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { v.Close() }) //nolint:errcheck // it never fails
	return v
}

// subscribe subscribes to pairs written ENTITY:EVENT; all must be granted.
func (v *visitor) subscribe(pairs ...string) {
	v.t.Helper()
	var items []map[string]string
	for _, p := range pairs {
		entity, name, _ := strings.Cut(p, ":")
		items = append(items, map[string]string{"EntityId": entity, "EventName": name})
	}
	ctx, cancel := context.WithTimeout(v.t.Context(), 10*time.Second)
	defer cancel()
	answer, err := v.Invoke(ctx, "Subscribe", items)
	if err != nil {
		v.t.Fatal(err)
	}
	var results []struct {
		Subscribed bool
		Message    string
	}
	if err := signalr.Decode(answer, &results); err != nil {
		v.t.Fatal(err)
	}
	for i, r := range results {
		if !r.Subscribed {
			v.t.Fatalf("%s: %s", pairs[i], r.Message)
		}
	}
}

func (v *visitor) next() push {
	v.t.Helper()
	select {
	case p := <-v.pushes:
		return p
	case <-v.Done():
		select {
		case p := <-v.pushes: // it came before the end
			return p
		default:
		}
		v.t.Fatalf("connection ended: %v", v.Err())
	case <-time.After(10 * time.Second):
		v.t.Fatal("no push within 10 s")
	}
	return push{}
}

// post publishes a body and returns status and answer.
func (w *world) post(token, contentType, body string) (status int, answer string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.URL()+"/api/v1/events", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return w.do(r)
}

func (w *world) do(r *http.Request) (status int, body string) {
	w.t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (w *world) get(url string) (status int, body string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.do(r)
}

// publish stores one event; anything but success fails the test.
func (w *world) publish(org event.GUID, name, entity, data string) {
	w.t.Helper()
	status, answer := w.post(service(w.t, org), "application/json",
		fmt.Sprintf(`{"organizationId":%q,"entityId":%q,"eventName":%q,"data":%s}`, org, entity, name, data))
	if status != http.StatusOK || !strings.HasPrefix(answer, `{"accepted":1,`) {
		w.t.Fatalf("publish: status %d %s", status, answer)
	}
}

// until waits for a line in the metrics.
func (w *world) until(line string) {
	w.t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, body := w.get(w.AdminURL() + "/metrics"); strings.Contains(body, "\n"+line+"\n") {
			return
		}
		select {
		case <-deadline.C:
			w.t.Fatalf("the metrics did not come to say %q within 10 s", line)
		case <-tick.C:
		}
	}
}
