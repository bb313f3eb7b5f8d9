package node_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/signalr"
)

// TestTenantWallWithStore is the tenant wall with the real doors and the real
// store: organizations that have the same ids, producers with tokens of one
// organization that publish for others too, and a platform that publishes for
// all. Every client hears exactly what was published rightly for its own.
func TestTenantWallWithStore(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := start(t, nil)
	names := []string{"UserStatus", "UserCallInComing", "QueueStatus", "QueueCallInArrived", "CallbackListStatus", "CallbackChanged"}
	ids := []event.GUID{guid(t, userText), guid(t, queueText), {1}}
	const organizations, batches, size = 40, 60, 20
	orgs := make([]event.GUID, organizations)
	visitors := make([]*visitor, organizations)
	want := make([]map[string][]string, organizations) // by pair, in order: order is promised for each
	for i := range orgs {
		orgs[i] = event.GUID{0xa, byte(i)}
		if i < len(ids) {
			orgs[i] = ids[i] // an organization with the id of a user
		}
		want[i] = map[string][]string{}
		visitors[i] = w.visit(sign(t, func(c *auth.Claims) { c.Org, c.Role = orgs[i], auth.Supervisor }))
		var pairs []string
		for _, id := range ids {
			for _, name := range names {
				pairs = append(pairs, id.String()+":"+name)
			}
		}
		visitors[i].subscribe(pairs...)
	}
	foreign := 0
	for b := range batches {
		own, platform := rnd.IntN(organizations), rnd.IntN(3) == 0
		token := service(t, orgs[own])
		if platform {
			token = sign(t, func(c *auth.Claims) { c.Role, c.Org, c.Queues = auth.Platform, event.GUID{}, nil })
		}
		accepted := 0
		var lines strings.Builder
		for n := range size {
			to, id, name := rnd.IntN(organizations), ids[rnd.IntN(len(ids))], names[rnd.IntN(len(names))]
			if rnd.IntN(2) == 0 {
				to = own
			}
			fmt.Fprintf(&lines, `{"organizationId":%q,"entityId":%q,"eventName":%q,"data":{"from":"%d/%d of %d"}}`+"\n", orgs[to], id, name, b, n, to)
			if !platform && to != own {
				foreign++
				continue
			}
			accepted++
			pair := id.String() + ":" + strings.ToLower(name)
			want[to][pair] = append(want[to][pair], fmt.Sprintf(`{"from":"%d/%d of %d"}`, b, n, to))
		}
		status, answer := w.post(token, "application/x-ndjson", lines.String())
		if !strings.HasPrefix(answer, fmt.Sprintf(`{"accepted":%d,`, accepted)) || status != http.StatusOK {
			t.Fatalf("publish: %d %.300s, want %d accepted", status, answer, accepted)
		}
	}
	if foreign < batches*size/8 {
		t.Errorf("only %d events for foreign organizations", foreign)
	}
	for i, v := range visitors {
		got := map[string][]string{}
		total := 0
		for _, list := range want[i] {
			total += len(list)
		}
		for range total {
			p := v.next()
			pair := p.Subscription.EntityID + ":" + p.Subscription.EventName
			got[pair] = append(got[pair], string(p.Data))
		}
		// The answer to a call comes behind all pushes.
		answer, err := v.Invoke(t.Context(), "GetActiveSubscriptions")
		if err != nil {
			t.Fatal(err)
		}
		var active []json.RawMessage
		if err := signalr.Decode(answer, &active); err != nil || len(active) != len(ids)*len(names) {
			t.Errorf("organization %d: %d subscriptions, %v", i, len(active), err)
		}
		for len(v.pushes) > 0 {
			t.Errorf("LEAK or double: organization %d heard one more: %+v", i, <-v.pushes)
		}
		for pair, list := range want[i] {
			if !slices.Equal(got[pair], list) {
				t.Errorf("organization %d, %s: heard %v, want %v", i, pair, got[pair], list)
			}
		}
	}
	w.until("rte_foreign_events_total 0")
}
