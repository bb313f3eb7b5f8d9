package node

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A certificate is the node's own, read from two files and read again when
// they change, so that a renewal needs no restart.
type certificate struct {
	flag              string // what the flags' names begin with
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	stamp   [2]time.Time // the files' times when pair was read
	checked time.Time
}

// certificateAge is how long the files are not looked at again.
const certificateAge = time.Second

// newCertificate reads the files; both or none must be given. nil means that
// the node speaks plain HTTP.
func newCertificate(flag, certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	switch {
	case certFile == "" && keyFile == "":
		return nil, nil
	case certFile == "" || keyFile == "":
		return nil, fmt.Errorf("--%[1]s-cert and --%[1]s-key go together: one is missing", flag)
	}
	c := &certificate{flag: flag, certFile: certFile, keyFile: keyFile, log: log}
	if err := c.read(); err != nil {
		return nil, err
	}
	return c, nil
}

// config is TLS 1.2 and newer, HTTP/1.1 only: a WebSocket upgrade needs it. nil
// stays nil, which is plain HTTP.
func (c *certificate) config() *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: c.get}
}

func (c *certificate) read() error {
	stamp, err := c.times()
	if err != nil {
		return fmt.Errorf("read --%[1]s-cert and --%[1]s-key: %[2]w", c.flag, err)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("read --%[1]s-cert and --%[1]s-key: %[2]w", c.flag, err)
	}
	c.pair, c.stamp, c.checked = &pair, stamp, time.Now()
	return nil
}

func (c *certificate) times() (stamp [2]time.Time, err error) {
	for i, name := range [...]string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return stamp, err
		}
		stamp[i] = info.ModTime()
	}
	return stamp, nil
}

// get is asked at each handshake. Files that are half written, or bad, leave
// the certificate as it was, and are tried again.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < certificateAge {
		return c.pair, nil
	}
	c.checked = time.Now()
	if stamp, err := c.times(); err == nil && stamp == c.stamp {
		return c.pair, nil
	}
	if err := c.read(); err != nil {
		c.log.Error("the new certificate cannot be used; the old one stays", "err", err)
	} else {
		c.log.Info("certificate read again")
	}
	return c.pair, nil
}
