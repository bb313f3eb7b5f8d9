package node_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/node"
)

// A step is one published event, and how many events follow from it, the
// looks at lists included.
type step struct {
	name, entity, data string
	follow             int
}

// recordedSteps are what happens: a callback that changes hands and is closed,
// agents who come to serve its list, a queue that grows and shrinks. No date
// comes while the test runs.
func recordedSteps() (steps []step) {
	change := func(list string, callback int, assigned, more string, follow int) {
		data := fmt.Sprintf(`{"callBackId":"33eeb030-ff4b-ea11-ac9c-%012d","callListId":%q,"assignedUserId":%s,"contactName":"Ä \"sample\""%s}`, callback, list, assigned, more)
		steps = append(steps, step{"CallbackChanged", list, data, follow})
	}
	user, other := `"`+userText+`"`, `"`+otherText+`"`
	for n := range 2 {
		change(listText, n, "null", `,"dueDate":"2001-01-01T00:00:00Z","expiryDate":"2099-01-01T00:00:00"`, 1)
		change(listText, n, user, "", 2)
		change(listText, n, other, `,"notBefore":"2099-01-01T00:00:00Z"`, 2)
		steps = append(steps,
			step{"UserStatus", userText, fmt.Sprintf(`{"servingCallback":%t}`, n%2 == 0), 1},
			step{"QueueStatus", queueText, fmt.Sprintf(`{"nbrOfQueuingRequesters":%d,"queueName":"Sales"}`, 6+n), 2},
			step{"QueueStatus", queueText, `{"nbrOfQueuingRequesters":0,"queueName":"Sales"}`, 0},
		)
	}
	for n := range 2 {
		change(listText, n, "null", `,"lastAttemptTypeId":9`, 2) // closed
	}
	return steps
}

// derived plays the steps at the nodes in turn and returns the lines of what
// followed, but for cursors, times and the alert's id, which is another one
// each time. Of several nodes the one that draws the conclusions is stopped
// halfway.
func derived(t *testing.T, nodes []*world) []string {
	t.Helper()
	nodes[0].eventually("somebody owns", func() bool { return ownerOf(nodes) >= 0 })
	w := nodes[len(nodes)-1]
	if ownerOf(nodes) == len(nodes)-1 {
		w = nodes[0]
	}
	_, lines, _ := w.tail(service(t, orgA), "?events=UserCallbackChanged,CallbackListStatus,UserAlert,UserQueueAlert")
	heard := make(chan string, 1000)
	go func() {
		defer close(heard)
		for lines.Scan() {
			heard <- lines.Text()
		}
	}()
	w.said("lists", fmt.Sprintf(`{"organizationId":%q,"callListId":%q,"isAutoAllocate":true,"agents":[%q,%q]}`, orgA, listText, userText, otherText))
	status, text := w.call(agent(t), http.MethodPost, "/api/v1/alerts",
		fmt.Sprintf(`{"entityId":%q,"eventName":"QueueStatus","field":"NbrOfQueuingRequesters","operator":">","value":5}`, queueText))
	var made struct{ AlertID string }
	if err := json.Unmarshal([]byte(text), &made); err != nil || status != http.StatusCreated {
		t.Fatalf("POST: %d %s", status, text)
	}
	judged := func() bool {
		i := ownerOf(nodes)
		if i < 0 {
			return false
		}
		_, body := w.get(nodes[i].AdminURL() + "/metrics")
		return strings.Contains(body, "\nrte_rules_alerts 1\n")
	}
	w.eventually("the owner judges the alert", judged)
	var got []string
	wait := func(s step) {
		for n := 0; n < s.follow; {
			select {
			case text := <-heard:
				var l struct {
					Subscription struct{ EntityID, EventName string }
					Data         json.RawMessage
				}
				if err := json.Unmarshal([]byte(text), &l); err != nil {
					t.Fatalf("%v: %s", err, text)
				}
				if l.Subscription.EventName == "" { // where it stands
					continue
				}
				got = append(got, strings.ReplaceAll(l.Subscription.EventName+" "+l.Subscription.EntityID+" "+string(l.Data), made.AlertID, "alert"))
				n++
			case <-time.After(20 * time.Second):
				t.Fatalf("behind %+v came %d events, want %d", s, n, s.follow)
			}
		}
	}
	steps := recordedSteps()
	wait(step{follow: 1}) // the list has agents
	for i, s := range steps {
		if i == len(steps)/2 && len(nodes) > 1 {
			goes := ownerOf(nodes)
			if goes < 0 || nodes[goes] == w {
				t.Fatal("the owner has changed")
			}
			nodes[goes].stop()
			nodes = slices.Delete(slices.Clone(nodes), goes, goes+1)
			w.eventually("another one judges the alert", judged)
		}
		nodes[i%len(nodes)].publish(orgA, s.name, s.entity, s.data)
		wait(s)
	}
	return got
}

// ownerOf is the place of the node that draws the conclusions, -1 if none does.
func ownerOf(nodes []*world) int {
	return slices.IndexFunc(nodes, func(w *world) bool {
		_, body := w.get(w.AdminURL() + "/metrics")
		return strings.Contains(body, "\nrte_rules_owned 1\n")
	})
}

// TestSameOnOneAndThree: what happened gives the same payloads, byte for byte
// and in the same order, in two runs on one node, and on three of which the one
// that draws the conclusions goes in the middle. TestRecordedLog of
// internal/derive has the form with a tick for each second; here they come with
// the clock, so each step waits for what follows.
func TestSameOnOneAndThree(t *testing.T) {
	t.Parallel()
	look := func(c *node.Config) { c.LookEvery, c.ClosingAttempts = time.Second, []string{"9"} }
	var mu sync.Mutex
	runs := map[string][]string{}
	t.Run("runs", func(t *testing.T) {
		for name, n := range map[string]int{"one": 1, "one again": 1, "three": 3} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var nodes []*world
				if n == 1 {
					nodes = append(nodes, start(t, look))
				} else {
					s := natsServer(t, nil)
					for range n {
						nodes = append(nodes, start(t, func(c *node.Config) { look(c); c.NATSURL = []string{s.ClientURL()} }))
					}
				}
				got := derived(t, nodes)
				mu.Lock()
				defer mu.Unlock()
				runs[name] = got
			})
		}
	})
	if len(runs) != 3 || len(runs["one"]) < 15 {
		t.Fatalf("%d runs, of which one gave %d events", len(runs), len(runs["one"]))
	}
	for name, got := range runs {
		if d := cmp.Diff(runs["one"], got); d != "" {
			t.Errorf("%s (-one node +%s):\n%s", name, name, d)
		}
	}
}
