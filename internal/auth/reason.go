package auth

import "time"

// A Reason is why a token was refused. The list is closed: metrics have one
// counter for each, and a log line names one.
type Reason uint8

// The reasons. A token that is wrong in several ways gets the first one found.
const (
	ReasonMissing      Reason = iota + 1 // no token at all
	ReasonTooLarge                       // over MaxTokenBytes, or sub, jti or kid over MaxIDBytes
	ReasonMalformed                      // not a signed token: parts, base64, JSON, a date that is none, a critical header
	ReasonAlgorithm                      // no algorithm that is known here, or none that a key here is for
	ReasonKey                            // the header names a key that is not known here
	ReasonSignature                      // signed by none of our keys
	ReasonNoExpiry                       // no exp
	ReasonExpired                        // exp has passed
	ReasonNotYetValid                    // nbf or iat lies in the future
	ReasonIssuer                         // iss is not the one wanted
	ReasonAudience                       // aud does not name the one wanted
	ReasonRole                           // a user's token from a service key
	ReasonSubject                        // no sub, or a user's that is not a Guid
	ReasonOrganization                   // no organization, or not a Guid
	ReasonPrincipal                      // the resolver knows nobody whose claims these are
	ReasonRevoked                        // the platform has taken it back

	reasonEnd
)

// reasonTexts is what logs and metric labels carry.
var reasonTexts = [reasonEnd]string{
	ReasonMissing:      "missing",
	ReasonTooLarge:     "too large",
	ReasonMalformed:    "malformed",
	ReasonAlgorithm:    "algorithm",
	ReasonKey:          "key",
	ReasonSignature:    "signature",
	ReasonNoExpiry:     "no expiry",
	ReasonExpired:      "expired",
	ReasonNotYetValid:  "not yet valid",
	ReasonIssuer:       "issuer",
	ReasonAudience:     "audience",
	ReasonRole:         "role",
	ReasonSubject:      "subject",
	ReasonOrganization: "organization",
	ReasonPrincipal:    "principal",
	ReasonRevoked:      "revoked",
}

// String is the reason in words, the same in logs and metrics.
func (r Reason) String() string {
	if r == 0 || r >= reasonEnd {
		return "unknown"
	}
	return reasonTexts[r]
}

// An Error is a refused token: the answer is 401 with an empty body, and the
// reason goes to the log and to a metric. It holds nothing of the token.
type Error struct {
	Reason Reason

	// Detail says more to an operator, or is "". It is made of fixed words
	// and of claim names from the settings.
	Detail string
}

// Error is the reason and the detail.
func (e *Error) Error() string {
	text := "verify token: " + e.Reason.String()
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// A Need is what could not be had to judge a token.
type Need uint8

// The needs.
const (
	NeedKeys      Need = iota + 1 // an issuer's key set
	NeedPrincipal                 // the resolver's answer

	needEnd
)

// String is the need as logs and metrics write it.
func (n Need) String() string {
	switch n {
	case NeedKeys:
		return "keys"
	case NeedPrincipal:
		return "principal"
	}
	return "unknown"
}

// Unavailable means that nobody can say at present whether a token is good or
// whose it is: the answer is 503 with Retry-After, never 401, which would send
// people to log in again. It holds nothing of the token.
type Unavailable struct {
	Needed     Need
	RetryAfter time.Duration // when to come again
	Err        error         // why, for the log
}

// Error says what could not be had, and why.
func (u *Unavailable) Error() string {
	return "verify token: " + u.Needed.String() + " not available: " + u.Err.Error()
}

// Unwrap is why.
func (u *Unavailable) Unwrap() error { return u.Err }
