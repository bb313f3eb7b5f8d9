package auth

import (
	"encoding/json"
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

// claimNames fills in the defaults (contract) and the names RFC 7519 fixes.
func claimNames(n ClaimNames) [claimEnd]string {
	or := func(name, otherwise string) string {
		if name == "" {
			return otherwise
		}
		return name
	}
	return [claimEnd]string{
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
	}
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
	if strings.HasPrefix(raw, "[") {
		elements(raw, add)
	} else {
		add(raw)
	}
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

// guid reads a JSON text that holds a Guid in any spelling.
func guid(raw string) (event.GUID, bool) {
	s, ok := str(raw)
	if !ok {
		return event.GUID{}, false
	}
	id, err := event.ParseGUID(s)
	return id, err == nil
}

// str reads a JSON string; ok is false for any other value and for none.
func str(raw string) (s string, ok bool) {
	if !strings.HasPrefix(raw, `"`) {
		return "", false
	}
	if strings.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1], true
	}
	return unescape(raw)
}

// unescape is apart because what it takes the address of is on the heap.
func unescape(raw string) (s string, ok bool) {
	err := json.Unmarshal([]byte(raw), &s)
	return s, err == nil
}

// members finds the members with the given names, matched exactly, in a JSON
// text that encoding/json has found valid, and puts their values' texts at the
// same places of values; null counts as not there. It is false if the text is
// not an object or has one of the names twice: readers that disagree on which
// of two counts would see two different principals (RFC 7519, 4).
//
// It stands in for a map of everything: with that, the whole check of a token
// takes about twice as long (BenchmarkVerify, golang-jwt-map).
func members(object string, names, values []string) bool {
	var seen uint32
	at := skipSpace(object, 0)
	if object[at] != '{' {
		return false
	}
	for {
		at = skipSpace(object, at+1)
		if object[at] == '}' { // only in {}: valid JSON has no comma before it
			return true
		}
		end := skipValue(object, at)
		name, _ := str(object[at:end])
		at = skipSpace(object, end)  // the colon
		at = skipSpace(object, at+1) // the value
		end = skipValue(object, at)  // behind it
		for i, want := range names {
			if want != name {
				continue
			}
			if seen&(1<<i) != 0 {
				return false
			}
			seen |= 1 << i
			if value := object[at:end]; value != "null" {
				values[i] = value
			}
		}
		at = skipSpace(object, end)
		if object[at] == '}' {
			return true
		}
	}
}

// elements calls f with the text of each element of a valid JSON array.
func elements(array string, f func(raw string)) {
	at := 0
	for {
		at = skipSpace(array, at+1)
		if array[at] == ']' { // only in []
			return
		}
		end := skipValue(array, at)
		f(array[at:end])
		at = skipSpace(array, end)
		if array[at] == ']' {
			return
		}
	}
}

// skipSpace is the place of the first byte from at on that is not white space.
func skipSpace(s string, at int) int {
	for s[at] == ' ' || s[at] == '\t' || s[at] == '\n' || s[at] == '\r' {
		at++
	}
	return at
}

// skipValue is the place behind the JSON value that begins at at.
func skipValue(s string, at int) int {
	depth := 0
	for ; at < len(s); at++ {
		switch s[at] {
		case '"':
			for at++; s[at] != '"'; at++ {
				if s[at] == '\\' {
					at++
				}
			}
			if depth == 0 {
				return at + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // the end of what holds a number or a word
				return at
			}
			if depth--; depth == 0 {
				return at + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return at
			}
		}
	}
	return at
}
