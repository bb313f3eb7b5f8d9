package auth

import (
	"bytes"
	"log/slog"
	"slices"
	"time"

	"rte/internal/event"
)

// A Role says what kind of caller a principal is (contract, Token claims).
type Role uint8

// The roles. The zero value is the one with the least rights.
const (
	User         Role = iota // hears itself and what the token lists
	GroupManager             // … and the calls of the users it lists
	Supervisor               // hears all users, queues and lists of its organization
	Service                  // publishes for, and hears, its own organization
	Platform                 // publishes for any organization, hears nothing
	Admin                    // uses the admin API, hears nothing
)

// roleTexts are the spellings of the role claim.
var roleTexts = [...]string{
	User:         "user",
	GroupManager: "groupmanager",
	Supervisor:   "supervisor",
	Service:      "service",
	Platform:     "platform",
	Admin:        "admin",
}

// ParseRole reads the text of a role claim, matched exactly. An unknown text
// is User and false.
func ParseRole(text string) (Role, bool) {
	i := slices.Index(roleTexts[:], text)
	return Role(max(i, 0)), i >= 0
}

// String is the role as the claim spells it.
func (r Role) String() string {
	if int(r) < len(roleTexts) {
		return roleTexts[r]
	}
	return "unknown"
}

// operates is true for the roles that only a service key gives.
func (r Role) operates() bool { return r == Service || r == Platform || r == Admin }

// A Principal is who a token speaks for and what it lists. It never changes,
// so that connections may share one; for other rights take a copy and set the
// fields. Safe for concurrent use. The zero value may hear the personal events
// of the zero Guid, which is nobody.
type Principal struct {
	User event.GUID // sub; zero only for service, platform and admin whose sub is no Guid
	Org  event.GUID // zero only for platform and admin
	Role Role

	// Demoted: the token claims a role that is unknown or that its key may
	// not give; it counts as User.
	Demoted bool

	Subject string // sub where it is no Guid, at most MaxIDBytes; else ""
	ID      string // jti, at most MaxIDBytes; "" if there is none

	IssuedAt time.Time // iat in UTC; zero if there is none
	Expires  time.Time // exp in UTC

	Queues, Lists, Users Set // ids that it may see, by the token or whoever knows better

	rules   *Rules      // of the verifier; nil is the zero Rules
	begins  *beginnings // of rights that were given at a moment
	granted *granted    // what the token or the resolver gives; nil: what stands above
}

// LogValue is user, organization and role. Subject and ID are left out: they
// are free texts of the token.
func (p *Principal) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, 3)
	if !p.User.IsZero() {
		attrs = append(attrs, slog.String("user", p.User.String()))
	}
	if !p.Org.IsZero() {
		attrs = append(attrs, slog.String("org", p.Org.String()))
	}
	return slog.GroupValue(append(attrs, slog.String("role", p.Role.String()))...)
}

// A Set holds ids without repeats: sorted, 16 bytes each, in one piece of
// memory. The zero value is empty. It never changes.
type Set struct{ ids []event.GUID }

// NewSet makes a set of the ids, in any order, repeats allowed. It keeps
// nothing of the argument.
func NewSet(ids ...event.GUID) Set {
	if len(ids) == 0 {
		return Set{}
	}
	sorted := make([]event.GUID, len(ids)) // slices.Clone would leave room to grow
	copy(sorted, ids)
	slices.SortFunc(sorted, compare)
	return Set{slices.Compact(sorted)}
}

func compare(a, b event.GUID) int { return bytes.Compare(a[:], b[:]) }

// Has tells whether id is in the set.
func (s Set) Has(id event.GUID) bool {
	_, found := slices.BinarySearchFunc(s.ids, id, compare)
	return found
}

// Len is the number of ids.
func (s Set) Len() int { return len(s.ids) }

// IDs are the ids in ascending order, the caller's to keep.
func (s Set) IDs() []event.GUID { return slices.Clone(s.ids) }

// Equal tells whether both sets have the same ids.
func (s Set) Equal(other Set) bool { return slices.Equal(s.ids, other.ids) }
