package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rte/signalr"
	"rte/signalr/client"
)

// A site is a node that is started again and again at the same addresses.
type site struct {
	*program
	t                  *testing.T
	public, admin, dir string
	token              string
	more               []string // arguments
}

// newSite starts a node on a folder.
func newSite(t *testing.T, dir string, more ...string) *site {
	t.Helper()
	_, token, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--role", "service")
	s := &site{t: t, public: freeAddr(t), admin: freeAddr(t), dir: dir, token: strings.TrimSpace(token), more: more}
	s.serve()
	return s
}

func (s *site) serve() {
	s.t.Helper()
	s.program = start(s.t, []string{"RTE_JWT_SECRET=" + testSecret}, append([]string{
		"serve", "--listen", s.public, "--admin-listen", s.admin, "--data-dir", s.dir, "--drain", "0s",
	}, s.more...)...)
	ready(s.t, "http://"+s.admin)
}

// publish stores events of the queue, one behind the other, each with a name.
func (s *site) publish(event string, names ...string) {
	s.t.Helper()
	var lines [][]byte
	for _, name := range names {
		lines = append(lines, fmt.Appendf(nil, `{"organizationId":%q,"entityId":%q,"eventName":%q,"data":{"queueName":%q}}`, orgText, queueText, event, name))
	}
	if a, err := newProducer(s.t, "http://"+s.public, s.token).PublishLines(s.t.Context(), lines); err != nil || a.Accepted != len(names) {
		s.t.Fatal(a, err)
	}
}

// A heard is a message that was pushed.
type heard struct{ Name, Cursor string }

// A returned is a client with one subscription.
type returned struct {
	t         *testing.T
	recovered bool
	cursor    string // of the join
	pushed    chan heard
}

// comeBack subscribes a new client to an event of the queue behind a cursor.
func (s *site) comeBack(event, after string) *returned {
	s.t.Helper()
	r := &returned{t: s.t, pushed: make(chan heard, 1000)}
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, "http://"+s.public+"/rte", map[string]func([]signalr.Value){"MessageReceived": func(args []signalr.Value) {
		var p struct {
			Data   struct{ QueueName string }
			Cursor string
		}
		if err := signalr.Decode(args[0], &p); err != nil {
			s.t.Error(err)
		}
		r.pushed <- heard{p.Data.QueueName, p.Cursor}
	}}, client.Options{Token: func(context.Context) (string, error) { return s.token, nil }})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() }) //nolint:errcheck // it never fails
	answer, err := c.Invoke(ctx, "Subscribe", []any{map[string]any{"EntityId": queueText, "EventName": event, "After": after}})
	if err != nil {
		s.t.Fatal(err)
	}
	var results []struct {
		Subscribed, Recovered bool
		Cursor                string
	}
	if err := signalr.Decode(answer, &results); err != nil || len(results) != 1 || !results[0].Subscribed || results[0].Cursor == "" {
		s.t.Fatalf("Subscribe: %+v, %v", results, err)
	}
	r.recovered, r.cursor = results[0].Recovered, results[0].Cursor
	return r
}

// until are the messages up to the one with a name.
func (r *returned) until(name string) (list []heard) {
	r.t.Helper()
	for {
		select {
		case h := <-r.pushed:
			list = append(list, h)
			if h.Name == name {
				return list
			}
		case <-time.After(20 * time.Second):
			r.t.Fatalf("waited for %s, heard %v", name, list)
		}
	}
}

// expect is given what must come: these names, in this order, the last of them
// being that of an event that was published when all others were there.
func (r *returned) expect(what string, names ...string) {
	r.t.Helper()
	var got []string
	for _, h := range r.until(names[len(names)-1]) {
		got = append(got, h.Name)
	}
	if !slices.Equal(got, names) {
		r.t.Errorf("%s: heard %v, want %v", what, got, names)
	}
}

// TestWiped: with cursors of a store that is gone a client is told that
// something may be missing, and hears what happens from then on.
func TestWiped(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir()+"/data")
	first := map[string]*returned{}
	cursors := map[string][]string{}
	events := []string{"QueueCallInArrived", "QueueStatus"}
	for _, event := range events {
		first[event] = s.comeBack(event, "")
		cursors[event] = []string{first[event].cursor}
		for n := range 5 {
			s.publish(event, fmt.Sprint("old ", n))
		}
		for _, h := range first[event].until("old 4") {
			cursors[event] = append(cursors[event], h.Cursor)
		}
	}
	s.kill()
	if err := os.RemoveAll(s.dir); err != nil {
		t.Fatal(err)
	}
	s.serve()
	for _, event := range events {
		s.publish(event, "new 0", "new 1", "new 2") // the old numbers are given out again
		state := event == "QueueStatus"
		var all []*returned
		for _, after := range cursors[event] {
			all = append(all, s.comeBack(event, after))
		}
		s.publish(event, "live")
		for i, r := range all {
			if r.recovered != state {
				t.Errorf("%s with the cursor %q of a store that is gone: recovered %v, want %v", event, cursors[event][i], r.recovered, state)
			}
			if state {
				r.expect(event, "new 2", "live")
			} else {
				r.expect(event, "live")
			}
		}
	}
}

// TestQuietPair: the cursor of the join is as good as one of an event: also of
// a pair on which nothing has ever happened, and over a restart of the node.
func TestQuietPair(t *testing.T) {
	t.Parallel()
	for how, end := range map[string]func(*site){
		"kill": func(s *site) { s.kill() },
		"term": func(s *site) {
			s.Process.Signal(os.Interrupt) //nolint:errcheck // exit tells
			s.exit(20 * time.Second)
		},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, t.TempDir())
			s.publish("QueueCallInDisconnected", "of another pair")
			joins := map[string]string{}
			for _, event := range []string{"QueueCallInArrived", "QueueStatus"} {
				joins[event] = s.comeBack(event, "").cursor
			}
			end(s)
			s.serve()
			for event, join := range joins {
				still := s.comeBack(event, join)
				s.publish(event, "first", "second")
				if r := s.comeBack(event, join); r.recovered {
					s.publish(event, "last")
					if event == "QueueStatus" {
						r.expect(event, "second", "last")
					} else {
						r.expect(event, "first", "second", "last")
					}
				} else {
					t.Errorf("%s: not recovered behind the join", event)
					s.publish(event, "last")
				}
				if !still.recovered {
					t.Errorf("%s: not recovered behind the join of a pair that is still quiet", event)
				}
				still.expect(event, "first", "second", "last")
			}
		})
	}
}
