package node_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
	"rte/signalr/client"
)

// A crowd connects all the time, each time with a fresh token by the key that
// the issuer uses now.
type crowd struct {
	w    *world
	key  atomic.Pointer[issuerKey]
	done atomic.Int64 // connections made
	stop context.CancelFunc
	all  sync.WaitGroup
}

func (w *world) crowd(k issuerKey, members int) *crowd {
	ctx, stop := context.WithCancel(w.t.Context())
	c := &crowd{w: w, stop: stop}
	c.key.Store(&k)
	for range members {
		c.all.Go(func() {
			for ctx.Err() == nil {
				conn, err := client.Dial(ctx, w.HubURL(), nil, client.Options{Token: tokenOf(c.key.Load().sign(w.t, nil))})
				if ctx.Err() != nil {
					if conn != nil {
						conn.Close()
					}
					return
				}
				if err != nil {
					w.t.Errorf("a valid connect was refused: %v", err)
					return
				}
				conn.Close()
				c.done.Add(1)
			}
		})
	}
	return c
}

// until waits for so many more connections.
func (c *crowd) until(more int64) {
	c.w.t.Helper()
	want := c.done.Load() + more
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for c.done.Load() < want {
		select {
		case <-tick.C:
		case <-deadline.C:
			c.w.t.Fatalf("%d connections in 30 s, want %d", c.done.Load(), want)
		}
	}
}

func (c *crowd) end() {
	c.stop()
	c.all.Wait()
}

// TestKeyRotationUnderLoad changes the issuer's keys while clients connect: at
// once, with the old key gone at once, and after outages of every kind. No
// valid connect is refused; the withdrawn key's tokens are.
func TestKeyRotationUnderLoad(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	first, second, third := newKey(t, "1"), newKey(t, "2"), newKey(t, "3")
	i.publish(first)
	w := start(t, func(c *node.Config) { c.JWTSecret, c.JWKSURL = "", i.URL+"/keys" })
	c := w.crowd(first, 6)
	defer c.end()
	c.until(50)

	i.publish(first, second) // and used at once
	c.key.Store(&second)
	c.until(50)

	for name, down := range map[string]http.HandlerFunc{
		"status 503": fails(http.StatusServiceUnavailable), "garbage": says("}{"), "no keys": says(`{"keys":[]}`),
		"slow": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"huge": func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				io.WriteString(w, strings.Repeat(" ", 1<<20))
			}
		},
	} {
		i.fail(down)
		c.until(30)
		if t.Failed() {
			t.Fatalf("while the issuer is down: %s", name)
		}
	}
	// A token of a key that nobody can know now: not refused, not let in.
	i.fail(fails(http.StatusServiceUnavailable))
	var strangers sync.WaitGroup
	strangers.Go(func() {
		if status, retry := w.retryAfter("negotiate", third.sign(t, nil)); status != http.StatusServiceUnavailable || retry == "" {
			t.Errorf("an unknown key in an outage: status %d, Retry-After %q", status, retry)
		}
	})
	strangers.Go(func() {
		status, answer := w.post(third.sign(t, func(c *auth.Claims) { c.Role = auth.Service }), "application/json", "[]")
		if status != http.StatusServiceUnavailable || !strings.Contains(answer, `"accepted":0`) || !strings.Contains(answer, `"next":0`) {
			t.Errorf("a producer's: status %d %s", status, answer)
		}
	})
	strangers.Wait()
	i.publish(third) // the others are withdrawn
	c.key.Store(&third)
	c.until(50)
	c.end()
	w.until(`rte_unauthorized_total{reason="key"} 0`)
	w.until(`rte_unauthorized_total{reason="signature"} 0`)
	if status, _ := w.retryAfter("negotiate", first.sign(t, nil)); status != http.StatusUnauthorized {
		t.Errorf("a withdrawn key: status %d", status)
	}
	if n := i.times(); n > 20 {
		t.Errorf("the issuer was asked %d times", n)
	}
}

// TestKeyFileRotationUnderLoad replaces the file of public keys, while clients
// connect.
func TestKeyFileRotationUnderLoad(t *testing.T) {
	t.Parallel()
	first, second := newKey(t, ""), newKey(t, "")
	file := filepath.Join(t.TempDir(), "keys.pem")
	put := func(keys ...issuerKey) {
		var text []byte
		for _, k := range keys {
			text = append(text, k.publicPEM(t)...)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil { // not at once: a reader may see half of it
			t.Fatal(err)
		}
	}
	put(first)
	w := start(t, func(c *node.Config) { c.JWTSecret, c.JWTPublicKey = "", file })
	c := w.crowd(first, 6)
	defer c.end()
	c.until(30)
	put(first, second)
	c.key.Store(&second)
	c.until(30)
	put(second)
	c.until(30)
	c.end()
	// The first token of a key that is not there makes the node look.
	if status, _ := w.retryAfter("negotiate", newKey(t, "").sign(t, nil)); status != http.StatusUnauthorized {
		t.Errorf("a stranger's key: status %d", status)
	}
	if status, _ := w.retryAfter("negotiate", first.sign(t, nil)); status != http.StatusUnauthorized {
		t.Errorf("the withdrawn key: status %d", status)
	}
}

// TestSecretRotation: with two secrets both are good, and the new one signs.
func TestSecretRotation(t *testing.T) {
	t.Parallel()
	const newer = "the newer secret of the tests of more than 32 bytes"
	w := start(t, func(c *node.Config) { c.JWTSecret = newer + "," + secret })
	w.visit(sign(t, nil)) // by the older one
	byNew, err := auth.Sign([]byte(newer), auth.Claims{User: event.GUID{1}, Org: orgA, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	w.visit(byNew)
}

// TestNotReadyWithoutKeys: a node whose only keys are an issuer's is ready
// when it has them.
func TestNotReadyWithoutKeys(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	i.fail(fails(http.StatusInternalServerError))
	w := start(t, func(c *node.Config) { c.JWTSecret, c.JWKSURL = "", i.URL })
	if status, body := w.get(w.AdminURL() + "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "no key set has been read yet") {
		t.Errorf("without keys: %d %s", status, body)
	}
	k := newKey(t, "1")
	i.publish(k)
	w.visit(k.sign(t, nil)) // its key is looked for
	if status, body := w.get(w.AdminURL() + "/readyz"); status != http.StatusOK {
		t.Errorf("with keys: %d %s", status, body)
	}
}
