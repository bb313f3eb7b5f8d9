package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"rte/internal/event"
)

// A Config is everything a node can be told. The tags are for the command
// line: each name is also a variable RTE_… and a key of the YAML file.
type Config struct {
	Listen        string   `default:":8080" help:"Address of the hub, the publish API and the pages."`
	PublishListen string   `placeholder:"ADDR" help:"Address of the publish API, if it is to be kept apart from the hub (default: as --listen)."`
	AdminListen   string   `default:"127.0.0.1:8081" help:"Address of health, metrics and the admin API. Off loopback that asks for a token of the role admin or a client certificate."`
	AdminHosts    []string `placeholder:"NAME" help:"Names by which requests may call the admin listener, beside addresses, localhost and this machine's name."`
	AdminClientCA string   `name:"admin-client-ca" type:"path" placeholder:"FILE" help:"Certificates (PEM) of the authority whose client certificates make an operator; the admin listener then speaks TLS with --tls-cert."`
	BasePath      string   `placeholder:"PATH" help:"Path in front of all public endpoints, such as /rt when a proxy keeps it."`
	TLSCert       string   `name:"tls-cert" type:"path" placeholder:"FILE" help:"Certificate chain (PEM) of the public listeners; read again when it changes (default: plain HTTP, for a proxy in front)."`
	TLSKey        string   `name:"tls-key" type:"path" placeholder:"FILE" help:"Its private key (PEM)."`
	DataDir       string   `default:"./rte-data" type:"path" help:"Folder of the event store; not used with --nats-url."`

	Keys `embed:""`
	NATS `embed:""`

	Rules `embed:""`

	Limits  `embed:""`
	Cluster `embed:""`

	CatalogOverlay string `type:"path" placeholder:"FILE" help:"Overlay of the catalogue: further events and fields, and how strictly each event is checked (JSON; see docs/operations.md)."`

	AllowedOrigins []string `placeholder:"ORIGIN" help:"Origins whose pages may connect and use the HTTP API, such as https://desk.example.com, or https://*.example.com for every name below (default: any; bearer tokens carry no cookie risk)."`

	Retention      time.Duration `default:"15m" help:"How long events are kept; the newest of each state event is kept for ever."`
	RetentionBytes Bytes         `default:"4GiB" help:"Most bytes of kept events."`
	Window         time.Duration `default:"2m" help:"How long events are remembered in memory, so that clients that come back at once need nothing from the store."`
	JournalBytes   Bytes         `default:"1GiB" help:"Most bytes of memory, about, for what is remembered of all organizations."`
	MaxBehind      time.Duration `default:"15s" placeholder:"TIME" help:"How long this node may be cut from a store that others write to before it closes its clients, which may be behind, and lets none in; they may come back, to any node (0: never)."`
	DedupeWindow   time.Duration `default:"30s" help:"How long a producer's event id is remembered, so that a retry doubles nothing."`

	QueueBytes       Bytes  `default:"1MiB" help:"Most bytes that may wait for one client; a slower one is closed and may reconnect."`
	MaxMessageBytes  Bytes  `default:"256KiB" help:"Largest hub message a client may send."`
	MaxItems         int    `default:"1000" help:"Most items in one Subscribe or Unsubscribe."`
	MaxSubscriptions int    `default:"10000" help:"Most subscriptions of one connection."`
	MaxEventBytes    Bytes  `default:"64KiB" help:"Largest data of one published event."`
	MaxBodyBytes     Bytes  `default:"8MiB" help:"Largest body of an object or array on the publish API; NDJSON streams without limit."`
	PushExtras       bool   `default:"true" negatable:"" help:"Add cursor and time to pushed messages."`
	EventNameCase    string `default:"lower" enum:"lower,catalog" help:"Spelling of event names in results and pushes: lower or catalog."`

	MsgpackNames string `name:"msgpack-names" default:"declared" enum:"declared,camel" help:"Member names in MessagePack: declared (as the page spells them, what .NET clients expect) or camel."`

	QueueMembership bool          `help:"Learn from the event QueueAttachedUsers who belongs to a queue: whoever does may hear it, whoever has left it may not."`
	RevocationLife  time.Duration `default:"720h" help:"How long a revocation is kept at least: the longest life of your tokens."`

	DevTokens   bool          `help:"Give out tokens at /token/{userid}/rte/ to anybody who asks; loopback only."`
	InsecureDev bool          `help:"Let developer shortcuts leave loopback. Never in production."`
	Drain       time.Duration `default:"30s" help:"Time over which clients are sent away on SIGTERM."`
	Pprof       bool          `help:"Open /debug/pprof/ on the admin listener."`
	LogFormat   string        `default:"text" enum:"text,json" help:"text or json."`
	// DevOrg is the organization of developers' tokens that name none.
	DevOrg event.GUID `kong:"-"`

	LogLevel string `default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
}

// Bytes is a size; in settings it may have a unit: 65536, 64KiB, 1MiB, 4GiB.
type Bytes int64

// UnmarshalText reads a size (encoding.TextUnmarshaler).
func (b *Bytes) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	shift := 0
	for unit, n := range map[string]int{"KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40} {
		if rest, ok := strings.CutSuffix(s, unit); ok {
			s, shift = strings.TrimSpace(rest), n
			break
		}
	}
	var n int64
	if _, err := fmt.Sscanf(s+"\n", "%d\n", &n); err != nil || n < 0 || n > 1<<62>>shift {
		return fmt.Errorf("%q is no size; write a number of bytes, or one with KiB, MiB or GiB", text)
	}
	*b = Bytes(n << shift)
	return nil
}

// check finds what is wrong in itself; what only the machine knows shows at
// Start.
func (c *Config) check() error {
	if c.BasePath != "" && (!strings.HasPrefix(c.BasePath, "/") || strings.HasSuffix(c.BasePath, "/")) {
		return fmt.Errorf("--base-path %q must begin with a slash and not end with one", c.BasePath)
	}
	if c.DevTokens && !c.InsecureDev && !loopback(c.Listen) {
		return fmt.Errorf("--dev-tokens gives tokens to anybody, so --listen must be a loopback address such as 127.0.0.1:8080, not %q; --insecure-dev overrides this", c.Listen)
	}
	if c.DevTokens && c.JWTSecret == "" && c.JWTSecretFile == "" {
		return errors.New("--dev-tokens signs tokens, so it needs --jwt-secret or --jwt-secret-file")
	}
	if c.AdminClientCA != "" && c.TLSCert == "" {
		return errors.New("--admin-client-ca asks for client certificates, so the admin listener needs TLS: set --tls-cert and --tls-key")
	}
	if c.JWTLeeway < 0 {
		return errors.New("--jwt-leeway must not be negative")
	}
	for _, check := range []func() error{c.checkNATS, c.checkCluster, c.checkOrigins, c.Limits.check} {
		if err := check(); err != nil {
			return err
		}
	}
	for _, positive := range []struct {
		flag string
		n    int64
	}{
		{"retention", int64(c.Retention)}, {"retention-bytes", int64(c.RetentionBytes)}, {"dedupe-window", int64(c.DedupeWindow)}, {"revocation-life", int64(c.RevocationLife)},
		{"window", int64(c.Window)}, {"journal-bytes", int64(c.JournalBytes)},
		{"queue-bytes", int64(c.QueueBytes)}, {"max-message-bytes", int64(c.MaxMessageBytes)}, {"max-items", int64(c.MaxItems)},
		{"max-subscriptions", int64(c.MaxSubscriptions)}, {"max-event-bytes", int64(c.MaxEventBytes)}, {"max-body-bytes", int64(c.MaxBodyBytes)},
	} {
		if positive.n <= 0 {
			return fmt.Errorf("--%s must be above 0", positive.flag)
		}
	}
	if c.MaxBehind < 0 {
		return errors.New("--max-behind must not be negative")
	}
	if c.Drain < 0 {
		return fmt.Errorf("--drain must not be negative")
	}
	return nil
}

// loopback tells whether an address can only be reached from this machine.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Logger makes the logger of the settings.
func (c *Config) Logger() *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}
