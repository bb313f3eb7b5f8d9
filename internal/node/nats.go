package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"rte/internal/bus"
	"rte/internal/ingest"
)

// NATS are the settings of the servers that keep the events, and of the door
// for events that come as messages.
type NATS struct {
	NATSURL      []string `name:"nats-url" placeholder:"URL" help:"NATS servers with JetStream that keep the events, and that other nodes may share: nats://host:port or tls://host:port, several separated by commas (default: one embedded in this process)."`
	NATSURLFile  string   `name:"nats-url-file" type:"path" placeholder:"FILE" help:"File that holds --nats-url, if there is a password in it."`
	NATSCreds    string   `name:"nats-creds" type:"path" placeholder:"FILE" help:"Credentials for these servers: a user's JWT and seed."`
	NATSCA       string   `name:"nats-ca" type:"path" placeholder:"FILE" help:"Certificates (PEM) that vouch for these servers; asks for TLS (default: those of this machine)."`
	NATSReplicas int      `name:"nats-replicas" default:"0" help:"Replicas of each stream on these servers; 0: 3 where there is room for them, else 1."`
	NATSListen   string   `name:"nats-listen" placeholder:"ADDR" help:"Address at which the embedded server takes events from producers over NATS; off loopback it needs --tls-cert (default: none)."`
	NATSUsers    string   `name:"nats-users" type:"path" placeholder:"FILE" help:"Who may come in there, and for which organizations (YAML or JSON; see docs/operations.md); read again when it changes."`
	NATSInsecure bool     `name:"nats-insecure" help:"Let --nats-listen leave loopback without TLS: passwords and events can then be read on the way."`
}

// checkNATS finds settings that do not go together.
func (c *Config) checkNATS() error {
	external := len(c.NATSURL) > 0 || c.NATSURLFile != ""
	switch {
	case len(c.NATSURL) > 0 && c.NATSURLFile != "":
		return errors.New("--nats-url and --nats-url-file are both set; use one")
	case !external && (c.NATSCreds != "" || c.NATSCA != "" || c.NATSReplicas != 0):
		return errors.New("--nats-creds, --nats-ca and --nats-replicas are about the servers of --nats-url, which is missing")
	case external && c.NATSListen != "":
		return errors.New("--nats-listen opens the embedded server, and --nats-url takes another in its place; let producers connect to that one")
	case (c.NATSListen == "") != (c.NATSUsers == ""):
		return errors.New("--nats-listen and --nats-users go together: one is missing")
	case c.NATSListen != "" && !loopback(c.NATSListen) && c.TLSCert == "" && !c.NATSInsecure:
		return fmt.Errorf("--nats-listen %s can be reached from other machines, so it needs TLS: set --tls-cert and --tls-key; --nats-insecure overrides this", c.NATSListen)
	}
	return nil
}

// store are the settings of the event store.
func (n *Node) store() (bus.Options, error) {
	c := &n.cfg
	o := bus.Options{
		Dir:            c.DataDir,
		External:       bus.External{URLs: c.NATSURL, Credentials: c.NATSCreds, CA: c.NATSCA, Replicas: c.NATSReplicas},
		Retention:      c.Retention,
		RetentionBytes: int64(c.RetentionBytes),
		DedupeWindow:   c.DedupeWindow,
		Logger:         n.log,
	}
	var err error
	if o.Cluster, err = c.cluster(n.cert, n.log); err != nil {
		return o, err
	}
	if c.NATSURLFile != "" {
		text, err := os.ReadFile(c.NATSURLFile)
		if err != nil {
			return o, fmt.Errorf("read --nats-url-file: %w", err)
		}
		o.External.URLs = strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || r == '\n' || r == '\r' || r == ' ' })
		if len(o.External.URLs) == 0 {
			return o, fmt.Errorf("--nats-url-file %s is empty", c.NATSURLFile)
		}
	}
	if c.NATSListen != "" {
		o.Door = bus.Door{Listen: c.NATSListen, Users: c.NATSUsers}
		if n.cert != nil {
			o.Door.TLS = n.cert.config()
			o.Door.TLS.NextProtos = nil // NATS asks for none
		}
	}
	return o, o.Check()
}

// openDoor lets events in as messages, where there is anybody to send some.
func (n *Node) openDoor(drift *ingest.Drift) (err error) {
	if n.cfg.NATSListen == "" && !n.external() && n.cfg.ClusterName == "" {
		return nil // in a cluster the owner may be a node that has no door itself
	}
	n.nats = ingest.NewNATS(n.cat, n.bus.Publish, ingest.Options{MaxEventBytes: int(n.cfg.MaxEventBytes), Allow: n.limits.allow(), Drift: drift, Logger: n.log})
	n.shutDoor, err = n.bus.Serve(func(m bus.Message) { n.nats.Take(ingest.Message(m)) })
	return err
}

// closeDoor lets no more messages in and answers those that have come.
func (n *Node) closeDoor(ctx context.Context) (err error) {
	if n.shutDoor != nil {
		err = n.shutDoor(ctx)
	}
	if n.nats != nil {
		err = errors.Join(err, n.nats.Close(ctx))
	}
	return err
}

// external tells whether the events are kept by other servers.
func (n *Node) external() bool { return len(n.cfg.NATSURL) > 0 || n.cfg.NATSURLFile != "" }

// NATSURL is where producers connect to the embedded server; "" if they
// cannot.
func (n *Node) NATSURL() string {
	addr := n.bus.DoorAddr()
	if addr == nil {
		return ""
	}
	if n.cert != nil {
		return "tls://" + addr.String()
	}
	return "nats://" + addr.String()
}
