package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/fanout"
	"rte/internal/journal/journaltest"
	"rte/internal/session"
	"rte/signalr"
	"rte/signalr/client"
	"rte/signalr/hub"
	"rte/signalr/signalrtest"
	"rte/signalr/transport"
)

// A wall is a hub with everything between a token and a push: the verifier,
// the documented methods, the index. Events come to it as the bus hands them
// out: by organization, some to the wrong one.
type wall struct {
	t      *testing.T
	cat    *event.Catalog
	types  []*event.Type // two of each class, so that many meet
	server *signalrtest.Server
	index  *fanout.Index
	store  *journaltest.Store
}

const wallSecret = "a secret of the wall's tests, 32 bytes and more"

func newWall(t *testing.T) *wall {
	t.Helper()
	v, err := auth.New(auth.Options{Users: auth.Keys{Secrets: [][]byte{[]byte(wallSecret)}}})
	if err != nil {
		t.Fatal(err)
	}
	w := &wall{t: t, cat: event.NewCatalog()}
	w.store = journaltest.New(w.cat)
	classes := map[event.Class]int{}
	for _, typ := range w.cat.Events {
		if classes[typ.Class]++; classes[typ.Class] <= 2 {
			w.types = append(w.types, typ)
		}
	}
	w.index = fanout.New(w.cat, fanout.Options{Plain: true, Store: w.store, Linger: -1})
	s := session.New(w.cat, w.index, session.Options{})
	h := hub.New(hub.Options{Methods: s.Methods(), OnConnected: s.Connected, OnDisconnected: s.Disconnected, MaxMessageBytes: 256 << 10})
	tr := transport.NewHandler(h.Accept, transport.Options{Authenticate: func(r *http.Request) (any, error) {
		p, err := v.Verify(r.Context(), auth.Token(r))
		if err != nil {
			return nil, err
		}
		return p, nil
	}})
	w.server = signalrtest.NewServer(transport.Mount("/rte", tr, http.NotFoundHandler()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		w.server.Close()
		h.Drain(ctx, 0)
		if err := tr.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		h.Close()
	})
	return w
}

// A tenant's client, and the model of it.
type tenant struct {
	*client.Client
	claims auth.Claims
	heard  chan heard
	want   []heard             // by the model, in order
	pairs  map[event.Pair]bool // subscribed, by the model
}

// heard is a push: what is in it says whose event it was.
type heard struct {
	Entity, Name string
	Org          string
	N            int
}

// connect makes a client of an organization with random rights. All ids come
// from the same few, so that every organization has the same users, queues and
// lists.
func (w *wall) connect(rnd *rand.Rand, org event.GUID, ids []event.GUID) *tenant {
	w.t.Helper()
	some := func() (list []event.GUID) {
		for _, id := range ids {
			if rnd.IntN(3) == 0 {
				list = append(list, id)
			}
		}
		return list
	}
	t := &tenant{
		claims: auth.Claims{
			User: ids[rnd.IntN(len(ids))], Org: org, Role: auth.Role(rnd.IntN(4)), // user to service
			Queues: some(), Lists: some(), Users: some(), Expires: time.Now().Add(time.Hour),
		},
		heard: make(chan heard, 1000),
		pairs: map[event.Pair]bool{},
	}
	token, err := auth.Sign([]byte(wallSecret), t.claims)
	if err != nil {
		w.t.Fatal(err)
	}
	on := map[string]func([]signalr.Value){"MessageReceived": func(args []signalr.Value) {
		var p struct {
			Subscription struct{ EntityID, EventName string }
			Data         struct {
				Org string
				N   int
			}
		}
		if err := signalr.Decode(args[0], &p); err != nil {
			w.t.Error(err)
		}
		t.heard <- heard{p.Subscription.EntityID, p.Subscription.EventName, p.Data.Org, p.Data.N}
	}}
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	t.Client, err = client.Dial(ctx, w.server.URL+"/rte", on, client.Options{
		HTTPClient: w.server.Client(), SkipNegotiation: true, Token: func(context.Context) (string, error) { return token, nil },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

// mayHear is the rule as the domain report has it (7.2), apart from the code.
func (t *tenant) mayHear(typ *event.Type, id event.GUID) bool {
	if t.claims.Role == auth.Service {
		return true
	}
	has := func(list []event.GUID) bool { return slices.Contains(list, id) }
	self, supervisor, manager := id == t.claims.User, t.claims.Role == auth.Supervisor, t.claims.Role == auth.GroupManager
	switch typ.Class {
	case "personal":
		return self
	case "presence":
		return self || supervisor || has(t.claims.Users)
	case "userCalls":
		return self || supervisor || manager && has(t.claims.Users)
	case "queue":
		return supervisor || has(t.claims.Queues)
	case "list":
		return supervisor || has(t.claims.Lists)
	case "senders":
		return supervisor || manager && has(t.claims.Lists)
	}
	return false
}

// subscribe asks for random pairs, and compares what is granted with the
// model.
func (t *tenant) subscribe(w *wall, rnd *rand.Rand, ids []event.GUID, n int) {
	w.t.Helper()
	items := make([]map[string]string, n)
	types := make([]*event.Type, n)
	entities := make([]event.GUID, n)
	for i := range items {
		types[i], entities[i] = w.types[rnd.IntN(len(w.types))], ids[rnd.IntN(len(ids))]
		items[i] = map[string]string{"EntityId": entities[i].String(), "EventName": types[i].Name}
	}
	var results []struct{ Subscribed bool }
	t.call(w, &results, "Subscribe", items)
	for i, r := range results {
		if want := t.mayHear(types[i], entities[i]); r.Subscribed != want {
			w.t.Errorf("role %s, %s of %s: granted %v, want %v", t.claims.Role, types[i].Name, entities[i], r.Subscribed, want)
		}
		if r.Subscribed {
			t.pairs[event.Pair{Kind: types[i].Kind, Entity: entities[i]}] = true
		}
	}
}

// unsubscribe takes some pairs back.
func (t *tenant) unsubscribe(w *wall, rnd *rand.Rand) {
	w.t.Helper()
	items := []map[string]string{}
	for p := range t.pairs {
		if rnd.IntN(4) == 0 {
			items = append(items, map[string]string{"EntityId": p.Entity.String(), "EventName": w.cat.Type(p.Kind).Name})
			delete(t.pairs, p)
		}
	}
	var results []struct{ Subscribed bool }
	t.call(w, &results, "Unsubscribe", items)
}

func (t *tenant) call(w *wall, result any, method string, args ...any) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	v, err := t.Invoke(ctx, method, args...)
	if err == nil {
		err = signalr.Decode(v, result)
	}
	if err != nil {
		w.t.Fatalf("%s: %v", method, err)
	}
}

// TestTenantWall lets two thousand organizations with the same ids subscribe
// and publish at random. Everybody hears exactly the events of its own
// organization that it may hear and has subscribed to, each once and in order;
// events that come to the wrong organization are stopped and counted.
func TestTenantWall(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := newWall(t)
	ids := make([]event.GUID, 4)
	for i := range ids {
		ids[i] = randomGUID(rnd)
	}
	const rounds, organizations, publishes = 50, 40, 300
	pushes, strayed, forbidden := 0, 0, 0
	for range rounds {
		n, s, f := w.round(rnd, ids, organizations, publishes)
		pushes, strayed, forbidden = pushes+n, strayed+s, forbidden+f
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d organizations, %d events, %d pushes, %d events to the wrong organization", rounds*organizations, rounds*publishes, pushes, strayed)
	if s := w.index.Stats(); s.Foreign != uint64(strayed) {
		t.Errorf("%d events stopped at the wall, want %d", s.Foreign, strayed)
	}
	if pushes < rounds*publishes/4 || strayed == 0 || forbidden == 0 {
		t.Errorf("%d pushes, %d strays, %d subscriptions refused: too few to show anything", pushes, strayed, forbidden)
	}
}

// round is one set of organizations, from connecting to leaving.
func (w *wall) round(rnd *rand.Rand, ids []event.GUID, organizations, publishes int) (pushes, strayed, forbidden int) {
	w.t.Helper()
	var orgs []event.GUID
	var tenants []*tenant
	for range organizations {
		org := randomGUID(rnd)
		if rnd.IntN(4) == 0 {
			org = ids[rnd.IntN(len(ids))] // an organization with the id of a user
		}
		orgs = append(orgs, org)
		for range 1 + rnd.IntN(5)/4 {
			tenants = append(tenants, w.connect(rnd, org, ids))
		}
	}
	for _, t := range tenants {
		t.subscribe(w, rnd, ids, 40)
		forbidden += 40 - len(t.pairs)
	}
	for n := range publishes {
		if t := tenants[rnd.IntN(len(tenants))]; n%30 == 29 { // rights and wishes change while events come
			t.unsubscribe(w, rnd)
			t.subscribe(w, rnd, ids, 10)
		}
		org := orgs[rnd.IntN(len(orgs))]
		e := &event.Event{Topic: event.Topic{Org: org, Pair: event.Pair{
			Kind: w.types[rnd.IntN(len(w.types))].Kind, Entity: ids[rnd.IntN(len(ids))],
		}}}
		e.Data = fmt.Appendf(nil, `{"org":%q,"n":%d}`, org, n)
		to := org
		if rnd.IntN(20) == 0 {
			if to = orgs[rnd.IntN(len(orgs))]; to != org {
				strayed++
			}
		}
		w.store.Stray(to, e)
		for _, t := range tenants {
			if to == org && t.claims.Org == org && t.pairs[e.Pair] {
				t.want = append(t.want, heard{e.Entity.String(), w.cat.Type(e.Kind).Key, org.String(), n})
				pushes++
			}
		}
	}
	for _, t := range tenants {
		t.settle(w)
	}
	return pushes, strayed, forbidden
}

// settle compares what was heard with the model, and goes.
func (t *tenant) settle(w *wall) {
	w.t.Helper()
	var active []json.RawMessage
	t.call(w, &active, "GetActiveSubscriptions") // its answer comes behind all pushes
	if len(active) != len(t.pairs) {
		w.t.Errorf("%d subscriptions, want %d", len(active), len(t.pairs))
	}
	var got []heard
	for len(t.heard) > 0 {
		got = append(got, <-t.heard)
	}
	if !slices.Equal(got, t.want) {
		for _, h := range got {
			if h.Org != t.claims.Org.String() {
				w.t.Errorf("LEAK: a client of %s heard %+v", t.claims.Org, h)
			}
		}
		w.t.Errorf("role %s of %s heard %d events %v, want %d %v", t.claims.Role, t.claims.Org, len(got), got, len(t.want), t.want)
	}
	t.Close()
	<-t.Done()
	if err := t.Err(); err != nil && !errors.Is(err, client.ErrClosed) {
		w.t.Error(err)
	}
}

func randomGUID(rnd *rand.Rand) (g event.GUID) {
	for i := range g {
		g[i] = byte(rnd.IntN(256))
	}
	return g
}
