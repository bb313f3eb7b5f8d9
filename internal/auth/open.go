package auth

import (
	"context"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// A header is what is read of a token's first part. What else stands there,
// such as keys or addresses of keys (jwk, jku, x5u), is the sender's word and
// is not looked at.
type header struct {
	alg   algorithm
	id    string // kid
	hasID bool
}

// open checks a token's form and signature, and picks out its claims. Nothing
// of the claims is read before the signature is found good: a stranger reaches
// the header's three members and a hash, nothing else. The error is an
// [*Error] or an [*Unavailable].
func (v *Verifier) open(ctx context.Context, token string) (*reading, *key, error) {
	h, signed, body, signature, refused := v.takeApart(token)
	if refused != nil {
		return nil, nil, refused
	}
	sum, err := v.base64.DecodeString(signature)
	if err != nil {
		return nil, nil, &Error{ReasonMalformed, "signature is not base64url"}
	}
	k, use, err := v.signer(ctx, h, signed, sum)
	if err != nil {
		return nil, nil, err
	}
	r := &reading{v: v, uses: use}
	text, ok := v.jsonPart(body)
	if !ok || !v.claims.read(text, &r.c) {
		return nil, k, &Error{ReasonMalformed, "claims are not base64url of one JSON object without repeated names"}
	}
	r.text = text
	return r, k, nil
}

// takeApart finds a token's parts and reads its header.
func (v *Verifier) takeApart(token string) (h *header, signed, body, signature string, refused *Error) {
	if token == "" {
		return nil, "", "", "", &Error{Reason: ReasonMissing}
	}
	if len(token) > MaxTokenBytes {
		return nil, "", "", "", &Error{ReasonTooLarge, "over 64 KiB"}
	}
	head, rest, _ := strings.Cut(token, ".")
	body, signature, ok := strings.Cut(rest, ".")
	if !ok || strings.Contains(signature, ".") {
		return nil, "", "", "", &Error{ReasonMalformed, "not three parts"}
	}
	// The base64 decoder skips line ends: they would be a second spelling.
	if strings.Contains(token, "\n") || strings.Contains(token, "\r") {
		return nil, "", "", "", &Error{ReasonMalformed, "line end"}
	}
	h, refused = v.readHeader(head)
	return h, token[:len(head)+1+len(body)], body, signature, refused
}

// readHeader reads the algorithm and the key id. A critical header extension
// must be understood or refused (RFC 7515, 4.1.11), and RTE understands none.
func (v *Verifier) readHeader(part string) (*header, *Error) {
	var f [3]string
	text, ok := v.jsonPart(part)
	if !ok || !members(text, []string{"alg", "crit", "kid"}, f[:]) {
		return nil, &Error{ReasonMalformed, "header is not base64url of one JSON object without repeated names"}
	}
	name, _ := str(f[0])
	alg, known := algorithmNamed(name)
	if !known {
		return nil, &Error{ReasonAlgorithm, "the header names no algorithm that is known here"}
	}
	if f[1] != "" {
		return nil, &Error{ReasonMalformed, "critical header extension"}
	}
	h := &header{alg: alg, hasID: f[2] != ""}
	if h.hasID {
		if h.id, ok = str(f[2]); !ok {
			return nil, &Error{ReasonMalformed, "kid is not a text"}
		}
		if len(h.id) > MaxIDBytes {
			return nil, &Error{ReasonTooLarge, "kid is too long"}
		}
		h.hasID = h.id != ""
	}
	return h, nil
}

// jsonPart decodes a part. encoding/json lets bytes pass that are not UTF-8;
// two readers of the same token could make different texts of them.
func (v *Verifier) jsonPart(part string) (text string, ok bool) {
	b, err := v.base64.DecodeString(part)
	return string(b), err == nil && utf8.Valid(b) && json.Valid(b)
}
