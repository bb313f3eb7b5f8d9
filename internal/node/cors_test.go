package node_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"rte/internal/node"
)

// A shared path is one that pages may use: as the node's own description of its
// HTTP API has it, and the hub.
type sharedPath struct{ method, path string }

func (w *world) sharedPaths() []sharedPath {
	w.t.Helper()
	_, text := w.get(w.URL() + "/api/v1/openapi.json")
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		w.t.Fatal(err)
	}
	list := []sharedPath{{"POST", "/rte/negotiate"}, {"GET", "/rte"}, {"POST", "/rte"}, {"DELETE", "/rte"}, {"POST", "/rte/refresh"}}
	for path, methods := range doc.Paths {
		for method := range methods {
			if m := strings.ToUpper(method); m == "GET" || m == "POST" || m == "DELETE" || m == "PUT" {
				list = append(list, sharedPath{m, strings.NewReplacer("{eventName}", "UserStatus", "{alertId}", "1").Replace(path)})
			}
		}
	}
	if len(list) < 9 {
		w.t.Fatalf("only %v: the test does not find the API", list)
	}
	return list
}

// browse makes a request as a page of an origin does: it asks first, as
// browsers do for what carries a token, and goes on if it may. It reports
// whether the page can read the answer.
func (w *world) browse(origin string, p sharedPath, headers string) (readable bool, why string) {
	w.t.Helper()
	send := func(method string, header map[string]string) *http.Response {
		r, err := http.NewRequestWithContext(w.t.Context(), method, w.URL()+p.path, http.NoBody)
		if err != nil {
			w.t.Fatal(err)
		}
		r.Header.Set("Origin", origin)
		for name, v := range header {
			r.Header.Set(name, v)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			w.t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	opens := func(resp *http.Response) bool {
		allowed := resp.Header.Get("Access-Control-Allow-Origin")
		return allowed == "*" || allowed == origin && strings.Contains(strings.Join(resp.Header.Values("Vary"), ","), "Origin")
	}
	has := func(resp *http.Response, header, want string) bool {
		for item := range strings.SplitSeq(resp.Header.Get(header), ",") {
			if strings.EqualFold(strings.TrimSpace(item), want) {
				return true
			}
		}
		return false
	}
	pre := send(http.MethodOptions, map[string]string{"Access-Control-Request-Method": p.method, "Access-Control-Request-Headers": headers})
	if pre.StatusCode != http.StatusNoContent || !opens(pre) || !has(pre, "Access-Control-Allow-Methods", p.method) {
		return false, "the browser does not go on behind " + pre.Status
	}
	for name := range strings.SplitSeq(headers, ",") {
		if !has(pre, "Access-Control-Allow-Headers", name) {
			return false, "the header " + name + " is not allowed"
		}
	}
	resp := send(p.method, map[string]string{"Authorization": "Bearer " + sign(w.t, nil)})
	return opens(resp), "the answer " + resp.Status + " is not for this page"
}

// Every public path can be used by pages of the origins that may, and by no
// others but where it is for everybody; whatever the status is, they can read
// it.
func TestPagesOfOtherOrigins(t *testing.T) {
	t.Parallel()
	const desk, below, evil = "https://desk.example.org", "https://eu.desk.example.com", "https://desk.example.com.evil.com"
	closed := start(t, func(c *node.Config) { c.AllowedOrigins = []string{desk, "https://*.example.com"} })
	open := start(t, nil)
	based := start(t, func(c *node.Config) { c.BasePath = "/rt" })
	apart := start(t, func(c *node.Config) { c.PublishListen = "127.0.0.1:0" })
	for _, p := range closed.sharedPaths() {
		headers := "authorization"
		switch {
		case strings.HasPrefix(p.path, "/rte"):
			headers = "authorization,x-requested-with,x-signalr-user-agent"
		case p.path == "/api/v1/events":
			headers = "authorization,content-type,content-encoding"
		case p.method == http.MethodPost:
			headers = "authorization,content-type"
		}
		public := strings.HasSuffix(p.path, ".json")
		for _, test := range []struct {
			w      *world
			origin string
			want   bool
		}{
			{closed, desk, true}, {closed, below, true}, {closed, evil, public}, {closed, "null", public}, {closed, closed.URL(), true},
			{open, evil, true}, {open, "null", true},
		} {
			if got, why := test.w.browse(test.origin, p, headers); got != test.want {
				t.Errorf("%s %s from %s: readable: %t, want %t: %s", p.method, p.path, test.origin, got, test.want, why)
			}
		}
	}
	for _, w := range []*world{based, apart} {
		p := sharedPath{http.MethodPost, "/api/v1/events"}
		if w == apart {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, w.PublishURL()+p.path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Origin", desk)
			r.Header.Set("Access-Control-Request-Method", "POST")
			if status, _ := w.do(r); status != http.StatusNoContent {
				t.Errorf("the publish API on an address of its own: %d", status)
			}
		} else if ok, why := w.browse(desk, p, "authorization"); !ok {
			t.Errorf("below a base path: %s", why)
		}
	}
}

// Pages that may not are stopped before anything is done.
func TestForeignPagesPublishNothing(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.AllowedOrigins = []string{"https://desk.example.com"} })
	for origin, want := range map[string]int{"https://evil.example.com": http.StatusForbidden, "https://desk.example.com": http.StatusOK, "": http.StatusOK} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+"/api/v1/events",
			strings.NewReader(`{"organizationId":"`+orgA.String()+`","entityId":"`+queueText+`","eventName":"QueueStatus","data":{}}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+service(t, orgA))
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		if status, answer := w.do(r); status != want {
			t.Errorf("from %q: %d %s, want %d", origin, status, answer, want)
		}
	}
	if n := w.figure("rte_published_events_total"); n != 2 {
		t.Errorf("%v events are published, want 2", n)
	}
}
