package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// Bounds and defaults.
const (
	// MaxTokenBytes is the longest token that is looked at: 64 KiB, about
	// 1,200 ids. Browsers carry tokens in the request line, where far less
	// fits (domain report, 7.2).
	MaxTokenBytes = 64 << 10

	// MaxIDBytes is the longest jti, and the longest sub that is not a Guid:
	// both are held as long as the connection lives.
	MaxIDBytes = 256

	// MinSecretBytes is the shortest secret for HS256: as long as its hash
	// (RFC 7518, 3.2).
	MinSecretBytes = 32

	// DefaultLeeway is the clock difference allowed by default. It is there
	// for the issuer's clock being a little ahead, where a fresh token would
	// not be valid yet; machines that keep time differ by far less.
	DefaultLeeway = 5 * time.Second
)

// ClaimNames says which claims carry what. An empty name means the default.
// A name is taken as it is: a dot or a slash in it has no meaning.
type ClaimNames struct {
	User   string // user id; default "sub"
	Org    string // organization id; default "org"
	Role   string // role; default "role"
	Queues string // ids of visible queues; default "queues"
	Lists  string // ids of visible call lists; default "lists"
	Users  string // ids of visible users; default "users"
}

// Options are the settings of a [Verifier]. Only Secrets is required.
type Options struct {
	// Secrets are the users' keys for HS256, each of at least MinSecretBytes.
	// Two during a rotation; any of them is good.
	Secrets [][]byte

	// ServiceSecrets are the keys of service, platform and admin tokens.
	// Empty means that the users' keys are good for these, too.
	ServiceSecrets [][]byte

	// Issuer and Audience are what iss must be and aud must name. An empty
	// one is not checked.
	Issuer, Audience string

	// Leeway is the clock difference allowed for exp, nbf and iat. 0 means
	// DefaultLeeway, negative means none.
	Leeway time.Duration

	// Claims maps the names of the claims. (RFC 7519 fixes the others.)
	Claims ClaimNames

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// A Verifier checks tokens. It is safe for concurrent use.
type Verifier struct {
	keys             []key
	names            [claimEnd]string
	issuer, audience string
	leeway           time.Duration
	now              func() time.Time
	base64           *base64.Encoding

	accepted, demoted atomic.Uint64
	refused           [reasonEnd]atomic.Uint64
}

// A key is one secret and what it is good for: both, where it is in both sets.
type key struct {
	secret         []byte
	users, service bool
}

// New makes a verifier. It refuses a missing or short secret; the error says
// which one, never what it is.
func New(o Options) (*Verifier, error) {
	if len(o.Secrets) == 0 {
		return nil, errors.New("make token verifier: no secret for users' tokens")
	}
	v := &Verifier{
		names:    claimNames(o.Claims),
		issuer:   o.Issuer,
		audience: o.Audience,
		leeway:   o.Leeway,
		now:      o.Now,
		base64:   base64.RawURLEncoding.Strict(),
	}
	if v.leeway == 0 {
		v.leeway = DefaultLeeway
	}
	v.leeway = max(v.leeway, 0)
	if v.now == nil {
		v.now = time.Now
	}
	both := len(o.ServiceSecrets) == 0
	if err := v.add("users'", o.Secrets, key{users: true, service: both}); err != nil {
		return nil, err
	}
	if err := v.add("service", o.ServiceSecrets, key{service: true}); err != nil {
		return nil, err
	}
	return v, nil
}

// add appends a set of secrets; one that is there already only gets the new
// use as well.
func (v *Verifier) add(set string, secrets [][]byte, use key) error {
next:
	for i, secret := range secrets {
		if len(secret) < MinSecretBytes {
			return fmt.Errorf("make token verifier: %s secret %d of %d has %d bytes, wanted at least %d",
				set, i+1, len(secrets), len(secret), MinSecretBytes)
		}
		for j := range v.keys {
			if k := &v.keys[j]; string(k.secret) == string(secret) {
				k.users, k.service = k.users || use.users, k.service || use.service
				continue next
			}
		}
		use.secret = append([]byte(nil), secret...)
		v.keys = append(v.keys, use)
	}
	return nil
}

// Verify checks a token and says whose it is. Every error is an [*Error].
//
// The signature is checked before anything of the claims is read: a stranger
// reaches the header's two members and a hash, nothing else. That is why the
// hash is golang-jwt's and the reading is our own: its parser reads the claims
// first, knows no critical extensions, takes the last of two equal names and
// costs twice as much. Tests hold that it accepts whatever we accept.
func (v *Verifier) Verify(token string) (*Principal, error) {
	p, refused := v.verify(token, false)
	if refused != nil {
		v.refused[refused.Reason].Add(1)
		return nil, refused
	}
	v.accepted.Add(1)
	if p.Demoted {
		v.demoted.Add(1)
	}
	return p, nil
}

// ErrOther means that a token is good, but somebody else's.
var ErrOther = errors.New("the token is another user's")

// Confirm checks that a token is the principal's own, where a connection has
// been made with an earlier one: its polls and POSTs may go on with a token
// that has expired meanwhile, as a WebSocket goes on, but never with somebody
// else's. An error is an [*Error] or [ErrOther].
func (v *Verifier) Confirm(token string, p *Principal) error {
	q, refused := v.verify(token, true)
	switch {
	case refused != nil:
		v.refused[refused.Reason].Add(1)
		return refused
	case q.User != p.User || q.Org != p.Org || q.Subject != p.Subject:
		return ErrOther
	}
	return nil
}

// verify is Verify without counting; late lets a token pass that has expired.
func (v *Verifier) verify(token string, late bool) (*Principal, *Error) {
	if token == "" {
		return nil, &Error{Reason: ReasonMissing}
	}
	if len(token) > MaxTokenBytes {
		return nil, &Error{ReasonTooLarge, "over 64 KiB"}
	}
	header, rest, _ := strings.Cut(token, ".")
	body, signature, ok := strings.Cut(rest, ".")
	if !ok || strings.Contains(signature, ".") {
		return nil, &Error{ReasonMalformed, "not three parts"}
	}
	// The base64 decoder skips line ends: they would be a second spelling.
	if strings.Contains(token, "\n") || strings.Contains(token, "\r") {
		return nil, &Error{ReasonMalformed, "line end"}
	}
	if err := v.checkHeader(header); err != nil {
		return nil, err
	}
	k, err := v.signer(token[:len(header)+1+len(body)], signature)
	if err != nil {
		return nil, err
	}
	var c claims
	if !v.members(body, v.names[:], c[:]) {
		return nil, &Error{ReasonMalformed, "claims are not base64url of one JSON object without repeated names"}
	}
	return v.principal(&c, k, late)
}

// checkHeader pins the algorithm. A critical header extension must be
// understood or refused (RFC 7515, 4.1.11), and RTE understands none.
func (v *Verifier) checkHeader(part string) *Error {
	var f [2]string // alg, crit
	if !v.members(part, []string{"alg", "crit"}, f[:]) {
		return &Error{ReasonMalformed, "header is not base64url of one JSON object without repeated names"}
	}
	if alg, _ := str(f[0]); alg != jwt.SigningMethodHS256.Alg() {
		return &Error{ReasonAlgorithm, "only HS256 is accepted"}
	}
	if f[1] != "" {
		return &Error{ReasonMalformed, "critical header extension"}
	}
	return nil
}

// members decodes a part and picks out the named members of its JSON object.
// encoding/json lets bytes pass that are not UTF-8; two readers of the same
// token could make different texts of them.
func (v *Verifier) members(part string, names, values []string) bool {
	text, err := v.base64.DecodeString(part)
	return err == nil && utf8.Valid(text) && json.Valid(text) && members(string(text), names, values)
}

// signer finds the key that made the signature.
func (v *Verifier) signer(signed, signature string) (key, *Error) {
	sum, err := v.base64.DecodeString(signature)
	if err != nil {
		return key{}, &Error{ReasonMalformed, "signature is not base64url"}
	}
	for _, k := range v.keys {
		if jwt.SigningMethodHS256.Verify(signed, sum, k.secret) == nil {
			return k, nil
		}
	}
	return key{}, &Error{Reason: ReasonSignature}
}
