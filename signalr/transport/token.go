package transport

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// A connection token is self-contained, so that negotiation leaves nothing
// behind: a flood of negotiations costs no memory, and any node that knows
// the secret can adopt the connection. Its bytes are
//
//	kind(1) id(16) issued(4, unix seconds) mac(12)
//
// and its text base64url, 44 characters. In negotiate version 1 the client
// is also told the id alone, which is public; in version 0 there is only the
// token, and it serves as id.
const (
	tokenBytes = 33
	macBytes   = 12
)

// A tokenKind is a token's first byte: the version of its form in the upper
// half, below it what was agreed on in the negotiation.
type tokenKind byte

const (
	tokenForm     tokenKind = 0x10
	tokenFormMask tokenKind = 0xf0

	stateful tokenKind = 1 << 0 // the connection may outlive its sockets
	public   tokenKind = 1 << 1 // version 0: the token is the id, and no secret
)

// tokenID is the random part; 128 bits from the system's generator.
type tokenID [16]byte

func newTokenID() (id tokenID) {
	rand.Read(id[:]) // never fails (crypto/rand)
	return id
}

// public is the id as clients see it: 22 characters, like released servers'.
func (id tokenID) public() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// signToken makes the token of an id.
func signToken(secret []byte, id tokenID, kind tokenKind, issued time.Time) string {
	b := make([]byte, 0, tokenBytes)
	b = append(append(b, byte(tokenForm|kind)), id[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(issued.Unix()))
	b = append(b, tokenMAC(secret, b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// A connToken is what a token says.
type connToken struct {
	id   tokenID
	kind tokenKind // without its form

	negotiated bool          // it was given out here, and not made for a client that skipped negotiation
	age        time.Duration // in whole seconds of the clock: at most one more or less
}

// openToken checks a token. ok is false for anything this secret did not sign.
func openToken(secret []byte, token string, now time.Time) (t connToken, ok bool) {
	if len(token) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return t, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	// Ends of lines inside are no error, and make it shorter.
	if err != nil || len(b) != tokenBytes || tokenKind(b[0])&tokenFormMask != tokenForm ||
		!hmac.Equal(b[tokenBytes-macBytes:], tokenMAC(secret, b[:tokenBytes-macBytes])) {
		return t, false
	}
	t.kind, t.negotiated = tokenKind(b[0])&^tokenFormMask, true
	copy(t.id[:], b[1:])
	issued := int64(binary.BigEndian.Uint32(b[17:]))
	t.age = time.Duration(now.Unix()-issued) * time.Second
	return t, true
}

func tokenMAC(secret, b []byte) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write(b)
	return m.Sum(nil)[:macBytes]
}
