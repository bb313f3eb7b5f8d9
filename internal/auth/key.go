package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"fmt"
)

// Sizes of keys.
const (
	// MinSecretBytes is the shortest secret: as long as the hash of HS256
	// (RFC 7518, 3.2). HS384 takes secrets from 48 bytes on, HS512 from 64.
	MinSecretBytes = 32

	minRSABits = 2048 // RFC 7518, 3.3
	maxRSABits = 8192 // a longer one makes each check slow and nothing safer
)

// A key verifies signatures of the algorithms that it is made for, and of no
// other: what a token's header says chooses among them and cannot widen them.
// So a public key never serves as a secret.
type key struct {
	id   string // "kid" of a key set, else ""
	name string // for people: where it comes from and its place there
	algs algSet
	// material is a []byte, an *rsa.PublicKey, an *ecdsa.PublicKey or an
	// ed25519.PublicKey, as golang-jwt's methods want it.
	material any
}

// newSecret makes a key of a secret. It keeps a copy.
func newSecret(secret []byte) (key, error) {
	if len(secret) < MinSecretBytes {
		return key{}, fmt.Errorf("has %d bytes, wanted at least %d", len(secret), MinSecretBytes)
	}
	k := key{algs: algs(hs256), material: append([]byte(nil), secret...)}
	if len(secret) >= 48 {
		k.algs |= algs(hs384)
	}
	if len(secret) >= 64 {
		k.algs |= algs(hs512)
	}
	return k, nil
}

// errKeyKind is for keys that no algorithm of the table can use.
var errKeyKind = errors.New("is no RSA key, no EC key of the curves P-256, P-384 or P-521, and no Ed25519 key")

// newPublic makes a key of a public one.
func newPublic(public crypto.PublicKey) (key, error) {
	switch p := public.(type) {
	case *rsa.PublicKey:
		if n := p.N.BitLen(); n < minRSABits || n > maxRSABits {
			return key{}, fmt.Errorf("is an RSA key of %d bits, wanted %d to %d", n, minRSABits, maxRSABits)
		}
		return key{algs: algs(rs256, rs384, rs512, ps256, ps384, ps512), material: p}, nil
	case *ecdsa.PublicKey:
		a, ok := curveAlgorithm(p)
		if !ok {
			return key{}, errKeyKind
		}
		return key{algs: algs(a), material: p}, nil
	case ed25519.PublicKey:
		return key{algs: algs(edDSA, edNew), material: p}, nil
	}
	return key{}, errKeyKind
}

// curveAlgorithm is the algorithm that goes with a key's curve.
func curveAlgorithm(p *ecdsa.PublicKey) (algorithm, bool) {
	switch p.Curve.Params().Name {
	case "P-256":
		return es256, true
	case "P-384":
		return es384, true
	case "P-521":
		return es512, true
	}
	return 0, false
}

// verifies tells whether the key has made the signature.
func (k *key) verifies(a algorithm, signed string, signature []byte) bool {
	return k.algs.has(a) && algorithms[a].method.Verify(signed, signature, k.material) == nil
}

// same tells whether two keys are one, wherever they come from.
func (k *key) same(other *key) bool {
	if secret, ok := k.material.([]byte); ok {
		o, ok := other.material.([]byte)
		return ok && subtle.ConstantTimeCompare(secret, o) == 1
	}
	public, ok := k.material.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(other.material)
}
