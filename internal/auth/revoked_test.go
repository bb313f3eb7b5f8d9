package auth_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
)

// TestRevoked: who is meant, and which tokens of theirs.
func TestRevoked(t *testing.T) {
	t.Parallel()
	moment := clock().Add(-time.Minute)
	mine := object{"jti": "one", "iat": moment.Unix()}
	with := func(changes object) object {
		o := object{}
		for name, v := range mine {
			o[name] = v
		}
		for name, v := range changes {
			if o[name] = v; v == nil {
				delete(o, name)
			}
		}
		return o
	}
	me, org := id(t, me), id(t, myOrg)
	for _, tc := range []struct {
		name    string
		what    auth.Selection
		claims  object
		refused bool
	}{
		{"the user", auth.Selection{User: me}, mine, true},
		{"the user, anywhere", auth.Selection{User: me}, with(object{"org": other}), true},
		{"the user of the organization", auth.Selection{User: me, Org: org}, mine, true},
		{"the user of another organization", auth.Selection{User: me, Org: org}, with(object{"org": other}), false},
		{"another user", auth.Selection{User: id(t, mate)}, mine, false},
		{"the organization", auth.Selection{Org: org}, mine, true},
		{"the organization, another user", auth.Selection{Org: org}, with(object{"sub": mate}), true},
		{"another organization", auth.Selection{Org: id(t, other)}, mine, false},
		{"the token", auth.Selection{ID: "one"}, mine, true},
		{"the token, without its time", auth.Selection{ID: "one"}, with(object{"iat": nil}), true},
		{"another token", auth.Selection{ID: "two"}, mine, false},
		{"a token without id", auth.Selection{ID: "one"}, with(object{"jti": nil}), false},
		{"all three", auth.Selection{User: me, Org: org, ID: "one"}, mine, true},
		{"all three, one of them another", auth.Selection{User: me, Org: org, ID: "two"}, mine, false},
		{"without a time of issue", auth.Selection{User: me}, with(object{"iat": nil}), true},
		{"issued earlier", auth.Selection{User: me}, with(object{"iat": moment.Unix() - 1}), true},
		{"issued later", auth.Selection{User: me}, with(object{"iat": moment.Unix() + 1}), false},
		{"nobody", auth.Selection{}, mine, false},
	} {
		r := &auth.Revocations{}
		r.Set(tc.what, moment)
		v := verifier(t, auth.Options{Revocations: r})
		open := verifier(t, auth.Options{})
		text := token(t, tc.claims)
		p, err := open.Verify(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		if matches := tc.what.Matches(p); tc.name != "issued later" && matches != tc.refused {
			t.Errorf("%s: Matches is %v", tc.name, matches)
		}
		_, err = v.Verify(t.Context(), text)
		confirmed := v.Confirm(t.Context(), text, p)
		want := "accepted"
		if tc.refused {
			want = "revoked"
		}
		if verdict(err) != want || verdict(confirmed) != want {
			t.Errorf("%s: Verify %v, Confirm %v, want %q", tc.name, err, confirmed, want)
		}
		if other := (&auth.Principal{User: id(t, unknown)}); !errors.Is(v.Confirm(t.Context(), text, other), auth.ErrOther) {
			t.Errorf("%s: it is not said that the token is another user's", tc.name)
		}
		if shown := r.Shown(tc.what); shown.IsZero() == tc.refused {
			t.Errorf("%s: a token was shown that ends at %v", tc.name, shown)
		}
		r.Remove(tc.what)
		if _, err := v.Verify(t.Context(), text); err != nil || r.Len() != 0 {
			t.Errorf("%s, forgotten: %v", tc.name, err)
		}
	}
}

// TestRevokedWithoutUser: a service whose sub is no Guid is not the zero user,
// and a platform not the zero organization's.
func TestRevokedWithoutUser(t *testing.T) {
	t.Parallel()
	r := &auth.Revocations{}
	r.Set(auth.Selection{}, clock())
	v := verifier(t, auth.Options{Revocations: r, Service: auth.Keys{Secrets: secrets(serviceSecret)}})
	if _, err := v.Verify(t.Context(), tokenBy(t, serviceSecret, object{"role": "platform", "sub": "core", "org": nil, "jti": nil})); err != nil {
		t.Error(err)
	}
}

// TestRevokedByAnswer: the organization that the resolver names counts, too.
func TestRevokedByAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &auth.Revocations{}
		v := resolving(t, newFar(t, is(nil)), func(o *auth.Options) { o.Revocations = r })
		if _, err := v.Verify(t.Context(), token(t, nil)); err != nil {
			t.Fatal(err)
		}
		r.Set(auth.Selection{Org: id(t, other)}, clock())
		if _, err := v.Verify(t.Context(), token(t, nil)); verdict(err) != "revoked" {
			t.Errorf("got %v", err)
		}
	})
}

// TestSinceOfAnswers: what the resolver says begins when it is first said, and
// goes on as long as it is repeated.
func TestSinceOfAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		queues, role, status := []string{queue}, "user", http.StatusOK
		v := resolving(t, newFar(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			w.Write(must(json.Marshal(object{"organizationId": other, "role": role, "queues": queues, "ttl": 1}))) //nolint:errcheck // in memory
		}), nil)
		typ, _ := event.NewCatalog().Lookup("QueueStatus")
		for _, step := range []struct {
			name   string
			change func()
			want   map[string]int // seconds
		}{
			{"first", func() {}, map[string]int{queue: 0}},
			{"the same again", func() {}, map[string]int{queue: 0}},
			{"one more", func() { queues = append(queues, unknown) }, map[string]int{queue: 0, unknown: 20}},
			{"the same again", func() {}, map[string]int{queue: 0, unknown: 20}},
			{"one less", func() { queues = []string{unknown} }, map[string]int{unknown: 20}},
			{"back", func() { queues = []string{queue, unknown} }, map[string]int{queue: 50, unknown: 20}},
			{"supervisor", func() { role = "supervisor" }, map[string]int{queue: 50, unknown: 20, list: 60}},
			{"nobody", func() { status = http.StatusNotFound }, nil},
			{"somebody", func() { status = http.StatusOK }, map[string]int{queue: 80, unknown: 80, list: 80}},
		} {
			step.change()
			p, err := v.Verify(t.Context(), token(t, nil))
			if step.want == nil && verdict(err) != "principal" || step.want != nil && err != nil {
				t.Fatal(step.name, err)
			}
			for entity, want := range step.want {
				if got := p.Since(typ, id(t, entity)); !got.Equal(begin.Add(time.Duration(want) * time.Second)) {
					t.Errorf("%s: %s since %v, want %d s", step.name, entity, got.Sub(begin), want)
				}
			}
			time.Sleep(10 * time.Second)
		}
		p, err := v.Verify(t.Context(), token(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		if typ, _ := event.NewCatalog().Lookup("UserStatus"); !p.Since(typ, p.User).IsZero() {
			t.Error("to hear oneself has a beginning")
		}
	})
}
