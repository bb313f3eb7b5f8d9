package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// A Report explains a token to whoever has to find out why it is refused, or
// whose it is. It has parts of the token in it: show it to nobody but who has
// the token anyway.
type Report struct {
	Algorithm string  // of the header, "" if it cannot be read or is not known
	KeyID     string  // of the header, "" if there is none
	Key       string  // which key has made the signature, "" if none has
	Good      string  // what that key is for
	Signature error   // why form or signature are not good; nil if they are
	Checks    []Check // of all claims that are read; without a good signature they are the sender's word

	Principal *Principal // whose it is; nil if it is refused
	Err       error      // what Verify would say
}

// A Check is what became of one claim.
type Check struct {
	Claim  string // its name
	Value  string // what the token has, shortened; "" if it has none
	Wanted string // what the settings ask of it, "" if nothing
	Err    error  // why it is not good; nil if it is
}

// Explain checks a token like Verify, but goes on where Verify stops. It
// counts nothing.
func (v *Verifier) Explain(ctx context.Context, token string) Report {
	var out Report
	h, _, body, _, refused := v.takeApart(token)
	if h != nil {
		out.Algorithm, out.KeyID = h.alg.String(), printable(h.id)
	}
	if refused != nil {
		out.Signature, out.Err = refused, refused
		return out
	}
	r, k, err := v.open(ctx, token)
	out.Signature, out.Err = err, err
	if k != nil {
		out.Key = k.name
	}
	if err != nil {
		r = &reading{v: v, uses: uses{true, true}}
		text, ok := v.jsonPart(body)
		if !ok || !v.claims.read(text, &r.c) {
			return out
		}
	} else {
		out.Good = r.uses.String()
	}
	r.p = &Principal{rules: &v.rules}
	for i := range checks {
		c := Check{Claim: v.claims.names[checks[i].claim], Value: r.value(checks[i].claim), Wanted: r.wanted(checks[i].claim)}
		if refused := checks[i].run(r); refused != nil {
			c.Err = refused
			if out.Err == nil {
				out.Err = refused
			}
		}
		out.Checks = append(out.Checks, c)
	}
	if out.Err == nil {
		out.Err = r.settle(ctx)
	}
	if out.Err == nil && r.p.Revoked() {
		out.Err = &Error{Reason: ReasonRevoked}
	}
	if out.Err == nil {
		out.Principal = r.p
	}
	return out
}

// String says for which tokens a key counts.
func (u uses) String() string {
	switch {
	case u.users && u.service:
		return "users and service"
	case u.service:
		return "service, platform and admin"
	}
	return "users"
}

// value is what a claim has, for people.
func (r *reading) value(claim int) string {
	raw := r.c[claim]
	switch claim {
	case claimExpires, claimNotBefore, claimIssuedAt:
		if t, present, ok := r.c.date(claim); present && ok {
			return t.Format(time.RFC3339) + " (" + distance(t.Sub(r.v.now())) + ")"
		}
	case claimQueues, claimLists, claimUsers:
		if raw == "" {
			break
		}
		all := 0
		each(raw, func(string) { all++ })
		set := r.c.set(claim)
		return fmt.Sprintf("%d entries, %d different Guids", all, set.Len())
	}
	return printable(raw)
}

// wanted is what the settings ask of a claim.
func (r *reading) wanted(claim int) string {
	switch claim {
	case claimIssuer:
		return r.v.issuer
	case claimAudience:
		return r.v.audience
	}
	return ""
}

// distance says how far away a moment is.
func distance(d time.Duration) string {
	if d < 0 {
		return (-d).Round(time.Second).String() + " ago"
	}
	return "in " + d.Round(time.Second).String()
}

// printable shortens a text and takes out what could play tricks on a
// terminal.
func printable(s string) string {
	const most = 100
	n := 0
	return strings.Map(func(c rune) rune {
		switch n++; {
		case n == most:
			return '…'
		case n > most:
			return -1
		case !unicode.IsPrint(c):
			return '?'
		}
		return c
	}, s)
}

// Refused is the reason that an error of this package carries, false if it is
// not about a token that was refused.
func Refused(err error) (Reason, bool) {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return 0, false
	}
	return e.Reason, true
}
