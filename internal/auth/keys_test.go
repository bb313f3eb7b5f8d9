package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// An issuerKey is a private key of a test's issuer. Making RSA keys takes long,
// so each is made once.
type issuerKey struct {
	private crypto.Signer
	algs    []string // that it is good for
}

func (k issuerKey) public() crypto.PublicKey { return k.private.Public() }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func ecKey(c elliptic.Curve) crypto.Signer { return must(ecdsa.GenerateKey(c, rand.Reader)) }

// issuerKeys has one of each kind, and a second RSA key.
var issuerKeys = sync.OnceValue(func() map[string]issuerKey {
	rsaAlgs := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return map[string]issuerKey{
		"rsa":   {must(rsa.GenerateKey(rand.Reader, 2048)), rsaAlgs},
		"rsa2":  {must(rsa.GenerateKey(rand.Reader, 2048)), rsaAlgs},
		"p256":  {ecKey(elliptic.P256()), []string{"ES256"}},
		"p384":  {ecKey(elliptic.P384()), []string{"ES384"}},
		"p521":  {ecKey(elliptic.P521()), []string{"ES512"}},
		"ed":    {ed, []string{"EdDSA", "Ed25519"}},
		"p256b": {ecKey(elliptic.P256()), []string{"ES256"}},
	}
})

// signed is a good user's token, with changes, as an issuer makes it. kid ""
// is left out.
func signed(t testing.TB, k issuerKey, alg, kid string, changes object) string {
	t.Helper()
	method := jwt.GetSigningMethod(alg)
	if alg == "Ed25519" {
		method = jwt.SigningMethodEdDSA
	}
	token := jwt.NewWithClaims(method, jwt.MapClaims(claims(changes)))
	if token.Header["alg"] = alg; kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(k.private)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// jwk is a public key as an issuer publishes it, with changes.
func jwk(k issuerKey, kid string, changes object) object {
	b64int := func(n *big.Int, size int) string {
		return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, size)))
	}
	o := object{"kid": kid, "use": "sig"}
	switch p := k.public().(type) {
	case *rsa.PublicKey:
		o["kty"], o["n"], o["e"] = "RSA", b64int(p.N, p.Size()), b64int(big.NewInt(int64(p.E)), 3)
	case *ecdsa.PublicKey:
		size := (p.Curve.Params().BitSize + 7) / 8
		point := must(p.Bytes())[1:] //nolint:staticcheck // uncompressed
		o["kty"], o["crv"] = "EC", p.Curve.Params().Name
		o["x"] = base64.RawURLEncoding.EncodeToString(point[:size])
		o["y"] = base64.RawURLEncoding.EncodeToString(point[size:])
	case ed25519.PublicKey:
		o["kty"], o["crv"], o["x"] = "OKP", "Ed25519", base64.RawURLEncoding.EncodeToString(p)
	}
	for name, v := range changes {
		if o[name] = v; v == nil {
			delete(o, name)
		}
	}
	return o
}

// keySet is an issuer's answer.
func keySet(keys ...object) string {
	return string(must(json.Marshal(object{"keys": keys})))
}

// pemOf is a public key in a PEM block.
func pemOf(k issuerKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(k.public()))})
}

// certificateOf is a certificate of the key, long out of date.
func certificateOf(k issuerKey) []byte {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "issuer"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0),
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: must(x509.CreateCertificate(rand.Reader, c, c, k.public(), k.private))})
}

// privatePEM is a private key in a PEM block.
func privatePEM(k issuerKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(k.private))})
}

// write puts texts into a file of the test's own.
func write(t testing.TB, texts ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.pem")
	rewrite(t, path, texts...)
	return path
}

func rewrite(t testing.TB, path string, texts ...[]byte) {
	t.Helper()
	var all []byte
	for _, text := range texts {
		all = append(all, text...)
	}
	if err := os.WriteFile(path, all, 0o600); err != nil {
		t.Fatal(err)
	}
}

// signWith signs any header and claims with ES256, whatever the header says.
func signWith(t testing.TB, k issuerKey, header, body string) string {
	t.Helper()
	text := b64(header) + "." + b64(body)
	sum, err := jwt.SigningMethodES256.Sign(text, k.private)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sum)
}
