package auth

import (
	"strconv"
	"strings"
	"time"

	"rte/internal/event"
)

// The claims that are read; everything else in a token is skipped.
const (
	claimUser = iota
	claimOrg
	claimRole
	claimQueues
	claimLists
	claimUsers
	claimExpires
	claimNotBefore
	claimIssuedAt
	claimIssuer
	claimAudience
	claimID

	claimEnd
)

// ClaimNames says which claims carry what. An empty name means the default.
//
// A dot leads into an object: "realm_access.role" is the member role of the
// claim realm_access. A name with "://" in it, as some issuers want it, is one
// name with all its dots, and so is a dot behind a backslash.
type ClaimNames struct {
	User   string // user id; default "sub"
	Org    string // organization id; default "org"
	Role   string // role; default "role"
	Queues string // ids of visible queues; default "queues"
	Lists  string // ids of visible call lists; default "lists"
	Users  string // ids of visible users; default "users"
}

// A claimMap says where in a token the claims are.
type claimMap struct {
	names [claimEnd]string   // as the settings have them
	heads [claimEnd]string   // members of the claims object
	paths [claimEnd][]string // and from there on, nil for most
}

// mapClaims fills in the defaults (contract) and the names RFC 7519 fixes.
func mapClaims(n ClaimNames) *claimMap {
	or := func(name, otherwise string) string {
		if name == "" {
			return otherwise
		}
		return name
	}
	m := &claimMap{names: [claimEnd]string{
		claimUser:      or(n.User, "sub"),
		claimOrg:       or(n.Org, "org"),
		claimRole:      or(n.Role, "role"),
		claimQueues:    or(n.Queues, "queues"),
		claimLists:     or(n.Lists, "lists"),
		claimUsers:     or(n.Users, "users"),
		claimExpires:   "exp",
		claimNotBefore: "nbf",
		claimIssuedAt:  "iat",
		claimIssuer:    "iss",
		claimAudience:  "aud",
		claimID:        "jti",
	}}
	for i, name := range m.names {
		path := claimPath(name)
		m.heads[i], m.paths[i] = path[0], path[1:]
	}
	return m
}

// claimPath takes a name apart at its dots.
func claimPath(name string) []string {
	if strings.Contains(name, "://") {
		return []string{name}
	}
	const kept = "\x00" // stands for a dot that is part of a name
	parts := strings.Split(strings.ReplaceAll(name, `\.`, kept), ".")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], kept, ".")
	}
	return parts
}

// read picks the claims out of a valid JSON text; false if it is no object, or
// has a name twice that leads to a claim.
func (m *claimMap) read(object string, c *claims) bool {
	if !members(object, m.heads[:], c[:]) {
		return false
	}
	for i, path := range m.paths {
		for _, name := range path {
			if !strings.HasPrefix(c[i], "{") {
				c[i] = "" // what is no object has no members
				break
			}
			var value [1]string
			if !members(c[i], []string{name}, value[:]) {
				return false
			}
			c[i] = value[0]
		}
	}
	return true
}

// claims are the JSON texts of the claims by place, "" where there is none.
type claims [claimEnd]string

// set reads a claim of ids: an array of texts, or one text. What cannot be
// read is left out, and so is the zero Guid, which issuers and producers use
// for "none": such an entry gives no right, and takes none away from the rest.
func (c *claims) set(claim int) Set {
	raw := c[claim]
	var room [16]event.GUID // most tokens need no more, and this is no garbage
	ids := room[:0]
	add := func(raw string) {
		if id, ok := guid(raw); ok && !id.IsZero() {
			ids = append(ids, id)
		}
	}
	each(raw, add)
	return NewSet(ids...)
}

// lastDate is the end of the year 9999 in seconds. A date behind it is nearly
// always one in milliseconds, which would make a token good for ever.
const lastDate = 253402300799

// date reads a NumericDate (RFC 7519, 2): any JSON number, fractions and
// exponents too, of seconds since 1970. Present is false for null and for a
// claim that is not there.
func (c *claims) date(claim int) (t time.Time, present, ok bool) {
	raw := c[claim]
	if raw == "" {
		return time.Time{}, false, true
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil || f < 0 || f > lastDate {
		return time.Time{}, true, false
	}
	seconds := int64(f)
	return time.Unix(seconds, int64((f-float64(seconds))*1e9)).UTC(), true, true
}
