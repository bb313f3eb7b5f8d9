package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// maxKeys is how many keys one file or key set may have: a token without key
// id is tried with every one of them.
const maxKeys = 32

// parsePEM reads public keys and certificates. A certificate only holds a key
// here: who has put it into the file vouches for it, not its issuer or dates.
func parsePEM(text []byte) ([]key, error) {
	var list []key
	for n := 1; ; n++ {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if n > maxKeys {
			return nil, fmt.Errorf("more than %d keys", maxKeys)
		}
		public, err := publicKey(block)
		if err != nil {
			return nil, fmt.Errorf("part %d (%.40q) %w", n, block.Type, err)
		}
		k, err := newPublic(public)
		if err != nil {
			return nil, fmt.Errorf("part %d (%.40q) %w", n, block.Type, err)
		}
		list = append(list, k)
	}
	if len(list) == 0 {
		return nil, errors.New("no key in PEM form (-----BEGIN PUBLIC KEY-----)")
	}
	return list, nil
}

func publicKey(block *pem.Block) (crypto.PublicKey, error) {
	var public crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			public = c.PublicKey
		}
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("is a private key: it belongs to whoever issues tokens, and to nobody else")
	default:
		return nil, errors.New("is neither a public key nor a certificate")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	return public, nil
}

// parsePrivatePEM reads the one private key that a text has.
func parsePrivatePEM(text []byte) (crypto.Signer, error) {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, errors.New("no private key in PEM form (-----BEGIN PRIVATE KEY-----)")
		}
		var private any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			private, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("the private key is encrypted; decrypt it first (openssl pkey)")
		default: // parameters of a curve, a certificate
			continue
		}
		if err != nil {
			return nil, errors.New("the private key cannot be read") // err may quote from it
		}
		switch p := private.(type) {
		case *rsa.PrivateKey:
			return p, nil
		case *ecdsa.PrivateKey:
			return p, nil
		case ed25519.PrivateKey:
			return p, nil
		}
		return nil, fmt.Errorf("the private key %w", errKeyKind)
	}
}
