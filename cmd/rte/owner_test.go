package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/producer"
)

// A heardLine is a line of /api/v1/stream.
type heardLine struct {
	Subscription *struct{ EntityID, EventName string }
	Data         json.RawMessage
	Cursor       string
	Cause        string
}

// A transcript is everything that a back-end program has heard, by event and in
// order. It goes on where it was, at any node.
type transcript struct {
	t          *testing.T
	url, token string

	mu    sync.Mutex
	lines map[string][]heardLine
}

// listen reads until ctx ends.
func (x *transcript) listen(ctx context.Context, events string) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for after := ""; ctx.Err() == nil; {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, x.url+"/api/v1/stream?events="+events+"&after="+url.QueryEscape(after), http.NoBody)
		if err != nil {
			x.t.Error(err)
			return
		}
		r.Header.Set("Authorization", "Bearer "+x.token)
		resp, err := client.Do(r)
		if err != nil {
			pause(ctx.Done(), 100*time.Millisecond)
			continue
		}
		if resp.StatusCode == http.StatusOK {
			after = x.read(resp.Body, after)
		} else {
			pause(ctx.Done(), 100*time.Millisecond)
		}
		resp.Body.Close() //nolint:errcheck // of a test
	}
}

func (x *transcript) read(body io.Reader, after string) string {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l heardLine
		if json.Unmarshal(lines.Bytes(), &l) != nil {
			break // cut short
		}
		if l.Cursor != "" {
			after = l.Cursor
		}
		if l.Subscription == nil {
			continue
		}
		_, l.Cursor, _ = strings.Cut(l.Cursor, ".") // its part of the event lane; what follows names that
		x.mu.Lock()
		x.lines[l.Subscription.EventName] = append(x.lines[l.Subscription.EventName], l)
		x.mu.Unlock()
	}
	return after
}

func (x *transcript) of(event string) []heardLine {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.lines[event][:len(x.lines[event]):len(x.lines[event])]
}

// A casework publishes changed callbacks, and a queue whose length goes up and
// down. It waits for each answer, so the events of a callback are in order.
type casework struct {
	client *producer.Client
	chance *rand.Rand
	users  []string
	lists  []string
	sent   int
}

func (w *casework) run(ctx context.Context, stop <-chan struct{}) error {
	const callbacks = 40
	for n := 0; pause(stop, 10*time.Millisecond); n++ {
		var events []producer.Event
		for range 1 + w.chance.IntN(4) {
			c := w.chance.IntN(callbacks)
			assigned := "null"
			if w.chance.IntN(3) > 0 {
				assigned = `"` + w.users[w.chance.IntN(len(w.users))] + `"`
			}
			events = append(events, producer.Event{
				Organization: orgText, Entity: w.lists[c%len(w.lists)], Name: "CallbackChanged",
				Data: json.RawMessage(fmt.Sprintf(`{"callBackId":%q,"assignedUserId":%s,"contactNumber":"%d"}`, guidOf(0xcb, c), assigned, w.sent)),
			})
			w.sent++
		}
		if n%5 == 0 {
			events = append(events, producer.Event{
				Organization: orgText, Entity: queueText, Name: "QueueStatus",
				Data: json.RawMessage(fmt.Sprintf(`{"nbrOfQueuingRequesters":%d}`, w.chance.IntN(11))),
			})
		}
		if _, err := w.client.Publish(ctx, events...); err != nil {
			return err
		}
	}
	return nil
}

func guidOf(sort byte, n int) string { return fmt.Sprintf("%02x000000-0000-4000-8000-%012d", sort, n) }

// owner is the node that draws the conclusions; -1 if there is none yet.
func (f *fleet) owner() int {
	client := http.Client{Timeout: 2 * time.Second}
	for i, admin := range f.admin {
		resp, err := client.Get("http://" + admin + "/metrics") //nolint:noctx // of a test
		if err != nil {
			continue
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close() //nolint:errcheck // of a test
		if strings.Contains(string(text), "\nrte_rules_owned 1\n") {
			return i
		}
	}
	return -1
}

// TestOwnerKilled: three nodes; whichever draws the conclusions is killed with
// -9 again and again under load. Each changed callback gives its copies exactly
// once and in order, no alert comes twice, no status of a list is repeated, and
// the newest one is right.
func TestOwnerKilled(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	base := "http://" + f.front.addr
	_, token, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--role", "service")
	token = strings.TrimSpace(token)
	setAlert(t, base)

	x := &transcript{t: t, url: base, token: token, lines: map[string][]heardLine{}}
	hearing, deaf := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		x.listen(hearing, "callbackchanged,usercallbackchanged,callbackliststatus,useralert,userqueuealert")
	})
	defer work.Wait()
	defer deaf()

	w := &casework{client: newProducer(t, base, token), chance: rand.New(rand.NewPCG(f.chance.Uint64(), 1))} //nolint:gosec // no secret
	for n := range 5 {
		w.users, w.lists = append(w.users, guidOf(0xa1, n)), append(w.lists, guidOf(0xd0, n))
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- w.run(context.Background(), stop) }()

	kills := 0
	for end := time.Now().Add(soak(t, 25*time.Second)); time.Now().Before(end); {
		pause(nil, between(f.chance, time.Second, 4*time.Second))
		i := f.owner()
		if i < 0 {
			continue
		}
		f.nodes[i].kill()
		kills++
		pause(nil, between(f.chance, 0, 3*time.Second))
		f.again(i)
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	waitFor(t, time.Minute, "every change", func() bool { return len(x.of("callbackchanged")) >= w.sent })
	m := recount(t, x.of("callbackchanged"))
	waitFor(t, 90*time.Second, "every copy and every list's newest status", func() bool {
		return m.copied(x.of("usercallbackchanged")) && m.counted(x.of("callbackliststatus"))
	})
	deaf()
	work.Wait()
	m.check(t, w.sent, x)
	t.Logf("%d callbacks changed, %d copies, %d statuses of lists, %d alerts, %d owners killed",
		w.sent, len(x.of("usercallbackchanged")), len(x.of("callbackliststatus")), len(x.of("useralert")), kills)
	if kills < 2 || len(x.of("useralert")) == 0 {
		t.Errorf("%d owners killed, %d alerts: too few to show anything", kills, len(x.of("useralert")))
	}
}

// setAlert has the sample user told of a long queue.
func setAlert(t *testing.T, base string) {
	t.Helper()
	_, token, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--queue", queueText)
	body := fmt.Sprintf(`{"entityId":%q,"eventName":"QueueStatus","field":"NbrOfQueuingRequesters","operator":">","value":5}`, queueText)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/api/v1/alerts", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // of a test
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusCreated {
		t.Fatalf("POST: %d %s", resp.StatusCode, text)
	}
}

// A recounted is what must follow from changed callbacks.
type recounted struct {
	causes map[string][]string       // of the copies of each user, in order
	copies int                       // of all users
	data   map[string]map[string]any // of the changes, by cursor
	lists  map[string][3]float64     // open, assigned and free callbacks
}

func recount(t *testing.T, changes []heardLine) *recounted {
	t.Helper()
	m := &recounted{causes: map[string][]string{}, data: map[string]map[string]any{}, lists: map[string][3]float64{}}
	assigned, listOf := map[string]string{}, map[string]string{}
	for _, l := range changes {
		m.data[l.Cursor] = fields(t, l.Data)
		id, _ := m.data[l.Cursor]["callBackId"].(string)
		now, _ := m.data[l.Cursor]["assignedUserId"].(string)
		before := assigned[id]
		assigned[id], listOf[id] = now, l.Subscription.EntityID
		for i, u := range []string{now, before} {
			if u != "" && (i == 0 || u != now) {
				m.causes[u] = append(m.causes[u], l.Cursor)
				m.copies++
			}
		}
	}
	for id, list := range listOf {
		n := m.lists[list]
		n[0]++
		if assigned[id] != "" {
			n[1]++
		} else {
			n[2]++
		}
		m.lists[list] = n
	}
	return m
}

func fields(t *testing.T, data json.RawMessage) (all map[string]any) {
	t.Helper()
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func (m *recounted) copied(copies []heardLine) bool { return len(copies) >= m.copies }

// counted tells whether the newest status of each list is right.
func (m *recounted) counted(statuses []heardLine) bool {
	newest := map[string][3]float64{}
	for _, l := range statuses {
		var s struct{ TotalOpenRequests, TotalAssigned, TotalFreeForAllocation float64 }
		if json.Unmarshal(l.Data, &s) != nil {
			return false
		}
		newest[l.Subscription.EntityID] = [3]float64{s.TotalOpenRequests, s.TotalAssigned, s.TotalFreeForAllocation}
	}
	return cmp.Equal(m.lists, newest)
}

func (m *recounted) check(t *testing.T, sent int, x *transcript) {
	t.Helper()
	if n := len(x.of("callbackchanged")); n != sent {
		t.Errorf("%d changes were heard of %d that were sent", n, sent)
	}
	got := map[string][]string{}
	for _, l := range x.of("usercallbackchanged") {
		u := l.Subscription.EntityID
		got[u] = append(got[u], l.Cause)
		want := map[string]any{"targetUser": u}
		for name, v := range m.data[l.Cause] {
			want[name] = v
		}
		if d := cmp.Diff(want, fields(t, l.Data)); d != "" {
			t.Errorf("a copy differs from its cause (-want +got):\n%s", d)
		}
	}
	if d := cmp.Diff(m.causes, got); d != "" {
		t.Errorf("causes of each user's copies (-want +got):\n%s", d)
	}
	last := map[string]string{}
	for _, l := range x.of("callbackliststatus") {
		if last[l.Subscription.EntityID] == string(l.Data) {
			t.Errorf("list %s: %s came twice", l.Subscription.EntityID, l.Data)
		}
		last[l.Subscription.EntityID] = string(l.Data)
	}
	for _, event := range []string{"useralert", "userqueuealert"} {
		causes := map[string]bool{}
		for _, l := range x.of(event) {
			if causes[l.Cause] || l.Cause == "" {
				t.Errorf("%s of %q came twice", event, l.Cause)
			}
			causes[l.Cause] = true
		}
	}
}

// waitFor waits for what takes longer than until does.
func waitFor(t *testing.T, d time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !ok(); pause(nil, 100*time.Millisecond) {
		if time.Now().After(end) {
			t.Errorf("%v, and not yet: %s", d, what)
			return
		}
	}
}
