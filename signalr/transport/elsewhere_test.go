package transport_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rte/signalr/transport"
)

// TestElsewhere: a handler asks about connections that it does not have and
// whose tokens are good, and about nothing else.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	var asked []string
	answers := true
	secret := bytes.Repeat([]byte{1}, 32)
	options := transport.Options{Secret: secret, StatefulReconnect: true}
	options.Elsewhere = func(w http.ResponseWriter, _ *http.Request, id string) bool {
		asked = append(asked, id)
		if answers {
			w.WriteHeader(http.StatusTeapot)
		}
		return answers
	}
	accept := func(*transport.Conn) transport.Receiver { return silent{} }
	handler := transport.NewHandler(accept, options)
	h := transport.Mount("/hub", handler, http.NotFoundHandler())
	do := func(method, target string, header ...string) *httptest.ResponseRecorder {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
		for _, line := range header {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	negotiate := func(query string) (id, token string) {
		t.Helper()
		text := do(http.MethodPost, "/hub/negotiate?negotiateVersion=1"+query).Body.String()
		member := func(name string) string {
			_, rest, _ := strings.Cut(text, `"`+name+`":"`)
			value, _, _ := strings.Cut(rest, `"`)
			return value
		}
		return member("connectionId"), member("connectionToken")
	}
	id, token := negotiate("")
	statefulID, stateful := negotiate("&useStatefulReconnect=true")
	if len(asked) > 0 {
		t.Errorf("asked about negotiations: %v", asked)
	}
	for _, row := range []struct {
		name, method, target string
		header               []string
		want                 string // the id asked about; "": not asked
	}{
		{"poll", http.MethodGet, "/hub?id=" + token, nil, id},
		{"POST", http.MethodPost, "/hub?id=" + token, nil, id},
		{"goodbye", http.MethodDelete, "/hub?id=" + token, nil, id},
		{"event stream", http.MethodGet, "/hub?id=" + token, []string{"Accept: text/event-stream"}, id},
		{"new token", http.MethodPost, "/hub/refresh?id=" + token, nil, id},
		{"socket that comes back", http.MethodGet, "/hub?id=" + stateful, []string{"Upgrade: websocket"}, statefulID},
		{"socket that does not", http.MethodGet, "/hub?id=" + token, []string{"Upgrade: websocket"}, ""},
		{"preflight", http.MethodOptions, "/hub?id=" + token, []string{"Access-Control-Request-Method: POST", "Origin: https://a.example"}, ""},
		{"token of nobody", http.MethodPost, "/hub?id=" + token[:43] + "!", nil, ""},
		{"no token", http.MethodPost, "/hub", nil, ""},
	} {
		asked = nil
		w := do(row.method, row.target, row.header...)
		if got := strings.Join(asked, " "); got != row.want {
			t.Errorf("%s: asked about %q, want %q", row.name, got, row.want)
		}
		if row.want != "" && w.Code != http.StatusTeapot {
			t.Errorf("%s: answered %d, want the other server's answer", row.name, w.Code)
		}
	}
	// Nobody has it: it is made here, and then nobody is asked.
	answers = false
	for _, other := range []string{"", "x", id, strings.Repeat("!", 22)} {
		if handler.Has(other) {
			t.Errorf("Has(%q) before there is a connection", other)
		}
	}
	if w := do(http.MethodGet, "/hub?id="+token); w.Code != http.StatusOK {
		t.Fatalf("first poll: %d", w.Code)
	}
	if !handler.Has(id) {
		t.Error("Has is false of a connection that is open")
	}
	asked = nil
	if w := do(http.MethodPost, "/hub?id="+token); w.Code != http.StatusOK || len(asked) > 0 {
		t.Errorf("POST of a connection that is here: %d, asked %v", w.Code, asked)
	}
	if w := do(http.MethodDelete, "/hub?id="+token); w.Code != http.StatusAccepted {
		t.Errorf("goodbye: %d", w.Code)
	}
	if w := do(http.MethodGet, "/hub?id="+token); w.Code != http.StatusNotFound || len(asked) > 0 {
		t.Errorf("poll of a connection that was here: %d, asked %v, want 404 and nobody", w.Code, asked)
	}
	if !handler.Has(id) {
		t.Error("Has is false of a connection that has just ended: another server would take its token for a new one")
	}
}

// silent is a receiver that says nothing.
type silent struct{}

func (silent) Feed([]byte) error { return nil }
func (silent) Writable()         {}
func (silent) Closed(error)      {}

// TestCede: a token that another server has asked about makes no connection
// here, so that a client whose server has gone is told so by its next poll.
func TestCede(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte{1}, 32)
	var handlers [2]*transport.Handler
	var hubs [2]http.Handler
	for i := range handlers {
		handlers[i] = transport.NewHandler(func(*transport.Conn) transport.Receiver { return silent{} }, transport.Options{
			Secret:    secret,
			Elsewhere: func(_ http.ResponseWriter, _ *http.Request, id string) bool { return handlers[1-i].Cede(id) },
		})
		hubs[i] = transport.Mount("/hub", handlers[i], http.NotFoundHandler())
	}
	do := func(i int, method, target string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		hubs[i].ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody))
		return w
	}
	_, rest, _ := strings.Cut(do(0, http.MethodPost, "/hub/negotiate?negotiateVersion=1").Body.String(), `"connectionToken":"`)
	token, _, _ := strings.Cut(rest, `"`)
	if w := do(0, http.MethodGet, "/hub?id="+token); w.Code != http.StatusOK {
		t.Fatalf("first poll: %d %s", w.Code, w.Body)
	}
	handlers[0].Cede("no id")
	handlers[0] = transport.NewHandler(nil, transport.Options{Secret: secret}) // the first server is killed and comes back
	if w := do(1, http.MethodGet, "/hub?id="+token); w.Code != http.StatusNotFound {
		t.Errorf("the poll of a connection whose server has gone: %d, want 404", w.Code)
	}
}
