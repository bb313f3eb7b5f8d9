package node_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"rte/internal/auth"
	"rte/internal/node"
)

func tokenOf(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

// handmade is a token with any header, signed with the right secret.
func handmade(header, claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	s := enc([]byte(header)) + "." + enc([]byte(claims))
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(s))
	return s + "." + enc(m.Sum(nil))
}

// TestRefusedTokens asks with every kind of bad token for negotiation and for
// a WebSocket, in the header and in the query: always 401 with an empty body,
// the reason in the log, the token nowhere in it.
func TestRefusedTokens(t *testing.T) {
	t.Parallel()
	w := start(t, func(c *node.Config) { c.JWTIssuer, c.JWTAudience = "issuer", "rte" })
	good := func(change func(*auth.Claims)) string {
		return sign(t, func(c *auth.Claims) {
			c.Issuer, c.Audience = "issuer", "rte"
			if change != nil {
				change(c)
			}
		})
	}
	other, err := auth.Sign([]byte("another secret, just as long as the first"), auth.Claims{User: guid(t, userText), Org: orgA, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	claims := fmt.Sprintf(`{"sub":%q,"org":%q,"iss":"issuer","aud":"rte","exp":%d}`, userText, orgA, time.Now().Add(time.Hour).Unix())
	unsigned := handmade(`{"alg":"none"}`, claims)
	cases := []struct{ name, token, reason string }{
		{"none", "", "missing"},
		{"garbage", "garbage.is.this", "malformed"},
		{"expired", good(func(c *auth.Claims) { c.Expires = time.Now().Add(-time.Minute) }), "expired"},
		{"wrong key", other, "signature"},
		{"alg none", unsigned[:strings.LastIndex(unsigned, ".")+1], "algorithm"},
		{"alg RS256", handmade(`{"alg":"RS256"}`, claims), "algorithm"},
		{"alg HS384", handmade(`{"alg":"HS384"}`, claims), "algorithm"},
		{"wrong issuer", good(func(c *auth.Claims) { c.Issuer = "somebody" }), "issuer"},
		{"wrong audience", good(func(c *auth.Claims) { c.Audience = "other" }), "audience"},
		{"no exp", handmade(`{"alg":"HS256"}`, strings.Replace(claims, `"exp"`, `"x"`, 1)), "no expiry"},
		{"no sub", handmade(`{"alg":"HS256"}`, strings.Replace(claims, `"sub"`, `"x"`, 1)), "subject"},
		{"no org", handmade(`{"alg":"HS256"}`, strings.Replace(claims, `"org"`, `"x"`, 1)), "organization"},
	}
	for _, c := range cases {
		for _, way := range []string{"negotiate", "websocket"} {
			for _, place := range []string{"header", "query"} {
				mark := len(w.log.String())
				status, body := w.knock(way, place, c.token)
				if status != http.StatusUnauthorized || body != "" {
					t.Errorf("%s, %s, token in %s: got %d %q, want 401 with an empty body", c.name, way, place, status, body)
				}
				said := w.log.String()[mark:]
				if !strings.Contains(said, "token refused") || !strings.Contains(said, "reason=") || !strings.Contains(said, c.reason) {
					t.Errorf("%s, %s: the log does not say why (%s): %s", c.name, way, c.reason, said)
				}
			}
		}
	}
	if status, _ := w.knock("negotiate", "query", good(nil)); status != http.StatusOK {
		t.Errorf("a good token: got %d, want 200", status)
	}
	if status, _ := w.knock("websocket", "query", good(nil)); status != http.StatusSwitchingProtocols {
		t.Errorf("a good token: got %d, want 101", status)
	}
	all := w.log.String()
	for _, c := range cases {
		for part := range strings.SplitSeq(c.token, ".") {
			if len(part) >= 8 && strings.Contains(all, part) {
				t.Errorf("%s: a part of the token is in the log", c.name)
			}
		}
	}
}

// knock asks to be let in and returns the answer's status and body.
func (w *world) knock(way, place, token string) (status int, body string) {
	w.t.Helper()
	method, url := http.MethodPost, w.HubURL()+"/negotiate?negotiateVersion=1"
	if way == "websocket" {
		method, url = http.MethodGet, w.HubURL()+"?x=1"
	}
	if place == "query" && token != "" {
		url += "&access_token=" + token
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, url, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	if place == "header" && token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if way == "websocket" {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-WebSocket-Version", "13")
		r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // of a test
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp.StatusCode, ""
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// TestBadInput does every bad thing a producer or a client can do; a good
// client that is connected all the time must not notice.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	v := w.visit(sign(t, nil))
	v.subscribe(queueText + ":QueueStatus")
	token := service(t, orgA)
	envelope := func(rest string) string { return fmt.Sprintf(`{"organizationId":%q,%s}`, orgA, rest) }
	for _, c := range []struct {
		name, body string
		status     int
		says       string
	}{
		{"malformed JSON", `{"organizationId":`, http.StatusBadRequest, "error"},
		{"not JSON", `hello`, http.StatusBadRequest, "error"},
		{"empty", ``, http.StatusBadRequest, "error"},
		{"bad UTF-8", envelope(`"entityId":"` + queueText + `","eventName":"QueueStatus","data":{"queueName":"` + "\xff" + `"}`), http.StatusBadRequest, "UTF-8"},
		{"unknown event", envelope(`"entityId":"` + queueText + `","eventName":"QueueStatsu","data":{}`), http.StatusOK, "QueueStatus"},
		{"missing organization", `{"entityId":"` + queueText + `","eventName":"QueueStatus","data":{}}`, http.StatusOK, "organizationId"},
		{"wrong type", envelope(`"entityId":"` + queueText + `","eventName":"QueueStatus","data":{"NbrOfRequesters":"seven"}`), http.StatusOK, "nbrOfRequesters"},
		{"data is a list", envelope(`"entityId":"` + queueText + `","eventName":"QueueStatus","data":[]`), http.StatusOK, "$.data"},
		{"entities disagree", envelope(`"entityId":"` + queueText + `","eventName":"QueueStatus","data":{"queueId":"` + userText + `"}`), http.StatusOK, "queueId"},
		{"no entity", envelope(`"eventName":"UserQueueAlert","data":{}`), http.StatusOK, "entityId"},
		{"10 MB", "[" + strings.Repeat(envelope(`"entityId":"`+queueText+`","eventName":"QueueStatus","data":{}`)+",", 70_000) + "{}]", http.StatusRequestEntityTooLarge, "x-ndjson"},
	} {
		status, answer := w.post(token, "application/json", c.body)
		if status != c.status || !strings.Contains(answer, c.says) {
			t.Errorf("%s: got %d %.300s; want %d and a word about %s", c.name, status, answer, c.status, c.says)
		}
		if status == http.StatusOK && !strings.HasPrefix(answer, `{"accepted":0,`) {
			t.Errorf("%s was accepted: %s", c.name, answer)
		}
	}
	user := sign(t, nil)
	for _, c := range []struct {
		name  string
		bytes []byte
	}{
		{"half a frame header", []byte{0x81}},
		{"half a frame", append([]byte{0x81, 0xfe, 0x10, 0, 1, 2, 3, 4}, "{\"prot"...)},
		{"a frame of 2^62 bytes", []byte{0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 'x'}},
		{"an unmasked frame", []byte{0x81, 2, '{', '}'}},
		{"a reserved opcode", []byte{0x83, 0x80, 0, 0, 0, 0}},
		{"no handshake", mask([]byte(`{"type":1,"target":"Subscribe","arguments":[]}` + "\x1e"))},
		{"garbage after the handshake", append(mask([]byte(`{"protocol":"json","version":1}`+"\x1e")), mask([]byte("garbage\x1e"))...)},
		{"a message without end", append(mask([]byte(`{"protocol":"json","version":1}`+"\x1e")), mask(bytes.Repeat([]byte("x"), 300<<10))...)},
		{"not HTTP at all", nil},
	} {
		w.intrude(c.name, user, c.bytes)
	}
	w.publish(orgA, "QueueStatus", queueText, `{"queueName":"alive"}`)
	if got := string(v.next().Data); got != `{"queueName":"alive"}` {
		t.Errorf("the good client heard %s", got)
	}
}

// mask is a text frame as a client sends it, with the mask 0.
func mask(payload []byte) []byte {
	head := []byte{0x81, 0x80 | 127, 0, 0, 0, 0, byte(len(payload) >> 24), byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), 0, 0, 0, 0}
	return append(head, payload...)
}

// intrude opens a WebSocket by hand, sends bytes, and cuts the connection
// when the server has answered or after the bytes have gone.
func (w *world) intrude(name, token string, b []byte) {
	w.t.Helper()
	host := strings.TrimSuffix(strings.TrimPrefix(w.HubURL(), "http://"), "/rte")
	c, err := net.Dial("tcp", host)
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	defer c.Close()                                //nolint:errcheck // it is meant to break
	c.SetDeadline(time.Now().Add(5 * time.Second)) //nolint:errcheck // of a test
	if b == nil {
		io.WriteString(c, "\x16\x03\x01 this is not HTTP\r\n\r\n") //nolint:errcheck // it is meant to break
		io.ReadAll(c)                                              //nolint:errcheck // until the server hangs up
		return
	}
	fmt.Fprintf(c, "GET /rte HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", host, token)
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		w.t.Fatalf("%s: upgrade: %v %v", name, resp, err)
	}
	c.Write(b) //nolint:errcheck // the server may hang up in the middle
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.CloseWrite() //nolint:errcheck // likewise
	}
	io.ReadAll(br) //nolint:errcheck // until the server hangs up
}
