package node_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
	"rte/signalr"
	"rte/signalr/client"
)

// bound is how long a right may outlive its end on any node (issue, step 4).
const bound = time.Second

// A stream publishes numbered events of many queues, a thousand in a second.
type stream struct {
	w      *world
	queues []event.GUID
	event  string

	cancel context.CancelFunc
	done   sync.WaitGroup
	sent   []int         // by queue: how many; read behind stop
	times  [][]time.Time // by queue and number: when it was sent
}

func (w *world) stream(queues []event.GUID) *stream {
	ctx, cancel := context.WithCancel(w.t.Context())
	s := &stream{w: w, queues: queues, event: "QueueCallInArrived", cancel: cancel, sent: make([]int, len(queues)), times: make([][]time.Time, len(queues))}
	token := sign(w.t, func(c *auth.Claims) { c.Role, c.User = auth.Service, event.GUID{0x99} })
	s.done.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for turn := 0; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			var body strings.Builder
			for range 20 {
				q := turn % len(queues)
				fmt.Fprintf(&body, `{"organizationId":%q,"entityId":%q,"eventName":%q,"data":{"n":%d}}`+"\n", orgA, queues[q], s.event, s.sent[q])
				s.sent[q]++
				s.times[q] = append(s.times[q], time.Now())
				turn++
			}
			if status, answer := w.post(token, "application/x-ndjson", body.String()); status != http.StatusOK || !strings.Contains(answer, `"rejected":[]`) {
				w.t.Errorf("publish: %d %s", status, answer)
				return
			}
		}
	})
	return s
}

// late is how long behind a moment the last event that was heard of a queue had
// been sent: when it came is the client's matter, too, which may be busy.
func (s *stream) late(h *hearing, queue int, moment time.Time) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	numbers := h.numbers[s.queues[queue].String()]
	if len(numbers) == 0 {
		return 0
	}
	return s.times[queue][numbers[len(numbers)-1]].Sub(moment)
}

// stop ends it; everything has been stored then.
func (s *stream) stop() {
	s.cancel()
	s.done.Wait()
}

// A hearing is what a client has heard, by queue.
type hearing struct {
	*client.Client
	t testing.TB

	mu      sync.Mutex
	numbers map[string][]int
	cursors map[string]string // of a queue's first event
	notices []string          // queues of notices
	moved   chan struct{}     // has an element when there is something new
}

func (w *world) hear(token string, queues []event.GUID) *hearing {
	w.t.Helper()
	h := &hearing{t: w.t, numbers: map[string][]int{}, cursors: map[string]string{}, moved: make(chan struct{}, 1)}
	on := map[string]func([]signalr.Value){"MessageReceived": h.push, "Notice": h.notice}
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	var err error
	if h.Client, err = client.Dial(ctx, w.HubURL(), on, client.Options{Token: tokenOf(token)}); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { h.Close() }) //nolint:errcheck // it never fails
	if _, err := h.Invoke(ctx, "EnableNotices", true); err != nil {
		w.t.Fatal(err)
	}
	for _, r := range h.subscribe(queues, nil) {
		if !r.Subscribed {
			w.t.Fatalf("subscribe: %+v", r)
		}
	}
	return h
}

type subscribed struct {
	Subscribed bool
	Message    string
	EntityID   event.GUID
	EventName  string
}

// subscribe subscribes to queues, behind their cursors if there are any.
func (h *hearing) subscribe(queues []event.GUID, after map[string]string) (results []subscribed) {
	h.t.Helper()
	items := []map[string]any{}
	for _, q := range queues {
		item := map[string]any{"EntityId": q.String(), "EventName": "QueueCallInArrived"}
		if c, ok := after[q.String()]; ok {
			item["After"] = c
		}
		items = append(items, item)
	}
	answer, err := h.Invoke(h.t.Context(), "Subscribe", items)
	if err != nil {
		h.t.Error(err)
		return nil
	}
	if err := signalr.Decode(answer, &results); err != nil {
		h.t.Error(err)
	}
	return results
}

func (h *hearing) push(args []signalr.Value) {
	var p struct {
		Subscription struct{ EntityID string }
		Data         struct{ N int }
		Cursor       string
	}
	if err := signalr.Decode(args[0], &p); err != nil {
		h.t.Error(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	q := p.Subscription.EntityID
	h.numbers[q] = append(h.numbers[q], p.Data.N)
	if h.cursors[q] == "" {
		h.cursors[q] = p.Cursor
	}
	h.signal()
}

func (h *hearing) notice(args []signalr.Value) {
	var n struct {
		Kind         string
		Subscription struct{ EntityID string }
	}
	if err := signalr.Decode(args[0], &n); err != nil {
		h.t.Error(err)
	}
	if n.Kind != "subscriptionRemoved" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notices = append(h.notices, n.Subscription.EntityID)
	h.signal()
}

func (h *hearing) signal() {
	select {
	case h.moved <- struct{}{}:
	default:
	}
}

// until waits until ok, which is called under the lock.
func (h *hearing) until(what string, ok func() bool) {
	h.t.Helper()
	end := time.NewTimer(20 * time.Second)
	defer end.Stop()
	for {
		h.mu.Lock()
		good := ok()
		h.mu.Unlock()
		if good {
			return
		}
		select {
		case <-h.moved:
		case <-end.C:
			h.t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// whole sees that what was heard of a queue goes on from its first number to
// the last without a gap, a double or a change of order.
func (h *hearing) whole(q event.GUID, last int) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	numbers := h.numbers[q.String()]
	for i := 1; i < len(numbers); i++ {
		if numbers[i] != numbers[i-1]+1 {
			h.t.Fatalf("queue %s: %d came behind %d", q, numbers[i], numbers[i-1])
		}
	}
	if len(numbers) == 0 || last >= 0 && numbers[len(numbers)-1] != last {
		h.t.Fatalf("queue %s: heard %d events, the last of them is not %d", q, len(numbers), last)
	}
}

func manyQueues(n int) (list []event.GUID) {
	for i := range n {
		list = append(list, event.GUID{0xc0, byte(i)})
	}
	return list
}

func rightsBody(t testing.TB, queues []event.GUID) string {
	b, err := json.Marshal(queues)
	if err != nil || queues == nil {
		b = []byte("[]")
	}
	return fmt.Sprintf(`{"organizationId":%q,"userId":%q,"queues":%s}`, orgA, userText, b)
}

// TestRightFallsUnderLoad is what must hold: while a thousand events a second
// flow, a user is taken out of a queue. Its last event comes within a second,
// on the node that was told and on another; all other pairs go on unbroken.
// Then the nodes go, and with the old token and cursor the answer is
// Unauthorized, and nothing is replayed.
func TestRightFallsUnderLoad(t *testing.T) {
	t.Parallel()
	s := natsServer(t, nil)
	open := func(c *node.Config) { c.NATSURL = []string{s.ClientURL()} }
	a, b := start(t, open), start(t, open)
	queues := manyQueues(20)
	token := sign(t, func(c *auth.Claims) { c.Queues = queues })
	here, there := a.hear(token, queues), b.hear(token, queues)
	flow := b.stream(queues)
	for _, h := range []*hearing{here, there} {
		h.until("events of the queue", func() bool { return len(h.numbers[queues[0].String()]) >= 20 })
	}
	told := time.Now()
	a.said("rights", rightsBody(t, queues[1:]))
	answered := time.Now()
	for _, h := range []*hearing{here, there} {
		h.until("the notice", func() bool { return slices.Equal(h.notices, []string{queues[0].String()}) })
		h.mu.Lock()
		more := len(h.numbers[queues[1].String()]) + 50
		h.mu.Unlock()
		h.until("a second and more behind", func() bool {
			return len(h.numbers[queues[1].String()]) >= more && time.Since(answered) > 2*bound
		})
	}
	flow.stop()
	for name, h := range map[string]*hearing{"told": here, "the other": there} {
		h.until("the last events", func() bool {
			for i, q := range queues[1:] {
				if n := h.numbers[q.String()]; n[len(n)-1] != flow.sent[i+1]-1 {
					return false
				}
			}
			return true
		})
		for i, q := range queues[1:] {
			h.whole(q, flow.sent[i+1]-1)
		}
		h.whole(queues[0], -1)
		if late := flow.late(h, 0, told); late > bound {
			t.Errorf("%s: the last event of the queue was sent %v behind the request, want at most %v", name, late, bound)
		}
		if r := h.subscribe(queues[:1], nil); len(r) != 1 || r[0].Message != "Unauthorized" {
			t.Errorf("%s: subscribing again: %+v", name, r)
		}
	}
	cursors := here.cursors
	a.stop()
	b.stop()
	again := start(t, open)
	h := again.hear(token, queues[1:2])
	if r := h.subscribe(queues[:1], cursors); len(r) != 1 || r[0].Message != "Unauthorized" {
		t.Errorf("with the old token and cursor: %+v", r)
	}
	last := again.stream(queues[:2])
	h.until("events of another queue", func() bool { return len(h.numbers[queues[1].String()]) > 20 })
	last.stop()
	h.mu.Lock()
	if n := h.numbers[queues[0].String()]; len(n) > 0 {
		t.Errorf("%d events of the queue came", len(n))
	}
	h.mu.Unlock()
	again.said("rights", fmt.Sprintf(`{"organizationId":%q,"userId":%q,"reset":true}`, orgA, userText))
	if r := h.subscribe(queues[:1], nil); len(r) != 1 || !r[0].Subscribed {
		t.Errorf("given back: %+v", r)
	}
}

// TestRevocationUnderLoad: the same for a token that is taken back.
func TestRevocationUnderLoad(t *testing.T) {
	t.Parallel()
	s := natsServer(t, nil)
	open := func(c *node.Config) { c.NATSURL = []string{s.ClientURL()} }
	a, b := start(t, open), start(t, open)
	queues := manyQueues(10)
	token := sign(t, func(c *auth.Claims) { c.Queues = queues })
	mate := sign(t, func(c *auth.Claims) { c.Queues, c.User = queues, event.GUID{0x22} })
	here, there, other := a.hear(token, queues), b.hear(token, queues), b.hear(mate, queues)
	flow := a.stream(queues)
	for _, h := range []*hearing{here, there, other} {
		h.until("events", func() bool { return len(h.numbers[queues[0].String()]) >= 20 })
	}
	told := time.Now()
	if answer := a.said("revocations", fmt.Sprintf(`{"user":%q}`, userText)); answer["closed"] != 2.0 {
		t.Errorf("the answer is %v, want 2 closed", answer)
	}
	for name, h := range map[string]*hearing{"told": here, "the other": there} {
		<-h.Done()
		if h.Err() == nil || !strings.Contains(h.Err().Error(), "revoked") {
			t.Errorf("%s: ended with %v", name, h.Err())
		}
	}
	other.mu.Lock()
	more := len(other.numbers[queues[0].String()]) + 100
	other.mu.Unlock()
	other.until("a second and more behind", func() bool {
		return len(other.numbers[queues[0].String()]) >= more && time.Since(told) > 2*bound
	})
	flow.stop()
	for i, q := range queues {
		for name, h := range map[string]*hearing{"told": here, "the other": there} {
			if late := flow.late(h, i, told); late > bound {
				t.Errorf("%s: the last event was sent %v behind the request, want at most %v", name, late, bound)
			}
		}
		other.until("the last events", func() bool {
			n := other.numbers[q.String()]
			return len(n) > 0 && n[len(n)-1] == flow.sent[i]-1
		})
		other.whole(q, flow.sent[i]-1)
	}
}

// TestRightsAgainstModel: rights of several users change at random on two nodes
// while events flow. Behind each change has passed the bound, nobody hears what
// it may not; what it may hear all the time, it hears without a gap.
func TestRightsAgainstModel(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	random := rand.New(rand.NewPCG(seed, 0))
	a, b := pair(t, nil)
	queues := manyQueues(8)
	untouched := queues[:2] // the rights to these never change
	type person struct {
		id    event.GUID
		ears  []*hearing
		since map[string]time.Time // queue → since when it may not be heard
	}
	var people []*person
	for i := range 3 {
		p := &person{id: event.GUID{0x30, byte(i)}, since: map[string]time.Time{}}
		token := sign(t, func(c *auth.Claims) { c.User, c.Queues = p.id, queues })
		for _, w := range []*world{a, b} {
			p.ears = append(p.ears, w.hear(token, queues))
		}
		people = append(people, p)
	}
	flow := a.stream(queues)
	for range 25 {
		p, w := people[random.IntN(len(people))], []*world{a, b}[random.IntN(2)]
		var given []event.GUID
		for i, q := range queues {
			if i < len(untouched) || random.IntN(3) > 0 {
				given = append(given, q)
			}
		}
		ids, err := json.Marshal(given)
		if err != nil {
			t.Fatal(err)
		}
		body := fmt.Sprintf(`{"organizationId":%q,"userId":%q,"queues":%s}`, orgA, p.id, ids)
		if random.IntN(5) == 0 {
			given, body = queues, fmt.Sprintf(`{"organizationId":%q,"userId":%q,"reset":true}`, orgA, p.id)
		}
		w.said("rights", body)
		now := time.Now()
		for _, q := range queues {
			text := q.String()
			if _, gone := p.since[text]; slices.Contains(given, q) {
				delete(p.since, text)
			} else if !gone {
				p.since[text] = now
			}
		}
		// Whatever was given back can be had at once on the node that was told.
		for i, h := range p.ears {
			if w != []*world{a, b}[i] {
				continue
			}
			for _, r := range h.subscribe(queues, nil) {
				if r.Subscribed != slices.Contains(given, r.EntityID) {
					t.Errorf("subscribing to %s: %+v, given are %v", r.EntityID, r, given)
				}
			}
		}
		more := people[0].ears[0]
		more.mu.Lock()
		want := len(more.numbers[queues[0].String()]) + 8
		more.mu.Unlock()
		more.until("time to pass", func() bool { return len(more.numbers[queues[0].String()]) >= want })
	}
	more := people[0].ears[0]
	end := time.Now()
	more.until("the bound to pass", func() bool { return time.Since(end) > bound+bound/2 })
	flow.stop()
	for _, p := range people {
		for _, h := range p.ears {
			for i, q := range untouched {
				h.until("the last events", func() bool {
					n := h.numbers[q.String()]
					return n[len(n)-1] == flow.sent[i]-1
				})
				h.whole(q, flow.sent[i]-1)
			}
			for i, q := range queues {
				if since, gone := p.since[q.String()]; gone {
					if late := flow.late(h, i, since); late > bound {
						t.Errorf("user %s, queue %s: an event was sent %v behind the end of its right", p.id, q, late)
					}
				}
			}
		}
	}
}

// TestMembershipIsLearnt: an agent who is taken out of a queue in the contact
// centre does not hear it any more, on whatever node; one who comes in may.
// Without the setting the event means nothing.
func TestMembershipIsLearnt(t *testing.T) {
	t.Parallel()
	a, b := pair(t, func(c *node.Config) { c.QueueMembership = true })
	queue := event.GUID{0xc7}
	attached := func(w *world, users ...string) {
		t.Helper()
		var list []string
		for _, u := range users {
			list = append(list, fmt.Sprintf(`{"userId":%q,"active":true,"priority":1}`, u))
		}
		token := sign(t, func(c *auth.Claims) { c.Role, c.User = auth.Service, event.GUID{0x99} })
		body := fmt.Sprintf(`{"organizationId":%q,"eventName":"QueueAttachedUsers","data":{"organizationId":%q,"queueId":%q,"attachedUsers":[%s]}}`, orgA, orgA, queue, strings.Join(list, ","))
		if status, text := w.post(token, "application/json", body); status != http.StatusOK || !strings.HasPrefix(text, `{"accepted":1`) {
			t.Fatal(status, text)
		}
	}
	token := sign(t, func(c *auth.Claims) { c.Queues = nil })
	here, there := a.hear(token, nil), b.hear(token, nil)
	if r := here.subscribe([]event.GUID{queue}, nil); r[0].Subscribed {
		t.Error("a queue of nobody may be heard")
	}
	attached(a, userText)
	for _, h := range []*hearing{here, there} {
		h.eventually("the membership", func() bool { return h.subscribe([]event.GUID{queue}, nil)[0].Subscribed })
	}
	attached(b)
	for _, h := range []*hearing{here, there} {
		h.until("the notice", func() bool { return slices.Equal(h.notices, []string{queue.String()}) })
		if r := h.subscribe([]event.GUID{queue}, nil); r[0].Message != "Unauthorized" {
			t.Errorf("subscribing again: %+v", r)
		}
	}

	off := start(t, nil)
	attached(off, userText)
	if r := off.hear(token, nil).subscribe([]event.GUID{queue}, nil); r[0].Subscribed {
		t.Error("a node that shall not learn has learnt")
	}
}

// eventually waits for what must be asked for.
func (h *hearing) eventually(what string, ok func() bool) { (&world{t: h.t}).eventually(what, ok) }

// TestNoticeInMessagePack: the same members in the other protocol.
func TestNoticeInMessagePack(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	told := make(chan string, 10)
	v := &visitor{t: t, pushes: make(chan push, 10)}
	var err error
	v.Client, err = client.Dial(t.Context(), w.HubURL(), map[string]func([]signalr.Value){"Notice": func(args []signalr.Value) {
		b, err := args[0].AppendJSON(nil)
		if err != nil {
			t.Error(err)
		}
		told <- string(b)
	}}, client.Options{Token: tokenOf(sign(t, nil)), Protocol: signalr.MessagePack{}})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close() //nolint:errcheck // it never fails
	if _, err := v.Invoke(t.Context(), "EnableNotices", true); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Invoke(t.Context(), "Subscribe", []map[string]string{{"EntityId": queueText, "EventName": "QueueStatus"}}); err != nil {
		t.Fatal(err)
	}
	w.said("rights", rightsBody(t, nil))
	var n struct {
		Kind, At, Reason string
		Subscription     struct{ EntityID, EventName string }
	}
	text := <-told
	if err := json.Unmarshal([]byte(text), &n); err != nil || n.Kind != "subscriptionRemoved" || n.Subscription.EntityID != queueText || n.Subscription.EventName != "queuestatus" || n.At == "" || n.Reason == "" {
		t.Errorf("the notice is %s", text)
	}
}
