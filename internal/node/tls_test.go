package node_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rte/internal/node"
	"rte/signalr/client"
)

// makeCertificate writes a certificate for 127.0.0.1 and its key.
func makeCertificate(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestTLS connects over the node's own TLS with every transport, and sees a
// renewed certificate without a restart.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := makeCertificate(t, dir, "first")
	w := start(t, func(c *node.Config) {
		c.TLSCert, c.TLSKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	})
	if !strings.HasPrefix(w.URL(), "https://") {
		t.Fatalf("URL %s, want https", w.URL())
	}
	pool := x509.NewCertPool()
	pool.AddCert(first)
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	defer web.CloseIdleConnections()
	for _, transport := range []client.Transport{client.WebSockets, client.ServerSentEvents, client.LongPolling} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		c, err := client.Dial(ctx, w.HubURL(), nil, client.Options{Transport: transport, HTTPClient: web, Token: tokenOf(sign(t, nil))})
		if err != nil {
			t.Fatalf("%s: %v", transport, err)
		}
		if _, err := c.Invoke(ctx, "AvailableSubscriptions"); err != nil {
			t.Errorf("%s: %v", transport, err)
		}
		c.Close() //nolint:errcheck // it never fails
		cancel()
	}
	makeCertificate(t, dir, "second")
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(w.URL(), "https://"), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
		if err != nil {
			t.Fatal(err)
		}
		name := conn.ConnectionState().PeerCertificates[0].Subject.CommonName
		conn.Close() //nolint:errcheck // of a test
		if name == "second" {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("the certificate is still %q after 20 s", name)
		case <-tick.C:
		}
	}
}

func TestTLSSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	makeCertificate(t, dir, "good")
	cert := filepath.Join(dir, "cert.pem")
	for _, c := range []struct{ name, cert, key string }{
		{"no key", cert, ""}, {"no certificate", "", cert}, {"no such file", cert, "/no/such/file"}, {"a key that is none", cert, cert},
	} {
		cfg := defaults(t)
		cfg.TLSCert, cfg.TLSKey = c.cert, c.key
		if _, err := node.New(cfg, nil); err == nil || !strings.Contains(err.Error(), "--tls-") {
			t.Errorf("%s: got %v, want an error that names the flags", c.name, err)
		}
	}
}
