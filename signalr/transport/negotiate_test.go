package transport_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rte/signalr/transport"
)

func TestNegotiateMembers(t *testing.T) {
	t.Parallel()
	s := newSite(t, "tcp", transport.Options{})
	const transports = `[{"transport":"WebSockets","transferFormats":["Text","Binary"]},{"transport":"ServerSentEvents","transferFormats":["Text"]},{"transport":"LongPolling","transferFormats":["Text","Binary"]}]`
	tests := []struct {
		query   string
		members []string
		version string
	}{
		{"", []string{"availableTransports", "connectionId", "negotiateVersion"}, "0"},
		{"?negotiateVersion=0", []string{"availableTransports", "connectionId", "negotiateVersion"}, "0"},
		{"?negotiateVersion=1", []string{"availableTransports", "connectionId", "connectionToken", "negotiateVersion"}, "1"},
		{"?negotiateVersion=2", []string{"availableTransports", "connectionId", "connectionToken", "negotiateVersion"}, "1"},
		{"?negotiateVersion=2147483647", []string{"availableTransports", "connectionId", "connectionToken", "negotiateVersion"}, "1"},
		{"?NEGOTIATEversion=1", []string{"availableTransports", "connectionId", "connectionToken", "negotiateVersion"}, "1"},
		{"?tenant=a&negotiateVersion=1&useStatefulReconnect=true", []string{"availableTransports", "connectionId", "connectionToken", "negotiateVersion"}, "1"},
	}
	for _, test := range tests {
		t.Run(test.query, func(t *testing.T) {
			t.Parallel()
			resp, body := s.do(http.MethodPost, "/negotiate"+test.query, nil)
			var got map[string]json.RawMessage
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("body %q: %v", body, err)
			}
			// "ProtocolVersion", for one, must never be there.
			if diff := cmp.Diff(test.members, slices.Sorted(maps.Keys(got))); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
			if string(got["negotiateVersion"]) != test.version || string(got["availableTransports"]) != transports {
				t.Errorf("got %s, want version %s and %s", body, test.version, transports)
			}
			if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" || resp.ContentLength != int64(len(body)) || resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("got %s with %v, want 200, application/json, a length and no-store", resp.Status, resp.Header)
			}
		})
	}
}

func TestNegotiateBadVersion(t *testing.T) {
	t.Parallel()
	s := newSite(t, "tcp", transport.Options{})
	const nonInteger = `{"error":"The client requested a non-integer protocol version."}`
	tests := []struct{ query, want string }{
		{"?negotiateVersion=one", nonInteger},
		{"?negotiateVersion=", nonInteger},
		{"?negotiateVersion=1.0", nonInteger},
		{"?negotiateVersion=99999999999999999999", nonInteger},
		{"?negotiateVersion=-1", `{"error":"The client requested version '-1', but the server does not support this version."}`},
	}
	for _, test := range tests {
		resp, body := s.do(http.MethodPost, "/negotiate"+test.query, nil)
		var want, got any
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%s: %q: %v", test.query, body, err)
		}
		if err := json.Unmarshal([]byte(test.want), &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s (-want +got):\n%s", test.query, resp.Status, diff)
		}
	}
}

func TestNegotiateIDs(t *testing.T) {
	t.Parallel()
	s := newSite(t, "tcp", transport.Options{})
	urlSafe := regexp.MustCompile(`^[A-Za-z0-9_-]{22,}$`)
	seen := map[string]bool{}
	for i := range 100 {
		n := s.negotiate(fmt.Sprintf("?negotiateVersion=%d", i%2))
		ids := []string{n.ConnectionID}
		if i%2 == 1 {
			ids = append(ids, n.ConnectionToken)
			if len(n.ConnectionID) != 22 || strings.Contains(n.ConnectionToken, n.ConnectionID) {
				t.Errorf("id %q, token %q: want 22 characters, not shown in the token", n.ConnectionID, n.ConnectionToken)
			}
		}
		for _, id := range ids {
			if !urlSafe.MatchString(id) || seen[id] {
				t.Errorf("id %q is seen twice or not safe in a URL", id)
			}
			seen[id] = true
		}
	}
	if st := s.handler.Stats(); st.Negotiations != 100 || st.Connections != 0 || s.handler.Spent() != 0 {
		t.Errorf("Stats = %+v and %d tokens kept, want 100 negotiations that leave nothing behind", st, s.handler.Spent())
	}
}

func TestNegotiateMethods(t *testing.T) {
	t.Parallel()
	s := newSite(t, "tcp", transport.Options{})
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions, "PROPFIND"} {
		resp, body := s.do(method, "/negotiate?negotiateVersion=1", nil)
		if resp.StatusCode != http.StatusMethodNotAllowed || body != "" || resp.Header.Get("Content-Type") != "text/plain" || resp.Header.Get("Allow") == "" {
			t.Errorf("%s: %s, %q, %v, want 405, text/plain, empty, and Allow", method, resp.Status, body, resp.Header)
		}
	}
}

func TestMount(t *testing.T) {
	t.Parallel()
	h := transport.NewHandler(nil, transport.Options{})
	tests := []struct {
		mount, path string
		status      int // 405 and 400 are the handler's, 404 is next's
	}{
		{"/rte", "/rte/negotiate", 405},
		{"/rte", "/RTE/Negotiate", 405},
		{"/rte", "/rte/negotiate/", 405},
		{"/RTE/", "/rte/negotiate", 405},
		{"/rte", "/rte", 400},
		{"/rte", "/Rte/", 400},
		{"/a/b", "/A/B/", 400},
		{"/", "/negotiate", 405},
		{"/", "/", 400},
		{"/rte", "/rte//", 404},
		{"/rte", "/rte/other", 404},
		{"/rte", "/rtenegotiate", 404},
		{"/rte", "/rte2", 404},
		{"/rte", "/", 404},
		{"/rte", "/rt", 404},
		{"/rte", "/negotiate", 404},
		{"/rte", "/x/rte", 404},
	}
	for _, test := range tests {
		r, err := http.NewRequest(http.MethodGet, "http://h"+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := newAnswer()
		transport.Mount(test.mount, h, http.NotFoundHandler()).ServeHTTP(w, r)
		if w.status != test.status {
			t.Errorf("mounted at %s, %s: %d, want %d", test.mount, test.path, w.status, test.status)
		}
	}
}

// An answer keeps the status of a response.
type answer struct {
	header http.Header
	status int
}

func newAnswer() *answer { return &answer{header: http.Header{}} }

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(p []byte) (int, error) { return len(p), nil }
func (a *answer) WriteHeader(status int)      { a.status = status }
