package auth_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rte/internal/auth"
)

func TestRefused(t *testing.T) {
	t.Parallel()
	v := verifier(t, strict())
	if _, err := v.Verify(t.Context(), token(t, good(nil))); err != nil {
		t.Fatalf("the good token that the others differ from: %v", err)
	}
	want := map[auth.Reason]uint64{}
	for r := auth.ReasonMissing; r <= auth.ReasonRevoked; r++ {
		want[r] = 0
	}
	for _, tc := range refusals(t) {
		want[tc.want]++
		p, err := v.Verify(t.Context(), tc.token)
		refused, ok := errors.AsType[*auth.Error](err)
		if !ok || p != nil {
			t.Errorf("%s: got principal %v and error %v, want refused: %s", tc.name, p, err, tc.want)
			continue
		}
		if refused.Reason != tc.want || !strings.Contains(refused.Detail, tc.detail) {
			t.Errorf("%s: got %q, want reason %q with %q", tc.name, refused, tc.want, tc.detail)
		}
		want := "verify token: " + tc.want.String()
		if refused.Detail != "" {
			want += ": " + refused.Detail
		}
		if err.Error() != want {
			t.Errorf("%s: got text %q, want %q", tc.name, err, want)
		}
	}
	stats := v.Stats()
	unavailable := map[auth.Need]uint64{auth.NeedKeys: 0, auth.NeedPrincipal: 0}
	if diff := cmp.Diff(auth.Stats{Accepted: 1, Refused: want, Unavailable: unavailable}, stats); diff != "" {
		t.Errorf("statistics differ (-want +got):\n%s", diff)
	}
	for r, n := range stats.Refused {
		if n == 0 && !elsewhere(r) {
			t.Errorf("no test for reason %q", r)
		}
	}
}

// elsewhere is true for the reasons that need more than secrets: keyset_test.go,
// resolver_test.go and revoked_test.go have them.
func elsewhere(r auth.Reason) bool {
	return r == auth.ReasonKey || r == auth.ReasonPrincipal || r == auth.ReasonRevoked
}

// same compares principals; a Set compares by its Equal method.
func same(t *testing.T, got, want *auth.Principal) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(auth.Principal{})); diff != "" {
		t.Errorf("principal differs (-want +got):\n%s", diff)
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	v := verifier(t, strict())
	exp := clock().Add(time.Hour)
	user, org := id(t, me), id(t, myOrg)
	for _, tc := range []struct {
		name  string
		token string
		want  auth.Principal
	}{
		{"least", token(t, good(nil)), auth.Principal{}},
		{"second secret", tokenBy(t, newUserSecret, good(nil)), auth.Principal{}},
		{"all", token(t, good(object{
			"role": "groupmanager", "jti": "t-1", "iat": clock().Unix() - 60, "nbf": clock().Unix() - 60,
			"queues": []string{queue}, "lists": []string{list}, "users": []string{mate},
			"name": "Anna", "nested": object{"exp": 1, "role": "admin"},
		})), auth.Principal{
			Role: auth.GroupManager, ID: "t-1", IssuedAt: clock().Add(-time.Minute),
			Queues: auth.NewSet(id(t, queue)), Lists: auth.NewSet(id(t, list)), Users: auth.NewSet(id(t, mate)),
		}},
		{"supervisor", token(t, good(object{"role": "supervisor"})), auth.Principal{Role: auth.Supervisor}},
		{"role user", token(t, good(object{"role": "user"})), auth.Principal{}},
		{"role null", token(t, good(object{"role": raw("null")})), auth.Principal{}},
		{"role empty", token(t, good(object{"role": ""})), auth.Principal{}},
		{"role unknown", token(t, good(object{"role": "root"})), auth.Principal{Demoted: true}},
		{"role in capitals", token(t, good(object{"role": "Supervisor"})), auth.Principal{Demoted: true}},
		{"role an array", token(t, good(object{"role": []string{"supervisor"}})), auth.Principal{Role: auth.Supervisor}},
		{"roles, the strongest counts", token(t, good(object{"role": []any{"groupmanager", "offline_access", 7, "supervisor", "user"}})), auth.Principal{Role: auth.Supervisor}},
		{"roles, none of ours", token(t, good(object{"role": []string{"offline_access"}})), auth.Principal{}},
		{"roles, empty", token(t, good(object{"role": []string{}})), auth.Principal{}},
		{"roles, service, users' key", token(t, good(object{"role": []string{"groupmanager", "service"}})), auth.Principal{Role: auth.GroupManager, Demoted: true}},
		{"roles, service alone", tokenBy(t, serviceSecret, good(object{"role": []string{"service", "x"}})), auth.Principal{Role: auth.Service}},
		{"roles in an object", token(t, good(object{"role": object{"0": "supervisor"}})), auth.Principal{Demoted: true}},
		{"service, users' key", token(t, good(object{"role": "service"})), auth.Principal{Demoted: true}},
		{"platform, users' key", token(t, good(object{"role": "platform"})), auth.Principal{Demoted: true}},
		{"admin, users' key", token(t, good(object{"role": "admin"})), auth.Principal{Demoted: true}},
		{"service", tokenBy(t, serviceSecret, good(object{"role": "service"})), auth.Principal{Role: auth.Service}},
		{"platform", tokenBy(t, serviceSecret, good(object{"role": "platform"})), auth.Principal{Role: auth.Platform}},
		{"admin", tokenBy(t, serviceSecret, good(object{"role": "admin"})), auth.Principal{Role: auth.Admin}},
		{"blanks in JSON", tokenOf(" { \"sub\" : \"" + me + "\" ,\n\"org\":\t\"" + myOrg + "\", \"exp\":" +
			" 1795338000 , \"iss\":\"platform.example\",\"aud\":[ \"x\" , \"rte\" ] ,\"deep\":[{\"a\":[1,2,\"]}\\\"\"]}] } "), auth.Principal{}},
		{"our aud first", token(t, good(object{"aud": []string{"rte", "x"}})), auth.Principal{}},
		{"longest jti", token(t, good(object{"jti": strings.Repeat("j", auth.MaxIDBytes)})), auth.Principal{ID: strings.Repeat("j", auth.MaxIDBytes)}},
		{"escapes in JSON", tokenOf(`{"\u0073ub":"\u0061` + me[1:] + `","org":"` + myOrg + `","exp":1795338000,"iss":"platform\u002eexample","aud":"\u0072te"}`), auth.Principal{}},
		{"exp in exponent form", token(t, good(object{"exp": raw("1.795338e9")})), auth.Principal{}},
		{"header without typ, with kid", tokenUnder(t, good(nil), `{"kid":"../../key","alg":"HS256","jwk":{"kty":"oct"},"jku":"http://example.com"}`), auth.Principal{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := v.Verify(t.Context(), tc.token)
			if err != nil {
				t.Fatal(err)
			}
			want := tc.want
			want.User, want.Org, want.Expires = user, org, exp
			same(t, got, &want)
		})
	}
}

// Operators' tokens may do without a user, platform and admin without an
// organization.
func TestOperators(t *testing.T) {
	t.Parallel()
	v := verifier(t, strict())
	exp := clock().Add(time.Hour)
	for _, tc := range []struct {
		name string
		diff object
		want auth.Principal
	}{
		{"service", object{"role": "service", "sub": "importer"}, auth.Principal{Role: auth.Service, Org: id(t, myOrg), Subject: "importer"}},
		{"platform", object{"role": "platform", "sub": "core", "org": nil}, auth.Principal{Role: auth.Platform, Subject: "core"}},
		{"platform of an organization", object{"role": "platform", "sub": "core"}, auth.Principal{Role: auth.Platform, Org: id(t, myOrg), Subject: "core"}},
		{"admin", object{"role": "admin", "org": nil}, auth.Principal{Role: auth.Admin, User: id(t, me)}},
		{"admin with zero sub", object{"role": "admin", "sub": zero, "org": nil}, auth.Principal{Role: auth.Admin, Subject: zero}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := v.Verify(t.Context(), tokenBy(t, serviceSecret, good(tc.diff)))
			if err != nil {
				t.Fatal(err)
			}
			tc.want.Expires = exp
			same(t, got, &tc.want)
		})
	}
}

func TestDemotedIsCounted(t *testing.T) {
	t.Parallel()
	v := verifier(t, strict())
	for _, role := range []string{"admin", "user", "root"} {
		if _, err := v.Verify(t.Context(), token(t, good(object{"role": role}))); err != nil {
			t.Fatal(err)
		}
	}
	if s := v.Stats(); s.Accepted != 3 || s.Demoted != 2 {
		t.Errorf("got %d accepted, %d demoted, want 3 and 2", s.Accepted, s.Demoted)
	}
}

func TestLeeway(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		leeway time.Duration
		late   time.Duration // how long ago exp was
		early  time.Duration // how far away nbf and iat are
		want   auth.Reason   // 0: accepted
	}{
		{"default, just in", 0, 4 * time.Second, 5 * time.Second, 0},
		{"default, over", 0, 5 * time.Second, 0, auth.ReasonExpired},
		{"default, too early", 0, -time.Hour, 6 * time.Second, auth.ReasonNotYetValid},
		{"none, the last second", -1, -time.Second, 0, 0},
		{"none, at exp", -1, 0, 0, auth.ReasonExpired},
		{"none, a second early", -1, -time.Hour, time.Second, auth.ReasonNotYetValid},
		{"a minute", time.Minute, 59 * time.Second, time.Minute, 0},
		{"a minute, over", time.Minute, time.Minute, 0, auth.ReasonExpired},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			v := verifier(t, auth.Options{Leeway: tc.leeway})
			for _, claim := range []string{"nbf", "iat"} {
				_, err := v.Verify(t.Context(), token(t, object{"exp": clock().Add(-tc.late).Unix(), claim: clock().Add(tc.early).Unix()}))
				var got auth.Reason
				if refused, ok := errors.AsType[*auth.Error](err); ok {
					got = refused.Reason
				}
				if got != tc.want {
					t.Errorf("with %s: got %v, want %v", claim, err, tc.want)
				}
			}
		})
	}
}

// The clock's default is the real one.
func TestDefaultClock(t *testing.T) {
	t.Parallel()
	v, err := auth.New(auth.Options{Users: auth.Keys{Secrets: secrets(userSecret)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token(t, object{"exp": time.Now().Add(time.Hour).Unix()})); err != nil {
		t.Errorf("token of an hour: %v", err)
	}
	if _, err := v.Verify(t.Context(), token(t, object{"exp": time.Now().Add(-time.Hour).Unix()})); err == nil {
		t.Error("token that expired an hour ago is accepted")
	}
}

// A token of exactly the longest size is read, one of a few bytes more is not.
func TestLongestToken(t *testing.T) {
	t.Parallel()
	v := verifier(t, auth.Options{})
	padded := func(size int) string { return token(t, object{"pad": strings.Repeat("p", size)}) }
	size := auth.MaxTokenBytes * 3 / 4
	for len(padded(size)) > auth.MaxTokenBytes {
		size--
	}
	if _, err := v.Verify(t.Context(), padded(size)); err != nil {
		t.Errorf("%d bytes: %v", len(padded(size)), err)
	}
	_, err := v.Verify(t.Context(), padded(size+3))
	if refused, ok := errors.AsType[*auth.Error](err); !ok || refused.Reason != auth.ReasonTooLarge {
		t.Errorf("%d bytes: got %v, want too large", len(padded(size+3)), err)
	}
}

// Many connect at once; the race detector looks on.
func TestConcurrentVerify(t *testing.T) {
	t.Parallel()
	v := verifier(t, strict())
	ok, bad := token(t, good(nil)), tokenBy(t, foreignSecret, good(nil))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, err := v.Verify(t.Context(), ok); err != nil {
					t.Error(err)
				}
				if _, err := v.Verify(t.Context(), bad); err == nil {
					t.Error("wrong key accepted")
				}
				v.Stats()
			}
		})
	}
	wg.Wait()
	if s := v.Stats(); s.Accepted != 400 || s.Refused[auth.ReasonSignature] != 400 {
		t.Errorf("got %d accepted, %d refused, want 400 each", s.Accepted, s.Refused[auth.ReasonSignature])
	}
}
