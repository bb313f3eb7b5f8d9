package auth

import "github.com/golang-jwt/jwt/v5"

// An algorithm is a place in algorithms.
type algorithm uint8

// algorithms are the ways to sign that are known here, as a token's header
// names them, matched exactly (RFC 7518, 3.1; RFC 8037, 3.1; RFC 9864, 2.2).
// What is not in the table does not exist; "none" is not.
var algorithms = [...]struct {
	name   string
	method jwt.SigningMethod
}{
	hs256: {"HS256", jwt.SigningMethodHS256},
	hs384: {"HS384", jwt.SigningMethodHS384},
	hs512: {"HS512", jwt.SigningMethodHS512},
	rs256: {"RS256", jwt.SigningMethodRS256},
	rs384: {"RS384", jwt.SigningMethodRS384},
	rs512: {"RS512", jwt.SigningMethodRS512},
	ps256: {"PS256", jwt.SigningMethodPS256},
	ps384: {"PS384", jwt.SigningMethodPS384},
	ps512: {"PS512", jwt.SigningMethodPS512},
	es256: {"ES256", jwt.SigningMethodES256},
	es384: {"ES384", jwt.SigningMethodES384},
	es512: {"ES512", jwt.SigningMethodES512},
	edDSA: {"EdDSA", jwt.SigningMethodEdDSA},
	edNew: {"Ed25519", jwt.SigningMethodEdDSA}, // EdDSA's newer name for this curve
}

const (
	hs256 algorithm = iota
	hs384
	hs512
	rs256
	rs384
	rs512
	ps256
	ps384
	ps512
	es256
	es384
	es512
	edDSA
	edNew
)

// algorithmNamed finds an algorithm by the name in a header.
func algorithmNamed(name string) (algorithm, bool) {
	for i := range algorithms {
		if algorithms[i].name == name {
			return algorithm(i), true
		}
	}
	return 0, false
}

func (a algorithm) String() string { return algorithms[a].name }

// symmetric is true where one secret signs and verifies.
func (a algorithm) symmetric() bool { return a <= hs512 }

// An algSet is what one key is good for.
type algSet uint16

func algs(list ...algorithm) (s algSet) {
	for _, a := range list {
		s |= 1 << a
	}
	return s
}

func (s algSet) has(a algorithm) bool { return s&(1<<a) != 0 }
