package bus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// External names NATS servers with JetStream that keep the store. Several
// nodes may share them: then they share the events, too. One NATS account
// holds one RTE.
type External struct {
	// URLs of one server, or of several of a cluster: nats://host:port or
	// tls://host:port, with user:password@ or token@ before the host if the
	// servers ask for it. None means the embedded server.
	URLs []string

	// Credentials is a file with a user's JWT and seed, as nsc writes it;
	// "" means none.
	Credentials string

	// CA is a file of certificates (PEM) that vouch for the servers'; it
	// asks for TLS. "" means those of this machine.
	CA string

	// Replicas of each stream; 0 means 3 where the servers have room for
	// them, else 1, and never fewer than a stream already has.
	Replicas int
}

// used tells whether the store is outside.
func (x *External) used() bool { return len(x.URLs) > 0 }

// check finds what can be found without the servers. Its errors never repeat
// an address: it may hold a password.
func (x *External) check() error {
	if !x.used() {
		return nil
	}
	if _, err := x.hosts(); err != nil {
		return err
	}
	if x.Replicas < 0 || x.Replicas > 5 {
		return fmt.Errorf("%d replicas: JetStream keeps 1 to 5", x.Replicas)
	}
	if x.Credentials != "" {
		if _, err := os.ReadFile(x.Credentials); err != nil {
			return fmt.Errorf("read NATS credentials: %w", err)
		}
	}
	if x.CA != "" {
		pem, err := os.ReadFile(x.CA)
		if err != nil {
			return fmt.Errorf("read certificates of the NATS servers: %w", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(pem) {
			return fmt.Errorf("read certificates of the NATS servers: %s holds no certificate (PEM)", x.CA)
		}
	}
	return nil
}

// hosts are the servers' addresses as logs and errors may show them.
func (x *External) hosts() (string, error) {
	var all []string
	for i, text := range x.URLs {
		if !strings.Contains(text, "://") {
			text = "nats://" + text
		}
		u, err := url.Parse(strings.TrimSpace(text))
		if err != nil || u.Hostname() == "" || u.Scheme != "nats" && u.Scheme != "tls" || strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" {
			return "", fmt.Errorf("address %d of the NATS servers cannot be read; write nats://host:port or tls://host:port, and %%40 for an @ in a password", i+1)
		}
		all = append(all, u.Host)
	}
	return strings.Join(all, ", "), nil
}

// Connections to external servers.
const (
	// openWait is how long Open waits for servers that are not there yet or
	// have no leader yet.
	openWait = 30 * time.Second
	// openPause is the pause between two tries.
	openPause = 250 * time.Millisecond
	// tryWait bounds the first try to get something done by JetStream; each
	// further one may take as much more.
	tryWait     = time.Second
	mostTryWait = 5 * time.Second
	// pingInterval, twice without an answer, ends a connection that was cut
	// without a word.
	pingInterval = 5 * time.Second
	// reconnectMost is the longest pause between two tries to come back.
	reconnectMost = 2 * time.Second
)

// options are what a connection to these servers needs, for nats.Connect.
func (x *External) options() []nats.Option {
	o := []nats.Option{
		nats.PingInterval(pingInterval),
		nats.CustomReconnectDelay(func(tries int) time.Duration {
			return min(100*time.Millisecond<<min(tries, 10), reconnectMost)
		}),
		// A server that is asked while its users are read again may refuse
		// twice; that is no reason to stay away for ever.
		nats.IgnoreAuthErrorAbort(),
	}
	if x.Credentials != "" {
		o = append(o, nats.UserCredentials(x.Credentials))
	}
	if x.CA != "" {
		o = append(o, nats.RootCAs(x.CA))
	}
	return o
}

// dialExternal connects, or tells why it cannot: at once if waiting does not
// help, else when ctx ends.
func (b *Bus) dialExternal(ctx context.Context, options []nats.Option) (*nats.Conn, error) {
	hosts, err := b.external.hosts()
	if err != nil {
		return nil, err
	}
	told := false
	for {
		conn, err := nats.Connect(strings.Join(b.external.URLs, ","), append(options, b.external.options()...)...)
		switch {
		case err == nil:
			return conn, nil
		case !mayComeUp(err):
			return nil, fmt.Errorf("connect to the NATS servers (%s): %w", hosts, refusal(err))
		case !told:
			told = true
			b.log.Warn("the NATS servers do not answer yet", "node", hosts, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("connect to the NATS servers (%s): %w", hosts, err)
		case <-time.After(openPause):
		}
	}
}

// mayComeUp tells whether an error of connecting passes when a server starts.
func mayComeUp(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return false
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrStaleConnection)
}

// refusal adds to an error of connecting what is to be done.
func refusal(err error) error {
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return fmt.Errorf("%w; give RTE a user of these servers", err)
	case errors.Is(err, nats.ErrSecureConnRequired):
		return fmt.Errorf("%w; write tls:// before the address", err)
	}
	return err
}
