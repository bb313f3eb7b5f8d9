package node_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
)

// askMe is the answer of /api/v1/me.
func (w *world) askMe(header, query string) (status int, answer map[string]any, h http.Header) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.URL()+"/api/v1/me"+query, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	if header != "" {
		r.Header.Set("Authorization", "Bearer "+header)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			w.t.Fatal(err)
		}
	} else if resp.ContentLength != 0 {
		w.t.Errorf("status %d with a body of %d bytes", resp.StatusCode, resp.ContentLength)
	}
	return resp.StatusCode, answer, resp.Header
}

// entries are ids, each with its name behind it.
func entries(pairs ...any) (list []auth.Entry) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, auth.Entry{ID: pairs[i].(event.GUID), Name: pairs[i+1].(string)})
	}
	return list
}

func TestMe(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.BasePath = "/rt" })
	w.Directory().Set(orgA, auth.Users, entries(guid(t, userText), "Anna", event.GUID{1}, "Mikko"))
	w.Directory().Set(orgA, auth.Queues, entries(guid(t, queueText), "Support", event.GUID{2}, ""))
	w.Directory().Set(orgB, auth.Queues, entries(event.GUID{3}, "not for orgA"))
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	ms := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
	named := func(id, name string) map[string]any {
		if name == "" {
			return map[string]any{"id": id}
		}
		return map[string]any{"id": id, "name": name}
	}
	for _, tc := range []struct {
		name   string
		change func(*auth.Claims)
		want   map[string]any
	}{
		{"user", func(c *auth.Claims) { c.Users = []event.GUID{{1}, {9}}; c.ID = "t-1"; c.Expires = expires }, map[string]any{
			"userId": userText, "userName": "Anna", "organizationId": orgA.String(), "role": "user", "everyId": false, "openAvailability": false,
			"users":  []any{named(event.GUID{1}.String(), "Mikko"), named(event.GUID{9}.String(), "")},
			"queues": []any{named(queueText, "Support")}, "lists": []any{}, "tokenId": "t-1", "expires": ms(expires),
		}},
		{"supervisor", func(c *auth.Claims) { c.Role, c.Expires = auth.Supervisor, expires }, map[string]any{
			"userId": userText, "userName": "Anna", "organizationId": orgA.String(), "role": "supervisor", "everyId": true, "openAvailability": false,
			"users":  []any{named(event.GUID{1}.String(), "Mikko"), named(userText, "Anna")},
			"queues": []any{named(queueText, "Support"), named(event.GUID{2}.String(), "")}, "lists": []any{}, "expires": ms(expires),
		}},
		{"platform", func(c *auth.Claims) {
			*c = auth.Claims{Subject: "core", Role: auth.Platform, Expires: expires}
		}, map[string]any{
			"subject": "core", "role": "platform", "everyId": false, "openAvailability": false,
			"users": []any{}, "queues": []any{}, "lists": []any{}, "expires": ms(expires),
		}},
	} {
		token := sign(t, tc.change)
		for place, ask := range map[string][2]string{"header": {token, ""}, "query": {"", "?access_token=" + token}} {
			status, got, h := w.askMe(ask[0], ask[1])
			if status != http.StatusOK || h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" {
				t.Fatalf("%s by %s: status %d, header %v", tc.name, place, status, h)
			}
			at, err := time.Parse("2006-01-02T15:04:05.000Z", got["time"].(string))
			if err != nil || time.Since(at).Abs() > 5*time.Second {
				t.Errorf("%s: time %v, %v", tc.name, got["time"], err)
			}
			delete(got, "time")
			delete(got, "issuedAt")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s by %s differs (-want +got):\n%s", tc.name, place, diff)
			}
		}
	}
	for name, ask := range map[string][2]string{
		"no token": {"", ""}, "garbage": {"garbage", ""}, "expired": {sign(t, func(c *auth.Claims) { c.Expires = time.Now().Add(-time.Hour) }), ""},
		"two in the query": {"", "?access_token=" + sign(t, nil) + "&access_token=" + sign(t, nil)},
	} {
		if status, _, h := w.askMe(ask[0], ask[1]); status != http.StatusUnauthorized || h.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: status %d, header %v", name, status, h)
		}
	}
}

// TestMePages: a page may ask where it may use the hub.
func TestMePages(t *testing.T) {
	t.Parallel()
	open, closed := start(t, nil), start(t, func(c *node.Config) { c.AllowedOrigins = []string{"https://desk.example.com"} })
	for _, tc := range []struct {
		w      *world
		origin string
		want   int
	}{
		{open, "https://anywhere.example.com", http.StatusOK}, {closed, "https://desk.example.com", http.StatusOK},
		{closed, "https://evil.example.com", http.StatusForbidden}, {closed, "http://" + strings.TrimPrefix(closed.URL(), "http://"), http.StatusOK},
	} {
		for method, want := range map[string]int{http.MethodGet: tc.want, http.MethodOptions: tc.want, http.MethodPost: http.StatusMethodNotAllowed} {
			if method == http.MethodOptions && want == http.StatusOK {
				want = http.StatusNoContent
			}
			r, err := http.NewRequestWithContext(t.Context(), method, tc.w.URL()+"/api/v1/me", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Origin", tc.origin)
			r.Header.Set("Authorization", "Bearer "+sign(t, nil))
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			allowed := resp.Header.Get("Access-Control-Allow-Origin")
			if resp.StatusCode != want || (allowed == tc.origin) != (want < 300) {
				t.Errorf("%s from %s: status %d, allowed %q, want %d", method, tc.origin, resp.StatusCode, allowed, want)
			}
		}
	}
}

// TestOpenAvailability: the switch reaches the hub.
func TestOpenAvailability(t *testing.T) {
	t.Parallel()
	for _, on := range []bool{false, true} {
		w := start(t, func(c *node.Config) { c.OpenAvailability = on })
		v := w.visit(sign(t, nil))
		for name, want := range map[string]bool{"UserAvailability": on, "UserStatus": false} {
			got := v.results(map[string]string{"EntityId": anyQueue, "EventName": name})
			if got[0].Subscribed != want {
				t.Errorf("switch %v, %s of a colleague: %+v, want %v", on, name, got, want)
			}
		}
		if _, answer, _ := w.askMe(sign(t, nil), ""); answer["openAvailability"] != on {
			t.Errorf("switch %v: /api/v1/me says %v", on, answer["openAvailability"])
		}
		if !on {
			continue
		}
		w.publish(orgB, "UserAvailability", anyQueue, `{"note":"another organization's"}`)
		w.publish(orgA, "UserAvailability", anyQueue, `{"note":"ours"}`)
		if got := string(v.next().Data); got != `{"note":"ours"}` {
			t.Errorf("heard %s", got)
		}
	}
}

// A verdict is one result of Subscribe.
type verdict struct {
	Subscribed          bool
	Message             string
	EntityID, EventName string
}

// results subscribes and returns what is answered.
func (v *visitor) results(items ...map[string]string) []verdict {
	v.t.Helper()
	answer, err := v.Invoke(v.t.Context(), "Subscribe", items)
	if err != nil {
		v.t.Fatal(err)
	}
	text, err := answer.AppendJSON(nil)
	if err != nil {
		v.t.Fatal(err)
	}
	var list []verdict
	if err := json.Unmarshal(text, &list); err != nil || len(list) != len(items) {
		v.t.Fatalf("%d results for %d items, %v", len(list), len(items), fmt.Sprint(err))
	}
	return list
}
