package auth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/auth"
	"rte/internal/event"
)

// What Sign writes, Verify reads back, with default and with mapped names.
func TestSignVerify(t *testing.T) {
	t.Parallel()
	full := auth.Claims{
		User: id(t, me), Org: id(t, myOrg), Role: auth.GroupManager,
		Queues: []event.GUID{id(t, queue)}, Lists: []event.GUID{id(t, list)}, Users: []event.GUID{id(t, mate)},
		Expires: clock().Add(time.Hour), IssuedAt: clock(), NotBefore: clock(),
		Issuer: "platform.example", Audience: "rte", ID: "t-1",
	}
	fullWant := &auth.Principal{
		User: id(t, me), Org: id(t, myOrg), Role: auth.GroupManager,
		Queues: auth.NewSet(id(t, queue)), Lists: auth.NewSet(id(t, list)), Users: auth.NewSet(id(t, mate)),
		Expires: clock().Add(time.Hour), IssuedAt: clock(), ID: "t-1",
	}
	mapped := full
	mapped.Names = auth.ClaimNames{User: "uid", Org: "tid", Role: "r", Queues: "q", Lists: "l", Users: "u"}
	for _, tc := range []struct {
		name   string
		secret string
		claims auth.Claims
		want   *auth.Principal
	}{
		{"full", userSecret, full, fullWant},
		{"mapped", newUserSecret, mapped, fullWant},
		{"service", serviceSecret, auth.Claims{
			Subject: "importer", Org: id(t, myOrg), Role: auth.Service, Expires: clock().Add(time.Minute),
			Issuer: "platform.example", Audience: "rte",
		}, &auth.Principal{Subject: "importer", Org: id(t, myOrg), Role: auth.Service, Expires: clock().Add(time.Minute)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := strict()
			o.Claims = tc.claims.Names
			signed, err := auth.Sign([]byte(tc.secret), tc.claims)
			if err != nil {
				t.Fatal(err)
			}
			got, err := verifier(t, o).Verify(t.Context(), signed)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, tc.want)
		})
	}
}

// The token itself: only what was given, under the contract's names.
func TestSignWrites(t *testing.T) {
	t.Parallel()
	least := auth.Claims{User: id(t, me), Expires: clock()}
	for _, tc := range []struct {
		name   string
		change func(*auth.Claims)
		want   string
	}{
		{"least", func(*auth.Claims) {}, `{"exp":1795334400,"sub":"` + me + `"}`},
		{"role and ids", func(c *auth.Claims) {
			c.Role, c.Queues = auth.Supervisor, []event.GUID{id(t, queue)}
		}, `{"exp":1795334400,"queues":["` + queue + `"],"role":"supervisor","sub":"` + me + `"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := least
			tc.change(&c)
			signed, err := auth.Sign([]byte(userSecret), c)
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(signed, ".")
			header, _ := decode(parts[0])
			body, _ := decode(parts[1])
			if diff := cmp.Diff([]string{headerHS256, tc.want}, []string{header, body}); diff != "" {
				t.Errorf("token differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	canary := "canary-canary-canary-31-bytes-x"
	for _, tc := range []struct {
		name   string
		secret string
		change func(*auth.Claims)
		want   string
	}{
		{"short secret", canary, func(*auth.Claims) {}, "secret has 31 bytes"},
		{"no user", userSecret, func(c *auth.Claims) { c.User = event.GUID{} }, "no user"},
		{"no expiry", userSecret, func(c *auth.Claims) { c.Expires = time.Time{} }, "no expiry"},
		{"expiry too far", userSecret, func(c *auth.Claims) { c.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, "no expiry"},
		{"too many ids", userSecret, func(c *auth.Claims) { c.Queues = make([]event.GUID, 2000) }, "2000 ids"},
		{"one name twice", userSecret, func(c *auth.Claims) { c.Names.Org = "sub" }, "two claims are named sub"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := auth.Claims{User: id(t, me), Org: id(t, myOrg), Expires: clock()}
			tc.change(&c)
			signed, err := auth.Sign([]byte(tc.secret), c)
			if signed != "" || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %q, %v, want error with %q", signed, err, tc.want)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("error has the secret: %v", err)
			}
		})
	}
}

// TestPrivateKey signs with every kind of key and algorithm, and reads the
// token back with the public key.
func TestPrivateKey(t *testing.T) {
	t.Parallel()
	for name, k := range issuerKeys() {
		v := verifier(t, auth.Options{Users: auth.Keys{PublicKeyFile: write(t, pemOf(k))}})
		for _, alg := range append([]string{""}, k.algs...) {
			key, err := auth.PrivateKey(privatePEM(k), alg)
			if err != nil {
				t.Errorf("%s, %s: %v", name, alg, err)
				continue
			}
			key.ID = "today's"
			text, err := key.Sign(auth.Claims{User: id(t, me), Org: id(t, myOrg), Expires: clock().Add(time.Hour)})
			if err != nil {
				t.Errorf("%s, %s: %v", name, alg, err)
				continue
			}
			if got := verify(t, v, text); got != "accepted" {
				t.Errorf("%s, %s: got %s", name, alg, got)
			}
			want := alg
			if want == "" {
				want = k.algs[0]
			}
			if header, _ := decode(strings.Split(text, ".")[0]); !strings.Contains(header, `"alg":"`+want+`"`) || !strings.Contains(header, `"kid":"today's"`) {
				t.Errorf("%s, %s: header %s", name, alg, header)
			}
		}
	}
}

func TestSigningKeyRefuses(t *testing.T) {
	t.Parallel()
	ec := issuerKeys()["p256"]
	for _, tc := range []struct {
		name string
		make func() (auth.SigningKey, error)
		want string
	}{
		{"a public key", func() (auth.SigningKey, error) { return auth.PrivateKey(pemOf(ec), "") }, "no private key in PEM form"},
		{"nothing", func() (auth.SigningKey, error) { return auth.PrivateKey(nil, "") }, "no private key in PEM form"},
		{"garbage", func() (auth.SigningKey, error) {
			return auth.PrivateKey([]byte("-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n"), "")
		}, "cannot be read"},
		{"encrypted", func() (auth.SigningKey, error) {
			return auth.PrivateKey([]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nY2FuYXJ5\n-----END ENCRYPTED PRIVATE KEY-----\n"), "")
		}, "is encrypted"},
		{"another algorithm", func() (auth.SigningKey, error) { return auth.PrivateKey(privatePEM(ec), "ES384") }, `"ES384" is not for this key; it is good for ES256`},
		{"none", func() (auth.SigningKey, error) { return auth.PrivateKey(privatePEM(ec), "none") }, `"none" is not for this key`},
		{"a short secret", func() (auth.SigningKey, error) { return auth.SecretKey([]byte("canary"), "") }, "has 6 bytes"},
		{"a secret too short for the algorithm", func() (auth.SigningKey, error) { return auth.SecretKey([]byte(strings.Repeat("s", 48)), "HS512") }, "good for HS256, HS384"},
	} {
		_, err := tc.make()
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: got %v, want an error with %q", tc.name, err, tc.want)
		}
	}
}

// TestSignNested: nested names are written as they are read.
func TestSignNested(t *testing.T) {
	t.Parallel()
	names := auth.ClaimNames{User: "sub", Org: "rte.org", Role: "rte.roles.main", Queues: "rte.queues", Lists: `a\.b`, Users: "https://x.example/users"}
	text, err := auth.Sign([]byte(userSecret), auth.Claims{
		Names: names, User: id(t, me), Org: id(t, myOrg), Role: auth.Supervisor, Expires: clock().Add(time.Hour),
		Queues: []event.GUID{id(t, queue)}, Lists: []event.GUID{id(t, list)}, Users: []event.GUID{id(t, mate)},
	})
	if err != nil {
		t.Fatal(err)
	}
	body, _ := decode(strings.Split(text, ".")[1])
	want := `{"a.b":["` + list + `"],"exp":1795338000,"https://x.example/users":["` + mate + `"],` +
		`"rte":{"org":"` + myOrg + `","queues":["` + queue + `"],"roles":{"main":"supervisor"}},"sub":"` + me + `"}`
	if body != want {
		t.Errorf("claims\n got %s\nwant %s", body, want)
	}
	p, err := verifier(t, auth.Options{Claims: names}).Verify(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	same(t, p, &auth.Principal{
		User: id(t, me), Org: id(t, myOrg), Role: auth.Supervisor, Expires: clock().Add(time.Hour),
		Queues: auth.NewSet(id(t, queue)), Lists: auth.NewSet(id(t, list)), Users: auth.NewSet(id(t, mate)),
	})
	if _, err := auth.Sign([]byte(userSecret), auth.Claims{Names: auth.ClaimNames{Org: "sub.org"}, User: id(t, me), Org: id(t, myOrg), Expires: clock()}); err == nil {
		t.Error("a claim inside a claim that is a text: no error")
	}
}
