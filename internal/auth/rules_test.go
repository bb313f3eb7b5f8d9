package auth_test

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"rte/internal/auth"
	"rte/internal/event"
)

// TestMayGrid asks every event, role and relation, and compares with the grid
// of testdata/rights.txt. The principals come out of signed tokens.
func TestMayGrid(t *testing.T) {
	t.Parallel()
	const marks = "suql-"
	entities := map[byte]event.GUID{
		's': id(t, me), 'u': id(t, mate), 'q': id(t, queue), 'l': id(t, list), '-': id(t, unknown),
	}
	file, err := os.Open("testdata/rights.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()

	catalog := event.NewCatalog()
	var roles []string
	seen := map[string]bool{}
	cells := 0
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 0 || words[0] == "#" || strings.HasPrefix(words[0], "#"):
			continue
		case roles == nil:
			roles = words[1:]
			continue
		case len(words) != 1+len(roles):
			t.Fatalf("line %q has %d columns, want %d", lines.Text(), len(words), 1+len(roles))
		}
		typ, ok := catalog.Lookup(words[0])
		if !ok || typ.Name != words[0] || seen[typ.Name] {
			t.Fatalf("%s is not in the catalogue, or twice in the grid", words[0])
		}
		seen[typ.Name] = true
		for i, role := range roles {
			p := holder(t, role)
			for j := range len(marks) {
				want := words[1+i][j] == marks[j]
				if !want && words[1+i][j] != '.' {
					t.Fatalf("%s, %s: mark %q at place %d", typ.Name, role, words[1+i][j], j)
				}
				if got := p.May(typ, entities[marks[j]]); got != want {
					t.Errorf("%s, role %s, relation %q: got %t, want %t", typ.Name, role, marks[j], got, want)
				}
				cells++
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(seen) != len(catalog.Events) || len(seen) != 41 || cells != 41*6*5 {
		t.Fatalf("grid has %d events and %d cells, want %d and %d", len(seen), cells, len(catalog.Events), 41*6*5)
	}
}

// holder is a principal of the role that lists one id of each kind.
func holder(t *testing.T, role string) *auth.Principal {
	t.Helper()
	p, err := verifier(t, auth.Options{}).Verify(t.Context(), token(t, object{
		"role": role, "users": []string{mate}, "queues": []string{queue}, "lists": []string{list},
	}))
	if err != nil {
		t.Fatal(err)
	}
	if p.Role.String() != role || p.Demoted {
		t.Fatalf("role %q became %s", role, p.Role)
	}
	return p
}

// Events of a class without a rule, and no event at all, are for nobody but
// (a class) a service.
func TestMayWithoutRule(t *testing.T) {
	t.Parallel()
	odd := &event.Type{Name: "Odd", Class: "odd"}
	for _, role := range []string{"user", "groupmanager", "supervisor", "service", "platform", "admin"} {
		p := holder(t, role)
		for _, entity := range []string{me, mate, queue, list, unknown, zero} {
			if got, want := p.May(odd, id(t, entity)), role == "service"; got != want {
				t.Errorf("role %s, class without rule: got %t, want %t", role, got, want)
			}
			if p.May(nil, id(t, entity)) {
				t.Errorf("role %s may hear no event", role)
			}
		}
	}
	typ, _ := event.NewCatalog().Lookup("QueueStatus")
	if p := (&auth.Principal{Role: 77}); p.May(typ, id(t, queue)) || p.MayConnect() || p.MayPublish(id(t, myOrg)) {
		t.Error("a role that does not exist has rights")
	}
}

// The same token claims in two organizations give the same answers of May and
// two tenants: the organization is the topic's key, not a rule.
func TestTwoOrganizations(t *testing.T) {
	t.Parallel()
	v := verifier(t, auth.Options{})
	typ, _ := event.NewCatalog().Lookup("UserAvailability")
	for _, org := range []string{myOrg, other} {
		p, err := v.Verify(t.Context(), token(t, object{"org": org}))
		if err != nil {
			t.Fatal(err)
		}
		if p.Org != id(t, org) || p.User != id(t, me) {
			t.Errorf("got user %s of %s, want %s of %s", p.User, p.Org, me, org)
		}
		if !p.May(typ, id(t, me)) || p.May(typ, id(t, unknown)) {
			t.Errorf("organization %s: wrong rights", org)
		}
	}
}

func TestMayPublishAndConnect(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		role                  string
		own, foreign, connect bool
	}{
		{"user", false, false, true},
		{"groupmanager", false, false, true},
		{"supervisor", false, false, true},
		{"service", true, false, true},
		{"platform", true, true, false},
		{"admin", false, false, false},
	} {
		t.Run(tc.role, func(t *testing.T) {
			t.Parallel()
			p := holder(t, tc.role)
			if got := p.MayPublish(id(t, myOrg)); got != tc.own {
				t.Errorf("own organization: got %t, want %t", got, tc.own)
			}
			if got := p.MayPublish(id(t, other)); got != tc.foreign {
				t.Errorf("other organization: got %t, want %t", got, tc.foreign)
			}
			if got := p.MayConnect(); got != tc.connect {
				t.Errorf("connect: got %t, want %t", got, tc.connect)
			}
		})
	}
}

func TestMayDoesNotAllocate(t *testing.T) {
	p := holder(t, "groupmanager")
	catalog := event.NewCatalog()
	entity := id(t, mate)
	if n := testing.AllocsPerRun(100, func() {
		for _, typ := range catalog.Events {
			p.May(typ, entity)
		}
	}); n != 0 {
		t.Errorf("41 questions allocate %v times, want 0", n)
	}
}
