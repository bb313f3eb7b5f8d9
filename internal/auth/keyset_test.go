package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rte/internal/auth"
)

// started is a verifier of users' tokens of a far issuer.
func started(t testing.TB, f *far, change func(*auth.Options)) *auth.Verifier {
	t.Helper()
	o := auth.Options{Users: auth.Keys{KeySetURL: f.url}, Transport: f.way}
	if change != nil {
		change(&o)
	}
	v := verifier(t, o)
	v.Start(t.Context())
	t.Cleanup(v.Close)
	return v
}

// verdict is accepted, a reason, or what could not be had.
func verdict(err error) string {
	if err == nil {
		return "accepted"
	}
	if u, ok := errors.AsType[*auth.Unavailable](err); ok {
		if u.RetryAfter <= 0 {
			return "no Retry-After"
		}
		return "no " + u.Needed.String()
	}
	reason, _ := auth.Refused(err)
	return reason.String()
}

func verify(t testing.TB, v *auth.Verifier, token string) string {
	t.Helper()
	_, err := v.Verify(t.Context(), token)
	return verdict(err)
}

// TestKeySetKeys is what each key of a set is good for: what is not for
// signatures, or cannot be read, is passed over and takes nothing with it.
func TestKeySetKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := issuerKeys()
		f := newFar(t, text(keySet(
			jwk(k["rsa"], "narrow", object{"alg": "RS256"}),
			jwk(k["rsa2"], "enc", object{"use": "enc"}),
			jwk(k["rsa2"], "ops", object{"use": nil, "key_ops": []string{"sign"}}),
			jwk(k["rsa2"], "wrong alg", object{"alg": "ES256"}),
			jwk(k["rsa2"], "no alg", object{"alg": "none"}),
			jwk(k["rsa2"], "hmac alg", object{"alg": "HS256"}),
			object{"kty": "oct", "kid": "secret", "k": b64(foreignSecret)},
			object{"kty": "RSA", "kid": "small", "n": b64(strings.Repeat("\xff", 128)), "e": "AQAB"},
			object{"kty": "RSA", "kid": "e of one", "n": b64(strings.Repeat("\xff", 256)), "e": "AQ"},
			object{"kty": "EC", "crv": "P-256", "kid": "off the curve", "x": b64(strings.Repeat("\x01", 32)), "y": b64(strings.Repeat("\x01", 32))},
			object{"kty": "EC", "crv": "secp256k1", "kid": "other curve", "x": "AQ", "y": "AQ"},
			object{"kty": 7, "kid": "wrong type"},
			jwk(k["p384"], strings.Repeat("k", 300), nil),
			jwk(k["p256"], "ec", object{"x5u": "http://127.0.0.1/elsewhere", "x5c": []string{"garbage"}}),
			jwk(k["ed"], "ed", object{"alg": "EdDSA", "use": nil, "key_ops": []string{"verify"}}),
			jwk(k["p521"], "", object{"kid": nil}),
		)))
		var log bytes.Buffer
		v := started(t, f, func(o *auth.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		for _, tc := range []struct {
			name, key, alg, kid, want string
		}{
			{"its algorithm", "rsa", "RS256", "narrow", "accepted"},
			{"its algorithm, no key id", "rsa", "RS256", "", "accepted"},
			{"another of the same kind", "rsa", "PS256", "narrow", "algorithm"},
			{"by key id", "p256", "ES256", "ec", "accepted"},
			{"the other key's id", "p256", "ES256", "ed", "key"},
			{"a key without id", "p521", "ES512", "", "accepted"},
			{"a key without id, named", "p521", "ES512", "anything", "accepted"},
			{"Ed25519", "ed", "EdDSA", "ed", "accepted"},
			{"Ed25519 by its newer name", "ed", "Ed25519", "ed", "accepted"},
			{"a stranger's signature", "p256b", "ES256", "ec", "signature"},
			{"for encryption", "rsa2", "RS256", "enc", "key"},
			{"for signing only", "rsa2", "RS256", "ops", "key"},
			{"another kind's algorithm", "rsa2", "RS256", "wrong alg", "key"},
			{"id too long", "p384", "ES384", "x", "algorithm"},
		} {
			if got := verify(t, v, signed(t, issuerKeys()[tc.key], tc.alg, tc.kid, nil)); got != tc.want {
				t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
			}
		}
		if got := verify(t, v, tokenBy(t, foreignSecret, nil)); got != "algorithm" {
			t.Errorf("with the secret that the set has: got %s", got)
		}
		if got := strings.Count(log.String(), "passed over"); got != 1 {
			t.Errorf("%d log lines about bad keys, want 1:\n%s", got, log.String())
		}
	})
}

// TestRotation: a token of a new key makes the verifier look at once, and all
// that come meanwhile wait for the same look; a withdrawn key ends with the
// next look.
func TestRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		older, newer := issuerKeys()["p256"], issuerKeys()["p256b"]
		both := keySet(jwk(older, "1", nil), jwk(newer, "2", nil))
		f := newFar(t, text(keySet(jwk(older, "1", nil))))
		v := started(t, f, nil)
		time.Sleep(time.Minute)
		f.say(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(100 * time.Millisecond) // the others come while it is under way
			text(both)(w, r)
		})
		tokens := map[string]string{"1": signed(t, older, "ES256", "1", nil), "2": signed(t, newer, "ES256", "2", nil)}
		began := time.Now()
		var all sync.WaitGroup
		for i := range 500 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 200 * time.Microsecond)
				for kid, token := range tokens {
					if got := verify(t, v, token); got != "accepted" {
						t.Errorf("key %s while it changes: %s", kid, got)
					}
				}
			})
		}
		all.Wait()
		if n, took := f.times(), time.Since(began); n != 2 || took > 110*time.Millisecond {
			t.Errorf("the issuer was asked %d times, in %v; want once at the start, once for all", n, took)
		}
		f.say(text(keySet(jwk(newer, "2", nil))))
		time.Sleep(10*time.Minute + time.Second)
		if got := verify(t, v, signed(t, older, "ES256", "1", nil)); got != "key" {
			t.Errorf("a withdrawn key: got %s", got)
		}
		if got := verify(t, v, signed(t, newer, "ES256", "2", nil)); got != "accepted" {
			t.Errorf("the new key: got %s", got)
		}
	})
}

// TestRotationWithoutKeyIDs: an issuer that names no keys may change them, too.
func TestRotationWithoutKeyIDs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		older, newer := issuerKeys()["p256"], issuerKeys()["p256b"]
		f := newFar(t, text(keySet(jwk(older, "", object{"kid": nil}))))
		v := started(t, f, nil)
		f.say(text(keySet(jwk(newer, "", object{"kid": nil}))))
		if got := verify(t, v, signed(t, newer, "ES256", "", nil)); got != "accepted" {
			t.Errorf("got %s", got)
		}
	})
}

// TestInventedKeyIDs: a stranger cannot make the verifier ask the issuer more
// often than every five seconds, nor keep a rightful new key out meanwhile.
func TestInventedKeyIDs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mine, newer, theirs := issuerKeys()["p256"], issuerKeys()["p384"], issuerKeys()["p256b"]
		f := newFar(t, text(keySet(jwk(mine, "1", nil))))
		v := started(t, f, nil)
		ctx, stop := context.WithCancel(t.Context())
		var strangers sync.WaitGroup
		for i := range 20 {
			strangers.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					_, err := v.Verify(ctx, signed(t, theirs, "ES256", fmt.Sprint("invented ", i, n), nil))
					if got := verdict(err); got != "key" && ctx.Err() == nil {
						t.Errorf("invented key id: got %s", got)
					}
				}
			})
		}
		time.Sleep(time.Minute)
		if n := f.times(); n < 2 || n > 13 {
			t.Errorf("the issuer was asked %d times in a minute, want at most every 5 s", n)
		}
		f.say(text(keySet(jwk(mine, "1", nil), jwk(newer, "2", nil))))
		if got := verify(t, v, signed(t, newer, "ES384", "2", nil)); got != "accepted" {
			t.Errorf("a new key under attack: got %s", got)
		}
		stop()
		strangers.Wait()
	})
}

// TestOutage: whatever the issuer does, the keys known last go on working; a
// token with another key is answered with 503, in bounded time; and when the
// issuer is back, so is everything.
func TestOutage(t *testing.T) {
	t.Parallel()
	shapes := failures()
	shapes["no keys"] = text(`{"keys":[]}`)
	shapes["no usable key"] = text(keySet(object{"kty": "oct", "k": "AAAA"}))
	shapes["a redirect away from https"] = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://issuer.example/keys", http.StatusFound)
	}
	shapes["redirects without end"] = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/again", http.StatusFound)
	}
	for name, fails := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				known, other := issuerKeys()["p256"], issuerKeys()["p384"]
				f := newFar(t, text(keySet(jwk(known, "1", nil))))
				f.listen(t, "issuer.example:80") // nobody may be led there
				v := started(t, f, nil)
				f.say(func(w http.ResponseWriter, r *http.Request) {
					if r.Host == "issuer.example" {
						t.Error("a redirect was followed away from loopback")
					}
					fails(w, r)
				})
				time.Sleep(40 * time.Minute)
				for range 3 {
					began := time.Now()
					if got := verify(t, v, signed(t, known, "ES256", "1", nil)); got != "accepted" || time.Since(began) != 0 {
						t.Errorf("a known key: got %s after %v", got, time.Since(began))
					}
					if got := verify(t, v, signed(t, other, "ES384", "2", nil)); got != "no keys" || time.Since(began) > 13*time.Second {
						t.Errorf("an unknown key: got %s after %v", got, time.Since(began))
					}
				}
				if s := v.Stats(); s.KeySetFailed == 0 || s.KeySetAge < 40*time.Minute || s.Unavailable[auth.NeedKeys] != 3 {
					t.Errorf("figures: %+v", s)
				}
				if n := f.times(); n > (40+10)*4 { // four requests where redirects are followed
					t.Errorf("the issuer was asked %d times in 40 minutes", n)
				}
				f.say(text(keySet(jwk(known, "1", nil), jwk(other, "2", nil))))
				time.Sleep(time.Minute + 10*time.Second) // it is tried again without being asked for
				began := time.Now()
				if got := verify(t, v, signed(t, other, "ES384", "2", nil)); got != "accepted" || time.Since(began) != 0 {
					t.Errorf("after the outage: got %s after %v", got, time.Since(began))
				}
			})
		})
	}
}

// TestStartInOutage: a node that starts while the issuer is down judges what it
// can, and everything as soon as it can.
func TestStartInOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := issuerKeys()["p256"]
		f := newFar(t, failures()["slow"])
		began := time.Now()
		v := started(t, f, nil)
		if took := time.Since(began); took > 6*time.Second {
			t.Errorf("Start took %v", took)
		}
		if v.Lacking() == "" {
			t.Error("nothing is lacking, without a key")
		}
		token := signed(t, k, "ES256", "1", nil)
		if got := verify(t, v, token); got != "no keys" {
			t.Errorf("without keys: got %s", got)
		}
		if got := verify(t, v, "garbage"); got != "malformed" {
			t.Errorf("garbage: got %s", got)
		}
		if got := verify(t, v, tokenBy(t, foreignSecret, nil)); got != "algorithm" {
			t.Errorf("a token that no key set could be for: got %s", got)
		}
		f.say(text(keySet(jwk(k, "1", nil))))
		if got := verify(t, v, token); got != "accepted" {
			t.Errorf("with keys: got %s", got)
		}
		if why := v.Lacking(); why != "" {
			t.Errorf("lacking: %s", why)
		}
	})
}

// TestCacheControl: the issuer says how long its keys may be used unseen.
func TestCacheControl(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"": 10 * time.Minute, "public, max-age=120": 2 * time.Minute, "MAX-AGE=\"300\"": 5 * time.Minute, "max-age=1": time.Minute,
		"max-age=86400": time.Hour, "no-store": 10 * time.Minute, "max-age=x": 10 * time.Minute, "max-age=-5": 10 * time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFar(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", header)
				text(keySet(jwk(issuerKeys()["p256"], "1", nil)))(w, r)
			})
			started(t, f, nil)
			time.Sleep(want - time.Second)
			before := f.times()
			time.Sleep(2 * time.Second)
			if after := f.times(); before != 1 || after != 2 {
				t.Errorf("%q: asked %d times before %v, %d behind", header, before, want, after)
			}
		})
	}
}

// TestManyWait: a thousand tokens may wait for keys, the next is sent away at
// once; when the verifier is closed, all are.
func TestManyWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFar(t, failures()["slow"])
		v := started(t, f, nil)
		token := signed(t, issuerKeys()["p256"], "ES256", "1", nil)
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() {
				if got := verify(t, v, token); got != "no keys" {
					t.Errorf("got %s", got)
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		if got := verify(t, v, token); got != "no keys" || time.Since(began) != 0 {
			t.Errorf("one too many: got %s after %v", got, time.Since(began))
		}
		v.Close()
		all.Wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("Close let them wait for %v", took)
		}
		if got := verify(t, v, token); got != "no keys" {
			t.Errorf("after Close: got %s", got)
		}
	})
}

// TestAddresses: what is asked for keys or people must be known by TLS, but on
// this machine.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, good := range map[string]bool{
		"https://issuer.example/keys": true, "http://127.0.0.1:8080/keys": true, "http://[::1]/keys": true, "http://localhost/keys": true,
		"http://issuer.example/keys": false, "http://127.0.0.1.issuer.example/": false, "http://localhost.issuer.example/": false, "http://10.0.0.1/": false,
		"ftp://127.0.0.1/keys": false, "file:///etc/keys": false, "issuer.example/keys": false, "keys": false, "https:keys": false, "https://": false,
		"https://name:canary@issuer.example/keys": false, "%zz://canary": false,
	} {
		for set, o := range map[string]auth.Options{
			"users' key set":  {Users: auth.Keys{KeySetURL: address}},
			"service key set": {Users: auth.Keys{Secrets: secrets(userSecret)}, Service: auth.Keys{KeySetURL: address}},
			"resolver":        {Users: auth.Keys{Secrets: secrets(userSecret)}, PrincipalURL: address},
		} {
			_, err := auth.New(o)
			if (err == nil) != good || err != nil && !strings.Contains(err.Error(), set) {
				t.Errorf("%s %s: got %v, want good %v", set, address, err, good)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("the error has the password: %v", err)
			}
		}
	}
}

// TestServiceKeySet: operators' keys from a set of their own, and one set for
// both, which is read once.
func TestServiceKeySet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := issuerKeys()["p256"]
		f := newFar(t, text(keySet(jwk(k, "1", nil))))
		apart := started(t, f, func(o *auth.Options) {
			o.Service.KeySetURL, o.Users = o.Users.KeySetURL, auth.Keys{Secrets: secrets(userSecret)}
		})
		if got := verify(t, apart, signed(t, k, "ES256", "1", object{"role": "service"})); got != "accepted" {
			t.Errorf("service: got %s", got)
		}
		if got := verify(t, apart, signed(t, k, "ES256", "1", nil)); got != "role" {
			t.Errorf("user by a service key: got %s", got)
		}
		before := f.times()
		shared := started(t, f, func(o *auth.Options) { o.Service.KeySetURL = o.Users.KeySetURL })
		for _, role := range []string{"user", "service"} {
			p, err := shared.Verify(t.Context(), signed(t, k, "ES256", "1", object{"role": role}))
			if err != nil || p.Role.String() != role {
				t.Errorf("one set for both, role %s: got %v, %v", role, p, err)
			}
		}
		if n := f.times() - before; n != 1 {
			t.Errorf("one set for both was read %d times", n)
		}
	})
}

// FuzzKeySet gives the reader of key sets any text. Whatever comes of it, the
// key known before goes on working, or the text has been a key set.
func FuzzKeySet(f *testing.F) {
	f.Add(keySet(jwk(issuerKeys()["rsa"], "a", nil), jwk(issuerKeys()["p256"], "b", object{"alg": "ES256"}), jwk(issuerKeys()["ed"], "c", nil)))
	f.Add(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},null,7,{}]}`)
	f.Add(`{"keys":[{"kty":"EC","crv":"P-521","x":"","y":"AA"}],"keys":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		n, err := auth.ParseKeySet([]byte(text))
		if err != nil && n != 0 || err == nil && (n < 1 || n > 32) {
			t.Fatalf("%d keys, error %v", n, err)
		}
		if err == nil && !json.Valid([]byte(text)) {
			t.Fatal("a key set that is no JSON")
		}
	})
}

// TestRotationUnderLoad lets clients connect for half an hour while the issuer
// changes its keys and fails in all its ways, at random. A token is signed by a
// key that has been published; it is never refused. Where its key has come up
// just before an outage, nobody can know it yet: that is 503.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		f := newFar(t, nil)
		var mu sync.Mutex
		keys := []object{jwk(issuerKeys()["p256"], "0", nil)}
		good, up, rotations := signed(t, issuerKeys()["p256"], "ES256", "0", nil), true, 0
		var since time.Time // when the key was published
		f.say(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			set := keySet(keys...)
			mu.Unlock()
			text(set)(w, r)
		})
		v := started(t, f, nil)
		ctx, stop := context.WithCancel(t.Context())
		verdicts := map[string]int{}
		var all sync.WaitGroup
		for range 10 {
			pause := time.Duration(2000+rnd.IntN(4000)) * time.Millisecond
			all.Go(func() {
				for ctx.Err() == nil {
					mu.Lock()
					token, published := good, since
					mu.Unlock()
					got := verify(t, v, token)
					mu.Lock()
					verdicts[got]++
					// Only a key that nobody could read yet excuses.
					if got != "accepted" && (got != "no keys" || up && time.Since(published) > 20*time.Second) {
						t.Errorf("a valid token: got %s, its key published %v ago, issuer up %v", got, time.Since(published), up)
					}
					mu.Unlock()
					time.Sleep(pause)
				}
			})
		}
		ways := slices.Sorted(maps.Keys(failures()))
		healthy := f.answer
		for range 60 {
			time.Sleep(time.Duration(rnd.IntN(60_000)) * time.Millisecond)
			switch mu.Lock(); {
			case !up:
				f.say(healthy)
				up, since = true, time.Now() // what is published now can be read from now on
			case rnd.IntN(2) == 0:
				f.say(failures()[ways[rnd.IntN(len(ways))]])
				up = false
			default: // another key, used at once; the one before stays a while
				rotations++
				name := []string{"p256", "p256b", "ed"}[rnd.IntN(3)]
				k, kid := issuerKeys()[name], fmt.Sprint(rotations)
				keys = append(keys[max(0, len(keys)-1):], jwk(k, kid, nil))
				good, since = signed(t, k, k.algs[0], kid, nil), time.Now()
			}
			mu.Unlock()
		}
		mu.Lock()
		f.say(healthy)
		mu.Unlock()
		stop()
		all.Wait()
		if verdicts["accepted"] < 1000 || rotations < 5 {
			t.Errorf("%v with %d rotations: too few to show anything", verdicts, rotations)
		}
		t.Logf("%v, %d rotations", verdicts, rotations)
	})
}
