package auth_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/auth"
	"rte/internal/event"
)

const warrantSecret = "a secret of the tests of more than 32 bytes"

// TestWarrant: what is kept of a right says later what the token would say, and
// what the platform has said since comes on top of it.
func TestWarrant(t *testing.T) {
	t.Parallel()
	var (
		org, user   = event.GUID{0xa}, event.GUID{1}
		sales, help = event.GUID{0xc, 1}, event.GUID{0xc, 2}
		queue, _    = event.NewCatalog().Lookup("QueueStatus")
		now         = time.Now().Truncate(time.Second).UTC()
	)
	queues := func(ids ...event.GUID) *auth.Rights {
		return &auth.Rights{Queues: auth.Said[event.GUID]{}.Say(now, ids...)}
	}
	role := func(r auth.Role) *auth.Rights { return &auth.Rights{Role: auth.Said[auth.Role]{}.Say(now, r)} }
	back := &auth.Rights{Queues: auth.Said[event.GUID]{}.Say(now).Unsay(now)}
	for _, tt := range []struct {
		name   string
		claims auth.Claims
		before *auth.Rights // when the warrant was made
		after  *auth.Rights
		want   bool // about sales
	}{
		{"the token lists it", auth.Claims{Queues: []event.GUID{sales, help}}, nil, nil, true},
		{"it lists another", auth.Claims{Queues: []event.GUID{help}}, nil, nil, false},
		{"it lists it among users", auth.Claims{Users: []event.GUID{sales}}, nil, nil, false},
		{"a supervisor", auth.Claims{Role: auth.Supervisor}, nil, nil, true},
		{"the platform has taken it", auth.Claims{Queues: []event.GUID{sales}}, nil, queues(help), false},
		{"it has given it", auth.Claims{}, nil, queues(sales), true},
		{"it has given it back", auth.Claims{Queues: []event.GUID{sales}}, queues(), back, true},
		{"it gives it no more", auth.Claims{}, queues(sales), back, false},
		{"a supervisor no more", auth.Claims{Role: auth.Supervisor}, nil, role(auth.User), false},
		{"a supervisor for a time", auth.Claims{}, role(auth.Supervisor), nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &auth.Directory{}
			v, err := auth.New(auth.Options{Users: auth.Keys{Secrets: [][]byte{[]byte(warrantSecret)}}, Directory: d, Revocations: &auth.Revocations{}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(v.Close)
			d.SetRights(org, user, tt.before)
			tt.claims.Org, tt.claims.User, tt.claims.IssuedAt, tt.claims.Expires = org, user, now, now.Add(time.Hour)
			token, err := auth.Sign([]byte(warrantSecret), tt.claims)
			if err != nil {
				t.Fatal(err)
			}
			p, err := v.Verify(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			w := p.Warrant(queue, sales, now.Add(time.Minute))
			text, err := json.Marshal(w)
			if err != nil {
				t.Fatal(err)
			}
			var kept auth.Warrant
			if err := json.Unmarshal(text, &kept); err != nil || !cmp.Equal(w, kept) || !kept.Issued.Equal(now) {
				t.Fatalf("%s came back as %+v, %v", text, kept, err)
			}
			d.SetRights(org, user, tt.after)
			if got := v.Holds(org, user, queue, sales, kept); got != tt.want {
				t.Errorf("Holds = %v by %s, want %v", got, text, tt.want)
			}
			if again := p.Again().May(queue, sales); again != tt.want {
				t.Errorf("the principal made anew may: %v, want %v", again, tt.want)
			}
			if v.Holds(event.GUID{0xb}, user, queue, sales, auth.Warrant{}) {
				t.Error("a warrant of nothing holds")
			}
		})
	}
}

// TestWarrantIsRevoked: a warrant ends with the token it came from, and one of a
// newer token does not.
func TestWarrantIsRevoked(t *testing.T) {
	t.Parallel()
	queue, _ := event.NewCatalog().Lookup("QueueStatus")
	org, user, now := event.GUID{0xa}, event.GUID{1}, time.Now().UTC()
	revoked := &auth.Revocations{}
	v, err := auth.New(auth.Options{Users: auth.Keys{Secrets: [][]byte{[]byte(warrantSecret)}}, Revocations: revoked})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	revoked.Set(auth.Selection{User: user, Org: org}, now)
	for _, tt := range []struct {
		issued time.Time
		want   bool
	}{{now.Add(-time.Hour), false}, {now, false}, {now.Add(time.Second), true}} {
		w := auth.Warrant{Role: auth.Supervisor, Issued: tt.issued}
		if got := v.Holds(org, user, queue, event.GUID{0xc}, w); got != tt.want {
			t.Errorf("issued %v after the revocation: %v, want %v", tt.issued.Sub(now), got, tt.want)
		}
	}
}
