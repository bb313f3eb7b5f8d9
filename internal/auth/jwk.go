package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
)

// parseKeySet reads a JSON Web Key Set (RFC 7517, 5). A key that is not for
// us, or that cannot be read, is passed over and takes none of the others
// with it; problems says why, for the log. A set without one good key is an
// error: that is what proxies and half-started issuers send.
func parseKeySet(text []byte) (list []key, problems []error, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, nil, errors.New("the answer is no JSON key set")
	}
	for i, raw := range set.Keys {
		k, err := parseJWK(raw)
		if err != nil {
			problems = append(problems, fmt.Errorf("key %d of %d: %w", i+1, len(set.Keys), err))
			continue
		}
		if len(list) == maxKeys {
			problems = append(problems, fmt.Errorf("only the first %d keys are used", maxKeys))
			break
		}
		if k.name = fmt.Sprintf("key %d of the key set", i+1); k.id != "" {
			k.name = fmt.Sprintf("key %q of the key set", k.id)
		}
		list = append(list, k)
	}
	if len(list) == 0 {
		return nil, problems, errors.New("the answer has no usable key")
	}
	return list, problems, nil
}

// parseJWK reads one key. Its own words narrow it: alg to one algorithm, use
// and key_ops to signatures. The certificates and addresses it may carry are
// not looked at.
func parseJWK(raw json.RawMessage) (key, error) {
	var m jwkset.JWKMarshal
	if err := json.Unmarshal(raw, &m); err != nil {
		return key{}, errors.New("is no JSON object with members of the right types")
	}
	if len(m.KID) > MaxIDBytes {
		return key{}, fmt.Errorf("has a key id of %d bytes, at most %d are taken", len(m.KID), MaxIDBytes)
	}
	if m.USE != "" && m.USE != jwkset.UseSig || len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify) {
		return key{}, errors.New("is not for verifying signatures")
	}
	if m.KTY == jwkset.KtyOct {
		return key{}, errors.New("is a secret, which everybody can read there")
	}
	parsed, err := jwkset.NewJWKFromMarshal(jwkset.JWKMarshal{
		KTY: m.KTY, CRV: m.CRV, X: m.X, Y: m.Y, N: m.N, E: m.E,
	}, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return key{}, errors.New("is no valid public key of a known kind")
	}
	k, err := newPublic(parsed.Key())
	if err != nil {
		return key{}, err
	}
	if m.ALG != "" {
		a, known := algorithmNamed(m.ALG.String())
		if !known || !k.algs.has(a) {
			return key{}, fmt.Errorf("is for the algorithm %.20q, which is not known here or not for such a key", m.ALG)
		}
		k.algs &= algs(a)
		if a == edDSA || a == edNew { // two names of one
			k.algs = algs(edDSA, edNew)
		}
	}
	k.id = m.KID
	return k, nil
}
