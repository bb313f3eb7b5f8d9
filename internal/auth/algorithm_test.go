package auth_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"hash"
	"strings"
	"testing"

	"rte/internal/auth"
)

// TestEveryAlgorithm signs with every kind of key and every algorithm that it
// is good for, and asks verifiers that have one of the keys: the right one
// accepts, all others refuse.
func TestEveryAlgorithm(t *testing.T) {
	t.Parallel()
	verifiers := map[string]*auth.Verifier{}
	for name, k := range issuerKeys() {
		verifiers[name] = verifier(t, auth.Options{Users: auth.Keys{PublicKeyFile: write(t, pemOf(k))}})
	}
	cells := 0
	for name, k := range issuerKeys() {
		for _, alg := range k.algs {
			text := signed(t, k, alg, "", nil)
			for other, v := range verifiers {
				_, err := v.Verify(t.Context(), text)
				reason, _ := auth.Refused(err)
				want := auth.ReasonAlgorithm
				switch {
				case other == name:
					want = 0
				case sameKind(issuerKeys()[other], alg):
					want = auth.ReasonSignature
				}
				if reason != want {
					t.Errorf("%s by %s, key %s: got %v, want %v", alg, name, other, err, want)
				}
				cells++
			}
		}
	}
	if cells != (6+6+1+1+1+2+1)*7 {
		t.Errorf("%d cells tried", cells)
	}
}

func sameKind(k issuerKey, alg string) bool {
	for _, a := range k.algs {
		if a == alg {
			return true
		}
	}
	return false
}

// TestSecretsByLength: a secret is good for a hash of its own length and less
// (RFC 7518, 3.2).
func TestSecretsByLength(t *testing.T) {
	t.Parallel()
	hashes := map[string]struct {
		least int
		hash  func() hash.Hash
	}{"HS256": {32, sha256.New}, "HS384": {48, sha512.New384}, "HS512": {64, sha512.New}}
	body, err := json.Marshal(claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{32, 47, 48, 63, 64, 100} {
		secret := strings.Repeat("s", size)
		v := verifier(t, auth.Options{Users: auth.Keys{Secrets: secrets(secret)}})
		for alg, h := range hashes {
			_, err := v.Verify(t.Context(), forge(`{"alg":"`+alg+`"}`, string(body), secret, h.hash))
			reason, _ := auth.Refused(err)
			if want := size >= h.least; want && err != nil || !want && reason != auth.ReasonAlgorithm {
				t.Errorf("%s with %d bytes: got %v, want accepted %v", alg, size, err, want)
			}
		}
	}
}

// TestConfusion takes what everybody knows, the public key in every form, as
// the secret of an HMAC, for verifiers that have that key, alone and beside a
// secret.
func TestConfusion(t *testing.T) {
	t.Parallel()
	body, err := json.Marshal(claims(nil))
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}
	tried := 0
	for name, k := range issuerKeys() {
		der := must(x509.MarshalPKIXPublicKey(k.public()))
		published := string(must(json.Marshal(jwk(k, "a", nil))))
		forms := []string{string(pemOf(k)), strings.TrimSpace(string(pemOf(k))), string(der), published, "", "a"}
		file := write(t, pemOf(k))
		for _, v := range []*auth.Verifier{
			verifier(t, auth.Options{Users: auth.Keys{PublicKeyFile: file}}),
			verifier(t, auth.Options{Users: auth.Keys{PublicKeyFile: file, Secrets: secrets(strings.Repeat("x", 64))}}),
			verifier(t, auth.Options{Users: auth.Keys{Secrets: secrets(strings.Repeat("x", 64))}, Service: auth.Keys{PublicKeyFile: file}}),
		} {
			for _, form := range forms {
				for alg, h := range hashes {
					text := forge(`{"alg":"`+alg+`"}`, string(body), form, h)
					if p, err := v.Verify(t.Context(), text); err == nil {
						t.Errorf("key %s, %s with the public key as secret: accepted as %+v", name, alg, p)
					}
					// … and the other way round: the HMAC under the name of the key's own algorithm.
					text = forge(`{"alg":"`+k.algs[0]+`"}`, string(body), form, h)
					if p, err := v.Verify(t.Context(), text); err == nil {
						t.Errorf("key %s, HMAC under the name %s: accepted as %+v", name, k.algs[0], p)
					}
					tried += 2
				}
			}
		}
	}
	if tried != 7*3*6*3*2 {
		t.Errorf("%d tokens tried", tried)
	}
}

// TestHeaderBringsNoKey puts keys and addresses of keys into the header.
func TestHeaderBringsNoKey(t *testing.T) {
	t.Parallel()
	mine, theirs := issuerKeys()["p256"], issuerKeys()["p256b"]
	v := verifier(t, auth.Options{Users: auth.Keys{PublicKeyFile: write(t, pemOf(mine))}})
	published := string(must(json.Marshal(jwk(theirs, "k", nil))))
	body := string(must(json.Marshal(claims(nil))))
	for _, extra := range []string{
		`"jwk":` + published, `"jku":"http://127.0.0.1:1/keys"`, `"x5u":"http://127.0.0.1:1/cert"`, `"x5c":["MIIB"]`,
		`"kid":"k","jwk":` + published + `,"jku":"file:///etc/passwd"`,
	} {
		text := signWith(t, theirs, `{"alg":"ES256",`+extra+`}`, body)
		if _, err := v.Verify(t.Context(), text); err == nil {
			t.Errorf("header with %.40s: accepted a foreign signature", extra)
		}
		text = signWith(t, mine, `{"alg":"ES256",`+extra+`}`, body)
		if _, err := v.Verify(t.Context(), text); err != nil {
			t.Errorf("header with %.40s, signed by us: %v", extra, err)
		}
	}
}
