package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// prefix is where the sites are behind the front.
const prefix = "/behind/the/front"

// A front is what stands before many hubs in the field: a proxy that ends TLS
// and keeps the hub's path below one of its own.
type front struct {
	server *http.Server
	tcp    net.Listener
	url    string
	ca     string // PEM
}

func newFront(ctx context.Context, backend string) (*front, error) {
	to, err := url.Parse(backend)
	if err != nil {
		return nil, err
	}
	certificate, ca, err := selfSigned()
	if err != nil {
		return nil, err
	}
	tcp, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	quiet := log.New(io.Discard, "", 0) // clients that go are no news
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.SetXForwarded()
		},
		ErrorLog: quiet,
	}
	mux := http.NewServeMux()
	mux.Handle(prefix+"/", http.StripPrefix(prefix, proxy))
	return &front{
		server: &http.Server{Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}, ErrorLog: quiet},
		tcp:    tcp,
		url:    "https://" + tcp.Addr().String() + prefix,
		ca:     ca,
	}, nil
}

func (f *front) serve() error { return f.server.ServeTLS(f.tcp, "", "") }

// selfSigned makes a certificate for loopback, and gives it also as PEM.
func selfSigned() (c tls.Certificate, ca string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, "", err
	}
	template := x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:              []string{"localhost"},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return c, "", err
	}
	c = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return c, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}
