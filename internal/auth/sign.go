package auth

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rte/internal/event"
)

// Claims are what [SigningKey.Sign] writes. Zero values are left out of the token.
type Claims struct {
	Names ClaimNames // as in Options, so that both sides agree

	User    event.GUID // sub
	Subject string     // sub of a service, platform or admin without a user; only if User is zero
	Org     event.GUID
	Role    Role // User is left out

	Queues, Lists, Users []event.GUID

	Expires   time.Time // required, to the second
	IssuedAt  time.Time // a token without it falls at any revocation
	NotBefore time.Time

	Issuer, Audience, ID string
}

// A SigningKey makes tokens. Make it with SecretKey or PrivateKey.
type SigningKey struct {
	ID string // "kid" of the tokens' header, or ""

	alg      algorithm
	material any
}

// SecretKey signs with a secret and an algorithm of the family HS, "" for
// HS256. The error never has the secret.
func SecretKey(secret []byte, alg string) (SigningKey, error) {
	k, err := newSecret(secret)
	if err != nil {
		return SigningKey{}, fmt.Errorf("secret %w", err)
	}
	a, err := chooseAlgorithm(alg, hs256, k.algs)
	return SigningKey{alg: a, material: k.material}, err
}

// PrivateKey signs with the private key of a PEM text: RS256 with an RSA key,
// else the one algorithm that the key is for; alg may name another that it is
// good for, such as PS256.
func PrivateKey(pem []byte, alg string) (SigningKey, error) {
	private, err := parsePrivatePEM(pem)
	if err != nil {
		return SigningKey{}, err
	}
	k, err := newPublic(private.Public())
	if err != nil {
		return SigningKey{}, fmt.Errorf("the private key %w", err)
	}
	first := algorithm(bits.TrailingZeros16(uint16(k.algs)))
	a, err := chooseAlgorithm(alg, first, k.algs)
	return SigningKey{alg: a, material: private}, err
}

func chooseAlgorithm(name string, first algorithm, good algSet) (algorithm, error) {
	if name == "" {
		return first, nil
	}
	a, known := algorithmNamed(name)
	if known && good.has(a) {
		return a, nil
	}
	var names []string
	for i := range algorithms {
		if good.has(algorithm(i)) {
			names = append(names, algorithms[i].name)
		}
	}
	return 0, fmt.Errorf("algorithm %q is not for this key; it is good for %s", name, strings.Join(names, ", "))
}

// Sign makes a token with HS256.
func Sign(secret []byte, c Claims) (string, error) {
	k, err := SecretKey(secret, "")
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return k.Sign(c)
}

// Sign makes a token. It refuses what no [Verifier] would accept with any
// settings: no subject, no expiry, too many ids. It does not ask for an
// organization, which the claims need not be the source of. The error has
// nothing of the key.
func (k SigningKey) Sign(c Claims) (string, error) {
	if c.User.IsZero() && c.Subject == "" {
		return "", errors.New("sign token: no user")
	}
	if s := c.Expires.Unix(); s < 0 || s > lastDate {
		return "", errors.New("sign token: no expiry between the years 1970 and 9999")
	}
	members, err := c.members()
	if err != nil {
		return "", err
	}
	t := jwt.NewWithClaims(algorithms[k.alg].method, members)
	t.Header["alg"] = k.alg.String()
	if k.ID != "" {
		t.Header["kid"] = k.ID
	}
	token, err := t.SignedString(k.material)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	if len(token) > MaxTokenBytes {
		return "", fmt.Errorf("sign token: %d bytes with %d ids, wanted at most %d",
			len(token), len(c.Queues)+len(c.Lists)+len(c.Users), MaxTokenBytes)
	}
	return token, nil
}

// members are the claims by their names in the token.
func (c *Claims) members() (jwt.MapClaims, error) {
	var values [claimEnd]any
	text := func(claim int, s string) {
		if s != "" {
			values[claim] = s
		}
	}
	date := func(claim int, t time.Time) {
		if !t.IsZero() {
			values[claim] = t.Unix()
		}
	}
	ids := func(claim int, ids []event.GUID) {
		if len(ids) > 0 {
			values[claim] = ids
		}
	}
	text(claimUser, c.Subject)
	if !c.User.IsZero() {
		values[claimUser] = c.User
	}
	if !c.Org.IsZero() {
		values[claimOrg] = c.Org
	}
	if c.Role != User {
		values[claimRole] = c.Role.String()
	}
	ids(claimQueues, c.Queues)
	ids(claimLists, c.Lists)
	ids(claimUsers, c.Users)
	date(claimExpires, c.Expires)
	date(claimIssuedAt, c.IssuedAt)
	date(claimNotBefore, c.NotBefore)
	text(claimIssuer, c.Issuer)
	text(claimAudience, c.Audience)
	text(claimID, c.ID)

	members := make(jwt.MapClaims, claimEnd)
	m := mapClaims(c.Names)
	for claim, value := range values {
		if value == nil {
			continue
		}
		if !put(members, m.heads[claim], m.paths[claim], value) {
			return nil, fmt.Errorf("sign token: two claims are named %s", m.names[claim])
		}
	}
	return members, nil
}

// put sets a member, inside objects where its path leads into them; false if
// something is there already.
func put(members map[string]any, head string, path []string, value any) bool {
	for _, next := range path {
		inside, ok := members[head].(map[string]any)
		if !ok {
			if members[head] != nil {
				return false
			}
			inside = map[string]any{}
			members[head] = inside
		}
		members, head = inside, next
	}
	if members[head] != nil {
		return false
	}
	members[head] = value
	return true
}
