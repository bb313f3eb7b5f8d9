package node_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
)

// TestAlertLimitOfManyAtOnce: a user who asks for alerts many at a time, at
// several nodes, gets 100 and not one more; what is deleted makes room; and
// another user's do not count.
func TestAlertLimitOfManyAtOnce(t *testing.T) {
	t.Parallel()
	const limit, asked = 100, 150
	f := newFarm(t, 2)
	token := agent(t)
	good := fmt.Sprintf(`{"entityId":%q,"eventName":"QueueStatus","field":"MaxWaitTime","operator":">","value":5}`, queueText)
	other := sign(t, func(c *auth.Claims) { c.User = event.GUID{7} })
	if status, text := f.nodes[0].call(other, http.MethodPost, "/api/v1/alerts", good); status != http.StatusCreated {
		t.Fatalf("another user: %d %s", status, text)
	}
	var mu sync.Mutex
	answers := map[int]int{}
	ids := make(chan string, asked)
	var work sync.WaitGroup
	waiting := make(chan int, asked)
	for i := range asked {
		waiting <- i
	}
	close(waiting)
	for range 30 {
		work.Go(func() {
			for i := range waiting {
				status, text := f.nodes[i%2].call(token, http.MethodPost, "/api/v1/alerts", good)
				mu.Lock()
				answers[status]++
				mu.Unlock()
				var made struct{ AlertID string }
				if status == http.StatusCreated && json.Unmarshal([]byte(text), &made) == nil {
					ids <- made.AlertID
				}
			}
		})
	}
	work.Wait()
	if answers[http.StatusCreated] != limit || answers[http.StatusConflict] != asked-limit {
		t.Errorf("answers are %v, want %d made and the rest refused", answers, limit)
	}
	for _, w := range f.nodes {
		w.eventually("every node knows all", func() bool {
			var all []any
			_, text := w.call(token, http.MethodGet, "/api/v1/alerts", "")
			return json.Unmarshal([]byte(text), &all) == nil && len(all) == answers[http.StatusCreated]
		})
	}
	for i, w := range f.nodes { // deleted here, there is room there at once
		if status, text := w.call(token, http.MethodDelete, "/api/v1/alerts/"+<-ids, ""); status != http.StatusNoContent {
			t.Fatalf("DELETE: %d %s", status, text)
		}
		next := f.nodes[1-i]
		for _, want := range []int{http.StatusCreated, http.StatusConflict} {
			if status, text := next.call(token, http.MethodPost, "/api/v1/alerts", good); status != want {
				t.Errorf("behind the deletion: %d %s, want %d", status, text, want)
			}
		}
	}
}

// TestPlacesOfAlertsThatNeverCame: a request that ended between taking its place
// and keeping its alert blocks that place for a minute, not for ever.
func TestPlacesOfAlertsThatNeverCame(t *testing.T) {
	t.Parallel()
	s := natsServer(t, nil)
	w := start(t, func(c *node.Config) { c.NATSURL = []string{s.ClientURL()} })
	nc, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.KeyValue(t.Context(), "RTE_ALERT-PLACES")
	if err != nil {
		t.Fatal(err)
	}
	good := fmt.Sprintf(`{"entityId":%q,"eventName":"QueueStatus","field":"MaxWaitTime","operator":">","value":5}`, queueText)
	for age, want := range map[time.Duration]int{0: http.StatusConflict, 2 * time.Minute: http.StatusCreated} {
		taken := map[event.GUID]time.Time{}
		for i := range 100 {
			taken[event.GUID{'x', byte(i)}] = time.Now().Add(-age)
		}
		text, err := json.Marshal(map[string]any{"of": taken})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kv.Put(t.Context(), orgA.String()+"."+userText, text); err != nil {
			t.Fatal(err)
		}
		if status, text := w.call(agent(t), http.MethodPost, "/api/v1/alerts", good); status != want {
			t.Errorf("places taken %v ago: %d %s, want %d", age, status, text, want)
		}
	}
}
