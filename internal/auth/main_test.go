package auth_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"rte/internal/auth"
	"rte/internal/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The keys, ids and the moment that all tests use.
const (
	userSecret    = "users' secret number one, 32 bytes and more"
	newUserSecret = "users' secret number two, 32 bytes and more"
	serviceSecret = "service secret, also of 32 bytes and more"
	foreignSecret = "a secret of somebody else, 32 bytes and more"

	me      = "a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
	myOrg   = "0a6bb5c1-52f0-4b83-9a3f-5d06f5f1c001"
	other   = "0a6bb5c1-52f0-4b83-9a3f-5d06f5f1c002"
	queue   = "cbeeb190-ff4b-ea11-ac9c-00155d4fdcf3"
	list    = "d0eeb190-ff4b-ea11-ac9c-00155d4fdcf3"
	mate    = "a2eeb030-ff4b-ea11-ac9c-00155d4fdcf3"
	unknown = "ffeeb030-ff4b-ea11-ac9c-00155d4fdcf3"
	zero    = "00000000-0000-0000-0000-000000000000"
)

// clock stands still at 2026-11-22 08:00:00 UTC.
func clock() time.Time { return time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC) }

func id(t testing.TB, text string) event.GUID {
	t.Helper()
	g, err := event.ParseGUID(text)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func secrets(texts ...string) [][]byte {
	var out [][]byte
	for _, s := range texts {
		out = append(out, []byte(s))
	}
	return out
}

// verifier has users' keys only, unless the options say otherwise.
func verifier(t testing.TB, o auth.Options) *auth.Verifier {
	t.Helper()
	if o.Users.Secrets == nil && o.Users.PublicKeyFile == "" && o.Users.KeySetURL == "" {
		o.Users.Secrets = secrets(userSecret)
	}
	if o.Now == nil {
		o.Now = clock
	}
	v, err := auth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
