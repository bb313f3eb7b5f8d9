package node_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rte/internal/event"
	"rte/internal/node"
	"rte/signalr/client"
)

// TestStaleStates: a client that asked for notices is told when the source of a
// state is silent for longer than was promised, and when it is heard again, by
// the setting or the catalogue; and a node that is started anew knows what is
// stale.
func TestStaleStates(t *testing.T) {
	t.Parallel()
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(overlay, []byte(`{"schema":"rte-catalogue/1","events":[{"name":"QueueStatus","promisedSeconds":1}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, promise := range map[string]func(*node.Config){
		"setting":   func(c *node.Config) { c.PromisedAge = []string{"queuestatus=1s"} },
		"catalogue": func(c *node.Config) { c.CatalogOverlay = overlay },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			change := func(c *node.Config) { c.DataDir = dir; promise(c) }
			var heard string
			is := func(notices <-chan notice, kind string) {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				select {
				case n := <-notices:
					at, err1 := time.Parse(time.RFC3339, n.At)
					since, err2 := time.Parse(time.RFC3339, n.Since)
					if n.Kind != kind || err1 != nil || err2 != nil || n.Subscription.EntityID != queueText || n.Subscription.EventName != "queuestatus" || n.Reason == "" {
						t.Errorf("got %+v, want the notice %s", n, kind)
					}
					if kind == "stale" && at.Sub(since) < time.Second || kind == "fresh" && n.Since == heard {
						t.Errorf("it was heard at %s, at %s it is %s", n.Since, n.At, kind)
					}
					heard = n.Since
				case <-ctx.Done():
					t.Fatalf("no notice %s", kind)
				}
			}
			w := start(t, change)
			visit := func() <-chan notice {
				notices := make(chan notice, 100)
				v := w.visitNoticing(sign(t, nil), client.Options{}, notices)
				if _, err := v.Invoke(t.Context(), "EnableNotices", true); err != nil {
					t.Fatal(err)
				}
				v.subscribe(queueText + ":QueueStatus")
				return notices
			}
			notices := visit()
			w.publish(orgA, "QueueStatus", queueText, `{"MaxWaitTime":1}`)
			is(notices, "stale")
			w.publish(orgB, "QueueStatus", queueText, `{"MaxWaitTime":2}`) // the same id elsewhere
			w.publish(orgA, "QueueStatus", queueText, `{"MaxWaitTime":3}`)
			is(notices, "fresh")
			is(notices, "stale")
			since, _ := time.Parse(time.RFC3339, heard)
			w.stop()

			w = start(t, change)
			notices = visit()
			is(notices, "stale")
			again, _ := time.Parse(time.RFC3339, heard)
			if d := again.Sub(since).Abs(); d > 500*time.Millisecond { // a live event's time is about that of the store
				t.Errorf("after the restart it was heard at %v, before at %v", again, since)
			}
			w.until("rte_stale_topics 1")
			w.publish(orgA, "QueueStatus", queueText, `{"MaxWaitTime":4}`)
			is(notices, "fresh")
		})
	}
}

// TestPromisesRefused: what cannot be promised is refused before anything starts.
func TestPromisesRefused(t *testing.T) {
	t.Parallel()
	for setting, words := range map[string]string{
		"QueueStatus":           `"" is no time from 1s on`,
		"QueueCallInArrived=1m": "states are UserAvailability, ",
		"Weather=1m":            "must be a state",
		"QueueStatus=soon":      `"soon" is no time from 1s on`,
		"QueueStatus=500ms":     "no time from 1s on",
		"QueueStatus=-1m":       "no time from 1s on",
	} {
		cfg := defaults(t)
		cfg.PromisedAge = strings.Split(setting, ",")
		_, err := node.New(cfg, nil)
		if err == nil || !strings.Contains(err.Error(), "--promised-age: ") || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want %q", setting, err, words)
		}
	}
	base := event.NewCatalog()
	for member, words := range map[string]string{
		`"name":"QueueStatus","promisedSeconds":-1`:       "wanted seconds from 0 on, of a state",
		`"name":"QueueCallInArrived","promisedSeconds":5`: "wanted seconds from 0 on, of a state",
		`"name":"QueueStatus","promisedSeconds":"5s"`:     "wanted a whole number",
	} {
		if _, err := base.Overlay([]byte(`{"schema":"rte-catalogue/1","events":[{` + member + `}]}`)); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want %q", member, err, words)
		}
	}
}
