package auth

import (
	"strings"

	"rte/internal/event"
)

// A reading is a token whose signature is good, while its claims are checked
// and become a principal.
type reading struct {
	v    *Verifier
	c    claims
	text string // of all claims, as signed
	uses uses   // of the key
	late bool   // it may have expired
	p    *Principal
}

// checks are made in this order; the first that fails is the token's verdict.
// The role stands before what depends on it.
var checks = [...]struct {
	claim int
	run   func(*reading) *Error
}{
	{claimExpires, (*reading).checkExpires},
	{claimNotBefore, (*reading).checkNotBefore},
	{claimIssuedAt, (*reading).checkIssuedAt},
	{claimIssuer, (*reading).checkIssuer},
	{claimAudience, (*reading).checkAudience},
	{claimRole, (*reading).checkRole},
	{claimUser, (*reading).checkUser},
	{claimOrg, (*reading).checkOrg},
	{claimID, (*reading).checkID},
	{claimQueues, (*reading).readQueues},
	{claimLists, (*reading).readLists},
	{claimUsers, (*reading).readUsers},
}

// check makes the principal that the claims describe.
func (r *reading) check() *Error {
	r.p = &Principal{rules: &r.v.rules}
	for i := range checks {
		if err := checks[i].run(r); err != nil {
			return err
		}
	}
	return nil
}

// checkExpires asks for an exp that has not passed; at exp it is over
// (RFC 7519, 4.1.4).
func (r *reading) checkExpires() *Error {
	expires, present, ok := r.c.date(claimExpires)
	switch {
	case !present:
		return &Error{Reason: ReasonNoExpiry}
	case !ok:
		return notADate("exp")
	case !r.late && !r.v.now().Before(expires.Add(r.v.leeway)):
		return &Error{Reason: ReasonExpired}
	}
	r.p.Expires = expires
	return nil
}

func (r *reading) checkNotBefore() *Error {
	notBefore, _, ok := r.c.date(claimNotBefore)
	switch {
	case !ok:
		return notADate("nbf")
	case notBefore.After(r.v.now().Add(r.v.leeway)):
		return &Error{ReasonNotYetValid, "nbf is in the future"}
	}
	return nil
}

// checkIssuedAt counts because revocation goes by it: a token from the future
// would outlive a revocation of everything issued so far.
func (r *reading) checkIssuedAt() *Error {
	issued, _, ok := r.c.date(claimIssuedAt)
	switch {
	case !ok:
		return notADate("iat")
	case issued.After(r.v.now().Add(r.v.leeway)):
		return &Error{ReasonNotYetValid, "iat is in the future"}
	}
	r.p.IssuedAt = issued
	return nil
}

func notADate(claim string) *Error {
	return &Error{ReasonMalformed, claim + " is not a number of seconds between the years 1970 and 9999"}
}

func (r *reading) checkIssuer() *Error {
	if iss, _ := str(r.c[claimIssuer]); r.v.issuer != "" && iss != r.v.issuer {
		return &Error{Reason: ReasonIssuer}
	}
	return nil
}

func (r *reading) checkAudience() *Error {
	if r.v.audience == "" {
		return nil
	}
	found := false
	each(r.c[claimAudience], func(raw string) {
		aud, _ := str(raw)
		found = found || aud == r.v.audience
	})
	if !found {
		return &Error{Reason: ReasonAudience}
	}
	return nil
}

// checkRole decides the role from the claim and the key.
func (r *reading) checkRole() *Error {
	r.p.Role, r.p.Demoted = readRole(r.c[claimRole], r.uses.service)
	if !r.p.Role.operates() && !r.uses.users {
		return &Error{ReasonRole, "a user's token must be signed with a users' key"}
	}
	return nil
}

// readRole reads a role claim: one text, or an array, as issuers have it that
// put all roles of a user into one. Of an array counts the strongest of the
// users' roles, and what is no role of ours says nothing; a role of operators
// counts only if it stands there alone. demoted: more was claimed than is
// honoured.
func readRole(raw string, service bool) (role Role, demoted bool) {
	if !strings.HasPrefix(raw, "[") {
		if raw == "" || raw == `""` {
			return User, false
		}
		text, _ := str(raw)
		role, known := ParseRole(text)
		if !known || role.operates() && !service {
			return User, true
		}
		return role, false
	}
	operator, known := User, 0
	elements(raw, func(raw string) {
		text, _ := str(raw)
		r, ok := ParseRole(text)
		switch {
		case !ok:
			return
		case r.operates():
			operator = r
		default:
			role = max(role, r)
		}
		known++
	})
	if operator == User {
		return role, false
	}
	if known == 1 && service {
		return operator, false
	}
	return role, true
}

// resolves tells whether the resolver says who this is: it does for users,
// where there is one.
func (r *reading) resolves() bool { return r.v.resolver != nil && !r.p.Role.operates() }

// checkUser asks for the user. The zero Guid is no user and no organization:
// an issuer that lost one writes it, and everybody who has it would share what
// producers send for "none".
func (r *reading) checkUser() *Error {
	sub, _ := str(r.c[claimUser])
	if sub == "" {
		return r.wrong(ReasonSubject, claimUser, " is missing")
	}
	if id, err := event.ParseGUID(sub); err == nil && !id.IsZero() {
		r.p.User = id
		return nil
	}
	if !r.p.Role.operates() && !r.resolves() {
		return r.wrong(ReasonSubject, claimUser, " is not a user's Guid")
	}
	if len(sub) > MaxIDBytes {
		return r.wrong(ReasonTooLarge, claimUser, " is too long")
	}
	r.p.Subject = strings.Clone(sub) // or it would hold all claims
	return nil
}

// checkOrg asks for the organization: in the claims, or for a user whom the
// directory has in exactly one.
func (r *reading) checkOrg() *Error {
	raw := r.c[claimOrg]
	if r.resolves() {
		return nil
	}
	if raw != "" {
		id, ok := guid(raw)
		if !ok {
			return r.wrong(ReasonOrganization, claimOrg, " is not a Guid")
		}
		r.p.Org = id
	}
	if r.p.Org.IsZero() && !r.p.Role.operates() {
		r.p.Org, _ = r.v.rules.Directory.OrganizationOf(r.p.User)
	}
	if r.p.Org.IsZero() && r.p.Role != Platform && r.p.Role != Admin {
		return r.wrong(ReasonOrganization, claimOrg, " is missing")
	}
	return nil
}

func (r *reading) checkID() *Error {
	id, ok := str(r.c[claimID])
	if !ok && r.c[claimID] != "" {
		return r.wrong(ReasonMalformed, claimID, " is not a text")
	}
	if len(id) > MaxIDBytes {
		return r.wrong(ReasonTooLarge, claimID, " is too long")
	}
	r.p.ID = strings.Clone(id)
	return nil
}

func (r *reading) readQueues() *Error { r.p.Queues = r.c.set(claimQueues); return nil }
func (r *reading) readLists() *Error  { r.p.Lists = r.c.set(claimLists); return nil }
func (r *reading) readUsers() *Error  { r.p.Users = r.c.set(claimUsers); return nil }

// wrong names a claim as the settings do.
func (r *reading) wrong(reason Reason, claim int, what string) *Error {
	return &Error{reason, r.v.claims.names[claim] + what}
}
