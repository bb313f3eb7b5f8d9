package auth_test

import (
	"strings"
	"testing"

	"rte/internal/auth"
)

// TestExplainAgrees: for every token that the tests know, the report says what
// Verify says, and has the check that fails.
func TestExplainAgrees(t *testing.T) {
	t.Parallel()
	v := verifier(t, strict())
	tokens := append(refusals(t),
		refusal{name: "good", token: token(t, good(nil))},
		refusal{name: "good service", token: tokenBy(t, serviceSecret, good(object{"role": "service"}))},
	)
	for _, tc := range tokens {
		r := v.Explain(t.Context(), tc.token)
		p, err := v.Verify(t.Context(), tc.token)
		if verdict(err) != verdict(r.Err) || (r.Principal == nil) != (p == nil) {
			t.Errorf("%s: Verify says %v, the report %v", tc.name, err, r.Err)
			continue
		}
		if p != nil {
			same(t, r.Principal, p)
		}
		wrong := r.Signature != nil
		for _, c := range r.Checks {
			wrong = wrong || c.Err != nil
		}
		if wrong != (err != nil) {
			t.Errorf("%s: %v, and the report shows no fault", tc.name, err)
		}
	}
	if s := v.Stats(); s.Accepted != 2 {
		t.Errorf("the report counts: %d accepted", s.Accepted)
	}
}

// TestExplain shows what stands in a report.
func TestExplain(t *testing.T) {
	t.Parallel()
	k := issuerKeys()["p256"]
	o := strict()
	o.Users.PublicKeyFile = write(t, pemOf(issuerKeys()["rsa"]), pemOf(k))
	v := verifier(t, o)
	r := v.Explain(t.Context(), signed(t, k, "ES256", "any", good(object{
		"exp": clock().Unix() - 60, "aud": "others", "role": "root", "queues": []any{queue, queue, "x", 7},
		"jti": "bad\u009b31m" + strings.Repeat("j", 200),
	})))
	if r.Algorithm != "ES256" || r.KeyID != "any" || !strings.HasPrefix(r.Key, "public key 2 of ") || r.Good != "users" || r.Signature != nil {
		t.Errorf("signature: %+v", r)
	}
	if r.Principal != nil || verdict(r.Err) != "expired" {
		t.Errorf("verdict %v", r.Err)
	}
	got := map[string]auth.Check{}
	for _, c := range r.Checks {
		got[c.Claim] = c
	}
	for claim, want := range map[string]struct{ value, wanted, verdict string }{
		"exp":    {"2026-11-22T07:59:00Z (1m0s ago)", "", "expired"},
		"nbf":    {"", "", "accepted"},
		"iss":    {`"platform.example"`, "platform.example", "accepted"},
		"aud":    {`"others"`, "rte", "audience"},
		"sub":    {`"` + me + `"`, "", "accepted"},
		"role":   {`"root"`, "", "accepted"},
		"queues": {"4 entries, 1 different Guids", "", "accepted"},
		"lists":  {"", "", "accepted"},
	} {
		c := got[claim]
		if c.Value != want.value || c.Wanted != want.wanted || verdict(c.Err) != want.verdict {
			t.Errorf("%s: got %+v, want %+v", claim, c, want)
		}
	}
	if jti := got["jti"].Value; len([]rune(jti)) != 100 || strings.ContainsRune(jti, '\u009b') || !strings.HasPrefix(jti, `"bad?31m`) {
		t.Errorf("jti is shown as %q", jti)
	}
	// Without a good signature the claims are shown all the same.
	r = v.Explain(t.Context(), signed(t, issuerKeys()["p256b"], "ES256", "", good(nil)))
	if verdict(r.Signature) != "signature" || verdict(r.Err) != "signature" || len(r.Checks) == 0 || r.Key != "" || r.Principal != nil {
		t.Errorf("a stranger's token: %+v", r)
	}
}
