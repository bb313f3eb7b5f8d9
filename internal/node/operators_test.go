package node_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
	"rte/signalr/client"
)

// say sends an act of an operator and returns status and answer.
func (w *world) say(method, path, body string) (status int, answer string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.AdminURL()+"/admin/v1/"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return w.do(r)
}

// said is say for what must go well.
func (w *world) said(path, body string) (answer map[string]any) {
	w.t.Helper()
	status, text := w.say(http.MethodPost, path, body)
	if err := json.Unmarshal([]byte(text), &answer); status != http.StatusOK || err != nil {
		w.t.Fatalf("POST %s %s: %d %s", path, body, status, text)
	}
	return answer
}

// pair are two nodes on one NATS server.
func pair(t *testing.T, change func(*node.Config)) (a, b *world) {
	t.Helper()
	s := natsServer(t, nil)
	open := func(c *node.Config) {
		c.NATSURL = []string{s.ClientURL()}
		if change != nil {
			change(c)
		}
	}
	a, b = start(t, open), start(t, open)
	// So that neither is waited for in vain, nor left out.
	for _, w := range []*world{a, b} {
		w.eventually("the nodes to know each other", func() bool {
			mine := w.visit(sign(t, func(c *auth.Claims) { c.User = event.GUID{0x77} }))
			defer mine.Close()
			_, one := a.say(http.MethodGet, "connections?user="+event.GUID{0x77}.String(), "")
			_, two := b.say(http.MethodGet, "connections?user="+event.GUID{0x77}.String(), "")
			return strings.Contains(one, `"total":1`) && strings.Contains(two, `"total":1`)
		})
	}
	return a, b
}

// eventually waits for what takes its time.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			w.t.Fatalf("%s: not within 20 s", what)
		}
	}
}

type listed struct {
	Connections []struct {
		ID, Node, UserID, OrganizationID, Role, Transport, Protocol string
		Connected, TokenExpires                                     time.Time
		Subscriptions                                               int
	}
	Total        int
	Next         string
	NodesMissing int
}

func (w *world) list(query string) (l listed) {
	w.t.Helper()
	status, text := w.say(http.MethodGet, "connections"+query, "")
	if err := json.Unmarshal([]byte(text), &l); status != http.StatusOK || err != nil {
		w.t.Fatalf("connections%s: %d %s", query, status, text)
	}
	return l
}

// TestConnectionsOfOperators: any node lists the connections of all, and ends
// any of them.
func TestConnectionsOfOperators(t *testing.T) {
	t.Parallel()
	a, b := pair(t, nil)
	mine := a.visit(sign(t, nil))
	mine.subscribe(queueText+":QueueStatus", userText+":UserStatus")
	other := b.visitWith(sign(t, func(c *auth.Claims) { c.User = event.GUID{0x22} }), client.Options{Transport: client.LongPolling})
	other.subscribe(queueText + ":QueueStatus")
	foreign := b.visit(sign(t, func(c *auth.Claims) { c.Org = orgB }))
	foreign.subscribe(userText + ":UserStatus")
	for query, want := range map[string]int{
		"": 3, "?user=" + userText: 2, "?org=" + orgA.String(): 2, "?user=" + userText + "&org=" + orgB.String(): 1,
		"?entity=" + queueText: 2, "?entity=" + userText: 2, "?entity=" + event.GUID{9}.String(): 0, "?limit=1": 3,
	} {
		for _, w := range []*world{a, b} {
			if l := w.list(query); l.Total != want || l.NodesMissing != 0 || query != "?limit=1" && len(l.Connections) != want {
				t.Errorf("%q: got %+v, want %d", query, l, want)
			}
		}
	}
	var paged []string
	for next := ""; ; {
		l := b.list("?limit=2&after=" + next)
		for _, c := range l.Connections {
			paged = append(paged, c.ID)
		}
		if next = l.Next; next == "" {
			break
		}
	}
	if len(paged) != 3 || !slices.IsSorted(paged) {
		t.Errorf("page by page: %v", paged)
	}
	c := b.list("?entity=" + queueText + "&user=" + userText).Connections[0]
	if c.OrganizationID != orgA.String() || c.UserID != userText || c.Role != "user" || c.Transport != "WebSockets" || c.Protocol != "json" || c.Subscriptions != 2 || c.Node == "" || c.Connected.IsZero() || c.TokenExpires.IsZero() {
		t.Errorf("told %+v", c)
	}
	if status, text := b.say(http.MethodDelete, "connections/"+c.ID, ""); status != http.StatusOK || text != `{"closed":1}`+"\n" {
		t.Errorf("DELETE: %d %s", status, text)
	}
	<-mine.Done()
	if mine.Err() == nil || !strings.Contains(mine.Err().Error(), "admin") {
		t.Errorf("ended with %v, want admin", mine.Err())
	}
	if status, text := a.say(http.MethodDelete, "connections/"+c.ID, ""); status != http.StatusNotFound || !strings.Contains(text, `"error"`) {
		t.Errorf("DELETE again: %d %s", status, text)
	}
	a.until(`rte_closes_total{reason="admin"} 1`)
	if !strings.Contains(b.log.String(), `act="end connection" by=loopback`) {
		t.Error("the log does not say who did it")
	}
}

// TestRevocationEverywhere: the tokens that are meant are refused at every
// door of every node, now and after a restart, and their connections end.
func TestRevocationEverywhere(t *testing.T) {
	t.Parallel()
	s := natsServer(t, nil)
	open := func(c *node.Config) { c.NATSURL = []string{s.ClientURL()} }
	a, b := start(t, open), start(t, open)
	before := func(c *auth.Claims) { c.IssuedAt, c.ID = time.Now().Add(-5*time.Second), "one" }
	token := sign(t, before)
	publisher := sign(t, func(c *auth.Claims) { before(c); c.Role = auth.Service })
	var gone []*visitor
	for _, w := range []*world{a, b} {
		for _, by := range []client.Transport{client.WebSockets, client.ServerSentEvents, client.LongPolling} {
			v := w.visitWith(token, client.Options{Transport: by, StatefulReconnect: by == client.WebSockets})
			v.subscribe(queueText + ":QueueStatus")
			gone = append(gone, v)
		}
	}
	mate := b.visit(sign(t, func(c *auth.Claims) { c.User = event.GUID{0x22} }))
	mate.subscribe(queueText + ":QueueStatus")
	negotiated := a.negotiated(token)
	begin := time.Now()
	answer := a.said("revocations", fmt.Sprintf(`{"user":%q}`, userText))
	if n, _ := answer["nodesMissing"].(float64); answer["closed"] != 6.0 && n == 0 {
		t.Errorf("the answer is %v, want 6 closed", answer)
	}
	for i, v := range gone {
		<-v.Done()
		if v.Err() == nil || !strings.Contains(v.Err().Error(), "revoked") {
			t.Errorf("connection %d ended with %v, want revoked", i, v.Err())
		}
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v until all had gone", took)
	}
	refused := func(w *world) {
		t.Helper()
		w.refusedEverywhere("revoked", token)
		if status, body := w.post(publisher, "application/json", "[]"); status != http.StatusUnauthorized || body != "" {
			t.Errorf("publish: %d %q", status, body)
		}
	}
	refused(a)
	refused(b)
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if status := a.at(method, negotiated, token, "", "{}"); status != http.StatusUnauthorized {
			t.Errorf("%s with a connection token from before: %d, want 401", method, status)
		}
	}
	a.until("rte_revocations 1")
	a.until(`rte_closes_total{reason="revoked"} 3`)
	if _, body := a.get(a.AdminURL() + "/metrics"); strings.Contains(body, `rte_unauthorized_total{reason="revoked"} 0`) {
		t.Error("the metrics do not tell of refused tokens")
	}
	if !strings.Contains(a.log.String(), "reason=revoked") {
		t.Error("the log does not tell why")
	}
	newer := sign(t, func(c *auth.Claims) { c.IssuedAt = time.Now().Add(2 * time.Second) }) // the issuer's clock is ahead
	for _, w := range []*world{a, b} {
		w.visit(newer).subscribe(queueText + ":QueueStatus")
	}
	producer := sign(t, func(c *auth.Claims) { c.Role, c.User = auth.Service, event.GUID{0x99} })
	if status, text := b.post(producer, "application/json", fmt.Sprintf(`{"organizationId":%q,"entityId":%q,"eventName":"QueueStatus","data":{"queueName":"still here"}}`, orgA, queueText)); status != http.StatusOK {
		t.Fatal(status, text)
	}
	if got := string(mate.next().Data); got != `{"queueName":"still here"}` {
		t.Errorf("another user heard %s", got)
	}
	a.stop()
	b.stop()
	again := start(t, open)
	refused(again)
	again.visit(newer).subscribe(queueText + ":QueueStatus")
	// By the token's id, and by the organization.
	again.said("revocations", `{"jti":"two","issuedBefore":"2026-01-01T00:00:00Z"}`)
	if status, _, _ := again.askMe(sign(t, func(c *auth.Claims) { c.ID, c.User, c.IssuedAt = "two", event.GUID{0x33}, time.Time{} }), ""); status != http.StatusUnauthorized {
		t.Errorf("a token of that id, without a time of issue: %d", status)
	}
	again.said("revocations", fmt.Sprintf(`{"org":%q,"issuedBefore":%d}`, orgB, time.Now().Unix()))
	if status, _, _ := again.askMe(sign(t, func(c *auth.Claims) { c.Org, c.IssuedAt = orgB, time.Now().Add(-time.Second) }), ""); status != http.StatusUnauthorized {
		t.Errorf("a token of that organization: %d", status)
	}
}

// TestDirectoryIsKept: names and entities that were posted hold on all nodes
// and after a restart, and replace what was there; call lists likewise.
func TestDirectoryIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func(c *node.Config) { c.DataDir = dir }
	w := start(t, open)
	supervisor := sign(t, func(c *auth.Claims) { c.Role, c.Queues = auth.Supervisor, nil })
	v := w.visit(supervisor)
	v.subscribe(queueText + ":QueueStatus")
	var many []string
	for i := range 20_000 { // more than one message of the store
		many = append(many, fmt.Sprintf(`{"id":%q,"name":"Someone with a name of some length, number %d"}`, event.GUID{5, byte(i >> 8), byte(i)}, i))
	}
	w.said("directory", fmt.Sprintf(`{"organizationId":%q,"queues":[{"id":%q,"name":"Sales"}],"users":[%s]}`, orgA, anyQueue, strings.Join(many, ",")))
	w.said("lists", fmt.Sprintf(`{"organizationId":%q,"callListId":%q,"name":"Callbacks","isAutoAllocate":true,"agents":[%q]}`, orgA, anyQueue, userText))
	if got, err := v.Invoke(t.Context(), "GetActiveSubscriptions"); err != nil {
		t.Fatal(err)
	} else if b, err := got.AppendJSON(nil); err != nil || string(b) != "[]" {
		t.Errorf("a queue that is none of the organization's is still heard: %s, %v", b, err)
	}
	look := func(when string) {
		t.Helper()
		_, me, _ := w.askMe(supervisor, "")
		queues, users := fmt.Sprint(me["queues"]), me["users"].([]any)
		if queues != fmt.Sprintf("[map[id:%s name:Sales]]", anyQueue) || len(users) != 20_000 {
			t.Errorf("%s: queues %s, %d users", when, queues, len(users))
		}
		if _, body := w.get(w.AdminURL() + "/metrics"); !strings.Contains(body, "\nrte_call_lists 1\n") {
			t.Errorf("%s: the list is not there", when)
		}
	}
	look("posted")
	w.said("directory", fmt.Sprintf(`{"organizationId":%q,"users":[%s]}`, orgA, strings.Join(many, ",")))
	look("posted again")
	w.stop()
	w = start(t, open)
	look("after a restart")
}

// TestBadActs: what cannot be done is answered with what to do, and changes
// nothing.
func TestBadActs(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	org, user := fmt.Sprintf(`"organizationId":%q`, orgA), fmt.Sprintf(`"userId":%q`, userText)
	for _, c := range []struct {
		path, body string
		status     int
		says       string
	}{
		{"rights", ``, 415, "application/json"},
		{"rights", ` `, 400, "empty"},
		{"rights", `{`, 400, "too early"},
		{"rights", `[]`, 400, "array"},
		{"rights", `{"a":1}`, 400, `\"a\"`},
		{"rights", `{} {}`, 400, "behind"},
		{"rights", `{"organizationId":7}`, 400, "organizationId"},
		{"rights", `{}`, 400, "organizationId is missing"},
		{"rights", `{` + org + `}`, 400, "userId is missing"},
		{"rights", `{` + org + `,"userId":"x"}`, 400, "userId: not a Guid"},
		{"rights", `{` + org + `,"userId":"00000000-0000-0000-0000-000000000000"}`, 400, "zero Guid"},
		{"rights", `{` + org + `,` + user + `}`, 400, "say what changes"},
		{"rights", `{` + org + `,` + user + `,"queues":[],"reset":true}`, 400, "another request"},
		{"rights", `{` + org + `,` + user + `,"role":"service"}`, 400, "supervisor"},
		{"rights", `{` + org + `,` + user + `,"queues":["` + queueText + `","x"]}`, 400, "queues[1]"},
		{"rights", `{` + org + `,` + user + `,"queues":[` + strings.Repeat(`"`+queueText+`",`, 60_000) + `"x"]}`, 413, "larger"},
		{"revocations", `{}`, 400, "user, org and jti"},
		{"revocations", `{"jti":""}`, 400, "user, org and jti"},
		{"revocations", `{"jti":"` + strings.Repeat("j", 300) + `"}`, 400, "longer"},
		{"revocations", `{"user":"x"}`, 400, "user: not a Guid"},
		{"revocations", `{"jti":"x","issuedBefore":"yesterday"}`, 400, "issuedBefore"},
		{"revocations", `{"jti":"x","issuedBefore":null}`, 400, "issuedBefore"},
		{"revocations", `{"jti":"x","issuedBefore":"2999-01-01T00:00:00Z"}`, 400, "future"},
		{"revocations", `{"jti":"x","isuedBefore":1}`, 400, "isuedBefore"},
		{"lists", `{` + org + `,"callListId":"` + queueText + `"}`, 400, "whole"},
		{"lists", `{` + org + `,"callListId":"` + queueText + `","isAutoAllocate":true}`, 400, "agents"},
		{"lists", `{` + org + `,"callListId":"` + queueText + `","isAutoAllocate":"yes","agents":[]}`, 400, "isAutoAllocate"},
		{"lists", `{` + org + `,"isAutoAllocate":true,"agents":[]}`, 400, "callListId"},
		{"directory", `{` + org + `}`, 400, "users, queues or lists"},
		{"directory", `{` + org + `,"users":[{"name":"x"}]}`, 400, "users[0].id is missing"},
		{"directory", `{` + org + `,"users":[{"id":"` + userText + `","name":"` + strings.Repeat("n", 300) + `"}]}`, 400, "users[0].name"},
	} {
		status, text := w.say(http.MethodPost, c.path, c.body)
		if status != c.status || !strings.Contains(text, `{"error":"`) || !strings.Contains(text, c.says) {
			t.Errorf("%s %.80s: got %d %.200s, want %d about %s", c.path, c.body, status, text, c.status, c.says)
		}
	}
	for path, want := range map[string]int{"connections?user=x": 400, "connections?limit=0": 400, "connections?limit=1001": 400, "connections?users=x": 400, "nothing": 404, "rights": 405} {
		if status, text := w.say(http.MethodGet, path, ""); status != want {
			t.Errorf("GET %s: got %d %s, want %d", path, status, text, want)
		}
	}
	if status, _ := w.say(http.MethodDelete, "connections/"+strings.Repeat("x", 100), ""); status != 400 {
		t.Errorf("DELETE of no id: %d", status)
	}
	for name, change := range map[string]func(*http.Request){
		"a page of another origin": func(r *http.Request) { r.Header.Set("Origin", "https://evil.example.com") },
		"a form":                   func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"a name that points here":  func(r *http.Request) { r.Host = "rebound.example.com" },
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.AdminURL()+"/admin/v1/revocations", strings.NewReader(`{"jti":"x"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		change(r)
		if status, text := w.do(r); status != http.StatusForbidden && status != http.StatusUnsupportedMediaType {
			t.Errorf("%s: got %d %s", name, status, text)
		}
	}
	if _, body := w.get(w.AdminURL() + "/metrics"); !strings.Contains(body, "\nrte_revocations 0\n") || !strings.Contains(body, "\nrte_rights 0\n") || !strings.Contains(body, "\nrte_call_lists 0\n") {
		t.Error("something was changed")
	}
}

// TestAdminOffLoopback: what is not on loopback asks operators who they are, and
// nobody else.
func TestAdminOffLoopback(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	authority := makeCertificate(t, dir, "operator of the tests")
	w := start(t, func(c *node.Config) {
		c.AdminListen, c.Pprof, c.ServiceJWTSecret = "0.0.0.0:0", true, "the service secret of the tests is long enough"
		c.TLSCert, c.TLSKey, c.AdminClientCA = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem")
		c.AdminHosts = []string{"rte.example.com"}
	})
	roots := x509.NewCertPool()
	roots.AddCert(authority)
	own, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	strange := t.TempDir()
	makeCertificate(t, strange, "somebody else")
	foreign, err := tls.LoadX509KeyPair(filepath.Join(strange, "cert.pem"), filepath.Join(strange, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path, host, token string, certificates ...tls.Certificate) (int, string) {
		way := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certificates, ServerName: "127.0.0.1"}}
		defer way.CloseIdleConnections()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.AdminURL()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if r.Host = host; token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := way.RoundTrip(r)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return 0, err.Error()
		}
		return resp.StatusCode, string(bytes.TrimSpace(body))
	}
	operator, err := auth.Sign([]byte("the service secret of the tests is long enough"), auth.Claims{Subject: "ops", Role: auth.Admin, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	const list = "/admin/v1/connections"
	for _, c := range []struct {
		name, path, host, token string
		by                      []tls.Certificate
		want                    int
	}{
		{"nobody", list, "", "", nil, 401},
		{"a user", list, "", sign(t, nil), nil, 403},
		{"a user that claims to be an operator", list, "", sign(t, func(c *auth.Claims) { c.Role = auth.Admin }), nil, 403},
		{"a token that is none", list, "", "x.y.z", nil, 401},
		{"an operator's token in the query", list + "?access_token=" + operator, "", "", nil, 401},
		{"an operator", list, "", operator, nil, 200},
		{"an operator's certificate", list, "", "", []tls.Certificate{own}, 200},
		{"a certificate of another authority", list, "", "", []tls.Certificate{foreign}, 401},
		{"a name of this machine", list, "rte.example.com:8081", operator, nil, 200},
		{"a name that is none", list, "evil.example.com", operator, nil, 403},
		{"profiles, nobody", "/debug/pprof/cmdline", "", "", nil, 401},
		{"profiles, an operator", "/debug/pprof/cmdline", "", operator, nil, 200},
		{"health", "/healthz", "", "", nil, 200},
		{"readiness", "/readyz", "", "", nil, 200},
		{"metrics", "/metrics", "", "", nil, 200},
	} {
		status, body := ask(c.path, c.host, c.token, c.by...)
		if status != c.want || strings.HasPrefix(c.path, "/admin") && c.host != "evil.example.com" && status != 200 && !strings.Contains(body, `{"error":`) {
			t.Errorf("%s: got %d %.200s, want %d", c.name, status, body, c.want)
		}
	}
	for _, want := range []string{`by="token of \"ops\""`, `by="certificate \"operator of the tests\""`} {
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("the log does not have %s", want)
		}
	}
	if _, body := ask("/metrics", "", ""); !strings.Contains(body, "\nrte_admin_refused_total 7\n") {
		t.Error("the metrics do not have 7 refusals")
	}
}

// TestNoTokenIsToldToOperators shows tokens at the admin listener in every
// place: neither the log nor an answer has a piece of one.
func TestNoTokenIsToldToOperators(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.AdminListen = "0.0.0.0:0" })
	k := newKey(t, "1")
	tokens := shown(t, k)
	operator := sign(t, func(c *auth.Claims) { c.Role = auth.Admin })
	tokens["operator"] = operator
	asked := 0
	for _, token := range tokens {
		for _, by := range []string{token, operator} {
			for _, act := range []struct{ method, path, body string }{
				{http.MethodGet, "connections?user=" + token, ""}, {http.MethodGet, "connections?" + token, ""}, {http.MethodGet, token, ""},
				{http.MethodDelete, "connections/" + token, ""}, {http.MethodGet, "connections?after=" + token, ""},
				{http.MethodPost, "revocations", `{"user":"` + token + `"}`}, {http.MethodPost, "rights", `{"organizationId":"` + token + `"}`},
				{http.MethodPost, "directory", `{"organizationId":"` + orgA.String() + `","users":[{"id":"` + userText + `","name":"canary of a name"}]}`},
				{http.MethodPost, "lists", `{"organizationId":"` + orgA.String() + `","callListId":"` + userText + `","name":"canary of a list","isAutoAllocate":true,"agents":[]}`},
				{http.MethodPost, "revocations", `{"jti":"canary of an id","issuedBefore":1}`},
			} {
				r, err := http.NewRequestWithContext(t.Context(), act.method, w.AdminURL()+"/admin/v1/"+act.path, strings.NewReader(act.body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Authorization", "Bearer "+by)
				status, answer := w.do(r)
				clean(t, fmt.Sprint("the answer ", status), strings.ReplaceAll(answer, strings.TrimPrefix(act.path, "connections?"), ""), tokens)
				asked++
			}
		}
	}
	if asked < 200 {
		t.Errorf("only %d requests", asked)
	}
	w.stop()
	log := w.log.String()
	for _, part := range []string{"admin request refused", "admin act failed", `msg="admin act"`} {
		if !strings.Contains(log, part) {
			t.Errorf("the log has no line %s", part)
		}
	}
	clean(t, "log", log, tokens)
}

// TestActsWhileTheStoreIsAway: nothing is said to be done that is not kept.
func TestActsWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	s := natsServer(t, nil)
	w := start(t, func(c *node.Config) { c.NATSURL = []string{s.ClientURL()} })
	v := w.visit(sign(t, nil))
	v.subscribe(queueText + ":QueueStatus")
	stopServer(s)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.AdminURL()+"/admin/v1/rights", strings.NewReader(rightsBody(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(string(text), `{"error":`) {
		t.Errorf("got %s %s, %v; want 503 and when to come again", resp.Status, text, err)
	}
	if got := v.results(map[string]string{"EntityId": queueText, "EventName": "QueueStatus"}); len(got) != 1 || !got[0].Subscribed {
		t.Errorf("subscribing meanwhile: %+v", got)
	}
}

// TestRevokedWhileAway: a connection whose socket is lost, and which could be
// resumed, ends with the token, too; coming back is refused.
func TestRevokedWhileAway(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	token := sign(t, func(c *auth.Claims) { c.IssuedAt = time.Now().Add(-time.Minute) })
	sockets := make(chan net.Conn, 10)
	var dialer net.Dialer
	way := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, address)
		sockets <- c
		return c, err
	}}
	defer way.CloseIdleConnections()
	asked, back := 0, make(chan struct{})
	again := make(chan struct{}, 1)
	o := client.Options{
		Transport: client.WebSockets, StatefulReconnect: true, HTTPClient: &http.Client{Transport: way},
		Token: func(ctx context.Context) (string, error) {
			if asked++; asked == 1 { // for the negotiation and the first socket
				return token, nil
			}
			again <- struct{}{}
			select {
			case <-back:
				return token, nil
			case <-ctx.Done():
				return "", ctx.Err()
			}
		},
	}
	c, err := client.Dial(t.Context(), w.HubURL(), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()                                                            //nolint:errcheck // it never fails
	if _, err := c.Invoke(t.Context(), "AvailableSubscriptions"); err != nil { // the hub knows the client now
		t.Fatal(err)
	}
	for len(sockets) > 0 {
		(<-sockets).Close()
	}
	<-again // the socket is lost, and the client wants to come back
	if answer := w.said("revocations", fmt.Sprintf(`{"user":%q,"org":%q}`, userText, orgA)); answer["closed"] != 1.0 {
		t.Errorf("the answer is %v, want 1 closed", answer)
	}
	close(back)
	<-c.Done()
	w.until(`rte_closes_total{reason="revoked"} 1`)
	if l := w.list(""); l.Total != 0 {
		t.Errorf("there is still %+v", l)
	}
}

// TestRevokedInTheMiddle: a producer that sends events as they come, in one
// request without end, is not heard any more when its token is taken back.
func TestRevokedInTheMiddle(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	token := sign(t, func(c *auth.Claims) {
		c.Role, c.User, c.IssuedAt = auth.Service, event.GUID{0x99}, time.Now().Add(-time.Minute)
	})
	body, send := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+"/api/v1/events", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/x-ndjson")
	answered := make(chan int, 1)
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			answered <- 0 // it was cut while it was still sending
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	line := fmt.Sprintf(`{"organizationId":%q,"entityId":%q,"eventName":"QueueStatus","data":{}}`+"\n", orgA, queueText)
	if _, err := io.WriteString(send, line); err != nil {
		t.Fatal(err)
	}
	w.until("rte_stored_events_total 1")
	w.said("revocations", fmt.Sprintf(`{"user":%q}`, event.GUID{0x99}))
	io.WriteString(send, line) //nolint:errcheck // it may be cut already
	if status := <-answered; status == http.StatusOK {
		t.Error("the request went well")
	}
	send.Close() //nolint:errcheck // it never fails
	w.until("rte_stored_events_total 1")
}

// TestRevokedStream: a back-end program's stream ends with its token, and
// counts.
func TestRevokedStream(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	token := sign(t, func(c *auth.Claims) {
		c.Role, c.User, c.IssuedAt = auth.Service, event.GUID{0x99}, time.Now().Add(-time.Minute)
	})
	status, lines, _ := w.tail(token, "?events=QueueStatus")
	if status != http.StatusOK {
		t.Fatal(status)
	}
	w.until("rte_streams 1")
	if answer := w.said("revocations", fmt.Sprintf(`{"user":%q}`, event.GUID{0x99})); answer["closed"] != 1.0 {
		t.Errorf("the answer is %v, want 1 closed", answer)
	}
	for lines.Scan() { // until it ends
		continue
	}
	w.until("rte_streams 0")
	if status, _, _ := w.tail(token, ""); status != http.StatusUnauthorized {
		t.Errorf("again: %d, want 401", status)
	}
}
