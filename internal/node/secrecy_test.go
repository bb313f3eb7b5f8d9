package node_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"rte/internal/auth"
	"rte/internal/event"
	"rte/internal/node"
	"rte/signalr/client"
)

// shown is every kind of token: good ones, bad ones, expired ones.
func shown(t testing.TB, k issuerKey) map[string]string {
	t.Helper()
	canary := func(c *auth.Claims) { c.ID = "canary-token-id-canary" }
	tokens := map[string]string{
		"user":          sign(t, canary),
		"service":       sign(t, func(c *auth.Claims) { c.Role = auth.Service; canary(c) }),
		"platform":      sign(t, func(c *auth.Claims) { c.Role = auth.Platform }),
		"expired":       sign(t, func(c *auth.Claims) { c.Expires = time.Now().Add(-time.Hour); canary(c) }),
		"unknown":       sign(t, func(c *auth.Claims) { c.User = event.GUID{0xdd} }), // to the resolver
		"unavailable":   sign(t, func(c *auth.Claims) { c.User = event.GUID{0xee} }),
		"issuer's":      k.sign(t, canary),
		"wrong key":     forged(`{"alg":"HS256"}`, goodClaims(`,"jti":"canary-token-id-canary"`), "another secret of the tests of 32 bytes"),
		"wrong alg":     forged(`{"alg":"none"}`, goodClaims(""), secret),
		"not supported": forged(`{"alg":"RS512"}`, goodClaims(""), secret),
		"bad subject":   forged(`{"alg":"HS256"}`, strings.Replace(goodClaims(`,"jti":"canary-token-id-canary"`), `"service"`, `"root"`, 1), secret),
		"bad kid":       forged(`{"alg":"HS256","kid":"canary-key-id-canary-`+strings.Repeat("k", 300)+`"}`, goodClaims(""), secret),
		"bad date":      forged(`{"alg":"HS256"}`, `{"sub":"canary-subject-canary","exp":"canary-date-canary"}`, secret),
		"garbage":       "canary-garbage-canary.canary-garbage-canary.canary-garbage-canary",
		"long":          strings.Repeat("canary-long-canary-", 4000),
	}
	for i := range 10 { // a piece of a token that ends early is one, too
		tokens[fmt.Sprint("cut ", i)] = tokens["user"][:20+i*17]
	}
	return tokens
}

// TestNoTokenIsTold shows every kind of token at every endpoint, in header and
// query, by every method and transport, at debug level. Then neither the log
// nor the metrics nor any answer has a piece of one.
func TestNoTokenIsTold(t *testing.T) {
	t.Parallel()
	i, k := newIssuer(t), newKey(t, "1")
	i.publish(k)
	p := newPlatform(t, nil)
	p.say(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		question := p.asked[len(p.asked)-1]
		p.mu.Unlock()
		switch {
		case strings.Contains(question, event.GUID{0xdd}.String()):
			w.WriteHeader(http.StatusNotFound)
		case strings.Contains(question, event.GUID{0xee}.String()):
			io.WriteString(w, "not JSON: "+question) // it says what it was told
		default:
			fmt.Fprintf(w, `{"organizationId":%q,"queues":[%q],"ttl":0}`, orgA, queueText)
		}
	})
	w := start(t, func(c *node.Config) {
		c.JWKSURL, c.PrincipalURL, c.Pprof, c.DevTokens, c.LogLevel = i.URL, p.URL, true, true, "debug"
		c.PrincipalToken = "canary-of-the-resolver-canary"
	})
	tokens := shown(t, k)
	answers := map[string]bool{} // each once: most are the same
	asked := 0
	for _, path := range []string{"/rte", "/rte/negotiate", "/rte/refresh", "/api/v1/me", "/api/v1/events", "/api/v1/asyncapi.json", "/api/v1/schemas/x.json", "/token/" + userText + "/rte/", "/wallboard/", "/nothing", "//rte/negotiate"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodOptions} {
			for _, token := range tokens {
				for _, place := range []string{"header", "query", "both", "path", "body"} {
					text := w.show(path, method, place, token)
					if method != http.MethodGet || !strings.HasPrefix(path, "/token/") {
						answers[text] = true
					}
					asked++
				}
			}
		}
	}
	if asked < 1000 {
		t.Fatalf("only %d requests", asked)
	}
	for _, by := range []client.Transport{client.WebSockets, client.ServerSentEvents, client.LongPolling} {
		v := w.visitWith(tokens["user"], client.Options{Transport: by})
		v.subscribe(queueText + ":QueueStatus")
		if _, err := v.Invoke(t.Context(), "Subscribe", tokens["user"]); err == nil {
			t.Error("a token for an argument is no error")
		}
		if _, err := v.Invoke(t.Context(), tokens["user"]); err == nil {
			t.Error("a token for a method is no error")
		}
		v.Close()
		<-v.Done()
	}
	for _, path := range []string{"/metrics", "/readyz", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline", "/nothing?access_token=" + tokens["user"]} {
		_, body := w.get(w.AdminURL() + path)
		answers[body] = true
	}
	w.stop()
	log := w.log.String()
	if !strings.Contains(log, "token refused") || !strings.Contains(log, "client connected") || !strings.Contains(log, "token not judged") {
		t.Fatal("the log has nothing of what was done")
	}
	clean(t, "log", log, tokens)
	// The token's id is told to its owner.
	for text := range answers {
		clean(t, "an answer", strings.ReplaceAll(text, `"tokenId":"canary-token-id-canary"`, ""), tokens)
	}
}

// show sends one request with a token and returns all that is answered.
func (w *world) show(path, method, place, token string) string {
	w.t.Helper()
	u, err := url.Parse(w.URL())
	if err != nil {
		w.t.Fatal(err)
	}
	var body io.Reader = http.NoBody
	u.Path = path
	if place == "query" || place == "both" {
		u.RawQuery = "negotiateVersion=1&access_token=" + url.QueryEscape(token)
	}
	if place == "path" {
		u.Path = strings.TrimSuffix(path, "/") + "/" + token
	}
	if place == "body" && method == http.MethodPost {
		body = strings.NewReader(`{"organizationId":"` + token + `","eventName":"` + token + `"}`)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.URL(), body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.URL = u
	if place == "header" || place == "both" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if place == "body" {
		r.Header.Set("Authorization", "Bearer "+service(w.t, orgA))
	}
	if path == "/rte" && method == http.MethodGet {
		r.Header.Set("Accept", "text/event-stream")
		r.Header.Set("Access-Control-Request-Method", "POST")
	}
	way := &http.Client{Transport: http.DefaultTransport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := way.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			return e.Err.Error() // without our own address
		}
		return err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	resp.Header.Del("Date")
	return fmt.Sprint(resp.Status, resp.Header, string(text))
}

// clean looks for pieces of tokens: their parts as they are and decoded, what
// the claims say, and the secrets.
func clean(t testing.TB, where, text string, tokens map[string]string) {
	t.Helper()
	found := func(name, piece string) {
		t.Helper()
		if at := strings.Index(text, piece); at >= 0 {
			t.Errorf("%s has a piece of a token (%s): …%.200q…", where, name, text[max(0, at-80):])
		}
	}
	found("the secret", secret)
	found("a canary", "canary")
	found("an escaped dot", "%2E")
	for name, token := range tokens {
		for part := range strings.SplitSeq(token, ".") {
			if len(part) < 12 {
				continue
			}
			for at := 0; at+12 <= len(part); at += 12 {
				if piece := part[at : at+12]; strings.Contains(text, piece) {
					found(name, piece)
					return // one is enough
				}
			}
		}
	}
}

// TestNoTokenInPanics: a handler that panics with all it has cuts its own
// connection, is logged, and the token is not.
func TestNoTokenInPanics(t *testing.T) {
	t.Parallel()
	token := sign(t, func(c *auth.Claims) { c.ID = "canary-token-id-canary" })
	for name, panics := range map[string]func(r *http.Request){
		"the address":     func(r *http.Request) { panic(r.URL) },
		"its text":        func(r *http.Request) { panic("cannot happen: " + r.URL.String()) },
		"the request":     func(r *http.Request) { panic(fmt.Sprintf("%+v", r)) },
		"the header":      func(r *http.Request) { panic(r.Header) },
		"an error":        func(r *http.Request) { panic(fmt.Errorf("parse %q: %w", auth.Token(r), io.ErrUnexpectedEOF)) },
		"a runtime error": func(r *http.Request) { _ = []string{auth.Token(r)}[len(r.URL.Path)] },
		"a nil pointer":   func(*http.Request) { var u *url.URL; _ = u.Path },
	} {
		book := &logBook{}
		log := slog.New(slog.NewJSONHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug}))
		errorLog := slog.NewLogLogger(log.Handler(), slog.LevelDebug)
		s := httptest.NewUnstartedServer(node.Front(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { panics(r) }), log))
		s.Config.ErrorLog = errorLog
		s.Start()
		for place, path := range map[string]string{"query": "/rte?x=1&access_token=" + token, "header": "/rte", "escaped": "/rte?access%5Ftoken=" + strings.ReplaceAll(token, ".", "%2E")} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if place == "header" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			if resp, err := s.Client().Do(r); err == nil {
				resp.Body.Close()
				t.Errorf("%s by %s: got status %d, want a cut connection", name, place, resp.StatusCode)
			}
		}
		s.Close()
		text := book.String()
		if strings.Count(text, "request panicked") != 3 || !strings.Contains(text, "secrecy_test.go") {
			t.Errorf("%s: the log does not have three panics and where they were: %s", name, text)
		}
		clean(t, name, text, map[string]string{"the token": token})
	}
	// What net/http uses to end a request is no news.
	var quiet bytes.Buffer
	s := httptest.NewServer(node.Front(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), slog.New(slog.NewTextHandler(&quiet, nil))))
	if resp, err := s.Client().Get(s.URL); err == nil {
		resp.Body.Close()
		t.Error("an aborted handler answered")
	}
	s.Close()
	if quiet.Len() > 0 {
		t.Errorf("an aborted handler was logged: %s", &quiet)
	}
}
