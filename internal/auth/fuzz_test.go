package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rte/internal/auth"
	"rte/internal/event"
)

// FuzzVerify gives the verifier any text. It never panics, every refusal has a
// reason, and what it accepts carries, digit for digit, the signature that one
// of our secrets makes, and is good for golang-jwt's own parser as well.
func FuzzVerify(f *testing.F) {
	for _, r := range refusals(f) {
		if len(r.token) < 4096 {
			f.Add(r.token)
		}
	}
	f.Add(token(f, good(nil)))
	f.Add(tokenBy(f, newUserSecret, good(object{"role": "supervisor", "queues": []string{queue}})))
	f.Add(tokenBy(f, serviceSecret, good(object{"role": "service"})))
	v := verifier(f, strict())
	f.Fuzz(func(t *testing.T, text string) {
		p, err := v.Verify(t.Context(), text)
		if err != nil {
			if r, ok := errors.AsType[*auth.Error](err); !ok || p != nil || r.Reason.String() == "unknown" {
				t.Fatalf("refused with %v, principal %v", err, p)
			}
			return
		}
		if !signedByUs(text, userSecret, newUserSecret, serviceSecret) {
			t.Fatalf("accepted, and not signed by us: %q", text)
		}
		likeGolangJWT(t, text)
	})
}

// FuzzClaims signs any header and claims with our secret, so that the fuzzer
// gets behind the signature. What is accepted says what an independent reading
// of the same JSON says, and gives no right that is not written there.
func FuzzClaims(f *testing.F) {
	for _, r := range refusals(f) {
		if parts := strings.Split(r.token, "."); len(parts) == 3 && len(r.token) < 4096 {
			header, _ := decode(parts[0])
			body, _ := decode(parts[1])
			f.Add(header, body)
		}
	}
	f.Add(headerHS256, `{"sub":"`+me+`","org":"`+myOrg+`","exp":1900000000,"role":"groupmanager","users":["`+mate+`","x"],"queues":"`+queue+`"}`)
	f.Add(headerHS256, `{"iss":"\u0070","aud":["rte"],"exp":1.9e9,"nbf":0,"iat":0.5,"jti":"\"\\","sub":"{`+me+`}","org":"`+myOrg+`","a":[{"b":"]}"},-1e-3,true]}`)
	f.Add(headerHS256, `{"sub":"`+me+`","org":"`+myOrg+`","exp":1795334395.5,"far":1e999}`)
	v := verifier(f, auth.Options{Users: auth.Keys{Secrets: secrets(userSecret)}})
	f.Fuzz(func(t *testing.T, header, body string) {
		text := forgeUser(header, body)
		p, err := v.Verify(t.Context(), text)
		if err != nil {
			return
		}
		likeGolangJWT(t, text)
		asWritten(t, p, header, body)
	})
}

// signedByUs knows nothing of JWT but that the signature is the last part.
func signedByUs(text string, secrets ...string) bool {
	dot := strings.LastIndexByte(text, '.')
	for _, s := range secrets {
		m := hmac.New(sha256.New, []byte(s))
		m.Write([]byte(text[:dot]))
		if base64.RawURLEncoding.EncodeToString(m.Sum(nil)) == text[dot+1:] {
			return true
		}
	}
	return false
}

func likeGolangJWT(t *testing.T, text string) {
	t.Helper()
	// It cuts fractions off exp, and without JSONNumber it refuses numbers that
	// no float64 holds in claims that nobody reads.
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired(), jwt.WithJSONNumber(),
		jwt.WithIssuedAt(), jwt.WithLeeway(auth.DefaultLeeway+time.Second), jwt.WithTimeFunc(clock))
	if _, err := parser.Parse(text, func(*jwt.Token) (any, error) {
		return jwt.VerificationKeySet{Keys: []jwt.VerificationKey{
			[]byte(userSecret), []byte(newUserSecret), []byte(serviceSecret),
		}}, nil
	}); err != nil {
		t.Fatalf("accepted, but golang-jwt says %v: %q", err, text)
	}
}

// asWritten reads the JSON through maps and compares.
func asWritten(t *testing.T, p *auth.Principal, header, body string) {
	t.Helper()
	h, c := mapOf(t, header), mapOf(t, body)
	if h["alg"] != "HS256" || h["crit"] != nil {
		t.Fatalf("accepted header %q", header)
	}
	number, _ := c["exp"].(json.Number)
	exp, err := number.Float64()
	if err != nil {
		t.Fatalf("accepted exp %v", c["exp"])
	}
	if time.Unix(int64(exp), 0).Add(auth.DefaultLeeway+time.Second).Before(clock()) || p.Expires.Unix() != int64(exp) {
		t.Fatalf("exp %v became %v", c["exp"], p.Expires)
	}
	if org, _ := event.ParseGUID(textOf(c["org"])); org != p.Org {
		t.Fatalf("org %v became %v", c["org"], p.Org)
	}
	if sub, _ := event.ParseGUID(textOf(c["sub"])); sub != p.User {
		t.Fatalf("sub %v became %v", c["sub"], p.User)
	}
	if role := textOf(c["role"]); p.Role != auth.User && p.Role.String() != role {
		t.Fatalf("role %v became %v", c["role"], p.Role)
	}
	if p.ID != textOf(c["jti"]) {
		t.Fatalf("jti %v became %q", c["jti"], p.ID)
	}
	for name, set := range map[string]auth.Set{"queues": p.Queues, "lists": p.Lists, "users": p.Users} {
		entries, ok := c[name].([]any)
		if !ok {
			entries = []any{c[name]}
		}
		var want []event.GUID
		for _, e := range entries {
			if g, err := event.ParseGUID(textOf(e)); err == nil && !g.IsZero() {
				want = append(want, g)
			}
		}
		if !set.Equal(auth.NewSet(want...)) {
			t.Fatalf("%s %v became %v", name, c[name], set.IDs())
		}
	}
}

func mapOf(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&m); err != nil || m == nil {
		t.Fatalf("accepted, and not a JSON object (%v): %q", err, text)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		t.Fatalf("accepted, and there is text behind it: %q", text)
	}
	return m
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}
