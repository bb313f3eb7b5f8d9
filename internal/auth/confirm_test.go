package auth_test

import (
	"errors"
	"testing"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
)

// TestConfirm holds the rule for polls and POSTs of a live connection.
func TestConfirm(t *testing.T) {
	t.Parallel()
	secret := []byte("a secret of the tests of more than 32 bytes")
	v, err := auth.New(auth.Options{Users: auth.Keys{Secrets: [][]byte{secret}}})
	if err != nil {
		t.Fatal(err)
	}
	hour := time.Hour
	sign := func(key []byte, change func(*auth.Claims)) string {
		c := auth.Claims{User: event.GUID{1}, Org: event.GUID{2}, Role: auth.Service, Expires: time.Now().Add(hour)}
		if change != nil {
			change(&c)
		}
		token, err := auth.Sign(key, c)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	p, err := v.Verify(t.Context(), sign(secret, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		token  string
		other  bool
		reason auth.Reason
	}{
		{name: "the same user", token: sign(secret, nil)},
		{name: "a newer token with other rights", token: sign(secret, func(c *auth.Claims) { c.Role = auth.User })},
		{name: "expired meanwhile", token: sign(secret, func(c *auth.Claims) { c.Expires = time.Now().Add(-hour) })},
		{name: "another user", token: sign(secret, func(c *auth.Claims) { c.User = event.GUID{9} }), other: true},
		{name: "the same id in another organization", token: sign(secret, func(c *auth.Claims) { c.Org = event.GUID{9} }), other: true},
		{name: "a service without user id", token: sign(secret, func(c *auth.Claims) { c.User, c.Subject = event.GUID{}, "svc" }), other: true},
		{name: "expired, wrong key", token: sign([]byte("another secret that is just as long as it"), func(c *auth.Claims) { c.Expires = time.Now().Add(-hour) }), reason: auth.ReasonSignature},
		{name: "no token", reason: auth.ReasonMissing},
	} {
		err := v.Confirm(t.Context(), c.token, p)
		refused, isRefused := errors.AsType[*auth.Error](err)
		switch {
		case c.other != errors.Is(err, auth.ErrOther), (c.reason != 0) != isRefused, isRefused && refused.Reason != c.reason:
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}
