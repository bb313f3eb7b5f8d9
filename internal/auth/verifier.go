package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds and defaults.
const (
	// MaxTokenBytes is the longest token that is looked at: 64 KiB, about
	// 1,200 ids. Browsers carry tokens in the request line, where far less
	// fits (domain report, 7.2).
	MaxTokenBytes = 64 << 10

	// MaxIDBytes is the longest jti and kid, and the longest sub that is not a
	// Guid: the first and the last are held as long as the connection lives.
	MaxIDBytes = 256

	// DefaultLeeway is the clock difference allowed by default. It is there
	// for the issuer's clock being a little ahead, where a fresh token would
	// not be valid yet; machines that keep time differ by far less.
	DefaultLeeway = 5 * time.Second
)

// Options are the settings of a [Verifier]. Only Users is required.
type Options struct {
	// Users are the keys of users' tokens.
	Users Keys

	// Service are the keys of service, platform and admin tokens. None means
	// that the users' keys are good for these, too.
	Service Keys

	// Issuer and Audience are what iss must be and aud must name. An empty
	// one is not checked.
	Issuer, Audience string

	// Leeway is the clock difference allowed for exp, nbf and iat. 0 means
	// DefaultLeeway, negative means none.
	Leeway time.Duration

	// Claims maps the names of the claims. (RFC 7519 fixes the others.)
	Claims ClaimNames

	// PrincipalURL is the platform's resolver: users' claims are posted there,
	// and the answer says who that is and what it may hear. https, or http on
	// loopback. "" means that the claims say it themselves.
	PrincipalURL string

	// PrincipalToken is sent to the resolver as a bearer token, if not "".
	PrincipalToken string

	// Directory is what the platform has told about its organizations. nil
	// means nothing.
	Directory *Directory

	// Revocations are the tokens that the platform has taken back. nil means
	// none.
	Revocations *Revocations

	// OpenAvailability lets users hear the UserAvailability of everybody in
	// their organization.
	OpenAvailability bool

	// Transport is the way to the key sets and the resolver; nil makes one.
	Transport http.RoundTripper

	// Now is the clock that dates of tokens are compared with; nil means
	// time.Now.
	Now func() time.Time

	// Logger gets a line when keys or the resolver cannot be had, and when
	// they can be again; nil means none.
	Logger *slog.Logger
}

// A Verifier checks tokens. It is safe for concurrent use.
//
// One with key sets or a resolver must be started and closed.
type Verifier struct {
	rings            []ring
	claims           *claimMap
	issuer, audience string
	leeway           time.Duration
	now              func() time.Time
	base64           *base64.Encoding // without a second spelling: no padding, no loose bits
	rules            Rules
	resolver         *resolver // nil: none

	stop    context.CancelFunc
	running sync.WaitGroup

	accepted, demoted atomic.Uint64
	longest           atomic.Int64 // latest end of the tokens found good, Unix nanoseconds
	refused           [reasonEnd]atomic.Uint64
	unavailable       [needEnd]atomic.Uint64
}

// New makes a verifier. It refuses a missing, short or unreadable key; the
// error says which one, never what it is. Key sets are not read yet.
func New(o Options) (*Verifier, error) {
	if o.Users.empty() {
		return nil, errors.New("make token verifier: no key for users' tokens")
	}
	v := &Verifier{
		claims:   mapClaims(o.Claims),
		issuer:   o.Issuer,
		audience: o.Audience,
		leeway:   o.Leeway,
		now:      o.Now,
		base64:   base64.RawURLEncoding.Strict(),
		rules:    Rules{OpenAvailability: o.OpenAvailability, Directory: o.Directory, Revocations: o.Revocations},
	}
	if v.leeway == 0 {
		v.leeway = DefaultLeeway
	}
	v.leeway = max(v.leeway, 0)
	if v.now == nil {
		v.now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	err := v.addRings("users'", &o.Users, uses{users: true, service: o.Service.empty()}, o.Logger, o.Transport)
	if err == nil {
		err = v.addRings("service", &o.Service, uses{service: true}, o.Logger, o.Transport)
	}
	if err == nil && o.PrincipalURL != "" {
		v.resolver, err = newResolver(o.PrincipalURL, o.PrincipalToken, o.Logger, o.Transport)
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

// firstKeys is how long Start waits for key sets.
const firstKeys = keySetTimeout + time.Second

// Start reads the key sets, and again from time to time until Close. It
// returns when they have been read for the first time or could not be; then
// tokens that need them are answered with [Unavailable] until they can.
func (v *Verifier) Start(ctx context.Context) {
	life, stop := context.WithCancel(context.Background())
	v.stop = stop
	var first []*look
	for i := range v.rings {
		if s, ok := v.rings[i].source.(*keySet); ok {
			first = append(first, s.start())
			v.running.Go(func() { s.run(life) })
		}
	}
	ctx, cancel := context.WithTimeout(ctx, firstKeys)
	defer cancel()
	for _, l := range first {
		select {
		case <-l.done:
		case <-ctx.Done():
			return
		}
	}
}

// Close ends what Start has begun, and waits for it. Tokens that need keys or
// the resolver are answered with [Unavailable] from then on.
func (v *Verifier) Close() {
	if v.stop != nil {
		v.stop()
	}
	if v.resolver != nil {
		v.resolver.close()
	}
	v.running.Wait()
}

// Lacking says what the verifier cannot do without and has not had yet; ""
// means that tokens can be judged.
func (v *Verifier) Lacking() string {
	for i := range v.rings {
		if len(v.rings[i].keys()) > 0 {
			return ""
		}
	}
	return "no key set has been read yet"
}

// Verify checks a token and says whose it is. Every error is an [*Error], for
// a token that is refused, or an [*Unavailable], where nobody can say at
// present. It may wait for keys or the resolver as long as ctx allows and
// their own bounds do.
//
// The signature is golang-jwt's matter and the reading is our own: its parser
// reads the claims first, knows no critical extensions, takes the last of two
// equal names and costs twice as much. Tests hold that it accepts whatever we
// accept.
func (v *Verifier) Verify(ctx context.Context, token string) (*Principal, error) {
	p, err := v.verify(ctx, token, false)
	if err != nil {
		v.count(err)
		return nil, err
	}
	v.accepted.Add(1)
	for end := p.Expires.UnixNano(); ; {
		if longest := v.longest.Load(); end <= longest || v.longest.CompareAndSwap(longest, end) {
			break
		}
	}
	if p.Demoted {
		v.demoted.Add(1)
	}
	return p, nil
}

// Longest is the latest end of all tokens found good so far; zero before the
// first.
func (v *Verifier) Longest() time.Time {
	if n := v.longest.Load(); n != 0 {
		return time.Unix(0, n).UTC()
	}
	return time.Time{}
}

// ErrOther means that a token is good, but somebody else's.
var ErrOther = errors.New("the token is another user's")

// Confirm checks that a token is the principal's own, where a connection has
// been made with an earlier one: its polls and POSTs may go on with a token
// that has expired meanwhile, as a WebSocket goes on, but never with somebody
// else's. An error is as with Verify, or [ErrOther]; that a token is revoked is
// said only if it is the principal's own.
func (v *Verifier) Confirm(ctx context.Context, token string, p *Principal) error {
	q, err := v.verify(ctx, token, true)
	if q != nil && (q.User != p.User || q.Org != p.Org || q.Subject != p.Subject) {
		return ErrOther
	}
	if err != nil {
		v.count(err)
	}
	return err
}

// verify is Verify without counting; late lets a token pass that has expired.
// With an error there is a principal only if its token is revoked.
func (v *Verifier) verify(ctx context.Context, token string, late bool) (*Principal, error) {
	r, _, err := v.open(ctx, token)
	if err != nil {
		return nil, err
	}
	r.late = late
	if refused := r.check(); refused != nil {
		return nil, refused
	}
	if err := r.settle(ctx); err != nil {
		return nil, err
	}
	if r.p.Revoked() {
		return r.p, &Error{Reason: ReasonRevoked}
	}
	return r.p, nil
}

// settle lets those have their say who know more than the token: the resolver,
// then the platform by its directory.
func (r *reading) settle(ctx context.Context) error {
	if r.resolves() {
		found, err := r.v.resolver.resolve(ctx, r.text, r.late)
		if err != nil {
			return err
		}
		if refused := found.fill(r.p); refused != nil {
			return refused
		}
	}
	if !r.p.Role.operates() {
		r.v.rules.Directory.apply(r.p)
	}
	return nil
}

func (v *Verifier) count(err error) {
	if refused, ok := errors.AsType[*Error](err); ok {
		v.refused[refused.Reason].Add(1)
	}
	if u, ok := errors.AsType[*Unavailable](err); ok {
		v.unavailable[u.Needed].Add(1)
	}
}
