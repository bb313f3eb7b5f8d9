package admin_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"rte/internal/admin"
	"rte/internal/auth"
	"rte/internal/bus"
	"rte/internal/event"
	"rte/internal/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handler is one in front of a store in memory, on loopback.
func handler(t testing.TB) *admin.Handler {
	t.Helper()
	b, err := bus.Open(t.Context(), event.NewCatalog(), bus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	r, err := registry.Open(t.Context(), event.NewCatalog(), b, registry.Options{
		Directory: &auth.Directory{}, Revocations: &auth.Revocations{},
		Reconsider: func(_, _ event.GUID) {}, Revoke: func(auth.Selection) int { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	h, err := admin.New(admin.Options{
		Registry: r, Bus: b, Node: "test", Open: true,
		Connections: func(admin.Filter) []admin.Connection { return nil }, Close: func(string) bool { return false },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Stop)
	return h
}

func ask(t testing.TB, h http.Handler, method, path, body string) (status int, answer string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1/", strings.NewReader(body))
	r.URL.Path, r.URL.RawQuery, _ = strings.Cut(path, "?")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// Ids of the tests, as bodies have them.
const (
	inOrg  = `"organizationId":"0a6bb5c1-52f0-4b83-9a3f-5d06f5f1c001"`
	inUser = `"userId":"a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3"`
)

// TestMoments: issuedBefore is a date or a number of seconds.
func TestMoments(t *testing.T) {
	t.Parallel()
	h := handler(t)
	for text, want := range map[string]int{
		`"2026-01-01T00:00:00Z"`: 200, `"2026-01-01T02:00:00+02:00"`: 200, `"2026-01-01T00:00:00.1234567"`: 200, `1760000000`: 200, `1760000000.5`: 200, `0`: 200,
		`-1`: 400, `1e300`: 400, `"1760000000"`: 400, `""`: 400, `null`: 400, `true`: 400, `{}`: 400, `99999999999`: 400,
	} {
		if status, answer := ask(t, h, http.MethodPost, admin.Path+"revocations", `{"jti":"x","issuedBefore":`+text+`}`); status != want {
			t.Errorf("%s: got %d %s, want %d", text, status, answer, want)
		}
	}
	if s := h.Stats(); s.Acts["revoke"] != 6 || s.Acts["set rights"] != 0 || len(s.Acts) != 6 || s.Refused != 0 {
		t.Errorf("counted %+v", s)
	}
}

// FuzzActs: whatever is asked, the answer is JSON with an error or without, or
// the path is none; nothing panics, and nobody's mistake is called ours.
func FuzzActs(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `[]`, `null`, `{"jti":"x"}`, `{"user":"a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3","issuedBefore":1}`,
		`{` + inOrg + `,` + inUser + `,"queues":["a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3"],"role":"supervisor"}`,
		`{` + inOrg + `,` + inUser + `,"reset":true}`,
		`{` + inOrg + `,"callListId":"a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3","isAutoAllocate":true,"agents":[]}`,
		`{` + inOrg + `,"users":[{"id":"a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3","name":"Anna"}]}`,
	} {
		for _, path := range []string{"rights", "revocations", "lists", "directory"} {
			f.Add(uint8(0), path, body)
		}
	}
	f.Add(uint8(1), "connections?user=x&limit=7&after=%", "")
	f.Add(uint8(2), "connections/x", "")
	h := handler(f)
	methods := []string{http.MethodPost, http.MethodGet, http.MethodDelete, http.MethodPut}
	f.Fuzz(func(t *testing.T, n uint8, path, body string) {
		method := methods[int(n)%len(methods)]
		status, answer := ask(t, h, method, admin.Path+path, body)
		switch status {
		case http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			var object map[string]any
			if err := json.Unmarshal([]byte(answer), &object); err != nil || (object["error"] == nil) != (status == http.StatusOK) {
				t.Errorf("%s %q %q: %d %s", method, path, body, status, answer)
			}
		case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusMovedPermanently, http.StatusTemporaryRedirect:
		default:
			t.Errorf("%s %q %q: %d %s", method, path, body, status, answer)
		}
	})
}
