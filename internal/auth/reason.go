package auth

// A Reason is why a token was refused. The list is closed: metrics have one
// counter for each, and a log line names one.
type Reason uint8

// The reasons. A token that is wrong in several ways gets the first one found.
const (
	ReasonMissing      Reason = iota + 1 // no token at all
	ReasonTooLarge                       // over MaxTokenBytes, or sub or jti over MaxIDBytes
	ReasonMalformed                      // not a signed token: parts, base64, JSON, a date that is none, a critical header
	ReasonAlgorithm                      // the header does not say HS256
	ReasonSignature                      // signed by none of our keys
	ReasonNoExpiry                       // no exp
	ReasonExpired                        // exp has passed
	ReasonNotYetValid                    // nbf or iat lies in the future
	ReasonIssuer                         // iss is not the one wanted
	ReasonAudience                       // aud does not name the one wanted
	ReasonRole                           // a user's token from a service key
	ReasonSubject                        // no sub, or a user's that is not a Guid
	ReasonOrganization                   // no organization, or not a Guid

	reasonEnd
)

// reasonTexts is what logs and metric labels carry.
var reasonTexts = [reasonEnd]string{
	ReasonMissing:      "missing",
	ReasonTooLarge:     "too large",
	ReasonMalformed:    "malformed",
	ReasonAlgorithm:    "algorithm",
	ReasonSignature:    "signature",
	ReasonNoExpiry:     "no expiry",
	ReasonExpired:      "expired",
	ReasonNotYetValid:  "not yet valid",
	ReasonIssuer:       "issuer",
	ReasonAudience:     "audience",
	ReasonRole:         "role",
	ReasonSubject:      "subject",
	ReasonOrganization: "organization",
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

// Stats are a verifier's verdicts since it was made.
type Stats struct {
	Accepted uint64 // tokens found good
	Demoted  uint64 // of these: with a role that was not honoured and counts as user

	// Refused has an entry for every reason, also where it is 0, so that a
	// chart shows zeros and no gaps.
	Refused map[Reason]uint64
}

// Stats returns the verdicts so far. Safe for concurrent use; the figures of
// one call need not belong to one moment.
func (v *Verifier) Stats() Stats {
	s := Stats{
		Accepted: v.accepted.Load(),
		Demoted:  v.demoted.Load(),
		Refused:  make(map[Reason]uint64, reasonEnd-1),
	}
	for r := ReasonMissing; r < reasonEnd; r++ {
		s.Refused[r] = v.refused[r].Load()
	}
	return s
}
