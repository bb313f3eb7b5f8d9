package node_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
	"rte/signalr/client"
)

// This file is the list of attacks. All are made against a whole node on a
// real socket, and behind each of them a client that was there before must
// still be served (bystander).

// bystander is a client that must not notice; the function it returns checks.
func (w *world) bystander() (unharmed func()) {
	w.t.Helper()
	v := w.visit(sign(w.t, nil))
	v.subscribe(queueText + ":QueueStatus")
	n := 0
	return func() {
		w.t.Helper()
		n++
		name := fmt.Sprintf(`{"queueName":"still here %d"}`, n)
		w.publish(orgA, "QueueStatus", queueText, name)
		if got := string(v.next().Data); got != name {
			w.t.Errorf("the bystander heard %s, want %s", got, name)
		}
	}
}

// refusedEverywhere shows a token at each door, in both places.
func (w *world) refusedEverywhere(name, token string) {
	w.t.Helper()
	for _, way := range []string{"negotiate", "websocket"} {
		for _, place := range []string{"header", "query"} {
			if status, body := w.knock(way, place, url.QueryEscape(token)); place == "query" && (status != http.StatusUnauthorized || body != "") {
				w.t.Errorf("%s, %s, %s: got %d %q, want 401 with an empty body", name, way, place, status, body)
			}
			if place == "query" || strings.ContainsAny(token, "\x00\r\n") {
				continue
			}
			if status, body := w.knock(way, place, token); status != http.StatusUnauthorized || body != "" {
				w.t.Errorf("%s, %s, %s: got %d %q, want 401 with an empty body", name, way, place, status, body)
			}
		}
	}
	if status, _, _ := w.askMe(strings.NewReplacer("\x00", "", "\n", "").Replace(token), ""); status != http.StatusUnauthorized {
		w.t.Errorf("%s, /api/v1/me: got %d, want 401", name, status)
	}
	if status, body := w.post(strings.NewReplacer("\x00", "", "\n", "").Replace(token), "application/json", "[]"); status != http.StatusUnauthorized || body != "" {
		w.t.Errorf("%s, publish: got %d %q, want 401", name, status, body)
	}
}

// goodClaims are those of a token that would be let in.
func goodClaims(change string) string {
	return fmt.Sprintf(`{"sub":%q,"org":%q,"exp":%d,"role":"service"%s}`, userText, orgA, time.Now().Add(time.Hour).Unix(), change)
}

// forged is a token under any header, signed with HMAC and any text.
func forged(header, claims, key string) string {
	enc := base64.RawURLEncoding.EncodeToString
	s := enc([]byte(header)) + "." + enc([]byte(claims))
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(s))
	return s + "." + enc(m.Sum(nil))
}

// TestAlgorithmConfusion: a public key is no secret, an unsigned token is no
// token, and the header's own keys are nobody's.
func TestAlgorithmConfusion(t *testing.T) {
	t.Parallel()
	k, stranger := newKey(t, "1"), newKey(t, "1")
	file := filepath.Join(t.TempDir(), "keys.pem")
	public := k.publicPEM(t)
	if err := os.WriteFile(file, public, 0o600); err != nil {
		t.Fatal(err)
	}
	w := start(t, func(c *node.Config) { c.JWTPublicKey = file }) // and a secret
	unharmed := w.bystander()
	if status, _ := w.knock("negotiate", "header", k.sign(t, nil)); status != http.StatusOK {
		t.Fatalf("the right token: %d", status)
	}
	claims := goodClaims("")
	for name, token := range map[string]string{
		"the PEM as a secret":             forged(`{"alg":"HS256"}`, claims, string(public)),
		"the PEM without its last line":   forged(`{"alg":"HS256"}`, claims, strings.TrimSpace(string(public))),
		"HMAC under the name ES256":       forged(`{"alg":"ES256"}`, claims, string(public)),
		"our secret under the name ES256": forged(`{"alg":"ES256"}`, claims, secret),
		"our secret under the name HS384": forged(`{"alg":"HS384"}`, claims, secret),
		"no signature, alg none":          cut(forged(`{"alg":"none"}`, claims, secret)),
		"alg none, signed":                forged(`{"alg":"none"}`, claims, secret),
		"alg NoNe":                        cut(forged(`{"alg":"NoNe"}`, claims, secret)),
		"no alg":                          forged(`{}`, claims, secret),
		"two alg":                         forged(`{"alg":"none","alg":"HS256"}`, claims, secret),
		"an empty signature":              cut(forged(`{"alg":"HS256"}`, claims, secret)),
		"a critical extension":            forged(`{"alg":"HS256","crit":["b64"],"b64":false}`, claims, secret),
		"a stranger's key of the same id": stranger.sign(t, nil),
		"a key in the header":             forged(`{"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}`, claims, "\x00\x00\x00"),
		"an empty key":                    forged(`{"alg":"HS256"}`, claims, ""),
	} {
		w.refusedEverywhere(name, token)
	}
	unharmed()
}

// cut takes the signature off a token.
func cut(token string) string { return token[:strings.LastIndex(token, ".")+1] }

// TestKeyIDTricks: a key id is compared, and nothing else is done with it.
func TestKeyIDTricks(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	k := newKey(t, "1")
	i.publish(k)
	w := start(t, func(c *node.Config) { c.JWKSURL = i.URL }) // and a secret
	unharmed := w.bystander()
	for _, kid := range []string{
		`"../../../../dev/null"`, `"/etc/passwd"`, `"file:///etc/passwd"`, `"' OR '1'='1"`, `"1; DROP TABLE keys"`, `"$(reboot)"`, `"*"`, `""`, `" 1"`, `"1\u0000"`,
		`null`, `"\uFEFF1"`, `"` + strings.Repeat("k", 256) + `"`,
	} {
		// Signed with what a path would lead to: nothing.
		for _, key := range []string{"", "\x00", "1"} {
			token := forged(`{"alg":"HS256","kid":`+kid+`}`, goodClaims(""), key)
			if status, body := w.knock("negotiate", "header", token); status != http.StatusUnauthorized || body != "" {
				t.Errorf("kid %s: got %d %q", kid, status, body)
			}
		}
		// What the secret has signed is good under any of them.
		if status, _ := w.knock("negotiate", "header", forged(`{"alg":"HS256","kid":`+kid+`}`, goodClaims(""), secret)); status != http.StatusOK {
			t.Errorf("kid %s, rightly signed: got %d", kid, status)
		}
	}
	for _, kid := range []string{`7`, `true`, `[]`, `["1"]`, `{"$ne":"1"}`, `"` + strings.Repeat("k", 257) + `"`, `"` + strings.Repeat("k", 40_000) + `"`} {
		if status, body := w.knock("negotiate", "header", forged(`{"alg":"HS256","kid":`+kid+`}`, goodClaims(""), secret)); status != http.StatusUnauthorized || body != "" {
			t.Errorf("kid %.20s: got %d %q", kid, status, body)
		}
	}
	if n := i.times(); n != 1 {
		t.Errorf("key ids of HMAC tokens made the node ask the issuer %d times", n)
	}
	// A key id that the issuer does not know either: one look for all of them.
	var all sync.WaitGroup
	for n := range 50 {
		all.Go(func() {
			stranger := k
			stranger.signing.ID = fmt.Sprint("invented ", n)
			if status, _ := w.knock("negotiate", "header", stranger.sign(t, nil)); status != http.StatusUnauthorized {
				t.Errorf("an invented key id: got %d", status)
			}
		})
	}
	all.Wait()
	if n := i.times(); n > 3 {
		t.Errorf("invented key ids made the node ask the issuer %d times", n)
	}
	unharmed()
}

// TestOversizedTokens: what is too long for a token is refused, what is too
// long for a request's head does not get that far.
func TestOversizedTokens(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	unharmed := w.bystander()
	long := forged(`{"alg":"HS256"}`, goodClaims(`,"pad":"`+strings.Repeat("x", auth.MaxTokenBytes)+`"`), secret)
	w.refusedEverywhere("a token of over 64 KiB", long)
	w.refusedEverywhere("64 KiB of dots", strings.Repeat(".", auth.MaxTokenBytes+1))
	w.refusedEverywhere("deep JSON", forged(`{"alg":"HS256"}`, strings.Repeat("[", 40_000), secret))
	huge := strings.Repeat("a", 1<<20)
	for _, place := range []string{"header", "query"} {
		if status, ok := w.knockHard(place, huge); ok && status != http.StatusRequestHeaderFieldsTooLarge && status != http.StatusRequestURITooLong {
			t.Errorf("a megabyte in the %s: got %d", place, status)
		}
	}
	unharmed()
}

// knockHard asks with what may be too much for the server to read; ok is false
// where it hung up meanwhile.
func (w *world) knockHard(place, token string) (status int, ok bool) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.HubURL()+"/negotiate", http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	if place == "header" {
		r.Header.Set("Authorization", "Bearer "+token)
	} else {
		r.URL.RawQuery = "access_token=" + token
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, false
	}
	resp.Body.Close()
	return resp.StatusCode, true
}

// TestTokenTwice: where a request carries two tokens, nothing in front of RTE
// may have checked the other one.
func TestTokenTwice(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	good, bad := sign(t, nil), handmade(`{"alg":"none"}`, goodClaims(""))
	for _, tc := range []struct {
		name   string
		header []string
		query  string
		want   int
	}{
		{"header good, query bad", []string{"Bearer " + good}, "access_token=" + bad, http.StatusOK},
		{"header bad, query good", []string{"Bearer " + bad}, "access_token=" + good, http.StatusUnauthorized},
		{"header empty, query good", []string{"Bearer "}, "access_token=" + good, http.StatusOK},
		{"header of another scheme, query good", []string{"Basic YTpi"}, "access_token=" + good, http.StatusOK},
		{"two headers, both good", []string{"Bearer " + good, "Bearer " + good}, "", http.StatusUnauthorized},
		{"two headers, query good", []string{"Bearer " + bad, "Bearer " + good}, "access_token=" + good, http.StatusUnauthorized},
		{"two in the query", nil, "access_token=" + good + "&access_token=" + bad, http.StatusUnauthorized},
		{"two in the query, one in capitals", nil, "ACCESS_TOKEN=" + bad + "&access_token=" + good, http.StatusUnauthorized},
		{"two in the query, one escaped", nil, "access_token=" + good + "&access%5ftoken=" + bad, http.StatusUnauthorized},
		{"two in one header", []string{"Bearer " + good + ", Bearer " + good}, "", http.StatusUnauthorized},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.HubURL()+"/negotiate?negotiateVersion=1", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if tc.query != "" {
			r.URL.RawQuery += "&" + tc.query
		}
		for _, h := range tc.header {
			r.Header.Add("Authorization", h)
		}
		if status, body := w.do(r); status != tc.want || status == http.StatusUnauthorized && body != "" {
			t.Errorf("%s: got %d %q, want %d", tc.name, status, body, tc.want)
		}
	}
}

// stranger is a good token of another user of the same organization.
func stranger(t testing.TB) string {
	return sign(t, func(c *auth.Claims) { c.User, c.Role = event.GUID{0xe}, auth.Supervisor })
}

// foreigner is a good token of the same user id in another organization.
func foreigner(t testing.TB) string {
	return sign(t, func(c *auth.Claims) { c.Org = orgB })
}

// negotiated is a connection token that was given to a token's owner.
func (w *world) negotiated(token string) string {
	w.t.Helper()
	status, body := w.knock("negotiate", "header", token)
	var answer struct{ ConnectionToken string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK || answer.ConnectionToken == "" {
		w.t.Fatalf("negotiation: %d %s", status, body)
	}
	return answer.ConnectionToken
}

// at asks for something of a connection and returns the answer's status.
func (w *world) at(method, id, token, accept, body string) int {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.HubURL()+"?id="+url.QueryEscape(id), strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if accept == "websocket" {
		upgrade(r)
	} else if accept != "" {
		r.Header.Set("Accept", accept)
	}
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	resp, err := http.DefaultClient.Do(r.WithContext(ctx))
	if err != nil {
		w.t.Errorf("%s: %v", method, err)
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestStolenConnectionToken: whoever uses a connection token that was given to
// another gets a connection of his own, with his own rights.
func TestStolenConnectionToken(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	unharmed := w.bystander()
	for name, thief := range map[string]string{"another user": stranger(t), "another organization": foreigner(t)} {
		stolen := w.negotiated(sign(t, nil))
		if status := w.at(http.MethodGet, stolen, thief, "", ""); status != http.StatusOK { // a first poll connects
			t.Fatalf("%s: %d", name, status)
		}
		const handshake = `{"protocol":"json","version":1}` + "\x1e"
		if status := w.at(http.MethodPost, stolen, thief, "", handshake); status != http.StatusOK {
			t.Errorf("%s: handshake %d", name, status)
		}
		// The robbed user cannot be made to use the thief's connection …
		if status := w.at(http.MethodGet, stolen, sign(t, nil), "", ""); status != http.StatusForbidden {
			t.Errorf("%s: the robbed user polls the thief's connection: %d", name, status)
		}
		// … and the log knows whose it is.
		if log := w.log.String(); !strings.Contains(log, "client connected") {
			t.Errorf("%s: no connection in the log", name)
		}
		if status := w.at(http.MethodDelete, stolen, thief, "", ""); status != http.StatusAccepted {
			t.Errorf("%s: DELETE %d", name, status)
		}
	}
	if status := w.at(http.MethodGet, w.negotiated(sign(t, nil))+"x", sign(t, nil), "", ""); status != http.StatusNotFound {
		t.Errorf("a changed connection token: %d", status)
	}
	unharmed()
}

// TestHijack: nobody but its user gets at an open connection, by any transport
// and method, and what was tried has not reached it.
func TestHijack(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	const subscribe = `{"type":1,"invocationId":"9","target":"Subscribe","arguments":[[{"EntityId":"` + queueText + `","EventName":"QueueStatus"}]]}` + "\x1e"
	for name, transport := range map[string]client.Transport{
		"long polling": client.LongPolling, "server-sent events": client.ServerSentEvents, "WebSocket": client.WebSockets, "stateful WebSocket": client.WebSockets,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ids := make(chan string, 1)
			v := w.visitWith(sign(t, nil), client.Options{
				Transport: transport, StatefulReconnect: strings.HasPrefix(name, "stateful"), HTTPClient: spy(t, ids),
			})
			id := <-ids
			for who, token := range map[string]string{"another user": stranger(t), "the same id of another organization": foreigner(t)} {
				for what, try := range map[string]func() int{
					"poll":       func() int { return w.at(http.MethodGet, id, token, "", "") },
					"listen":     func() int { return w.at(http.MethodGet, id, token, "text/event-stream", "") },
					"upgrade":    func() int { return w.at(http.MethodGet, id, token, "websocket", "") },
					"send":       func() int { return w.at(http.MethodPost, id, token, "", subscribe) },
					"close":      func() int { return w.at(http.MethodDelete, id, token, "", "") },
					"head":       func() int { return w.at(http.MethodHead, id, token, "", "") },
					"by another": func() int { return w.at(http.MethodPut, id, token, "", subscribe) },
				} {
					if status := try(); status != http.StatusForbidden {
						t.Errorf("%s: %s by %s: got %d, want 403", name, what, who, status)
					}
				}
			}
			for what, method := range map[string]string{"poll": http.MethodGet, "send": http.MethodPost, "close": http.MethodDelete} {
				if status := w.at(method, id, "", "", subscribe); status != http.StatusUnauthorized {
					t.Errorf("%s: %s without a token: got %d, want 401", name, what, status)
				}
				expired := sign(t, func(c *auth.Claims) { c.User, c.Expires = event.GUID{0xe}, time.Now().Add(-time.Hour) })
				if status := w.at(method, id, expired, "", subscribe); status != http.StatusForbidden {
					t.Errorf("%s: %s by another user's expired token: got %d, want 403", name, what, status)
				}
			}
			answer, err := v.Invoke(t.Context(), "GetActiveSubscriptions")
			if err != nil {
				t.Fatalf("%s: the connection has suffered: %v", name, err)
			}
			if text, _ := answer.AppendJSON(nil); string(text) != "[]" {
				t.Errorf("%s: somebody else has subscribed: %s", name, text)
			}
		})
	}
}

// spy is an HTTP client that tells the connection token it is given.
func spy(t testing.TB, ids chan<- string) *http.Client {
	way := &http.Transport{}
	t.Cleanup(way.CloseIdleConnections)
	return &http.Client{Transport: spying{way, ids}}
}

type spying struct {
	*http.Transport
	ids chan<- string
}

func (s spying) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.Transport.RoundTrip(r)
	if err == nil && strings.HasSuffix(r.URL.Path, "/negotiate") {
		var body bytes.Buffer
		io.Copy(&body, resp.Body)
		resp.Body.Close()
		var answer struct{ ConnectionToken string }
		if err := json.Unmarshal(body.Bytes(), &answer); err != nil {
			return nil, err
		}
		s.ids <- answer.ConnectionToken
		resp.Body = io.NopCloser(&body)
	}
	return resp, err
}

// TestPathTricks: every path has one spelling, so whatever stands in front and
// lets some paths through sees the same one as RTE; nothing is redirected with
// a token in its address.
func TestPathTricks(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.BasePath = "/base" })
	token := sign(t, nil)
	for path, want := range map[string]int{
		"/base/rte/negotiate":           http.StatusOK,
		"/base/RTE/Negotiate":           http.StatusOK, // as ASP.NET Core's routing
		"/base/rte/negotiate/":          http.StatusOK,
		"/base/rt%65/negotiate":         http.StatusOK, // the same characters
		"//base/rte/negotiate":          http.StatusNotFound,
		"/base//rte/negotiate":          http.StatusNotFound,
		"/base/rte//negotiate":          http.StatusNotFound,
		"/base/./rte/negotiate":         http.StatusNotFound,
		"/base/x/../rte/negotiate":      http.StatusNotFound,
		"/base/x/%2e%2e/rte/negotiate":  http.StatusNotFound,
		"/base/x%2f..%2frte/negotiate":  http.StatusNotFound,
		"/base/rte%2fnegotiate":         http.StatusNotFound,
		"/base/rte%2Fnegotiate":         http.StatusNotFound,
		"/base/rte%5cnegotiate":         http.StatusNotFound,
		`/base/rte\negotiate`:           http.StatusNotFound,
		"/base/rte/negotiate/..":        http.StatusNotFound,
		"/base/rte/negotiate%00":        http.StatusNotFound,
		"/base/rte/negotiate;x=1":       http.StatusNotFound,
		"/base/rte/negotiate/x":         http.StatusNotFound,
		"/base/rteX":                    http.StatusNotFound,
		"/rte/negotiate":                http.StatusNotFound, // without the base path
		"/base/api/v1/../v1/events":     http.StatusNotFound,
		"/base/api/v1/Events":           http.StatusNotFound,
		"/base//api/v1/events":          http.StatusNotFound,
		"/base/api%2fv1%2fevents":       http.StatusNotFound,
		"/base/wallboard/../rte":        http.StatusNotFound,
		"/base/wallboard/%2e%2e/../rte": http.StatusNotFound,
	} {
		status, head := w.raw(fmt.Sprintf("POST %s?access_token=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", path, token))
		if status != want {
			t.Errorf("%s: got %d, want %d", path, status, want)
		}
		if strings.Contains(head, token) || strings.Contains(head, "Location:") {
			t.Errorf("%s: redirected or echoed: %s", path, head)
		}
	}
	w.until("rte_negotiations_total 4")
}

// raw sends a request as it is and returns the first answer's status, and
// everything that was answered.
func (w *world) raw(request string) (status int, all string) {
	w.t.Helper()
	c := w.dial()
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second)) // for servers that wait for more
	io.WriteString(c, request)
	b, _ := io.ReadAll(c)
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil)
	if err != nil {
		return 0, string(b)
	}
	resp.Body.Close()
	return resp.StatusCode, string(b)
}

func (w *world) dial() net.Conn {
	w.t.Helper()
	u, err := url.Parse(w.HubURL())
	if err != nil {
		w.t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// TestSmuggling: requests whose end two readers could see in two places are
// refused, and nothing hidden in one is done on another's account.
func TestSmuggling(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	unharmed := w.bystander()
	producer := service(t, orgA)
	hidden := fmt.Sprintf(`{"organizationId":%q,"entityId":%q,"eventName":"QueueStatus","data":{"queueName":"smuggled"}}`, orgA, queueText)
	inner := fmt.Sprintf("POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(hidden), hidden)
	outer := "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAuthorization: Bearer " + producer + "\r\n"
	// That two requests can come one behind the other, and be done: else this
	// test would show nothing.
	open := strings.Replace(strings.Replace(inner, "Host: x\r\n", "Host: x\r\nAuthorization: Bearer "+producer+"\r\n", 1), queueText, anyQueue, 1)
	if _, text := w.raw(outer + "Content-Length: 2\r\n\r\n[]" + open); strings.Count(text, `"accepted":1`) != 1 {
		t.Fatalf("two requests in one connection: %s", text)
	}
	chunked := "0\r\n\r\n" + inner
	var all sync.WaitGroup
	for name, request := range map[string]string{
		"length and chunks":               outer + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n%s", len(chunked), chunked),
		"chunks and length":               outer + fmt.Sprintf("Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n%s", len(chunked), chunked),
		"chunks and a short length":       outer + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + chunked,
		"an encoding that is none":        outer + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: xchunked\r\n\r\n%s", len(chunked), chunked),
		"chunks in tabs":                  outer + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding:\tchunked\t\r\n\r\n%s", len(chunked), chunked),
		"two encodings":                   outer + fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n%s", len(chunked), chunked),
		"two lengths":                     outer + fmt.Sprintf("Content-Length: 0\r\nContent-Length: %d\r\n\r\n%s", len(inner), inner),
		"a length with a sign":            outer + "Content-Length: +0\r\n\r\n" + inner,
		"a negative length":               outer + "Content-Length: -1\r\n\r\n" + inner,
		"two lengths in one":              outer + "Content-Length: 0, 0\r\n\r\n" + inner,
		"a blank before the colon":        outer + fmt.Sprintf("Content-Length: 0\r\nTransfer-Encoding : chunked\r\n\r\n%s", inner),
		"a folded header":                 outer + "Content-Length: 0\r\n Transfer-Encoding: chunked\r\n\r\n" + inner,
		"a header with a null":            outer + "X-A: a\x00b\r\nContent-Length: 0\r\n\r\n" + inner,
		"a header behind a carriage":      outer + "X-A: a\rTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n" + inner,
		"a chunk longer than it says":     outer + "Transfer-Encoding: chunked\r\n\r\n1\r\n[]]\r\n0\r\n\r\n" + inner,
		"a chunk of a length like a sign": outer + "Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n" + inner,
		"a GET with a body":               "GET /api/v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + producer + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n%s", len(inner), inner),
		"two hosts":                       outer + "Host: y\r\nContent-Length: 0\r\n\r\n" + inner,
		"no host":                         strings.Replace(outer, "Host: x\r\n", "", 1) + "Content-Length: 0\r\n\r\n" + inner,
	} {
		all.Go(func() {
			if _, text := w.raw(request); strings.Contains(text, `"accepted":1`) {
				t.Errorf("%s: the hidden request was done: %s", name, text)
			}
		})
	}
	all.Wait()
	w.until("rte_published_events_total 1")
	unharmed()
}

// TestSlowLoris: connections whose requests never come to an end are cut, and
// keep nobody out meanwhile.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	unharmed := w.bystander()
	began := time.Now()
	var all sync.WaitGroup
	for i := range 100 {
		c := w.dial()
		all.Go(func() {
			defer c.Close()
			c.SetDeadline(began.Add(time.Minute))
			io.WriteString(c, "POST /rte/negotiate HTTP/1.1\r\nHost: x\r\n")
			tick := time.NewTicker(200 * time.Millisecond)
			defer tick.Stop()
			for range tick.C {
				if _, err := fmt.Fprintf(c, "X-%d: still coming\r\n", i); err != nil {
					break // cut
				}
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("a head that does not end was waited for for %v", took)
			}
		})
	}
	unharmed()
	all.Wait()
	unharmed()
}

// TestBombs: a small body that becomes a large one is refused by what it
// becomes, before it is held. It measures, so nothing runs beside it.
func TestBombs(t *testing.T) {
	w := start(t, nil)
	unharmed := w.bystander()
	producer := service(t, orgA)
	blanks, brackets := bomb(t, "", ' ', 256<<20), bomb(t, "", '[', 256<<20)
	text := bomb(t, `{"organizationId":"`, 'x', 256<<20)
	for name, tc := range map[string]struct {
		contentType string
		body        []byte
		want        []int
	}{
		"blanks":           {"application/json", blanks, []int{http.StatusRequestEntityTooLarge}},
		"brackets":         {"application/json", brackets, []int{http.StatusRequestEntityTooLarge, http.StatusBadRequest}},
		"one text":         {"application/json", text, []int{http.StatusRequestEntityTooLarge}},
		"one line":         {"application/x-ndjson", text, []int{http.StatusRequestEntityTooLarge, http.StatusBadRequest, http.StatusOK}},
		"a bomb in a bomb": {"application/json", squeeze(t, bytes.NewReader(blanks)), []int{http.StatusBadRequest}},
		"half of one":      {"application/json", blanks[:len(blanks)/2], []int{http.StatusRequestEntityTooLarge, http.StatusBadRequest}},
		"no gzip":          {"application/json", []byte("[]"), []int{http.StatusBadRequest}},
	} {
		before := allocated()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+"/api/v1/events", bytes.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+producer)
		r.Header.Set("Content-Type", tc.contentType)
		r.Header.Set("Content-Encoding", "gzip")
		status, answer := w.do(r)
		good := false
		for _, want := range tc.want {
			good = good || status == want
		}
		if !good || strings.Contains(answer, `"accepted":1`) {
			t.Errorf("%s: got %d %.200s, want %v", name, status, answer, tc.want)
		}
		if more := allocated() - before; more > 96<<20 { // its own 256 MiB are never held
			t.Errorf("%s: a body of %d bytes made %d MiB of garbage", name, len(tc.body), more>>20)
		}
	}
	unharmed()
}

// allocated is how many bytes were ever taken from the heap.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// bomb is a gzip text of one byte, many times: a megabyte of it, again and
// again, as gzip allows.
func bomb(t testing.TB, head string, b byte, size int) []byte {
	t.Helper()
	part := squeeze(t, bytes.NewReader(bytes.Repeat([]byte{b}, 1<<20)))
	return append(squeeze(t, strings.NewReader(head)), bytes.Repeat(part, size>>20)...)
}

func squeeze(t testing.TB, r io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.Copy(z, r); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestNegotiateFlood: a negotiation that nobody uses leaves nothing behind,
// with a good token or a bad one. It measures, so nothing runs beside it.
func TestNegotiateFlood(t *testing.T) {
	w := start(t, nil)
	unharmed := w.bystander()
	way := &http.Transport{MaxConnsPerHost: 8, MaxIdleConnsPerHost: 8}
	defer way.CloseIdleConnections()
	flood := func(n int, token string, want int) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range n / 8 {
					r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.HubURL()+"/negotiate?negotiateVersion=1&useStatefulReconnect=true", http.NoBody)
					if err != nil {
						t.Error(err)
						return
					}
					r.Header.Set("Authorization", "Bearer "+token)
					resp, err := way.RoundTrip(r)
					if err != nil {
						t.Error(err)
						return
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if resp.StatusCode != want {
						t.Errorf("status %d, want %d", resp.StatusCode, want)
						return
					}
				}
			})
		}
		all.Wait()
	}
	flood(800, sign(t, nil), http.StatusOK) // what is made once is made
	before := held()
	flood(8000, sign(t, nil), http.StatusOK)
	flood(8000, handmade(`{"alg":"HS256"}`, `{}`), http.StatusUnauthorized)
	if more := held() - before; more > 8<<20 { // the test's log takes some; a kilobyte for each would be 16 MiB
		t.Errorf("16,000 negotiations left %d KiB behind", more>>10)
	}
	w.until("rte_connections 1")
	w.until("rte_negotiations_total 8801")
	w.until(`rte_unauthorized_total{reason="no expiry"} 8000`)
	unharmed()
}

// held is how many bytes are in use.
func held() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
