package auth_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rte/internal/auth"
)

// TestKeyFile reads keys in all the forms they come in.
func TestKeyFile(t *testing.T) {
	t.Parallel()
	first, p256, p384, ed := issuerKeys()["rsa"], issuerKeys()["p256"], issuerKeys()["p384"], issuerKeys()["ed"]
	v := verifier(t, auth.Options{Users: auth.Keys{
		PublicKeyFile: write(t, []byte("some words before\n"), certificateOf(p256), pemOf(first), []byte("\nand between\n"), certificateOf(ed)),
	}})
	for _, text := range []string{signed(t, first, "PS384", "", nil), signed(t, p256, "ES256", "any", nil), signed(t, ed, "EdDSA", "", nil)} {
		if _, err := v.Verify(t.Context(), text); err != nil {
			t.Errorf("a key of the file: %v", err)
		}
	}
	_, err := v.Verify(t.Context(), signed(t, p384, "ES384", "", nil))
	if reason, _ := auth.Refused(err); reason != auth.ReasonAlgorithm {
		t.Errorf("a key that is not there: got %v", err)
	}
}

func TestKeyFileRefuses(t *testing.T) {
	t.Parallel()
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	good := pemOf(issuerKeys()["p256"])
	for _, tc := range []struct {
		name string
		text []byte
		want string
	}{
		{"empty", nil, "no key in PEM form"},
		{"a token", []byte("eyJhbGciOi"), "no key in PEM form"},
		{"a private key", append(good, privatePEM(issuerKeys()["p256"])...), "part 2 (\"PRIVATE KEY\") is a private key"},
		{"garbage", block("PUBLIC KEY", []byte("garbage")), "cannot be read"},
		{"garbage in a certificate", append(good, block("CERTIFICATE", []byte{1})...), "part 2 (\"CERTIFICATE\") cannot be read"},
		{"something else", block("DH PARAMETERS", []byte{1}), "neither a public key nor a certificate"},
		{"an RSA key of 1024 bits", block("PUBLIC KEY", rsaOf(1024)), "1024 bits, wanted 2048 to 8192"},
		{"an RSA key of 16,384 bits", block("PUBLIC KEY", rsaOf(16384)), "16384 bits, wanted 2048 to 8192"},
		{"33 keys", bytes.Repeat(good, 33), "more than 32 keys"},
		{"2 MiB", bytes.Repeat([]byte("x"), 2<<20), "more than 1048576 bytes"},
	} {
		_, err := auth.New(auth.Options{Users: auth.Keys{PublicKeyFile: write(t, tc.text)}})
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "users' public keys") {
			t.Errorf("%s: got %v, want an error with %q", tc.name, err, tc.want)
		}
	}
	if _, err := auth.New(auth.Options{Users: auth.Keys{PublicKeyFile: "/no/such/file"}}); err == nil {
		t.Error("a file that is not there is no error")
	}
}

// rsaOf is the public form of an RSA key of so many bits; nobody has its
// private one.
func rsaOf(bits uint) []byte {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return must(x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537}))
}

// TestKeyFileChanges replaces the file while tokens come: a new key counts at
// once, a withdrawn one does not any more, and a file that cannot be used
// leaves the keys as they were.
func TestKeyFileChanges(t *testing.T) {
	t.Parallel()
	older, newer := issuerKeys()["p256"], issuerKeys()["ed"]
	path := write(t, pemOf(older))
	var log bytes.Buffer
	v := verifier(t, auth.Options{Users: auth.Keys{PublicKeyFile: path}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	byOld, byNew := signed(t, older, "ES256", "", nil), signed(t, newer, "EdDSA", "", nil)
	expect := func(step string, token string, good bool) {
		t.Helper()
		if _, err := v.Verify(t.Context(), token); (err == nil) != good {
			t.Errorf("%s: got %v, want accepted %v", step, err, good)
		}
	}
	expect("before", byOld, true)
	expect("before", byNew, false)

	rewrite(t, path, pemOf(older), pemOf(newer))
	expect("both in the file", byNew, true)
	expect("both in the file", byOld, true)

	rewrite(t, path, pemOf(newer)[:60])
	expect("half written", byNew, true)
	expect("half written", byOld, true)
	expect("half written", signed(t, issuerKeys()["p384"], "ES384", "", nil), false) // looks at the file
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect("gone", signed(t, issuerKeys()["p384"], "ES384", "", nil), false)
	expect("gone", byNew, true)

	rewrite(t, path, pemOf(newer))
	expect("the new one alone, seen with the next unknown key", signed(t, issuerKeys()["p384"], "ES384", "", nil), false)
	expect("the new one alone", byOld, false)
	expect("the new one alone", byNew, true)
	if text := log.String(); strings.Count(text, "cannot be used") != 2 || strings.Count(text, "read again") != 2 {
		t.Errorf("the log should name each bad and each new file once:\n%s", text)
	}
}

// TestSharedKeyFile: one file for both sets is one source with both uses.
func TestSharedKeyFile(t *testing.T) {
	t.Parallel()
	k := issuerKeys()["p256"]
	path := write(t, pemOf(k))
	other := filepath.Join(t.TempDir(), "other.pem")
	rewrite(t, other, pemOf(issuerKeys()["p384"]), pemOf(k))
	for _, tc := range []struct {
		name           string
		users, service string
		user, operator bool
	}{
		{"the same file", path, path, true, true},
		{"a file each, the key in both", path, other, true, true},
		{"users only", path, "", true, true},
	} {
		v := verifier(t, auth.Options{Users: auth.Keys{PublicKeyFile: tc.users}, Service: auth.Keys{PublicKeyFile: tc.service}})
		for role, want := range map[string]bool{"supervisor": tc.user, "service": tc.operator} {
			p, err := v.Verify(t.Context(), signed(t, k, "ES256", "", object{"role": role}))
			if got := err == nil && p.Role.String() == role; got != want {
				t.Errorf("%s, role %s: got %v, %v, want honoured %v", tc.name, role, p, err, want)
			}
		}
	}
}

// FuzzPEM gives the reader of key files any text.
func FuzzPEM(f *testing.F) {
	f.Add(pemOf(issuerKeys()["p256"]))
	f.Add(append(certificateOf(issuerKeys()["ed"]), pemOf(issuerKeys()["rsa"])...))
	f.Add(privatePEM(issuerKeys()["p256"]))
	f.Fuzz(func(t *testing.T, text []byte) {
		if n, err := auth.ParsePEM(text); (n == 0) != (err != nil) || n > 32 {
			t.Fatalf("%d keys, error %v", n, err)
		}
	})
}
