package auth_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"rte/internal/auth"
)

// No error and no log value has a piece of the token, as it is or decoded.
// What a principal logs is its ids and its role.
func TestNothingOfTheToken(t *testing.T) {
	t.Parallel()
	v := verifier(t, strict())
	reasons := map[auth.Reason]bool{}
	for _, tc := range refusals(t) {
		_, err := v.Verify(t.Context(), tc.token)
		if err == nil {
			t.Fatalf("%s: accepted", tc.name)
		}
		reasons[tc.want] = true
		for _, text := range []string{err.Error(), fmt.Sprintf("%v %+v %#v %q", err, err, err, err), logged("err", err)} {
			if piece := pieceOf(tc.token, text); piece != "" {
				t.Errorf("%s: %q is in %q", tc.name, piece, text)
			}
		}
	}
	for r := auth.ReasonMissing; r <= auth.ReasonRevoked; r++ {
		if !reasons[r] && !elsewhere(r) {
			t.Errorf("no token was refused for %q", r)
		}
	}

	secret := token(t, good(object{"role": "supervisor", "jti": "canary-canary-canary", "queues": []string{queue}, "name": "canary"}))
	p, err := v.Verify(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	text := logged("principal", p)
	for _, part := range strings.Split(secret, ".") {
		if strings.Contains(text, part) {
			t.Errorf("a part of the token is in %q", text)
		}
	}
	want := `"principal":{"user":"` + me + `","org":"` + myOrg + `","role":"supervisor"}`
	if !strings.Contains(text, want) || strings.Contains(text, "canary") || strings.Contains(text, queue) {
		t.Errorf("got log line %s, want %s and nothing more of the token", text, want)
	}
	core, err := v.Verify(t.Context(), tokenBy(t, serviceSecret, good(object{"role": "platform", "sub": "canary", "org": nil})))
	if err != nil {
		t.Fatal(err)
	}
	if text := logged("principal", core); !strings.Contains(text, `"principal":{"role":"platform"}`) || strings.Contains(text, "canary") {
		t.Errorf("got log line %s, want the role only", text)
	}
}

func logged(name string, value any) string {
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	log.Info("x", name, value)
	return b.String()
}

// pieceOf finds eight characters in a row of the token in the text, of its
// spelling or of what its parts decode to.
func pieceOf(token, text string) string {
	const long = 8
	forms := []string{token}
	for part := range strings.SplitSeq(token, ".") {
		if plain, err := decode(part); err == nil {
			forms = append(forms, plain)
		}
	}
	// Fixed words of an error may also stand in a token that a test made.
	text = strings.ReplaceAll(text, "HS256", "")
	for _, form := range forms {
		for i := 0; i+long <= len(form); i++ {
			if piece := form[i : i+long]; strings.Contains(text, piece) {
				return piece
			}
		}
	}
	return ""
}
