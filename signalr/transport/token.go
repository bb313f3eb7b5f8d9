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
//	version(1) id(16) issued(4, unix seconds) mac(12)
//
// and its text base64url, 44 characters. In negotiate version 1 the client
// is also told the id alone, which is public; in version 0 there is only the
// token, and it serves as id.
const (
	tokenBytes   = 33
	tokenVersion = 1
	macBytes     = 12
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
func signToken(secret []byte, id tokenID, issued time.Time) string {
	b := make([]byte, 0, tokenBytes)
	b = append(append(b, tokenVersion), id[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(issued.Unix()))
	b = append(b, tokenMAC(secret, b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// openToken checks a token and returns its id and age, in whole seconds of the
// clock: at most a second more or less. ok is false for anything this secret
// did not sign.
func openToken(secret []byte, token string, now time.Time) (id tokenID, age time.Duration, ok bool) {
	if len(token) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return id, 0, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || b[0] != tokenVersion || !hmac.Equal(b[tokenBytes-macBytes:], tokenMAC(secret, b[:tokenBytes-macBytes])) {
		return id, 0, false
	}
	copy(id[:], b[1:])
	issued := int64(binary.BigEndian.Uint32(b[17:]))
	return id, time.Duration(now.Unix()-issued) * time.Second, true
}

func tokenMAC(secret, b []byte) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write(b)
	return m.Sum(nil)[:macBytes]
}
