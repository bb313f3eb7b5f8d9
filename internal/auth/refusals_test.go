package auth_test

import (
	"slices"
	"strings"
	"testing"

	"rte/internal/auth"
)

// A refusal is a token that must be refused for one reason.
type refusal struct {
	name   string
	token  string
	want   auth.Reason
	detail string // part of the detail; "" asks for nothing
}

// strict asks for an issuer and an audience and has service keys.
func strict() auth.Options {
	return auth.Options{
		Users:    auth.Keys{Secrets: secrets(userSecret, newUserSecret)},
		Service:  auth.Keys{Secrets: secrets(serviceSecret)},
		Issuer:   "platform.example",
		Audience: "rte",
	}
}

// good is what strict accepts, with changes.
func good(changes object) object {
	c := object{"iss": "platform.example", "aud": "rte"}
	for k, v := range changes {
		c[k] = v
	}
	return c
}

// refusals are for a verifier made of strict; together they have every reason.
func refusals(t testing.TB) []refusal {
	return slices.Concat(wrongShape(t), wrongSignature(t), wrongClaims(t), wrongCaller(t))
}

// claim is a good token but for one claim.
func claim(t testing.TB, name string, value any) string {
	t.Helper()
	return token(t, good(object{name: value}))
}

// wrongShape is what is no signed token at all.
func wrongShape(t testing.TB) []refusal {
	ok := token(t, good(nil))
	parts := strings.Split(ok, ".")
	return []refusal{
		{"none", "", auth.ReasonMissing, ""},
		{"64 KiB and one", strings.Repeat("a", auth.MaxTokenBytes+1), auth.ReasonTooLarge, ""},
		{"jti too long", claim(t, "jti", strings.Repeat("j", auth.MaxIDBytes+1)), auth.ReasonTooLarge, "jti"},
		{"service's sub too long", tokenBy(t, serviceSecret, good(object{"role": "service", "sub": strings.Repeat("s", auth.MaxIDBytes+1)})), auth.ReasonTooLarge, "sub"},

		{"garbage", "garbage-garbage-garbage", auth.ReasonMalformed, ""},
		{"dots", "..", auth.ReasonMalformed, ""},
		{"one dot", ".", auth.ReasonMalformed, ""},
		{"two parts", parts[0] + "." + parts[1], auth.ReasonMalformed, ""},
		{"four parts", ok + "." + parts[2], auth.ReasonMalformed, "three parts"},
		{"five parts", ok + "." + parts[1] + "." + parts[2], auth.ReasonMalformed, ""},
		{"empty header", "." + parts[1] + "." + parts[2], auth.ReasonMalformed, ""},
		{"padding", ok + "=", auth.ReasonMalformed, ""},
		{"line end", ok + "\n", auth.ReasonMalformed, "line end"},
		{"line end inside", ok[:len(ok)-9] + "\r" + ok[len(ok)-9:], auth.ReasonMalformed, "line end"},
		{"blank", " " + ok, auth.ReasonMalformed, ""},
		{"standard alphabet", parts[0] + "." + parts[1] + ".+/" + parts[2][2:], auth.ReasonMalformed, ""},
		{"loose bits", ok[:len(ok)-1] + loose(ok[len(ok)-1]), auth.ReasonMalformed, ""},
		{"header is not JSON", tokenUnder(t, good(nil), `alg: HS256`), auth.ReasonMalformed, "header"},
		{"header is an array", tokenUnder(t, good(nil), `["HS256"]`), auth.ReasonMalformed, "header"},
		{"header with two alg", tokenUnder(t, good(nil), `{"alg":"none","alg":"HS256"}`), auth.ReasonMalformed, "header"},
		{"header with text behind", tokenUnder(t, good(nil), headerHS256+"{}"), auth.ReasonMalformed, "header"},
		{"critical extension", tokenUnder(t, good(nil), `{"alg":"HS256","crit":["b64"],"b64":false}`), auth.ReasonMalformed, "critical"},
		{"critical, empty", tokenUnder(t, good(nil), `{"alg":"HS256","crit":[]}`), auth.ReasonMalformed, "critical"},
	}
}

// wrongSignature is what somebody else made, or asks for another algorithm.
func wrongSignature(t testing.TB) []refusal {
	ok := token(t, good(nil))
	parts := strings.Split(ok, ".")
	return []refusal{
		{"no signature", parts[0] + "." + parts[1] + ".", auth.ReasonSignature, ""},
		{"alg none", b64(`{"alg":"none"}`) + "." + parts[1] + ".", auth.ReasonAlgorithm, ""},
		{"alg none, signed", tokenUnder(t, good(nil), `{"alg":"none"}`), auth.ReasonAlgorithm, ""},
		{"alg None", tokenUnder(t, good(nil), `{"alg":"None"}`), auth.ReasonAlgorithm, ""},
		{"alg hs256", tokenUnder(t, good(nil), `{"alg":"hs256"}`), auth.ReasonAlgorithm, ""},
		{"kid a number", tokenUnder(t, good(nil), `{"alg":"HS256","kid":7}`), auth.ReasonMalformed, "kid"},
		{"kid an object", tokenUnder(t, good(nil), `{"alg":"HS256","kid":{"$ne":null}}`), auth.ReasonMalformed, "kid"},
		{"two kid", tokenUnder(t, good(nil), `{"alg":"HS256","kid":"a","kid":"b"}`), auth.ReasonMalformed, "header"},
		{"kid too long", tokenUnder(t, good(nil), `{"alg":"HS256","kid":"`+strings.Repeat("k", auth.MaxIDBytes+1)+`"}`), auth.ReasonTooLarge, "kid"},
		{"alg RS256 with HMAC", tokenUnder(t, good(nil), `{"alg":"RS256"}`), auth.ReasonAlgorithm, ""},
		{"alg HS512", token512(t), auth.ReasonAlgorithm, ""},
		{"header is empty", tokenUnder(t, good(nil), `{}`), auth.ReasonAlgorithm, ""},
		{"alg missing", tokenUnder(t, good(nil), `{"typ":"JWT"}`), auth.ReasonAlgorithm, ""},
		{"alg null", tokenUnder(t, good(nil), `{"alg":null}`), auth.ReasonAlgorithm, ""},
		{"alg an array", tokenUnder(t, good(nil), `{"alg":["HS256"]}`), auth.ReasonAlgorithm, ""},
		{"ALG", tokenUnder(t, good(nil), `{"ALG":"HS256"}`), auth.ReasonAlgorithm, ""},

		{"wrong key", tokenBy(t, foreignSecret, good(nil)), auth.ReasonSignature, ""},
		{"cut signature", ok[:len(ok)-3], auth.ReasonSignature, ""},
		{"other claims", parts[0] + "." + strings.Split(claim(t, "role", "supervisor"), ".")[1] + "." + parts[2], auth.ReasonSignature, ""},
		{"other header", b64(`{"alg":"HS256"}`) + "." + parts[1] + "." + parts[2], auth.ReasonSignature, ""},
		{"garbage in order", parts[0] + ".%%%." + parts[2], auth.ReasonSignature, ""},
	}
}

// wrongClaims is signed by us and unreadable, or not for now.
func wrongClaims(t testing.TB) []refusal {
	now := clock().Unix()
	return []refusal{
		{"claims are not JSON", tokenOf(`sub=` + me), auth.ReasonMalformed, "claims"},
		{"claims are null", tokenOf(`null`), auth.ReasonMalformed, "claims"},
		{"claims are empty", tokenOf(``), auth.ReasonMalformed, "claims"},
		{"claims are an array", tokenOf(`[{"sub":1}]`), auth.ReasonMalformed, "claims"},
		{"claims are not UTF-8", tokenOf(`{"sub":"` + me + `","org":"` + myOrg + `","exp":1900000000,"jti":"` + "\x9a" + `"}`), auth.ReasonMalformed, "claims"},
		{"claims are cut off", tokenOf(`{"sub":"` + me), auth.ReasonMalformed, "claims"},
		{"claims with two sub", tokenOf(`{"sub":"` + me + `","org":"` + myOrg + `","s\u0075b":"` + mate + `","exp":1900000000}`), auth.ReasonMalformed, "claims"},
		{"claims with two exp, one null", tokenOf(`{"sub":"` + me + `","org":"` + myOrg + `","exp":null,"exp":1900000000}`), auth.ReasonMalformed, "claims"},
		{"exp in text", claim(t, "exp", "1900000000"), auth.ReasonMalformed, "exp"},
		{"exp an array", claim(t, "exp", []int{1900000000}), auth.ReasonMalformed, "exp"},
		{"exp true", claim(t, "exp", true), auth.ReasonMalformed, "exp"},
		{"exp in milliseconds", claim(t, "exp", 1900000000000), auth.ReasonMalformed, "exp"},
		{"exp over int64", claim(t, "exp", raw("9223372036854775808")), auth.ReasonMalformed, "exp"},
		{"exp over float64", claim(t, "exp", raw("1e999")), auth.ReasonMalformed, "exp"},
		{"exp of many digits", claim(t, "exp", raw("1"+strings.Repeat("0", 5000))), auth.ReasonMalformed, "exp"},
		{"exp below zero", claim(t, "exp", -1), auth.ReasonMalformed, "exp"},
		{"nbf in text", claim(t, "nbf", "1"), auth.ReasonMalformed, "nbf"},
		{"iat in text", claim(t, "iat", "1"), auth.ReasonMalformed, "iat"},
		{"jti a number", claim(t, "jti", 7), auth.ReasonMalformed, "jti"},

		{"no claims", tokenOf(`{ }`), auth.ReasonNoExpiry, ""},
		{"no exp", claim(t, "exp", nil), auth.ReasonNoExpiry, ""},
		{"exp null", claim(t, "exp", raw("null")), auth.ReasonNoExpiry, ""},
		{"EXP", token(t, good(object{"exp": nil, "EXP": 1900000000})), auth.ReasonNoExpiry, ""},
		{"expired", claim(t, "exp", now-3600), auth.ReasonExpired, ""},
		{"expired, end of leeway", claim(t, "exp", now-5), auth.ReasonExpired, ""},
		{"expired, exp zero", claim(t, "exp", 0), auth.ReasonExpired, ""},
		{"expired, exponent", claim(t, "exp", raw("1.7e9")), auth.ReasonExpired, ""},
		{"expired, tiny", claim(t, "exp", raw("1e-999")), auth.ReasonExpired, ""},
		{"nbf in the future", claim(t, "nbf", now+6), auth.ReasonNotYetValid, "nbf"},
		{"iat in the future", claim(t, "iat", now+6), auth.ReasonNotYetValid, "iat"},
	}
}

// wrongCaller is signed by us and not for us, or for nobody we know.
func wrongCaller(t testing.TB) []refusal {
	return []refusal{
		{"no iss", claim(t, "iss", raw("null")), auth.ReasonIssuer, ""},
		{"other iss", claim(t, "iss", "other.example"), auth.ReasonIssuer, ""},
		{"iss an array", claim(t, "iss", []string{"platform.example"}), auth.ReasonIssuer, ""},
		{"no aud", claim(t, "aud", raw("null")), auth.ReasonAudience, ""},
		{"other aud", claim(t, "aud", "other"), auth.ReasonAudience, ""},
		{"aud empty", claim(t, "aud", []string{}), auth.ReasonAudience, ""},
		{"aud of others", claim(t, "aud", []string{"a", "rte2", ""}), auth.ReasonAudience, ""},
		{"aud an object", claim(t, "aud", object{"rte": "rte"}), auth.ReasonAudience, ""},
		{"aud in an array of arrays", claim(t, "aud", raw(`[["rte"]]`)), auth.ReasonAudience, ""},

		{"user from service key", tokenBy(t, serviceSecret, good(nil)), auth.ReasonRole, ""},
		{"supervisor from service key", tokenBy(t, serviceSecret, good(object{"role": "supervisor"})), auth.ReasonRole, ""},
		{"unknown role from service key", tokenBy(t, serviceSecret, good(object{"role": "root"})), auth.ReasonRole, ""},

		{"no sub", claim(t, "sub", raw("null")), auth.ReasonSubject, "sub"},
		{"sub empty", claim(t, "sub", ""), auth.ReasonSubject, "sub"},
		{"sub a number", claim(t, "sub", 17), auth.ReasonSubject, "sub"},
		{"sub no Guid", claim(t, "sub", "anna@example.com"), auth.ReasonSubject, "sub"},
		{"sub zero", claim(t, "sub", zero), auth.ReasonSubject, "sub"},
		{"sub no Guid, service demoted", token(t, good(object{"sub": "importer", "role": "service"})), auth.ReasonSubject, "sub"},
		{"service without sub", tokenBy(t, serviceSecret, good(object{"sub": nil, "role": "service"})), auth.ReasonSubject, "sub"},

		{"no org", claim(t, "org", raw("null")), auth.ReasonOrganization, "org"},
		{"org no Guid", claim(t, "org", "acme"), auth.ReasonOrganization, "org"},
		{"org zero", claim(t, "org", zero), auth.ReasonOrganization, "org"},
		{"org an array", claim(t, "org", []string{myOrg}), auth.ReasonOrganization, "org"},
		{"service without org", tokenBy(t, serviceSecret, good(object{"org": nil, "role": "service"})), auth.ReasonOrganization, "org"},
		{"platform with bad org", tokenBy(t, serviceSecret, good(object{"org": "acme", "role": "platform"})), auth.ReasonOrganization, "org"},
		{"platform demoted, without org", token(t, good(object{"org": nil, "role": "platform"})), auth.ReasonOrganization, "org"},
	}
}

// loose changes the last base64 digit of an HS256 signature only in the two
// bits that carry nothing.
func loose(digit byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(digits[strings.IndexByte(digits, digit)|1])
}
