package event

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
)

// A GUID is an identifier of an organization, a user, a queue, a call list.
// The zero GUID is a valid identifier: producers use it for "none" (I19, I20
// of the catalogue's irregularities).
type GUID [16]byte

// NewGUID makes an identifier that nobody else has: 122 random bits (RFC 9562,
// version 4).
func NewGUID() (g GUID) {
	rand.Read(g[:]) // never fails (crypto/rand)
	g[6], g[8] = g[6]&0x0f|0x40, g[8]&0x3f|0x80
	return g
}

// guidDashes are the places of the hyphens in the D form.
var guidDashes = [...]int{8, 13, 18, 23}

// ParseGUID reads the spellings that .NET's Guid.TryParse takes and clients
// use: D (hyphens), N (32 digits), B ({D}) and P ((D)), in any case, with
// blanks around them. The X form ({0x…}) is refused.
func ParseGUID(s string) (GUID, error) {
	t := strings.TrimSpace(s)
	if len(t) == 38 && (t[0] == '{' && t[37] == '}' || t[0] == '(' && t[37] == ')') {
		t = t[1:37]
	} else if len(t) == 32 {
		var g GUID
		if _, err := hex.Decode(g[:], []byte(t)); err != nil {
			return GUID{}, guidError(s)
		}
		return g, nil
	}
	if len(t) != 36 {
		return GUID{}, guidError(s)
	}
	for _, i := range guidDashes {
		if t[i] != '-' {
			return GUID{}, guidError(s)
		}
	}
	var g GUID
	at := 0
	for _, part := range [...][2]int{{0, 8}, {9, 13}, {14, 18}, {19, 23}, {24, 36}} {
		n, err := hex.Decode(g[at:], []byte(t[part[0]:part[1]]))
		if err != nil {
			return GUID{}, guidError(s)
		}
		at += n
	}
	return g, nil
}

// guidError does not repeat the text: it may be anything a client sent.
func guidError(s string) error {
	return fmt.Errorf("not a Guid (%d characters); wanted like 00000000-0000-0000-0000-000000000000", len(s))
}

// String is the lower-case D form, the only spelling RTE writes.
func (g GUID) String() string {
	var b [guidLen]byte
	return string(g.AppendText(b[:0]))
}

// guidLen is the length of the D form.
const guidLen = 36

// AppendText appends the lower-case D form.
func (g GUID) AppendText(dst []byte) []byte {
	const digits = "0123456789abcdef"
	for i, b := range g {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, digits[b>>4], digits[b&15])
	}
	return dst
}

// IsZero tells whether g is the all-zero Guid.
func (g GUID) IsZero() bool { return g == GUID{} }

// MarshalText is the lower-case D form (encoding.TextMarshaler).
func (g GUID) MarshalText() ([]byte, error) { return g.AppendText(make([]byte, 0, guidLen)), nil }

// UnmarshalText reads any spelling of [ParseGUID] (encoding.TextUnmarshaler).
func (g *GUID) UnmarshalText(b []byte) error {
	v, err := ParseGUID(string(b))
	if err != nil {
		return err
	}
	*g = v
	return nil
}
