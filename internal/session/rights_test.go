package session_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/session"
)

// A platform is what principals are made of, and what may change them.
type platform struct {
	*desk
	directory   *auth.Directory
	revocations *auth.Revocations
	verifier    *auth.Verifier
}

const secret = "a secret of the tests of more than 32 bytes"

func newPlatform(t testing.TB) *platform {
	t.Helper()
	p := &platform{desk: newDesk(t, session.Options{}), directory: &auth.Directory{}, revocations: &auth.Revocations{}}
	var err error
	p.verifier, err = auth.New(auth.Options{Users: auth.Keys{Secrets: [][]byte{[]byte(secret)}}, Directory: p.directory, Revocations: p.revocations})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// principal is one whose token lists the queue, unless change says otherwise.
func (p *platform) principal(change func(*auth.Claims)) *auth.Principal {
	p.t.Helper()
	c := auth.Claims{User: guid(p.t, userText), Org: event.GUID{1}, Queues: []event.GUID{guid(p.t, queueText)}, IssuedAt: time.Now(), Expires: time.Now().Add(time.Hour)}
	if change != nil {
		change(&c)
	}
	token, err := auth.Sign([]byte(secret), c)
	if err != nil {
		p.t.Fatal(err)
	}
	who, err := p.verifier.Verify(p.t.Context(), token)
	if err != nil {
		p.t.Fatal(err)
	}
	return who
}

// rights posts the queues that the user may hear.
func (p *platform) rights(queues ...event.GUID) {
	var r auth.Rights
	r.Queues = r.Queues.Say(time.Now(), queues...)
	p.directory.SetRights(event.GUID{1}, guid(p.t, userText), &r)
	p.handler.Reconsider(event.GUID{1}, guid(p.t, userText))
}

// TestRightFalls: only the pairs that are not allowed any more end, on all of
// the user's connections and on nobody else's; who asked for notices is told;
// given back, a new Subscribe works at once.
func TestRightFalls(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	asked, silent := p.visit(p.principal(nil)), p.visit(p.principal(nil))
	mate := p.visit(p.principal(func(c *auth.Claims) { c.User = event.GUID{7} }))
	elsewhere := p.visit(p.principal(func(c *auth.Claims) { c.Org = event.GUID{2} }))
	asked.call("EnableNotices", "true")
	both := list(item(queueText, "QueueStatus"), item(userText, "UserStatus"))
	asked.call("Subscribe", both)
	silent.call("Subscribe", both)
	mate.call("Subscribe", list(item(queueText, "QueueStatus")))
	elsewhere.call("Subscribe", both)
	p.rights()
	p.publish(event.GUID{1}, "QueueStatus", queueText, `{"n":1}`)
	p.publish(event.GUID{1}, "UserStatus", userText, `{"n":2}`)
	p.publish(event.GUID{2}, "QueueStatus", queueText, `{"n":3}`)

	var told struct {
		Kind, At, Reason string
		Subscription     struct{ EntityID, EventName string }
	}
	text := asked.next()
	if err := json.Unmarshal([]byte(text), &told); err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse("2006-01-02T15:04:05.000Z", told.At); err != nil || told.Kind != "subscriptionRemoved" || told.Subscription.EntityID != queueText || told.Subscription.EventName != "queuestatus" || told.Reason == "" {
		t.Errorf("the notice is %s", text)
	}
	for name, v := range map[string]*visitor{"with notices": asked, "without": silent} {
		if got := v.next(); !strings.Contains(got, `{"n":2}`) {
			t.Errorf("%s: heard %s, want the other pair's event", name, got)
		}
		if got, want := v.call("GetActiveSubscriptions"), fmt.Sprintf(`[{"entityId":%q,"eventName":"userstatus"}]`, userText); got != want {
			t.Errorf("%s: active are %s, want %s", name, got, want)
		}
		if got := v.call("Subscribe", list(item(queueText, "QueueStatus"))); !strings.Contains(got, "Unauthorized") {
			t.Errorf("%s: Subscribe says %s", name, got)
		}
		if got := v.call("Explain", list(item(queueText, "QueueStatus"))); !strings.Contains(got, `"allowed":false`) {
			t.Errorf("%s: Explain says %s", name, got)
		}
	}
	if got := mate.next(); !strings.Contains(got, `{"n":1}`) {
		t.Errorf("another user heard %s", got)
	}
	if got := elsewhere.next(); !strings.Contains(got, `{"n":3}`) {
		t.Errorf("the same user of another organization heard %s", got)
	}
	if n := p.handler.Fallen(); n != 2 {
		t.Errorf("%d subscriptions have fallen, want 2", n)
	}

	p.rights(guid(t, queueText))
	if got := silent.call("Subscribe", list(item(queueText, "QueueStatus"))); !strings.Contains(got, `"subscribed":true`) {
		t.Errorf("given back: %s", got)
	}
	p.publish(event.GUID{1}, "QueueStatus", queueText, `{"n":4}`)
	if got := silent.next(); !strings.Contains(got, `{"n":4}`) {
		t.Errorf("given back: heard %s", got)
	}
}

// TestWholeOrganization: what the directory takes away falls for those who may
// hear everything that is there.
func TestWholeOrganization(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	v := p.visit(p.principal(func(c *auth.Claims) { c.Role, c.Queues = auth.Supervisor, nil }))
	v.call("Subscribe", list(item(queueText, "QueueStatus"), item(otherText, "QueueStatus")))
	p.directory.Set(event.GUID{1}, auth.Queues, []auth.Entry{{ID: guid(t, otherText)}})
	p.handler.Reconsider(event.GUID{1}, event.GUID{})
	if got, want := v.call("GetActiveSubscriptions"), fmt.Sprintf(`[{"entityId":%q,"eventName":"queuestatus"}]`, otherText); got != want {
		t.Errorf("active are %s, want %s", got, want)
	}
}

// TestRightFallsBeforeTheSession: what has changed between the look at the
// token and the connection counts.
func TestRightFallsBeforeTheSession(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	early := p.principal(nil)
	p.rights()
	v := p.visit(early)
	if got := v.call("Subscribe", list(item(queueText, "QueueStatus"))); !strings.Contains(got, "Unauthorized") {
		t.Errorf("Subscribe says %s", got)
	}
	p.revocations.Set(auth.Selection{User: guid(t, userText)}, time.Now())
	v = p.visit(early)
	<-v.Done()
	if v.Err() == nil || !strings.Contains(v.Err().Error(), "revoked") {
		t.Errorf("ended with %v, want revoked", v.Err())
	}
}

// TestRightsAgainstSubscribe: rights come and go at random while the client
// subscribes. Whenever both are done, it hears what it may and nothing else.
func TestRightsAgainstSubscribe(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	p := newPlatform(t)
	v := p.visit(p.principal(nil))
	var queues []event.GUID
	var items []string
	for i := range 20 {
		queues = append(queues, event.GUID{9, byte(i)})
		items = append(items, item(queues[i].String(), "QueueStatus"))
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 150 {
		p.rights(queues...)
		most := 1 + random.IntN(19)
		var both sync.WaitGroup
		both.Go(func() {
			for n := 19; n >= most; n-- {
				p.rights(queues[:n]...)
			}
		})
		both.Go(func() {
			for i := range 4 {
				v.call("Subscribe", list(items[i*5:i*5+5]...))
			}
		})
		both.Wait()
		var active []struct{ EntityID event.GUID }
		if err := json.Unmarshal([]byte(v.call("GetActiveSubscriptions")), &active); err != nil {
			t.Fatal(err)
		}
		for _, a := range active {
			if !slices.Contains(queues[:most], a.EntityID) {
				t.Fatalf("round %d, seed %d: %s is heard, and is not among the first %d", round, seed, a.EntityID, most)
			}
		}
		if len(active) != most {
			t.Fatalf("round %d, seed %d: %d pairs are heard, want %d", round, seed, len(active), most)
		}
	}
}

// TestRevoke ends the connections whose token was taken back, and tells them
// not to come back.
func TestRevoke(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	old := p.visit(p.principal(func(c *auth.Claims) { c.IssuedAt = time.Now().Add(-time.Minute) }))
	fresh := p.visit(p.principal(func(c *auth.Claims) { c.IssuedAt = time.Now() }))
	mate := p.visit(p.principal(func(c *auth.Claims) { c.User = event.GUID{7}; c.IssuedAt = time.Now().Add(-time.Minute) }))
	for _, v := range []*visitor{old, fresh, mate} {
		v.call("GetActiveSubscriptions") // the session is there
	}
	meant := auth.Selection{User: guid(t, userText), Org: event.GUID{1}}
	if n := p.handler.Revoke(meant); n != 0 {
		t.Errorf("%d connections ended, nothing was taken back", n)
	}
	p.revocations.Set(meant, time.Now().Add(-30*time.Second))
	if n := p.handler.Revoke(meant); n != 1 {
		t.Errorf("%d connections ended, want 1", n)
	}
	if n := p.handler.Revoke(meant); n != 0 {
		t.Errorf("%d connections ended twice", n)
	}
	<-old.Done()
	if old.Err() == nil || !strings.Contains(old.Err().Error(), "revoked") {
		t.Errorf("ended with %v, want revoked", old.Err())
	}
	for _, v := range []*visitor{fresh, mate} {
		if got := v.call("GetActiveSubscriptions"); got != "[]" {
			t.Errorf("another client: %s", got)
		}
	}
	if got := p.hub.Stats().Closes[session.Revoked]; got != 1 {
		t.Errorf("%d closes by revocation", got)
	}
}

// TestConnections lists who is connected and ends one by its id.
func TestConnections(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	v := p.visit(p.principal(nil))
	w := p.visit(p.principal(func(c *auth.Claims) { c.User, c.Role = event.GUID{7}, auth.Supervisor }))
	v.call("Subscribe", list(item(queueText, "QueueStatus"), item(userText, "UserStatus")))
	w.call("Subscribe", list(item(queueText, "QueueStatus")))
	for _, c := range []struct {
		name string
		f    session.Filter
		want int
	}{
		{"all", session.Filter{}, 2}, {"a user", session.Filter{User: guid(t, userText)}, 1}, {"an organization", session.Filter{Org: event.GUID{1}}, 2},
		{"another", session.Filter{Org: event.GUID{2}}, 0}, {"both", session.Filter{User: event.GUID{7}, Org: event.GUID{1}}, 1},
		{"an entity", session.Filter{Entity: guid(t, queueText)}, 2}, {"one's own", session.Filter{Entity: guid(t, userText)}, 1}, {"nobody's", session.Filter{Entity: event.GUID{5}}, 0},
	} {
		if got := p.handler.Connections(c.f); len(got) != c.want {
			t.Errorf("%s: %d connections, want %d", c.name, len(got), c.want)
		}
	}
	got := p.handler.Connections(session.Filter{User: guid(t, userText)})[0]
	if got.Org != (event.GUID{1}) || got.Role != auth.User || got.Transport != "WebSockets" || got.Protocol != "json" || got.Subscriptions != 2 || got.Connected.IsZero() || got.Expires.IsZero() {
		t.Errorf("the connection is %+v", got)
	}
	if p.handler.Close("nobody") {
		t.Error("a connection of that id was ended")
	}
	if !p.handler.Close(got.ID) || p.handler.Close(got.ID) {
		t.Error("it could not be ended, or twice")
	}
	<-v.Done()
	if v.Err() == nil || !strings.Contains(v.Err().Error(), "admin") {
		t.Errorf("ended with %v, want admin", v.Err())
	}
	if left := p.handler.Connections(session.Filter{}); len(left) != 1 || left[0].User != (event.GUID{7}) {
		t.Errorf("left are %+v", left)
	}
}
