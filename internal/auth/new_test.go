package auth_test

import (
	"errors"
	"strings"
	"testing"

	"rte/internal/auth"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	short := "canary-31-bytes-canary-31-bytes"
	for _, tc := range []struct {
		name string
		o    auth.Options
		want string
	}{
		{"nothing", auth.Options{}, "no key for users' tokens"},
		{"service keys only", auth.Options{Service: auth.Keys{Secrets: secrets(serviceSecret)}}, "no key for users' tokens"},
		{"empty", auth.Options{Users: auth.Keys{Secrets: secrets("")}}, "users' secret 1 of 1 has 0 bytes, wanted at least 32"},
		{"31 bytes", auth.Options{Users: auth.Keys{Secrets: secrets(userSecret, short)}}, "users' secret 2 of 2 has 31 bytes, wanted at least 32"},
		{"service 31 bytes", auth.Options{Users: auth.Keys{Secrets: secrets(userSecret)}, Service: auth.Keys{Secrets: secrets(short)}}, "service secret 1 of 1 has 31 bytes, wanted at least 32"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			v, err := auth.New(tc.o)
			if v != nil || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, %v, want error with %q", v, err, tc.want)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("error has the secret: %v", err)
			}
		})
	}
	if _, err := auth.New(auth.Options{Users: auth.Keys{Secrets: secrets(short + "!")}}); err != nil {
		t.Errorf("secret of 32 bytes: %v", err)
	}
}

// Which key may give which role: a row is a way to set the keys.
func TestKeysAndRoles(t *testing.T) {
	t.Parallel()
	const refused = "refused"
	for _, tc := range []struct {
		name     string
		o        auth.Options
		key      string
		user     string // what a supervisor's token becomes
		operator string // what a service token becomes
	}{
		{"one set", auth.Options{Users: auth.Keys{Secrets: secrets(userSecret)}}, userSecret, "supervisor", "service"},
		{"one set, rotation, old", auth.Options{Users: auth.Keys{Secrets: secrets(userSecret, newUserSecret)}}, userSecret, "supervisor", "service"},
		{"one set, rotation, new", auth.Options{Users: auth.Keys{Secrets: secrets(userSecret, newUserSecret)}}, newUserSecret, "supervisor", "service"},
		{"one set, rotated away", auth.Options{Users: auth.Keys{Secrets: secrets(newUserSecret)}}, userSecret, refused, refused},
		{"two sets, users' key", strict(), userSecret, "supervisor", "user"},
		{"two sets, second users' key", strict(), newUserSecret, "supervisor", "user"},
		{"two sets, service key", strict(), serviceSecret, refused, "service"},
		{"two sets, foreign key", strict(), foreignSecret, refused, refused},
		{"service rotation, new", auth.Options{Users: auth.Keys{Secrets: secrets(userSecret)}, Service: auth.Keys{Secrets: secrets(foreignSecret, serviceSecret)}}, serviceSecret, refused, "service"},
		{"service rotation, old", auth.Options{Users: auth.Keys{Secrets: secrets(userSecret)}, Service: auth.Keys{Secrets: secrets(foreignSecret, serviceSecret)}}, foreignSecret, refused, "service"},
		{"a key in both sets", auth.Options{Users: auth.Keys{Secrets: secrets(userSecret, serviceSecret)}, Service: auth.Keys{Secrets: secrets(serviceSecret)}}, serviceSecret, "supervisor", "service"},
		{"… leaves the others alone", auth.Options{Users: auth.Keys{Secrets: secrets(userSecret, serviceSecret)}, Service: auth.Keys{Secrets: secrets(serviceSecret)}}, userSecret, "supervisor", "user"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			v := verifier(t, tc.o)
			for role, want := range map[string]string{"supervisor": tc.user, "service": tc.operator} {
				got := refused
				p, err := v.Verify(t.Context(), tokenBy(t, tc.key, good(object{"role": role})))
				if err == nil {
					got = p.Role.String()
				} else if r, _ := errors.AsType[*auth.Error](err); r.Reason != auth.ReasonRole && r.Reason != auth.ReasonSignature {
					t.Errorf("role %s: %v", role, err)
				}
				if got != want {
					t.Errorf("role %s: got %s, want %s", role, got, want)
				}
			}
		})
	}
}

// The verifier keeps its own copy of the secrets.
func TestSecretsAreCopied(t *testing.T) {
	t.Parallel()
	mine := secrets(userSecret)
	v := verifier(t, auth.Options{Users: auth.Keys{Secrets: mine}})
	clear(mine[0])
	if _, err := v.Verify(t.Context(), token(t, nil)); err != nil {
		t.Errorf("after the caller wiped its secret: %v", err)
	}
}
