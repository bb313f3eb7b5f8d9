package auth_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/auth"
	"rte/internal/event"
)

// A nil directory and an empty one know nothing, and answer all the same.
func TestEmptyDirectory(t *testing.T) {
	t.Parallel()
	for _, d := range []*auth.Directory{nil, {}} {
		_, found := d.OrganizationOf(id(t, me))
		has, known := d.Has(id(t, myOrg), auth.Queues, id(t, queue))
		if found || has || known || d.Name(id(t, myOrg), auth.Users, id(t, me)) != "" || len(d.Entries(id(t, myOrg), auth.Lists)) != 0 {
			t.Errorf("%v knows something", d)
		}
	}
}

// TestDirectory: what is set replaces what was there of its sort, and leaves
// the rest alone.
func TestDirectory(t *testing.T) {
	t.Parallel()
	d := &auth.Directory{}
	org := id(t, myOrg)
	d.Set(org, auth.Queues, []auth.Entry{{id(t, queue), "Support"}, {id(t, unknown), ""}})
	d.Set(org, auth.Users, []auth.Entry{{id(t, me), "Anna"}, {id(t, mate), "Mikko"}})
	d.Set(id(t, other), auth.Queues, []auth.Entry{{id(t, queue), "Somebody else's"}})
	if got := d.Name(org, auth.Queues, id(t, queue)); got != "Support" {
		t.Errorf("name %q", got)
	}
	want := []auth.Entry{{id(t, me), "Anna"}, {id(t, mate), "Mikko"}}
	if diff := cmp.Diff(want, d.Entries(org, auth.Users)); diff != "" {
		t.Errorf("entries differ (-want +got):\n%s", diff)
	}
	d.Set(org, auth.Queues, []auth.Entry{{id(t, unknown), "New"}})
	if has, known := d.Has(org, auth.Queues, id(t, queue)); has || !known {
		t.Errorf("a queue that is gone: %v, %v", has, known)
	}
	if has, known := d.Has(org, auth.Users, id(t, mate)); !has || !known {
		t.Errorf("a user of another sort's replacement: %v, %v", has, known)
	}
	if _, known := d.Has(org, auth.Lists, id(t, list)); known {
		t.Error("lists were never posted")
	}
	d.Set(org, auth.Queues, nil)
	if _, known := d.Has(org, auth.Queues, id(t, queue)); known {
		t.Error("an empty list counts as one")
	}
}

// TestOrganizationFromDirectory: a token without organization gets the one
// that lists its user, if there is exactly one.
func TestOrganizationFromDirectory(t *testing.T) {
	t.Parallel()
	d := &auth.Directory{}
	v := verifier(t, auth.Options{Users: auth.Keys{Secrets: secrets(userSecret)}, Service: auth.Keys{Secrets: secrets(serviceSecret)}, Directory: d})
	expect := func(step, want string) {
		t.Helper()
		p, err := v.Verify(t.Context(), token(t, object{"org": nil}))
		got := ""
		if err == nil {
			got = p.Org.String()
		} else if verdict(err) != "organization" {
			got = verdict(err)
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", step, got, want)
		}
	}
	entries := func(ids ...string) (list []auth.Entry) {
		for _, text := range ids {
			list = append(list, auth.Entry{ID: id(t, text)})
		}
		return list
	}
	expect("nobody is listed", "")
	d.Set(id(t, myOrg), auth.Users, entries(me, mate))
	expect("listed once", myOrg)
	d.Set(id(t, myOrg), auth.Users, entries(me))
	expect("listed once, again", myOrg)
	d.Set(id(t, other), auth.Users, entries(me))
	expect("listed by two", "")
	d.Set(id(t, myOrg), auth.Users, entries(mate))
	expect("moved", other)
	d.Set(id(t, other), auth.Users, nil)
	expect("gone", "")
	d.Set(id(t, other), auth.Queues, entries(me))
	expect("a queue of the same id", "")
	d.Set(id(t, other), auth.Users, entries(me))
	p, err := v.Verify(t.Context(), token(t, nil))
	if err != nil || p.Org != id(t, myOrg) {
		t.Errorf("the token's own organization counts first: got %v, %v", p, err)
	}
	if got := verify(t, v, tokenBy(t, serviceSecret, object{"role": "service", "org": nil})); got != "organization" {
		t.Errorf("a service has no place in the directory: got %s", got)
	}
}

// TestRightsFromDirectory: what the platform has set stands in the place of
// the token's claims, as far as it says something, in one organization.
func TestRightsFromDirectory(t *testing.T) {
	t.Parallel()
	d := &auth.Directory{}
	v := verifier(t, auth.Options{Users: auth.Keys{Secrets: secrets(userSecret)}, Service: auth.Keys{Secrets: secrets(serviceSecret)}, Directory: d})
	set := func(ids ...string) *auth.Set {
		var list []event.GUID
		for _, text := range ids {
			list = append(list, id(t, text))
		}
		s := auth.NewSet(list...)
		return &s
	}
	role := func(r auth.Role) auth.Said[auth.Role] { return auth.Said[auth.Role]{}.Say(clock(), r) }
	ids := func(texts ...string) auth.Said[event.GUID] {
		return auth.Said[event.GUID]{}.Say(clock(), set(texts...).IDs()...)
	}
	byToken := auth.Principal{
		User: id(t, me), Org: id(t, myOrg), Role: auth.Supervisor, Expires: clock().Add(time.Hour),
		Queues: *set(queue), Lists: *set(list), Users: *set(mate),
	}
	text := object{"role": "supervisor", "queues": []string{queue}, "lists": []string{list}, "users": []string{mate}}
	for _, tc := range []struct {
		name   string
		rights *auth.Rights
		want   func(*auth.Principal)
	}{
		{"none", nil, func(*auth.Principal) {}},
		{"nothing in them", &auth.Rights{}, func(*auth.Principal) {}},
		{"a smaller role", &auth.Rights{Role: role(auth.User)}, func(p *auth.Principal) { p.Role = auth.User }},
		{"a role of operators", &auth.Rights{Role: role(auth.Admin)}, func(*auth.Principal) {}},
		{"no queue any more", &auth.Rights{Queues: ids()}, func(p *auth.Principal) { p.Queues = *set() }},
		{"other queues", &auth.Rights{Queues: ids(unknown, queue)}, func(p *auth.Principal) { p.Queues = *set(queue, unknown) }},
		{"all", &auth.Rights{role(auth.GroupManager), ids(), ids(unknown), ids()}, func(p *auth.Principal) {
			p.Role, p.Queues, p.Lists, p.Users = auth.GroupManager, *set(), *set(unknown), *set()
		}},
		{"given back", nil, func(*auth.Principal) {}},
	} {
		d.SetRights(id(t, myOrg), id(t, me), tc.rights)
		p, err := v.Verify(t.Context(), token(t, text))
		if err != nil {
			t.Fatal(err)
		}
		want := byToken
		tc.want(&want)
		same(t, p, &want)
		if q, err := v.Verify(t.Context(), token(t, object{"org": other, "queues": []string{queue}})); err != nil || !q.Queues.Equal(*set(queue)) {
			t.Errorf("%s: the same user of another organization has %v, %v", tc.name, q, err)
		}
		if q, err := v.Verify(t.Context(), tokenBy(t, serviceSecret, object{"role": "service"})); err != nil || q.Role != auth.Service {
			t.Errorf("%s: a service has %v, %v", tc.name, q, err)
		}
	}
}

// TestDirectoryNamesWhatThereIs: where the platform has said what an
// organization has, whoever may hear everything of a sort may hear that, and
// ids of nobody and of other organizations are refused alike.
func TestDirectoryNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	d := &auth.Directory{}
	d.Set(id(t, myOrg), auth.Queues, []auth.Entry{{ID: id(t, queue)}})
	d.Set(id(t, myOrg), auth.Users, []auth.Entry{{ID: id(t, mate)}})
	d.Set(id(t, other), auth.Queues, []auth.Entry{{ID: id(t, list)}})
	v := verifier(t, auth.Options{Directory: d, OpenAvailability: true})
	catalog := event.NewCatalog()
	for _, tc := range []struct {
		role, event, entity string
		want                bool
	}{
		{"supervisor", "QueueStatus", queue, true},
		{"supervisor", "QueueStatus", list, false},    // another organization's queue
		{"supervisor", "QueueStatus", unknown, false}, // nobody's
		{"supervisor", "UserStatus", mate, true},
		{"supervisor", "UserStatus", me, true}, // itself, whoever has been posted
		{"supervisor", "UserStatus", unknown, false},
		{"supervisor", "CallbackChanged", unknown, true}, // lists were not posted
		{"user", "UserAvailability", mate, true},
		{"user", "UserAvailability", me, true},
		{"user", "UserAvailability", unknown, false},
		{"user", "UserStatus", mate, false},
		{"service", "QueueStatus", unknown, true},
	} {
		p, err := v.Verify(t.Context(), token(t, object{"role": tc.role}))
		if err != nil {
			t.Fatal(err)
		}
		typ, _ := catalog.Lookup(tc.event)
		if got := p.May(typ, id(t, tc.entity)); got != tc.want {
			t.Errorf("%s, %s of %s: got %v, want %v", tc.role, tc.event, tc.entity, got, tc.want)
		}
	}
	// What a user's own token lists needs no directory.
	p, err := v.Verify(t.Context(), token(t, object{"queues": []string{unknown}}))
	if err != nil {
		t.Fatal(err)
	}
	if typ, _ := catalog.Lookup("QueueStatus"); !p.May(typ, id(t, unknown)) {
		t.Error("a queue that the token lists is refused")
	}
}

// Many ask while somebody posts; the race detector looks on.
func TestConcurrentDirectory(t *testing.T) {
	t.Parallel()
	d := &auth.Directory{}
	v := verifier(t, auth.Options{Directory: d})
	typ, _ := event.NewCatalog().Lookup("QueueStatus")
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 100 {
				d.Set(id(t, myOrg), auth.Users, []auth.Entry{{id(t, me), "Anna"}, {event.GUID{1, byte(i), byte(n)}, ""}})
				d.Set(id(t, myOrg), auth.Queues, []auth.Entry{{ID: id(t, queue)}})
				d.SetRights(id(t, myOrg), id(t, me), &auth.Rights{})
			}
		})
		all.Go(func() {
			for range 100 {
				if p, err := v.Verify(t.Context(), token(t, object{"role": "supervisor"})); err != nil || p.Org != id(t, myOrg) || !p.May(typ, id(t, queue)) {
					t.Errorf("got %v, %v", p, err)
				}
				d.Entries(id(t, myOrg), auth.Users)
			}
		})
	}
	all.Wait()
}
