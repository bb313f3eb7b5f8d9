package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
)

// Keys are one set of keys; any of them is good.
type Keys struct {
	// Secrets are for HS256, HS384 and HS512, each as far as its length
	// allows, at least MinSecretBytes. Two during a rotation.
	Secrets [][]byte

	// PublicKeyFile is a PEM file of public keys or certificates; it is read
	// again when it changes. "" means none.
	PublicKeyFile string

	// KeySetURL is where the issuer publishes its key set (RFC 7517); https,
	// or http on loopback. It may carry no symmetric keys: these are passed
	// over. "" means none.
	KeySetURL string
}

func (k *Keys) empty() bool {
	return len(k.Secrets) == 0 && k.PublicKeyFile == "" && k.KeySetURL == ""
}

// A source is where keys come from.
type source interface {
	// keys are those known now. They are shared: nobody changes them.
	keys() []key
	// renew looks for keys again, after a token has come that none of have
	// fits. It reports whether there are other ones now; an error means that
	// this cannot be known at present.
	renew(ctx context.Context, h *header, have []key) (other bool, err error)
}

// A ring is a source and what its keys may be used for.
type ring struct {
	source
	uses uses
}

// uses says for which tokens a key counts: both, where it is in both sets.
type uses struct{ users, service bool }

func (u uses) and(o uses) uses { return uses{u.users || o.users, u.service || o.service} }

// secrets is the source of what the settings say; it never changes.
type secrets []key

func (s secrets) keys() []key { return s }

func (s secrets) renew(context.Context, *header, []key) (bool, error) { return false, nil }

// addRings makes the sources of one set of keys. A file or an address that is
// in both sets is one source with both uses.
func (v *Verifier) addRings(set string, k *Keys, use uses, log *slog.Logger, rt http.RoundTripper) error {
	if len(k.Secrets) > 0 {
		var list secrets
		for i, text := range k.Secrets {
			s, err := newSecret(text)
			if err != nil {
				return fmt.Errorf("make token verifier: %s secret %d of %d %w", set, i+1, len(k.Secrets), err)
			}
			s.name = fmt.Sprintf("%s secret %d of %d", set, i+1, len(k.Secrets))
			list = append(list, s)
		}
		v.rings = append(v.rings, ring{list, use})
	}
	if k.PublicKeyFile != "" && !v.share(use, func(s source) bool {
		f, ok := s.(*keyFile)
		return ok && f.path == k.PublicKeyFile
	}) {
		f, err := newKeyFile(k.PublicKeyFile, log)
		if err != nil {
			return fmt.Errorf("make token verifier: %s public keys: %w", set, err)
		}
		v.rings = append(v.rings, ring{f, use})
	}
	if k.KeySetURL != "" && !v.share(use, func(s source) bool {
		published, ok := s.(*keySet)
		return ok && published.at.url == k.KeySetURL
	}) {
		published, err := newKeySet(k.KeySetURL, log, rt)
		if err != nil {
			return fmt.Errorf("make token verifier: %s key set: %w", set, err)
		}
		v.rings = append(v.rings, ring{published, use})
	}
	return nil
}

// share gives a source that is there already another use as well.
func (v *Verifier) share(use uses, is func(source) bool) bool {
	for i := range v.rings {
		if r := &v.rings[i]; is(r.source) {
			r.uses = r.uses.and(use)
			return true
		}
	}
	return false
}

// signer finds the key that has made the signature, and what that key may be
// used for. The error is an [*Error] or an [*Unavailable].
func (v *Verifier) signer(ctx context.Context, h *header, signed string, signature []byte) (*key, uses, error) {
	have := make([][]key, len(v.rings))
	for try := 0; ; try++ {
		for i := range v.rings {
			have[i] = v.rings[i].keys()
		}
		if k, use := v.find(h, have, signed, signature); k != nil {
			return k, use, nil
		}
		if try == 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, keySetWait)
			defer cancel()
		}
		again, err := false, error(nil)
		for i := range v.rings {
			other, e := v.rings[i].renew(ctx, h, have[i])
			again, err = again || other, errors.Join(err, e)
		}
		if again && try < 3 { // a set that keeps changing is not waited for for ever
			continue
		}
		if err != nil {
			return nil, uses{}, &Unavailable{Needed: NeedKeys, RetryAfter: keysRetry, Err: err}
		}
		return nil, uses{}, h.unknown(have)
	}
}

// find tries the keys that have the token's key id, and those that have none.
func (v *Verifier) find(h *header, have [][]key, signed string, signature []byte) (*key, uses) {
	for i := range have {
		for j := range have[i] {
			k := &have[i][j]
			if k.id != "" && h.hasID && k.id != h.id || !k.verifies(h.alg, signed, signature) {
				continue
			}
			use := v.rings[i].uses
			for other := range have { // the same key in the other set
				for l := range have[other] {
					if other != i && k.same(&have[other][l]) {
						use = use.and(v.rings[other].uses)
					}
				}
			}
			return k, use
		}
	}
	return nil, uses{}
}

// unknown says why no key fits.
func (h *header) unknown(have [][]key) *Error {
	fitting, named := false, false
	for i := range have {
		for j := range have[i] {
			k := &have[i][j]
			if !k.algs.has(h.alg) {
				continue
			}
			fitting = true
			named = named || k.id == "" || !h.hasID || k.id == h.id
		}
	}
	switch {
	case !fitting:
		return &Error{ReasonAlgorithm, "no key here is for " + h.alg.String()}
	case !named:
		return &Error{ReasonKey, "no key here has the token's key id"}
	}
	return &Error{Reason: ReasonSignature}
}
