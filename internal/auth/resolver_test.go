package auth_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
)

// resolving is a verifier with a resolver.
func resolving(t testing.TB, f *far, change func(*auth.Options)) *auth.Verifier {
	t.Helper()
	o := auth.Options{PrincipalURL: f.url, Transport: f.way}
	if change != nil {
		change(&o)
	}
	v := verifier(t, o)
	t.Cleanup(v.Close)
	return v
}

// is a resolver's answer.
func is(changes object) http.HandlerFunc {
	o := object{"organizationId": other, "role": "groupmanager", "queues": []string{queue}, "lists": []string{list}, "users": []string{mate}}
	for name, v := range changes {
		if o[name] = v; v == nil {
			delete(o, name)
		}
	}
	return text(string(must(json.Marshal(o))))
}

// TestResolved: a token needs only sub and exp; the answer is the whole truth
// about the rest, whatever the claims say.
func TestResolved(t *testing.T) {
	t.Parallel()
	whole := &auth.Principal{
		User: id(t, me), Org: id(t, other), Role: auth.GroupManager, Expires: clock().Add(time.Hour),
		Queues: auth.NewSet(id(t, queue)), Lists: auth.NewSet(id(t, list)), Users: auth.NewSet(id(t, mate)),
	}
	but := func(change func(*auth.Principal)) *auth.Principal {
		p := *whole
		change(&p)
		return &p
	}
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		claims object
		want   *auth.Principal // nil: refused
		reason string
	}{
		{"sub and exp", is(nil), object{"org": nil}, whole, ""},
		{"claims that say otherwise", is(nil), object{"role": "supervisor", "queues": []string{unknown}, "users": []string{unknown}}, whole, ""},
		{"claims that cannot be read", is(nil), object{"org": "acme", "role": 7, "queues": "x"}, whole, ""},
		{"the organization only", text(`{"organizationId":"` + other + `"}`), nil, &auth.Principal{User: id(t, me), Org: id(t, other), Expires: clock().Add(time.Hour)}, ""},
		{"a user who is no Guid", is(object{"userId": me}), object{"sub": "auth0|17"}, whole, ""},
		{"another user's Guid", is(object{"userId": mate}), nil, but(func(p *auth.Principal) { p.User = id(t, mate) }), ""},
		{"supervisor", is(object{"role": "supervisor"}), nil, but(func(p *auth.Principal) { p.Role = auth.Supervisor }), ""},
		{"a role of operators", is(object{"role": "service"}), nil, but(func(p *auth.Principal) { p.Role, p.Demoted = auth.User, true }), ""},
		{"an unknown role", is(object{"role": "root"}), nil, but(func(p *auth.Principal) { p.Role, p.Demoted = auth.User, true }), ""},
		{"ids that are none", is(object{"queues": []string{"x", queue, zero}}), nil, whole, ""},
		{"more members", is(object{"name": "Anna"}), nil, whole, ""},
		{"jti and iat stay the token's", is(nil), object{"jti": "t-1", "iat": clock().Unix()}, but(func(p *auth.Principal) { p.ID, p.IssuedAt = "t-1", clock() }), ""},

		{"no organization", is(object{"organizationId": nil}), nil, nil, "organization"},
		{"the zero organization", is(object{"organizationId": zero}), nil, nil, "organization"},
		{"a user who is no Guid, and no answer to that", is(nil), object{"sub": "auth0|17"}, nil, "subject"},
		{"no sub", is(object{"userId": me}), object{"sub": nil}, nil, "subject"},
		{"a sub without end", is(object{"userId": me}), object{"sub": strings.Repeat("s", 257)}, nil, "too large"},
		{"unknown", statusOnly(http.StatusNotFound), nil, nil, "principal"},
		{"gone", statusOnly(http.StatusGone), nil, nil, "principal"},
		{"not allowed", statusOnly(http.StatusForbidden), nil, nil, "principal"},
		{"not us", statusOnly(http.StatusUnauthorized), nil, nil, "no principal"},
		{"an organization that is no Guid", is(object{"organizationId": "acme"}), nil, nil, "no principal"},
		{"a user that is no Guid", is(object{"userId": "acme"}), nil, nil, "no principal"},
		{"members of other types", is(object{"queues": queue}), nil, nil, "no principal"},
	} {
		synctest.Test(t, func(t *testing.T) {
			v := resolving(t, newFar(t, tc.answer), nil)
			p, err := v.Verify(t.Context(), token(t, tc.claims))
			if tc.want != nil && err == nil {
				same(t, p, tc.want)
			} else if verdict(err) != tc.reason {
				t.Errorf("%s: got %v, %v, want %v %s", tc.name, p, err, tc.want, tc.reason)
			}
		})
	}
}

// TestQuestion: the resolver gets the claims as they were signed, byte for
// byte, and nothing else of the token; operators are not asked about.
func TestQuestion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got http.Header
		f := newFar(t, func(w http.ResponseWriter, r *http.Request) {
			got = r.Header
			if r.Method != http.MethodPost {
				t.Errorf("method %s", r.Method)
			}
			is(nil)(w, r)
		})
		v := resolving(t, f, func(o *auth.Options) {
			o.PrincipalToken = "the platform's own"
			o.Service.Secrets = secrets(serviceSecret)
		})
		body := `{"sub":"` + me + `" , "exp":1795338000,"tenant":{"a":[1,"ü\u0041"]},"far":1e99}`
		if got := verify(t, v, tokenOf(body)); got != "accepted" {
			t.Fatal(got)
		}
		if f.bodies[0] != body || got.Get("Content-Type") != "application/json" || got.Get("Authorization") != "Bearer the platform's own" {
			t.Errorf("question %s, header %v", f.bodies[0], got)
		}
		if got := verify(t, v, tokenBy(t, serviceSecret, object{"role": "service"})); got != "accepted" || f.times() != 1 {
			t.Errorf("a service: got %s, %d questions", got, f.times())
		}
		for _, bad := range []string{"", "x", tokenBy(t, foreignSecret, nil), token(t, object{"exp": clock().Unix() - 3600}), token(t, object{"nbf": clock().Unix() + 3600})} {
			if got := verify(t, v, bad); got == "accepted" || f.times() != 1 {
				t.Errorf("a bad token: got %s, %d questions", got, f.times())
			}
		}
	})
}

// TestCoalesced: while the resolver thinks, everybody with equal claims waits
// for one answer, which holds for its time; nobody gets another's.
func TestCoalesced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFar(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			is(object{"ttl": 30})(w, r)
		})
		v := resolving(t, f, nil)
		ask := func(changes object) {
			if got := verify(t, v, token(t, changes)); got != "accepted" {
				t.Errorf("%v: got %s", changes, got)
			}
		}
		var all sync.WaitGroup
		for i := range 300 {
			all.Go(func() {
				ask(object{"jti": fmt.Sprint(i), "iat": clock().Unix() - int64(i), "exp": clock().Unix() + 60 + int64(i)})
			})
		}
		all.Wait()
		if n := f.times(); n != 1 {
			t.Fatalf("%d questions for one person, want 1", n)
		}
		time.Sleep(29 * time.Second)
		ask(nil)
		if n := f.times(); n != 1 {
			t.Errorf("%d questions within the answer's time, want 1", n)
		}
		time.Sleep(time.Second)
		ask(nil)
		if n := f.times(); n != 2 {
			t.Errorf("%d questions behind the answer's time, want 2", n)
		}
		// Whoever differs in any claim that stays is somebody else.
		before := f.times()
		others := []object{{"sub": mate}, {"org": other}, {"iss": "b"}, {"tenant": "a"}, {"tenant": "b"}, {"ten": "anta"}, {"tenant": object{"jti": 1}}, {"tenant": object{"jti": 2}}}
		for _, o := range others {
			ask(o)
		}
		if n := f.times() - before; n != len(others) {
			t.Errorf("%d questions for %d people", n, len(others))
		}
		if s := v.Stats(); s.Asked != uint64(f.times()) || s.Remembered == 0 || s.AnswerBytes == 0 {
			t.Errorf("figures: %+v", s)
		}
	})
}

// TestTimeToLive: an answer's time is bounded, and it may have none.
func TestTimeToLive(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		ttl  any
		want time.Duration
	}{{nil, time.Minute}, {0, 0}, {-5, 0}, {0.5, 500 * time.Millisecond}, {86400, time.Hour}, {raw("1e300"), time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFar(t, is(object{"ttl": tc.ttl}))
			v := resolving(t, f, func(o *auth.Options) { o.Leeway = 24 * time.Hour })
			verify(t, v, token(t, nil))
			time.Sleep(tc.want - time.Millisecond)
			verify(t, v, token(t, nil))
			if n := f.times(); tc.want > 0 && n != 1 {
				t.Errorf("ttl %v: %d questions within %v", tc.ttl, n, tc.want)
			}
			time.Sleep(2 * time.Millisecond)
			verify(t, v, token(t, nil))
			if n := f.times(); tc.want > 0 && n != 2 {
				t.Errorf("ttl %v: %d questions behind %v", tc.ttl, n, tc.want)
			} else if tc.want == 0 && n != 3 {
				t.Errorf("ttl %v: %d questions, want 3", tc.ttl, n)
			}
		})
	}
}

// TestResolverOutage: answers hold for their time; then, and for everybody
// else, it is 503 within two seconds, and never 401.
func TestResolverOutage(t *testing.T) {
	t.Parallel()
	for name, fails := range failures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFar(t, is(object{"ttl": 100}))
				var log bytes.Buffer
				v := resolving(t, f, func(o *auth.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
				known, stranger := token(t, nil), token(t, object{"sub": mate})
				if got := verify(t, v, known); got != "accepted" {
					t.Fatal(got)
				}
				p, err := v.Verify(t.Context(), known)
				if err != nil {
					t.Fatal(err)
				}
				f.say(fails)
				for range 3 {
					began := time.Now()
					if got := verify(t, v, stranger); got != "no principal" || time.Since(began) > 2*time.Second {
						t.Errorf("nobody known: got %s after %v", got, time.Since(began))
					}
					if got := verify(t, v, known); got != "accepted" {
						t.Errorf("an answer in its time: got %s", got)
					}
				}
				time.Sleep(100 * time.Second)
				if got := verify(t, v, known); got != "no principal" {
					t.Errorf("an answer whose time is over: got %s", got)
				}
				// An open connection's polls go on.
				if err := v.Confirm(t.Context(), known, p); err != nil {
					t.Errorf("Confirm in an outage: %v", err)
				}
				if s := v.Stats(); s.AskFailed != 4 || s.Unavailable[auth.NeedPrincipal] != 4 || s.Refused[auth.ReasonPrincipal] != 0 {
					t.Errorf("figures: %+v", s)
				}
				f.say(is(nil))
				if got := verify(t, v, stranger); got != "accepted" {
					t.Errorf("after the outage: got %s", got)
				}
				if text := log.String(); strings.Count(text, "does not answer") != 1 || strings.Count(text, "answers again") != 1 {
					t.Errorf("the log should say once that it is down and once that it is up:\n%s", text)
				}
			})
		})
	}
}

// TestRefusalIsRemembered: not for long, and it ends an open connection's
// polls.
func TestRefusalIsRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFar(t, statusOnly(http.StatusNotFound))
		v := resolving(t, f, nil)
		for range 100 {
			if got := verify(t, v, token(t, nil)); got != "principal" {
				t.Fatal(got)
			}
		}
		if n := f.times(); n != 1 {
			t.Errorf("%d questions, want 1", n)
		}
		time.Sleep(5 * time.Second)
		f.say(is(nil))
		if got := verify(t, v, token(t, nil)); got != "accepted" {
			t.Errorf("five seconds later: got %s", got)
		}
	})
}

// TestConfirmResolved: equal claims of two tenants are two people.
func TestConfirmResolved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFar(t, nil)
		f.say(func(w http.ResponseWriter, r *http.Request) {
			f.mu.Lock()
			body := f.bodies[len(f.bodies)-1]
			f.mu.Unlock()
			org := myOrg
			if strings.Contains(body, `"tenant":"b"`) {
				org = other
			}
			is(object{"organizationId": org})(w, r)
		})
		v := resolving(t, f, nil)
		p, err := v.Verify(t.Context(), token(t, object{"tenant": "a"}))
		if err != nil || p.Org != id(t, myOrg) {
			t.Fatal(p, err)
		}
		if err := v.Confirm(t.Context(), token(t, object{"tenant": "a", "jti": "newer"}), p); err != nil {
			t.Errorf("the same person: %v", err)
		}
		if err := v.Confirm(t.Context(), token(t, object{"tenant": "a", "exp": clock().Unix() - 3600}), p); err != nil {
			t.Errorf("the same person, expired meanwhile: %v", err)
		}
		if err := v.Confirm(t.Context(), token(t, object{"tenant": "b"}), p); !errors.Is(err, auth.ErrOther) {
			t.Errorf("the same id in another tenant: %v", err)
		}
	})
}

// TestManyQuestions: at most 64 at a time; who finds no place within two
// seconds is told to come again. Close lets all go.
func TestManyQuestions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most, began := 0, 0, time.Now()
		f := newFar(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			now++
			if time.Since(began) < 2*time.Second { // then they are given up here, and go on there
				most = max(most, now)
			}
			mu.Unlock()
			time.Sleep(900 * time.Millisecond)
			mu.Lock()
			now--
			mu.Unlock()
			is(nil)(w, r)
		})
		v := resolving(t, f, nil)
		verdicts := map[string]int{}
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				got := verify(t, v, token(t, object{"sub": event.GUID{1, byte(i)}.String()}))
				mu.Lock()
				defer mu.Unlock()
				verdicts[got]++
			})
		}
		all.Wait()
		if took := time.Since(began); took != 2*time.Second || most != 64 || verdicts["accepted"] != 128 || verdicts["no principal"] != 72 {
			t.Errorf("after %v: %v, %d at the same time; want two rounds of 64", took, verdicts, most)
		}
		for i := range 10 {
			all.Go(func() {
				if got := verify(t, v, token(t, object{"sub": event.GUID{2, byte(i)}.String()})); got != "no principal" {
					t.Errorf("closed meanwhile: got %s", got)
				}
			})
		}
		time.Sleep(time.Millisecond)
		closed := time.Now()
		v.Close()
		all.Wait()
		if took := time.Since(closed); took != 0 {
			t.Errorf("Close waited for %v", took)
		}
	})
}

// TestMemoryIsBounded: however many people come with however many rights, the
// answers kept stay within a bound, and the newest are among them.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ids := make([]string, 100)
		for i := range ids {
			ids[i] = event.GUID{3, byte(i >> 8), byte(i)}.String()
		}
		f := newFar(t, is(object{"queues": ids, "ttl": 3600}))
		v := resolving(t, f, nil)
		if got, want := v.LimitAnswers(100<<10), 64<<20; got != want {
			t.Errorf("the bound is %d bytes, want %d", got, want)
		}
		const people = 60 // of 2 kB
		for i := range people {
			verify(t, v, token(t, object{"sub": event.GUID{1, byte(i)}.String()}))
		}
		if s := v.Stats(); s.AnswerBytes > 100<<10 || s.AnswerBytes < 97<<10 {
			t.Errorf("%d bytes of answers", s.AnswerBytes)
		}
		verify(t, v, token(t, object{"sub": event.GUID{1, people - 1}.String()}))
		if n := f.times(); n != people {
			t.Errorf("the newest answer was forgotten: %d questions for %d people", n, people)
		}
		verify(t, v, token(t, object{"sub": event.GUID{1}.String()}))
		if n := f.times(); n != people+1 {
			t.Errorf("the oldest answer was kept: %d questions for %d people", n, people)
		}
	})
}

// FuzzResolved gives the reader of answers any text: never a panic, and never
// a principal without user and organization or with a role of operators.
func FuzzResolved(f *testing.F) {
	f.Add(`{"userId":"` + me + `","organizationId":"` + other + `","role":"supervisor","queues":["` + queue + `","x"],"ttl":1e9}`)
	f.Add(`{"organizationId":null,"role":"admin","ttl":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := auth.ParseResolved([]byte(text))
		if err != nil {
			return
		}
		if p.User.IsZero() || p.Org.IsZero() || p.Role > auth.Supervisor {
			t.Fatalf("%q became %+v", text, p)
		}
	})
}
