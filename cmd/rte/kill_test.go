package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rte/producer"
)

// soak is how long the long tests take: RTE_SOAK, which `make soak` sets, else
// as short as makes sense.
func soak(t *testing.T, short time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv("RTE_SOAK")
	if text == "" {
		return short
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("RTE_SOAK: %v", err)
	}
	return d
}

// newRandom is a source of chance whose seed the test prints; RTE_SEED gives
// it again.
func newRandom(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("RTE_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatalf("RTE_SEED: %v", err)
		}
	}
	t.Logf("RTE_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, seed)) //nolint:gosec // no secret is made of it
}

const otherOrg = "0f8fad5b-d9cb-469f-a165-70867728950e"

// A flood is a producer that publishes without end, over some pairs of two
// organizations that use the same ids.
type flood struct {
	chance *rand.Rand
	next   int
	sent   map[string][]string // by subject: ids in order, of events in the store when Publish returned
}

// batch makes some events; each pair's come in the order of their numbers.
func (f *flood) batch() []producer.Event {
	events := make([]producer.Event, 0, 200)
	for range 1 + f.chance.IntN(100) {
		f.next++
		name, lane := "QueueCallInArrived", "event"
		if f.chance.IntN(4) == 0 {
			name, lane = "QueueStatus", "state"
		}
		entity := fmt.Sprintf("cbeeb190-ff4b-ea11-ac9c-%012d", f.chance.IntN(20))
		id := fmt.Sprint("event-", f.next)
		for _, org := range []string{orgText, otherOrg} {
			events = append(events, producer.Event{Organization: org, Entity: entity, Name: name, ID: id, Data: map[string]string{"queueName": id}})
			subject := subjectOf(lane, org, strings.ToLower(name), entity)
			f.sent[subject] = append(f.sent[subject], id)
		}
	}
	return events
}

// TestKilledWhilePublishing kills a node with -9 again and again at random
// moments while a producer publishes. In the end every event is in the store,
// once, in the order of its pair, and the newest of each state is the newest
// that was sent; two organizations with the same ids do not disturb each
// other.
func TestKilledWhilePublishing(t *testing.T) {
	t.Parallel()
	chance := newRandom(t)
	public, admin, dir := freeAddr(t), freeAddr(t), t.TempDir()
	_, token, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--role", "platform")
	client, err := producer.New("http://"+public, producer.Options{
		Token:      func(context.Context) (string, error) { return strings.TrimSpace(token), nil },
		FirstPause: 5 * time.Millisecond, LongPause: 50 * time.Millisecond, Patience: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	stop, flooded := make(chan struct{}), make(chan error, 1)
	f := &flood{chance: rand.New(rand.NewPCG(chance.Uint64(), 0)), sent: map[string][]string{}} //nolint:gosec // no secret is made of it
	go func() { flooded <- f.run(client, stop) }()

	serve := func() *program {
		p := start(t, []string{"RTE_JWT_SECRET=" + testSecret}, "serve", "--listen", public, "--admin-listen", admin, "--data-dir", dir)
		ready(t, "http://"+admin)
		return p
	}
	kills := 0
	for end := time.Now().Add(soak(t, 4*time.Second)); time.Now().Before(end) || kills < 3; kills++ {
		p := serve()
		<-time.After(time.Duration(chance.IntN(400)) * time.Millisecond)
		p.kill()
	}
	last := serve()
	close(stop)
	if err := <-flooded; err != nil {
		t.Fatal(err)
	}
	last.kill()
	f.check(t, dir)
	t.Logf("%d events for each of two organizations, %d kills", f.next, kills)
}

// kill ends the process with -9.
func (p *program) kill() {
	p.t.Helper()
	if err := p.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	p.exit(20 * time.Second)
}

func (f *flood) run(client *producer.Client, stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		events := f.batch()
		result, err := client.Publish(context.Background(), events...)
		if err != nil || result.Accepted != len(events) {
			return fmt.Errorf("%d of %d events accepted: %v, %w", result.Accepted, len(events), result.Rejected, err)
		}
	}
}

// check compares the store with what was sent.
func (f *flood) check(t *testing.T, dir string) {
	t.Helper()
	f.compare(t, slices.Concat(readStore(t, dir, "RTE_EVENT_0"), readStore(t, dir, "RTE_STATE_0")))
}

// compare compares what was stored with what was sent.
func (f *flood) compare(t *testing.T, all []kept) {
	t.Helper()
	got := map[string][]string{}
	for _, m := range all {
		got[m.subject] = append(got[m.subject], idOf(t, m))
	}
	for subject, sent := range f.sent {
		want := sent
		if strings.HasPrefix(subject, "rte.state.") {
			want = sent[len(sent)-1:]
		}
		if a, b := strings.Join(got[subject], " "), strings.Join(want, " "); a != b {
			t.Errorf("%s holds %d events, want %d: %s", subject, len(got[subject]), len(want), firstDifference(got[subject], want))
		}
		delete(got, subject)
	}
	if len(got) > 0 {
		t.Errorf("the store has pairs that nobody sent: %v", got)
	}
}

// idOf is a message's id; its data must say the same.
func idOf(t *testing.T, m kept) string {
	t.Helper()
	var data struct{ QueueName string }
	if err := json.Unmarshal([]byte(m.data), &data); err != nil || data.QueueName != m.id {
		t.Errorf("%s: id %q has data %s", m.subject, m.id, m.data)
	}
	return m.id
}

func firstDifference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return fmt.Sprintf("from place %d on %.5q, want %.5q", i, got[min(i, len(got)):], want[min(i, len(want)):])
		}
	}
	return "none"
}

// TestPublishResumes: `rte publish` goes on where it was when the node is
// killed and comes back, twice; lines without id are stored once.
func TestPublishResumes(t *testing.T) {
	t.Parallel()
	const n = 60_000
	public, admin, dir := freeAddr(t), freeAddr(t), t.TempDir()
	_, token, _ := verb(t, "", "token", "--jwt-secret", testSecret, "--user", userText, "--org", orgText, "--role", "service")
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, `{"organizationId":%q,"entityId":%q,"eventName":"QueueCallInArrived","data":{"legId":"%d"}}`+"\n", orgText, queueText, i)
	}
	serve := func() *program {
		p := start(t, []string{"RTE_JWT_SECRET=" + testSecret}, "serve", "--listen", public, "--admin-listen", admin, "--data-dir", dir)
		ready(t, "http://"+admin)
		return p
	}
	stored := func(more int) func() bool {
		return func() bool {
			_, text := httpGet(t, "http://"+admin+"/metrics")
			_, rest, _ := strings.Cut(text, "\nrte_stored_events_total ")
			var have float64
			fmt.Sscan(rest, &have)
			return have >= float64(more)
		}
	}
	node := serve()
	var errs safeBuffer
	done := make(chan int, 1)
	go func() {
		done <- run(t.Context(), []string{"publish", "--url", "http://" + public, "--token", strings.TrimSpace(token), "-"}, streams{strings.NewReader(lines.String()), &errs, &errs})
	}()
	for range 2 {
		until(t, stored(n/10))
		node.kill()
		until(t, func() bool { return strings.Contains(errs.String(), "trying again") })
		node = serve()
	}
	if code := <-done; code != 0 || !strings.Contains(errs.String(), fmt.Sprintf("%d accepted, 0 refused of %d lines", n, n)) {
		t.Errorf("publish: code %d: %s", code, errs.String())
	}
	node.kill()
	all := readStore(t, dir, "RTE_EVENT_0")
	for i, m := range all {
		if want := fmt.Sprintf(`{"legId":"%d"}`, i); m.data != want {
			t.Fatalf("message %d is %s, want %s", i, m.data, want)
		}
	}
	if len(all) != n {
		t.Errorf("the store has %d events, want %d", len(all), n)
	}
}
