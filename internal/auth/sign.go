package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rte/internal/event"
)

// Claims are what [Sign] writes. Zero values are left out of the token.
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

// Sign makes a token with HS256. It refuses what no [Verifier] would accept
// with any settings: a short secret, no subject, no expiry, too many ids. It
// does not ask for an organization, which the claims need not be the source
// of for ever. The error never has the secret.
func Sign(secret []byte, c Claims) (string, error) {
	if len(secret) < MinSecretBytes {
		return "", fmt.Errorf("sign token: secret has %d bytes, wanted at least %d", len(secret), MinSecretBytes)
	}
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
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, members).SignedString(secret)
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
	for claim, name := range claimNames(c.Names) {
		if values[claim] == nil {
			continue
		}
		if members[name] != nil {
			return nil, fmt.Errorf("sign token: two claims are named %s", name)
		}
		members[name] = values[claim]
	}
	return members, nil
}
