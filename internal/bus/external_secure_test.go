package bus_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"rte/internal/bus"
)

// TestExternalTLS: the servers' certificate is checked against the file given,
// and against this machine's without one.
func TestExternalTLS(t *testing.T) {
	t.Parallel()
	cert, _ := certificate(t)
	other, _ := certificate(t)
	s := natsServer(t, func(o *server.Options) {
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	})
	file := func(c tls.Certificate) string {
		name := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for _, scheme := range []string{"nats://", "tls://", ""} {
		f := open(t, bus.Options{External: bus.External{URLs: []string{scheme + s.Addr().String()}, CA: file(cert)}})
		f.publish(f.event(f.topic(orgA, "UserStatus", 1), 1))
	}
	for name, x := range map[string]bus.External{
		"another's certificate": {URLs: []string{s.Addr().String()}, CA: file(other)},
		"no certificate":        {URLs: []string{"tls://" + s.Addr().String()}},
	} {
		started := time.Now()
		text := openError(t, bus.Options{External: x})
		if !strings.Contains(text, "certificate") || time.Since(started) > 5*time.Second {
			t.Errorf("%s: error %q after %v, want one about the certificate at once", name, text, time.Since(started))
		}
	}
}

// TestExternalCredentials: a user with a JWT and a seed, on servers that trust
// an operator.
func TestExternalCredentials(t *testing.T) {
	t.Parallel()
	operator, account, user := key(t, nkeys.CreateOperator), key(t, nkeys.CreateAccount), key(t, nkeys.CreateUser)
	system := key(t, nkeys.CreateAccount)
	limits := map[string]any{"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1}
	systemJWT := claims(t, operator, system, map[string]any{"type": "account", "version": 2, "limits": maps.Clone(limits)})
	limits["mem_storage"], limits["disk_storage"], limits["streams"], limits["consumer"] = -1, -1, -1, -1
	accountJWT := claims(t, operator, account, map[string]any{"type": "account", "version": 2, "limits": limits})
	s := natsServer(t, func(o *server.Options) {
		o.TrustedKeys = []string{public(t, operator)}
		resolver := &server.MemAccResolver{}
		for k, jwt := range map[nkeys.KeyPair]string{account: accountJWT, system: systemJWT} {
			if err := resolver.Store(public(t, k), jwt); err != nil {
				t.Fatal(err)
			}
		}
		o.AccountResolver, o.SystemAccount = resolver, public(t, system)
	})
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	userJWT := claims(t, account, user, map[string]any{"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1})
	creds := filepath.Join(t.TempDir(), "rte.creds")
	text := fmt.Sprintf("-----BEGIN NATS USER JWT-----\n%s\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n%s\n------END USER NKEY SEED------\n", userJWT, seed)
	if err := os.WriteFile(creds, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o, book := logged(bus.Options{External: bus.External{URLs: []string{s.Addr().String()}, Credentials: creds}})
	f := open(t, o)
	f.publish(f.event(f.topic(orgA, "UserStatus", 1), 1))
	if lines := append(book.lines(string(seed)), book.lines(userJWT)...); len(lines) > 0 {
		t.Errorf("a secret is in the log: %v", lines)
	}
	if text := openError(t, bus.Options{External: bus.External{URLs: []string{s.Addr().String()}}}); !strings.Contains(text, "Authorization Violation") {
		t.Errorf("without credentials: error %q", text)
	}
}

func key(t *testing.T, create func() (nkeys.KeyPair, error)) nkeys.KeyPair {
	t.Helper()
	k, err := create()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func public(t *testing.T, k nkeys.KeyPair) string {
	t.Helper()
	p, err := k.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// claims is a JWT of NATS's kind, as nsc makes it.
func claims(t *testing.T, issuer, subject nkeys.KeyPair, nats map[string]any) string {
	t.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(map[string]string{"typ": "JWT", "alg": "ed25519-nkey"}) + "." + part(map[string]any{
		"jti": "test", "iat": time.Now().Unix(), "iss": public(t, issuer), "sub": public(t, subject), "name": "test", "nats": nats,
	})
	signature, err := issuer.Sign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}
