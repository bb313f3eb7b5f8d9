package bus

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Cluster joins the embedded servers of several nodes into one store that
// outlives the loss of any of them. The zero value is a server alone.
type Cluster struct {
	// Name of the cluster, the same on all nodes; a word of letters, digits,
	// hyphens and underscores. "" means no cluster.
	Name string

	// Listen is the address, host:port, at which the other nodes' servers
	// connect.
	Listen string

	// Advertise is the address by which the others reach Listen, if it is
	// another one; "" means Listen's.
	Advertise string

	// Routes are the nodes' addresses, host:port: best all of them, the own
	// one included, and the same list everywhere. How many there are says how
	// many servers a new cluster waits for before it elects a leader.
	Routes []string

	// Secret is what nodes know each other by. Not sent as it is.
	Secret string

	// TLS is for both directions: it has this node's certificate and asks for
	// the other's. nil means none, which only loopback allows.
	TLS *tls.Config

	// Server is this node's name in the cluster, unlike any other's; a word
	// as Name. "" means the one the folder remembers, or else one made up and
	// remembered. A node whose folder was lost takes its place again under
	// the same name.
	Server string

	// Replicas of each stream; 0 means 3, and never fewer than a stream
	// already has. Open waits until the cluster has as many servers.
	Replicas int
}

// used tells whether there is a cluster.
func (c *Cluster) used() bool { return c.Name != "" }

// leastSecret is the shortest secret off loopback, in bytes.
const leastSecret = 16

// check finds what can be found without the other nodes. Its errors never
// repeat the secret.
func (c *Cluster) check() error {
	if !c.used() {
		return nil
	}
	for what, text := range map[string]string{"name of the cluster": c.Name, "node's name in the cluster": c.Server} {
		if strings.ContainsFunc(text, notWord) {
			return fmt.Errorf("the %s, %q, must be of letters, digits, hyphens and underscores", what, text)
		}
	}
	host, port, err := splitAddress(c.Listen)
	if err != nil || port == 0 {
		return fmt.Errorf("cluster address %q: write host:port, the port not 0", c.Listen)
	}
	if c.Advertise != "" {
		if _, port, err := splitAddress(c.Advertise); err != nil || port == 0 {
			return fmt.Errorf("advertised cluster address %q: write host:port", c.Advertise)
		}
	}
	if len(c.Routes) == 0 {
		return errors.New("a cluster needs the addresses of its nodes")
	}
	inside := isLoopback(host)
	for _, route := range c.Routes {
		host, port, err := splitAddress(route)
		if err != nil || port == 0 || host == "" {
			return fmt.Errorf("cluster address %q: write host:port", route)
		}
		inside = inside && isLoopback(host)
	}
	switch {
	case c.Secret == "":
		return errors.New("a cluster needs a secret that its nodes share")
	case !inside && c.TLS == nil:
		return errors.New("a cluster that leaves loopback needs TLS: a certificate for each node, and the authority that vouches for them")
	case !inside && len(c.Secret) < leastSecret:
		return fmt.Errorf("the secret of a cluster that leaves loopback must have at least %d bytes", leastSecret)
	case c.Replicas < 0 || c.Replicas > 5:
		return fmt.Errorf("%d replicas: JetStream keeps 1 to 5", c.Replicas)
	}
	return nil
}

// splitAddress reads host:port; nats:// in front is let pass.
func splitAddress(text string) (host string, port int, err error) {
	host, number, err := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(text), "nats://"), "/"))
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(number, 10, 16)
	return host, int(n), err
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func notWord(r rune) bool {
	return r != '-' && r != '_' && (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9')
}

// Figures of routes.
const (
	// routePing, twice without an answer, ends a route that was cut without a
	// word.
	routePing = 5 * time.Second
	// routeUser is the name that goes with the secret.
	routeUser = "rte"
)

// password is made of the secret, for the routes alone: what goes over the
// wire is good for nothing else.
func (c *Cluster) password() string {
	m := hmac.New(sha256.New, []byte(c.Secret))
	m.Write([]byte("rte routes of " + c.Name))
	return hex.EncodeToString(m.Sum(nil))
}

// join makes the server a member. A server without a listener for clients
// never opens its routes, so it gets one that nobody knows: a free port on
// loopback, with a password made for this start.
func (c *Cluster) join(so *server.Options, name string, own login) error {
	host, port, err := splitAddress(c.Listen)
	if err != nil {
		return err
	}
	if err := vacant(c.Listen); err != nil {
		return err
	}
	so.ServerName = name
	so.DontListen, so.Host, so.Port = false, "127.0.0.1", server.RANDOM_PORT
	so.Username, so.Password = own.user, own.password
	so.Cluster = server.ClusterOpts{
		Name: c.Name, Host: host, Port: port, Advertise: c.Advertise,
		Username: routeUser, Password: c.password(), TLSConfig: c.TLS,
		NoAdvertise:  true, // of the port on loopback, to others' clients
		PingInterval: routePing,
	}
	for _, route := range c.Routes {
		host, port, err := splitAddress(route)
		if err != nil {
			return err
		}
		so.Routes = append(so.Routes, &url.URL{
			Scheme: "nats", User: url.UserPassword(routeUser, c.password()), Host: net.JoinHostPort(host, strconv.Itoa(port)),
		})
	}
	return nil
}

// vacant tries an address: the server opens it only when it runs, and then
// has nobody to tell.
func vacant(addr string) error {
	l, err := net.Listen("tcp", addr) //nolint:noctx // it does not wait
	if err != nil {
		return fmt.Errorf("open the cluster's address: %w", err)
	}
	return l.Close()
}
