package node

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"rte/internal/bus"
	"rte/internal/ops"
)

// Cluster are the settings that join the embedded servers of several nodes.
type Cluster struct {
	ClusterName       string   `placeholder:"NAME" help:"Name of the cluster that the embedded servers of several nodes make, the same on all (default: this node is alone)."`
	ClusterListen     string   `placeholder:"ADDR" help:"Address at which the cluster's other nodes connect, such as 10.0.0.1:6222; off loopback it needs TLS."`
	ClusterAdvertise  string   `placeholder:"ADDR" help:"Address by which they reach it, if it is another one."`
	ClusterRoutes     []string `placeholder:"ADDR" help:"Addresses of all nodes of the cluster, separated by commas, the same list on all."`
	ClusterSecret     string   `placeholder:"TEXT" help:"Secret that the nodes share; off loopback at least 16 bytes."`
	ClusterSecretFile string   `type:"path" placeholder:"FILE" help:"File that holds --cluster-secret."`
	ClusterTLSCert    string   `name:"cluster-tls-cert" type:"path" placeholder:"FILE" help:"Certificate chain (PEM) that this node shows to the others; read again when it changes (default: --tls-cert)."`
	ClusterTLSKey     string   `name:"cluster-tls-key" type:"path" placeholder:"FILE" help:"Its private key (PEM; default: --tls-key)."`
	ClusterTLSCA      string   `name:"cluster-tls-ca" type:"path" placeholder:"FILE" help:"Certificates (PEM) that vouch for the nodes' own; asks for TLS between nodes."`
	ClusterNode       string   `placeholder:"NAME" help:"This node's name in the cluster (default: made up at the first start and kept in --data-dir)."`
	ClusterReplicas   int      `default:"0" help:"Nodes that keep each stream; 0: 3. A new cluster waits for as many."`
}

// checkCluster finds settings that do not go together.
func (c *Config) checkCluster() error {
	if c.ClusterName == "" {
		if c.ClusterListen+c.ClusterAdvertise+c.ClusterSecret+c.ClusterSecretFile+c.ClusterTLSCert+c.ClusterTLSKey+c.ClusterTLSCA+c.ClusterNode != "" ||
			len(c.ClusterRoutes) > 0 || c.ClusterReplicas != 0 {
			return errors.New("settings of a cluster are there, but --cluster-name is missing")
		}
		return nil
	}
	tlsFiles := c.ClusterTLSCert != "" || c.ClusterTLSKey != ""
	switch {
	case len(c.NATSURL) > 0 || c.NATSURLFile != "":
		return errors.New("--cluster-name joins embedded servers, and --nats-url takes others in their place; use one")
	case c.DataDir == "":
		return errors.New("--cluster-name needs a --data-dir")
	case c.ClusterListen == "":
		return errors.New("--cluster-name needs --cluster-listen: the address at which the other nodes connect")
	case len(c.ClusterRoutes) == 0:
		return errors.New("--cluster-name needs --cluster-routes: the addresses of the cluster's nodes")
	case c.ClusterSecret == "" && c.ClusterSecretFile == "":
		return errors.New("--cluster-name needs --cluster-secret or --cluster-secret-file")
	case tlsFiles && c.ClusterTLSCA == "":
		return errors.New("--cluster-tls-cert and --cluster-tls-key need --cluster-tls-ca: nodes show each other their certificates")
	case (c.ClusterTLSCert == "") != (c.ClusterTLSKey == ""):
		return errors.New("--cluster-tls-cert and --cluster-tls-key go together: one is missing")
	case c.ClusterTLSCA != "" && !tlsFiles && c.TLSCert == "":
		return errors.New("--cluster-tls-ca needs --cluster-tls-cert and --cluster-tls-key, or --tls-cert and --tls-key")
	case c.ClusterTLSCA == "" && !loopback(c.ClusterListen):
		return fmt.Errorf("--cluster-listen %s can be reached from other machines, so it needs TLS: set --cluster-tls-ca, --cluster-tls-cert and --cluster-tls-key", c.ClusterListen)
	}
	return nil
}

// cluster are the bus's settings of a cluster; cert is the node's own.
func (c *Config) cluster(cert *certificate, log *slog.Logger) (o bus.Cluster, err error) {
	if c.ClusterName == "" {
		return o, nil
	}
	o = bus.Cluster{
		Name: c.ClusterName, Listen: c.ClusterListen, Advertise: c.ClusterAdvertise, Routes: c.ClusterRoutes,
		Server: c.ClusterNode, Replicas: c.ClusterReplicas,
	}
	if o.Secret, err = secretText(c.ClusterSecret, c.ClusterSecretFile, "cluster-secret"); err != nil {
		return o, err
	}
	if c.ClusterTLSCA == "" {
		return o, nil
	}
	pem, err := os.ReadFile(c.ClusterTLSCA)
	if err != nil {
		return o, fmt.Errorf("read --cluster-tls-ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return o, fmt.Errorf("read --cluster-tls-ca: %s holds no certificate (PEM)", c.ClusterTLSCA)
	}
	if c.ClusterTLSCert != "" {
		if cert, err = newCertificate("cluster-tls", c.ClusterTLSCert, c.ClusterTLSKey, log); err != nil {
			return o, err
		}
	}
	o.TLS = cert.mutual(pool)
	return o, nil
}

// mutual is for connections of which both ends show a certificate that one of
// the pool's vouches for.
func (c *certificate) mutual(pool *x509.CertPool) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: c.get,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.get(nil) },
		RootCAs:              pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}
}

// clusterFigures are those of servers that keep the streams together.
func clusterFigures(b *bus.Stats, add func(ops.Figure)) {
	if b.Members > 0 {
		add(ops.Figure{Name: "cluster_members", Help: "Servers of the cluster that this one is connected to, itself included.", Value: float64(b.Members)})
	}
	for _, l := range b.Leases {
		owner := 0.0
		if l.Owner {
			owner = 1
		}
		labels := []ops.Label{{Name: "name", Value: l.Name}}
		add(ops.Figure{Name: "owner", Help: "1 while this node is the one owner of something; absent until it first is.", Labels: labels, Value: owner})
		add(ops.Figure{Name: "owner_epoch", Help: "Number of its last ownership, over all nodes.", Labels: labels, Value: float64(l.Epoch)})
	}
	for _, s := range b.Streams {
		if s.Leader == "" {
			continue
		}
		of := func(server string) []ops.Label {
			return []ops.Label{{Name: "stream", Value: strings.ToLower(s.Name)}, {Name: "server", Value: server}}
		}
		add(ops.Figure{Name: "stream_leader", Help: "1 for the server that leads a stream.", Labels: of(s.Leader), Value: 1})
		for _, r := range s.Replicas {
			current := 0.0
			if r.Current {
				current = 1
			}
			add(ops.Figure{Name: "stream_replica_current", Help: "1 while a server that keeps a stream beside its leader has what that has.", Labels: of(r.Server), Value: current})
			add(ops.Figure{Name: "stream_replica_lag", Help: "Changes of a stream that this server has yet to get from the leader.", Labels: of(r.Server), Value: float64(r.Lag)})
		}
	}
}
