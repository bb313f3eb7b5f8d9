package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"testing"
)

// The tests make their tokens here, by hand and from any text, so that they do
// not lean on the code under test.

const headerHS256 = `{"alg":"HS256","typ":"JWT"}`

// object is the claims of a good user's token; a change of nil takes one out.
type object map[string]any

func claims(changes object) object {
	c := object{"sub": me, "org": myOrg, "exp": clock().Unix() + 3600}
	for k, v := range changes {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return c
}

// raw is a claim written as it is.
type raw = json.RawMessage

// forge signs any header and claims with HMAC and the hash.
func forge(header, body, secret string, h func() hash.Hash) string {
	signed := b64(header) + "." + b64(body)
	m := hmac.New(h, []byte(secret))
	m.Write([]byte(signed))
	return signed + "." + b64(string(m.Sum(nil)))
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// token is a good user's token with changes, signed with the users' secret.
func token(t testing.TB, changes object) string {
	t.Helper()
	return tokenBy(t, userSecret, changes)
}

func tokenBy(t testing.TB, secret string, changes object) string {
	t.Helper()
	body, err := json.Marshal(claims(changes))
	if err != nil {
		t.Fatal(err)
	}
	return forge(headerHS256, string(body), secret, sha256.New)
}

// forgeUser signs any header and claims with the users' secret.
func forgeUser(header, body string) string { return forge(header, body, userSecret, sha256.New) }

// tokenOf signs claims given as text.
func tokenOf(body string) string { return forgeUser(headerHS256, body) }

// tokenUnder signs with another header.
func tokenUnder(t testing.TB, changes object, header string) string {
	t.Helper()
	body, err := json.Marshal(claims(changes))
	if err != nil {
		t.Fatal(err)
	}
	return forge(header, string(body), userSecret, sha256.New)
}

func token512(t testing.TB) string {
	t.Helper()
	body, err := json.Marshal(claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	return forge(`{"alg":"HS512"}`, string(body), userSecret, sha512.New)
}

func decode(part string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(part)
	return string(b), err
}
