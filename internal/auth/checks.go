package auth

import (
	"strings"

	"rte/internal/event"
)

// principal reads the claims of a token whose signature is good.
func (v *Verifier) principal(c *claims, k key, late bool) (*Principal, *Error) {
	p := &Principal{}
	if err := v.checkDates(c, p, late); err != nil {
		return nil, err
	}
	if err := v.checkParties(c); err != nil {
		return nil, err
	}
	if err := v.checkRole(c, k, p); err != nil {
		return nil, err
	}
	if err := v.checkIDs(c, p); err != nil {
		return nil, err
	}
	p.Queues, p.Lists, p.Users = c.set(claimQueues), c.set(claimLists), c.set(claimUsers)
	return p, nil
}

// checkDates asks for an exp that has not passed and for an nbf and an iat
// that lie not in the future. iat counts because revocation goes by it: a
// token from the future would outlive a revocation of everything issued so far.
// late lets one pass that has expired.
func (v *Verifier) checkDates(c *claims, p *Principal, late bool) *Error {
	expires, present, ok := c.date(claimExpires)
	if !present {
		return &Error{Reason: ReasonNoExpiry}
	}
	if !ok {
		return notADate("exp")
	}
	now := v.now()
	if !late && !now.Before(expires.Add(v.leeway)) { // at exp it is over (RFC 7519, 4.1.4)
		return &Error{Reason: ReasonExpired}
	}
	notBefore, _, ok := c.date(claimNotBefore)
	if !ok {
		return notADate("nbf")
	}
	issued, _, ok := c.date(claimIssuedAt)
	if !ok {
		return notADate("iat")
	}
	latest := now.Add(v.leeway)
	if notBefore.After(latest) {
		return &Error{ReasonNotYetValid, "nbf is in the future"}
	}
	if issued.After(latest) {
		return &Error{ReasonNotYetValid, "iat is in the future"}
	}
	p.Expires, p.IssuedAt = expires, issued
	return nil
}

func notADate(claim string) *Error {
	return &Error{ReasonMalformed, claim + " is not a number of seconds between the years 1970 and 9999"}
}

// checkParties compares issuer and audience with the settings.
func (v *Verifier) checkParties(c *claims) *Error {
	if v.issuer != "" {
		if iss, _ := str(c[claimIssuer]); iss != v.issuer {
			return &Error{Reason: ReasonIssuer}
		}
	}
	if v.audience == "" {
		return nil
	}
	found := false
	match := func(raw string) {
		aud, _ := str(raw)
		found = found || aud == v.audience
	}
	if raw := c[claimAudience]; strings.HasPrefix(raw, "[") {
		elements(raw, match)
	} else {
		match(raw)
	}
	if !found {
		return &Error{Reason: ReasonAudience}
	}
	return nil
}

// checkRole decides the role from the claim and the key.
func (v *Verifier) checkRole(c *claims, k key, p *Principal) *Error {
	if raw := c[claimRole]; raw != "" && raw != `""` {
		text, _ := str(raw)
		role, known := ParseRole(text)
		if !known || role.operates() && !k.service {
			role, p.Demoted = User, true
		}
		p.Role = role
	}
	if !p.Role.operates() && !k.users {
		return &Error{ReasonRole, "a user's token must be signed with a users' key"}
	}
	return nil
}

// checkIDs asks for the ids that the role must have. The zero Guid is no user
// and no organization: an issuer that lost one writes it, and everybody who
// has it would share what producers send for "none".
func (v *Verifier) checkIDs(c *claims, p *Principal) *Error {
	sub, _ := str(c[claimUser])
	if sub == "" {
		return v.wrong(ReasonSubject, claimUser, " is missing")
	}
	if id, err := event.ParseGUID(sub); err == nil && !id.IsZero() {
		p.User = id
	} else if !p.Role.operates() {
		return v.wrong(ReasonSubject, claimUser, " is not a user's Guid")
	} else {
		p.Subject = strings.Clone(sub) // or it would hold all claims
	}
	if raw := c[claimOrg]; raw != "" {
		id, ok := guid(raw)
		if !ok {
			return v.wrong(ReasonOrganization, claimOrg, " is not a Guid")
		}
		p.Org = id
	}
	if p.Org.IsZero() && p.Role != Platform && p.Role != Admin {
		return v.wrong(ReasonOrganization, claimOrg, " is missing")
	}
	id, ok := str(c[claimID])
	if !ok && c[claimID] != "" {
		return v.wrong(ReasonMalformed, claimID, " is not a text")
	}
	p.ID = strings.Clone(id)
	if len(p.ID) > MaxIDBytes {
		return v.wrong(ReasonTooLarge, claimID, " is too long")
	}
	if len(p.Subject) > MaxIDBytes {
		return v.wrong(ReasonTooLarge, claimUser, " is too long")
	}
	return nil
}

// wrong names a claim as the settings do.
func (v *Verifier) wrong(r Reason, claim int, what string) *Error {
	return &Error{r, v.names[claim] + what}
}
