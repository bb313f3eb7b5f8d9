package auth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/auth"
)

// Every spelling of a Guid counts; what is none is left out and takes nothing
// with it, and no entry gives more than itself.
func TestSetClaims(t *testing.T) {
	t.Parallel()
	v := verifier(t, auth.Options{})
	bare := strings.ReplaceAll(queue, "-", "")
	for _, tc := range []struct {
		name  string
		claim any
		want  []string
	}{
		{"D", []string{queue}, []string{queue}},
		{"N", []string{bare}, []string{queue}},
		{"B", []string{"{" + queue + "}"}, []string{queue}},
		{"P", []string{"(" + queue + ")"}, []string{queue}},
		{"capitals", []string{strings.ToUpper(queue)}, []string{queue}},
		{"blanks", []string{"  " + queue + "\t"}, []string{queue}},
		{"escapes", raw(`["\u0063` + queue[1:] + `"]`), []string{queue}},
		{"one text", queue, []string{queue}},
		{"two, in order", []string{list, queue}, []string{queue, list}},
		{"repeats", []string{queue, list, bare, queue}, []string{queue, list}},
		{"unreadable between", raw(`["` + queue + `", "x", 7, null, {"a":["` + mate + `"]}, ["` + mate + `"], "", true, "` + list + `"]`), []string{queue, list}},
		{"zero", []string{zero, queue}, []string{queue}},
		{"names of groups", []string{"everybody", "*"}, nil},
		{"one text with a comma", queue + "," + list, nil},
		{"object", object{"0": queue}, nil},
		{"number", 17, nil},
		{"null", raw("null"), nil},
		{"empty", []string{}, nil},
		{"empty, with a blank", raw("[ ]"), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, claim := range []string{"queues", "lists", "users"} {
				p, err := v.Verify(t.Context(), token(t, object{claim: tc.claim}))
				if err != nil {
					t.Fatal(err)
				}
				sets := map[string]auth.Set{"queues": p.Queues, "lists": p.Lists, "users": p.Users}
				for name, set := range sets {
					var want []string
					if name == claim {
						want = tc.want
					}
					var got []string
					for _, g := range set.IDs() {
						got = append(got, g.String())
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("claim %s, set %s differs (-want +got):\n%s", claim, name, diff)
					}
				}
			}
		})
	}
}

// User and organization are read in every spelling, too.
func TestGuidForms(t *testing.T) {
	t.Parallel()
	v := verifier(t, auth.Options{})
	forms := func(s string) []string {
		return []string{s, strings.ToUpper(s), strings.ReplaceAll(s, "-", ""), "{" + s + "}", "(" + s + ")", " " + s + " "}
	}
	for i, sub := range forms(me) {
		p, err := v.Verify(t.Context(), token(t, object{"sub": sub, "org": forms(myOrg)[i]}))
		if err != nil || p.User != id(t, me) || p.Org != id(t, myOrg) {
			t.Errorf("%q: got %+v, %v", sub, p, err)
		}
	}
}

func TestClaimNames(t *testing.T) {
	t.Parallel()
	names := auth.ClaimNames{
		User: "uid", Org: "https://platform.example/tenant", Role: "realm_access.roles",
		Queues: "groups", Lists: "groups", Users: `resource.rte\.desk.users`,
	}
	v := verifier(t, auth.Options{Claims: names})
	all := object{
		"sub": "whatever", "org": "whatever", "uid": me, "https://platform.example/tenant": myOrg,
		"realm_access": object{"roles": []string{"x", "supervisor"}}, "groups": []string{queue}, "role": "admin",
		"resource": object{"rte.desk": object{"users": []string{mate}}},
	}
	p, err := v.Verify(t.Context(), token(t, all))
	if err != nil {
		t.Fatal(err)
	}
	same(t, p, &auth.Principal{
		User: id(t, me), Org: id(t, myOrg), Role: auth.Supervisor, Expires: clock().Add(time.Hour),
		Queues: auth.NewSet(id(t, queue)), Lists: auth.NewSet(id(t, queue)), Users: auth.NewSet(id(t, mate)),
	})
	_, err = v.Verify(t.Context(), token(t, nil))
	if refused, ok := errors.AsType[*auth.Error](err); !ok || refused.Reason != auth.ReasonSubject || !strings.Contains(refused.Detail, "uid") {
		t.Errorf("got %v, want subject, and the mapped name", err)
	}
}

// A nested name that leads nowhere is a claim that is not there; one that is
// there twice is refused, like any other.
func TestNestedClaims(t *testing.T) {
	t.Parallel()
	v := verifier(t, auth.Options{Claims: auth.ClaimNames{Role: "a.b.role", Queues: "a.q"}})
	for _, tc := range []struct {
		name string
		a    any
		role auth.Role
		want auth.Reason // 0: accepted
	}{
		{"there", raw(`{"b":{"role":"supervisor"},"q":["` + queue + `"]}`), auth.Supervisor, 0},
		{"no b", raw(`{"q":[]}`), auth.User, 0},
		{"b null", raw(`{"b":null}`), auth.User, 0},
		{"b a text", raw(`{"b":"supervisor"}`), auth.User, 0},
		{"b an array", raw(`{"b":[{"role":"supervisor"}]}`), auth.User, 0},
		{"a a text", "supervisor", auth.User, 0},
		{"a empty", raw(`{ }`), auth.User, 0},
		{"the same name elsewhere twice", raw(`{"c":1,"c":2,"b":{"x":1,"x":2,"role":"supervisor"}}`), auth.Supervisor, 0},
		{"b twice", raw(`{"b":{"role":"user"},"b":{"role":"supervisor"}}`), 0, auth.ReasonMalformed},
		{"role twice", raw(`{"b":{"role":"user","role":"supervisor"}}`), 0, auth.ReasonMalformed},
	} {
		p, err := v.Verify(t.Context(), token(t, object{"a": tc.a, "a.b.role": "admin", "role": "admin"}))
		if reason, _ := auth.Refused(err); reason != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		} else if err == nil && p.Role != tc.role {
			t.Errorf("%s: got role %s, want %s", tc.name, p.Role, tc.role)
		}
	}
}
