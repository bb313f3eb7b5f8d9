package auth_test

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"rte/internal/auth"
	"rte/internal/event"
)

// A cell is one place of the grid in testdata/rights.txt.
type cell struct {
	row   string // the event, with "open:" or "only:" before it where that applies
	typ   *event.Type
	open  bool // with Options.OpenAvailability
	role  string
	mark  byte // the relation
	allow bool
}

// marks are the grid's relations, in its order.
const marks = "suql-"

// entity is the one that stands in a relation to whoever holder makes.
func entity(t testing.TB, mark byte) event.GUID {
	t.Helper()
	return id(t, map[byte]string{'s': me, 'u': mate, 'q': queue, 'l': list, '-': unknown}[mark])
}

// grid reads testdata/rights.txt.
func grid(t testing.TB) []cell {
	t.Helper()
	file, err := os.Open("testdata/rights.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()

	catalog := event.NewCatalog()
	var roles []string
	var cells []cell
	seen := map[string]bool{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
			continue
		case roles == nil:
			roles = words[1:]
			continue
		case len(words) != 1+len(roles) || seen[words[0]]:
			t.Fatalf("line %q is there twice or has %d columns, want %d", lines.Text(), len(words), 1+len(roles))
		}
		seen[words[0]] = true
		row := cell{row: words[0]}
		row.typ, row.open = typeOf(t, catalog, words[0])
		for i, role := range roles {
			for j := range len(marks) {
				c := row
				c.role, c.mark, c.allow = role, marks[j], words[1+i][j] == marks[j]
				if !c.allow && words[1+i][j] != '.' {
					t.Fatalf("%s, %s: mark %q at place %d", c.row, role, words[1+i][j], j)
				}
				cells = append(cells, c)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for _, typ := range catalog.Events {
		if !seen[typ.Name] {
			t.Errorf("the grid lacks %s", typ.Name)
		}
	}
	if want := (41 + 5 + 8) * 6 * 5; len(cells) != want {
		t.Fatalf("grid has %d cells, want %d", len(cells), want)
	}
	return cells
}

// typeOf is the event of a row.
func typeOf(t testing.TB, catalog *event.Catalog, row string) (typ *event.Type, open bool) {
	t.Helper()
	name, open := strings.CutPrefix(row, "open:")
	if relation, only := strings.CutPrefix(row, "only:"); only {
		odd := &event.Type{Name: "Odd", Class: "odd"}
		for h := event.Hearers(1); h != 0; h <<= 1 {
			if slices.Equal(h.Names(), []string{relation}) {
				odd.Hearers = h
			}
		}
		if odd.Hearers == 0 && relation != "nobody" {
			t.Fatalf("no relation is called %s", relation)
		}
		return odd, false
	}
	typ, ok := catalog.Lookup(name)
	if !ok || typ.Name != name {
		t.Fatalf("%s is not in the catalogue", name)
	}
	return typ, open
}

// disagree is how many cells are answered otherwise than the grid says; the
// first few as text. An answer is that of the principal of a role.
func disagree(t testing.TB, cells []cell, may func(c *cell, p *auth.Principal) bool) (n int, first []string) {
	t.Helper()
	holders := map[bool]map[string]*auth.Principal{false: {}, true: {}}
	for i := range cells {
		c := &cells[i]
		p := holders[c.open][c.role]
		if p == nil {
			p = holderOf(t, c.role, auth.Options{OpenAvailability: c.open})
			holders[c.open][c.role] = p
		}
		if got := may(c, p); got != c.allow {
			if n++; n <= 10 {
				first = append(first, fmt.Sprintf("%s, role %s, relation %q: got %t, want %t", c.row, c.role, c.mark, got, c.allow))
			}
		}
	}
	return n, first
}

// TestMayGrid asks every event, role and relation, and compares with the grid
// of testdata/rights.txt. The principals come out of signed tokens.
func TestMayGrid(t *testing.T) {
	t.Parallel()
	n, first := disagree(t, grid(t), func(c *cell, p *auth.Principal) bool { return p.May(c.typ, entity(t, c.mark)) })
	if n > 0 {
		t.Errorf("%d cells differ:\n%s", n, strings.Join(first, "\n"))
	}
}

// holder is a principal of the role that lists one id of each kind.
func holder(t testing.TB, role string) *auth.Principal {
	t.Helper()
	return holderOf(t, role, auth.Options{})
}

func holderOf(t testing.TB, role string, o auth.Options) *auth.Principal {
	t.Helper()
	p, err := verifier(t, o).Verify(t.Context(), token(t, object{
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
