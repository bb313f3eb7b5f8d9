package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"slices"

	"rte/internal/admin"
	"rte/internal/auth"
	"rte/internal/ops"
	"rte/internal/registry"
	"rte/internal/session"
)

// record reads what operators and the platform have said, and lets them say
// more.
func (n *Node) record(ctx context.Context) (err error) {
	n.registry, err = registry.Open(ctx, n.cat, n.bus, registry.Options{
		Directory:   n.directory,
		Revocations: n.revoked,
		Life:        n.cfg.RevocationLife,
		Longest:     n.verifier.Longest,
		Membership:  n.cfg.QueueMembership,
		Reconsider:  n.session.Reconsider,
		Revoke:      func(s auth.Selection) int { return n.session.Revoke(s) + n.standing.revoke(s) },
		Logger:      n.log,
	})
	if err != nil {
		return err
	}
	open := loopback(n.admin.net.Addr().String())
	n.operators, err = admin.New(admin.Options{
		Registry:    n.registry,
		Bus:         n.bus,
		Node:        n.name(),
		Connections: n.connections,
		Close:       n.session.Close,
		Verify:      n.verifier.Verify,
		Open:        open,
		Logger:      n.log,
	})
	if err != nil {
		return err
	}
	room := http.NewServeMux()
	room.Handle(admin.Path, n.operators)
	room.Handle(ops.ProfilesPath, n.operators.Guard(ops.Profiles()))
	n.operatorHall.open(room)
	if !open && n.cert == nil {
		n.log.Warn("the admin listener can be reached from other machines without TLS: tokens of operators can be read on the way; set --tls-cert")
	}
	return nil
}

// forget ends what record has begun.
func (n *Node) forget() {
	if n.operators != nil {
		n.operators.Stop()
	}
	if n.registry != nil {
		n.registry.Close()
	}
}

// name is what this node is called among others.
func (n *Node) name() string {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}

// connections are this node's, as the admin API has them.
func (n *Node) connections(f admin.Filter) []admin.Connection {
	found := n.session.Connections(session.Filter{User: f.User, Org: f.Org, Entity: f.Entity})
	list := make([]admin.Connection, len(found))
	for i, c := range found {
		list[i] = admin.Connection{
			ID: c.ID, User: c.User, Org: c.Org, Role: c.Role.String(), Transport: c.Transport, Protocol: c.Protocol,
			Connected: c.Connected.UTC(), TokenExpires: c.Expires, Subscriptions: c.Subscriptions,
		}
	}
	return list
}

// adminHosts are the names by which the admin listener may be called.
func (c *Config) adminHosts() []string {
	hosts := slices.Clone(c.AdminHosts)
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	return hosts
}

// adminTLS is how the admin listener speaks: in plain on loopback, where probes
// come, else with the node's certificate if there is one.
func (n *Node) adminTLS() *tls.Config {
	if n.cfg.AdminClientCA == "" && loopback(n.admin.net.Addr().String()) {
		return nil
	}
	c := n.cert.config()
	if c != nil && n.clientCA != nil {
		// Given, not required: probes, Prometheus and tokens come without.
		c.ClientAuth, c.ClientCAs = tls.VerifyClientCertIfGiven, n.clientCA
	}
	return c
}

// readClientCA reads the authority of operators' certificates; nil if there is
// none.
func (c *Config) readClientCA() (*x509.CertPool, error) {
	if c.AdminClientCA == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.AdminClientCA)
	if err != nil {
		return nil, fmt.Errorf("read --admin-client-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read --admin-client-ca: %s has no certificate in PEM", c.AdminClientCA)
	}
	return pool, nil
}
