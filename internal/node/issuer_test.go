package node_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"rte/internal/auth"
)

// An issuer signs tokens and publishes its keys; what it answers may change at
// any time.
type issuer struct {
	*httptest.Server
	t testing.TB

	mu     sync.Mutex
	keys   []issuerKey // published
	fails  http.HandlerFunc
	looked int // times that keys were asked for
}

type issuerKey struct {
	id      string
	private *ecdsa.PrivateKey
	signing auth.SigningKey
}

func newIssuer(t testing.TB) *issuer {
	t.Helper()
	i := &issuer{t: t}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	return i
}

// ServeHTTP is the key set.
func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.looked++
	keys, fails := i.keys, i.fails
	i.mu.Unlock()
	if fails != nil {
		fails(w, r)
		return
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	for _, k := range keys {
		point, err := k.private.PublicKey.Bytes()
		if err != nil {
			i.t.Error(err)
		}
		set.Keys = append(set.Keys, map[string]string{
			"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": k.id,
			"x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:]),
		})
	}
	json.NewEncoder(w).Encode(set)
}

// newKey makes a key without publishing it.
func newKey(t testing.TB, id string) issuerKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	signing, err := auth.PrivateKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), "")
	if err != nil {
		t.Fatal(err)
	}
	signing.ID = id
	return issuerKey{id, private, signing}
}

// publicPEM is the key as a file has it.
func (k issuerKey) publicPEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&k.private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func (i *issuer) publish(keys ...issuerKey) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys, i.fails = keys, nil
}

func (i *issuer) fail(how http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fails = how
}

func (i *issuer) times() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.looked
}

// sign is a good user's token, with changes.
func (k issuerKey) sign(t testing.TB, change func(*auth.Claims)) string {
	t.Helper()
	c := auth.Claims{User: guid(t, userText), Org: orgA, IssuedAt: time.Now(), Expires: time.Now().Add(time.Hour)}
	if change != nil {
		change(&c)
	}
	token, err := k.signing.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// A platform is the resolver: what it answers may change at any time.
type platform struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	asked  []string // the questions
}

func newPlatform(t testing.TB, answer http.HandlerFunc) *platform {
	t.Helper()
	p := &platform{answer: answer}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// ServeHTTP answers a question.
func (p *platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	p.asked = append(p.asked, string(body))
	answer := p.answer
	p.mu.Unlock()
	answer(w, r)
}

func (p *platform) say(answer http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *platform) times() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked)
}

// says answers 200 with a text.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

func fails(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}
